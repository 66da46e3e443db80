//! A tampering takes an honest plan, breaks one invariant with it, and says what the auditor must answer.

use repoint_domain::audit::{Checked, Refusal, audit};
use repoint_domain::decide::verdict::{Hold, Verdict, verdict};
use repoint_domain::observed::Observed;
use repoint_domain::plan::{Plan, StepGroup, TargetStep, plan};
use repoint_domain::spec::{PointsTo, Spec};
use repoint_domain::state::{KnownLeader, State};
use repoint_domain::values::arn::GroupArn;
use repoint_domain::values::cluster::{SystemId, Timeline};
use repoint_domain::values::primary::Primary;
use repoint_domain::values::record::{
    Answer, Failover, RecordChange, RecordName, RecordSet, Routing, SetIdentifier, ZoneId,
};
use repoint_domain::values::target::Target;
use repoint_domain::values::timestamp::Timestamp;

use crate::support::cases::READERS;
use crate::support::evidence::{alias, arn, host, members_in, refused, target};

pub const OTHER_GROUP: &str =
    "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/theirs/0123456789abcdef";
/// An address that no member has.
const STRANGER: &str = "10.0.1.99";
/// A system identifier that no member has.
const ANOTHER_SYSTEM: &str = "2";

/// A plan and everything that it is judged by.
#[derive(Clone, Debug)]
pub struct Attempt {
    pub spec: Spec,
    pub observed: Observed,
    pub state: State,
    pub verdict: Verdict,
    pub plan: Plan,
}

impl Attempt {
    pub fn honest((spec, observed, state): (Spec, Observed, State)) -> Self {
        let verdict = verdict(&spec, &observed, &state);
        let plan = plan(&spec, &observed, &verdict, &state, Timestamp(0));
        Self { spec, observed, state, verdict, plan }
    }

    pub fn audit(&self) -> Result<Checked, Refusal> {
        audit(&self.plan, &self.spec, &self.observed, &self.verdict, &self.state, Timestamp(0))
    }

    fn primary(&self) -> Option<Primary> {
        match &self.verdict {
            Verdict::Primary(primary) => Some(primary.clone()),
            Verdict::Hold(_) => None,
        }
    }

    /// What the group should hold.
    fn primary_target(&self) -> Option<Target> {
        let address = self.primary()?.address?;
        Some(target(&address.host, address.port))
    }

    fn steps(&mut self) -> Option<&mut Vec<TargetStep>> {
        self.plan.step_groups.iter_mut().find_map(|step_group| match step_group {
            StepGroup::Group { steps, .. } => Some(steps),
            StepGroup::Listeners { .. } | StepGroup::Zone { .. } | StepGroup::Backend { .. } => None,
        })
    }

    fn group(&mut self) -> Option<&mut GroupArn> {
        self.plan.step_groups.iter_mut().find_map(|step_group| match step_group {
            StepGroup::Group { arn, .. } => Some(arn),
            StepGroup::Listeners { .. } | StepGroup::Zone { .. } | StepGroup::Backend { .. } => None,
        })
    }

    fn zone(&mut self) -> Option<(&mut ZoneId, &mut Vec<RecordChange>)> {
        self.plan.step_groups.iter_mut().find_map(|step_group| match step_group {
            StepGroup::Zone { zone, changes } => Some((zone, changes)),
            StepGroup::Group { .. } | StepGroup::Listeners { .. } | StepGroup::Backend { .. } => None,
        })
    }

    fn changes(&mut self) -> Option<&mut Vec<RecordChange>> {
        self.zone().map(|(_, changes)| changes)
    }

    fn change(&mut self, seed: usize) -> Option<&mut RecordChange> {
        pick(self.changes()?, seed)
    }

    /// Spoils one record set that is to be written, unless that makes it what it is.
    fn spoil(&mut self, seed: usize, spoil: impl Fn(&mut RecordSet)) -> Option<Refusal> {
        let change = self.change(seed)?;
        spoil(&mut change.after);
        let differs = change.before.as_ref() != Some(&change.after);
        differs.then(|| Refusal::Rewrites(change.after.key.to_string()))
    }

    /// Lets a replica fall behind; its address.
    fn lag_behind(&mut self, at_primary: &str) -> Option<String> {
        let views =
            members_in(&mut self.observed).values_mut().filter_map(|answer| answer.view.as_mut().ok());
        let listed = views.flat_map(|view| &mut view.members);
        let mut others =
            listed.filter(|listed| listed.address.as_ref().is_some_and(|at| at.host != at_primary));
        let laggard = others.next()?.address.clone()?.host;
        for view in members_in(&mut self.observed).values_mut().filter_map(|answer| answer.view.as_mut().ok())
        {
            for listed in &mut view.members {
                if listed.address.as_ref().is_some_and(|at| at.host == laggard) {
                    listed.lag_bytes = Some(u64::MAX);
                }
            }
        }
        Some(laggard)
    }

    /// Lets one record set point elsewhere.
    fn mislead(&mut self, seed: usize, points_to: PointsTo, at: &str) -> Option<Refusal> {
        let wanted: Vec<_> =
            self.spec.records.iter().filter(|wanted| wanted.points_to == points_to).cloned().collect();
        let changes = self.changes()?.iter_mut();
        let mut fitting: Vec<_> =
            changes.filter(|change| wanted.iter().any(|wanted| wanted.key == change.after.key)).collect();
        let change = pick(&mut fitting, seed)?;
        set_values(&mut change.after, &[at]);
        let (endpoint, at) = (change.after.key.to_string(), at.to_owned());
        let differs = change.before.as_ref() != Some(&change.after);
        differs.then_some(Refusal::WrongNode { endpoint, at })
    }
}

fn pick<T>(of: &mut [T], seed: usize) -> Option<&mut T> {
    let count = of.len();
    (count > 0).then(|| &mut of[seed % count])
}

fn set_values(set: &mut RecordSet, to: &[&str]) {
    let Answer::Values { values, .. } = &mut set.answer else { panic!("an alias") };
    *values = to.iter().map(ToString::to_string).collect();
}

/// A way to break an invariant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tampering {
    ActWithoutPrimary,
    GoBackInTime,
    FollowAnotherSystem,
    FollowWhatIsNotPinned,
    EmptyTheGroup,
    DeregisterFirst,
    DeregisterThePrimary,
    DeregisterWhatIsNotThere,
    DeregisterTwice,
    RegisterAnotherNode,
    RegisterAnotherPort,
    RegisterTwice,
    TouchAnotherGroup,
    TouchAnUnreadGroup,
    TouchAGroupTwice,
    TouchAnotherName,
    TouchAnotherIdentifier,
    TouchAnotherZone,
    TouchAnUnreadRecord,
    TouchAnUnseenRecord,
    TouchARecordTwice,
    ChangeNothing,
    OverwriteAnEdit,
    CreateWhatIsThere,
    ReplaceWhatIsNotThere,
    ChangeTheHealthCheck,
    ChangeTheTtl,
    ChangeTheRouting,
    MakeAnAlias,
    TakeAllValues,
    GiveAnEmptyValue,
    PointThePrimarysRecordAtAStandby,
    PointThePrimarysRecordAtAStranger,
    PointTheStandbysRecordAtThePrimary,
    PointTheStandbysRecordAtAStranger,
    PointTheReadersRecordAtAStranger,
    PointTheReadersRecordAtALaggard,
}

use Tampering as By;

pub const ALL: [Tampering; 37] = [
    By::ActWithoutPrimary,
    By::GoBackInTime,
    By::FollowAnotherSystem,
    By::FollowWhatIsNotPinned,
    By::EmptyTheGroup,
    By::DeregisterFirst,
    By::DeregisterThePrimary,
    By::DeregisterWhatIsNotThere,
    By::DeregisterTwice,
    By::RegisterAnotherNode,
    By::RegisterAnotherPort,
    By::RegisterTwice,
    By::TouchAnotherGroup,
    By::TouchAnUnreadGroup,
    By::TouchAGroupTwice,
    By::TouchAnotherName,
    By::TouchAnotherIdentifier,
    By::TouchAnotherZone,
    By::TouchAnUnreadRecord,
    By::TouchAnUnseenRecord,
    By::TouchARecordTwice,
    By::ChangeNothing,
    By::OverwriteAnEdit,
    By::CreateWhatIsThere,
    By::ReplaceWhatIsNotThere,
    By::ChangeTheHealthCheck,
    By::ChangeTheTtl,
    By::ChangeTheRouting,
    By::MakeAnAlias,
    By::TakeAllValues,
    By::GiveAnEmptyValue,
    By::PointThePrimarysRecordAtAStandby,
    By::PointThePrimarysRecordAtAStranger,
    By::PointTheStandbysRecordAtThePrimary,
    By::PointTheStandbysRecordAtAStranger,
    By::PointTheReadersRecordAtAStranger,
    By::PointTheReadersRecordAtALaggard,
];

impl Tampering {
    /// Tampers with the plan, or with what it rests on; what the auditor must say of it, or `None` where there is
    /// nothing to tamper with.
    pub fn tamper(self, attempt: &mut Attempt, seed: usize) -> Option<Refusal> {
        if attempt.plan.is_empty() {
            return None;
        }
        let primary = attempt.primary()?;
        match self {
            By::ActWithoutPrimary => {
                attempt.verdict = Verdict::Hold(Hold::NoPrimary { denied_by: None });
                Some(Refusal::NoPrimary)
            }
            By::GoBackInTime => {
                let applied = Timeline(primary.timeline.0 + 1);
                attempt.state.highest_timeline = Some(applied);
                Some(Refusal::Backwards { to: primary.timeline, applied })
            }
            By::FollowAnotherSystem => {
                let expected = SystemId::new(ANOTHER_SYSTEM);
                attempt.state.system_id = Some(expected.clone());
                Some(Refusal::WrongSystem { found: primary.system_id, expected })
            }
            By::FollowWhatIsNotPinned => {
                let expected = SystemId::new(ANOTHER_SYSTEM);
                attempt.spec.system_id = Some(expected.clone());
                Some(Refusal::WrongSystem { found: primary.system_id, expected })
            }
            By::EmptyTheGroup
            | By::DeregisterFirst
            | By::DeregisterThePrimary
            | By::DeregisterWhatIsNotThere
            | By::DeregisterTwice
            | By::RegisterAnotherNode
            | By::RegisterAnotherPort
            | By::RegisterTwice => self.tamper_with_steps(attempt, seed),
            By::TouchAnotherGroup => {
                let other = arn(OTHER_GROUP);
                let group = attempt.group()?.clone();
                let read = attempt.observed.groups[&group].clone();
                attempt.observed.groups.insert(other.clone(), read);
                *attempt.group()? = other;
                Some(Refusal::NotOurs(OTHER_GROUP.to_owned()))
            }
            By::TouchAnUnreadGroup => {
                let group = attempt.group()?.clone();
                match seed % 2 {
                    0 => drop(attempt.observed.groups.insert(group.clone(), Err(refused()))),
                    _ => drop(attempt.observed.groups.remove(&group)),
                }
                Some(Refusal::Unread(group.to_string()))
            }
            By::TouchAGroupTwice => {
                let group = attempt.group()?.to_string();
                let again = attempt
                    .plan
                    .step_groups
                    .iter()
                    .find(|step_group| matches!(step_group, StepGroup::Group { .. }))
                    .cloned();
                attempt.plan.step_groups.extend(again);
                Some(Refusal::Repeats(group))
            }
            _ => self.tamper_with_records(attempt, seed, &primary),
        }
    }

    fn tamper_with_steps(self, attempt: &mut Attempt, seed: usize) -> Option<Refusal> {
        let leader = attempt.primary_target()?;
        let name = attempt.group()?.clone();
        let group = name.to_string();
        let registered: Vec<Target> =
            attempt.observed.groups[&name].as_ref().ok()?.registered().cloned().collect();
        let other = registered.iter().find(|target| **target != leader).cloned();
        let steps = attempt.steps()?;
        match self {
            By::EmptyTheGroup => {
                *steps = registered.iter().cloned().map(TargetStep::Deregister).collect();
                let first = registered.first()?.clone();
                Some(if first == leader {
                    Refusal::ClosesOpen { group, target: leader }
                } else {
                    Refusal::ClosesFirst { group, target: first }
                })
            }
            By::DeregisterFirst => {
                other.is_some().then(|| steps.rotate_left(1))?;
                let Some(TargetStep::Deregister(first)) = steps.first() else { return None };
                Some(Refusal::ClosesFirst { group, target: first.clone() })
            }
            By::DeregisterThePrimary => {
                let at = seed % (steps.len() + 1);
                let at = if steps.is_empty() { at } else { at.max(1) };
                steps.insert(at, TargetStep::Deregister(leader.clone()));
                Some(Refusal::ClosesOpen { group, target: leader })
            }
            By::DeregisterWhatIsNotThere => {
                steps.push(TargetStep::Deregister(target(STRANGER, 5432)));
                Some(Refusal::Repeats(group))
            }
            By::DeregisterTwice => {
                steps.push(TargetStep::Deregister(other?));
                Some(Refusal::Repeats(group))
            }
            By::RegisterAnotherNode => {
                let node = other.unwrap_or_else(|| target(STRANGER, 5432));
                steps.insert(seed % (steps.len() + 1), TargetStep::Register(node.clone()));
                Some(Refusal::WrongNode { endpoint: group, at: node.to_string() })
            }
            By::RegisterAnotherPort => {
                let node = target(&leader.id, 1);
                steps.insert(seed % (steps.len() + 1), TargetStep::Register(node.clone()));
                Some(Refusal::WrongNode { endpoint: group, at: node.to_string() })
            }
            _ => {
                steps.push(TargetStep::Register(leader));
                Some(Refusal::Repeats(group))
            }
        }
    }

    #[expect(clippy::too_many_lines, reason = "one arm for each way to tamper")]
    fn tamper_with_records(self, attempt: &mut Attempt, seed: usize, primary: &Primary) -> Option<Refusal> {
        let at_primary = primary.address.as_ref()?.host.clone();
        match self {
            By::TouchAnotherName => {
                let change = attempt.change(seed)?;
                change.after.key.place.name = RecordName::new("theirs.example.com");
                let key = change.after.key.clone();
                attempt.observed.records.insert(key.place.clone(), Ok(Vec::new()));
                Some(Refusal::NotOurs(key.to_string()))
            }
            By::TouchAnotherIdentifier => {
                let change = attempt.change(seed)?;
                change.after.key.set_identifier = Some(SetIdentifier::new("theirs"));
                Some(Refusal::NotOurs(change.after.key.to_string()))
            }
            By::TouchAnotherZone => {
                let (zone, changes) = attempt.zone()?;
                *zone = ZoneId::new("Z2");
                Some(Refusal::NotOurs(changes.first()?.after.key.to_string()))
            }
            By::TouchAnUnreadRecord | By::TouchAnUnseenRecord => {
                let key = attempt.changes()?.first()?.after.key.clone();
                match self {
                    By::TouchAnUnreadRecord => {
                        drop(attempt.observed.records.insert(key.place.clone(), Err(refused())));
                    }
                    _ => drop(attempt.observed.records.remove(&key.place)),
                }
                Some(Refusal::Unread(key.to_string()))
            }
            By::TouchARecordTwice => {
                let again = attempt.change(seed)?.clone();
                attempt.changes()?.push(again.clone());
                Some(Refusal::Repeats(again.after.key.to_string()))
            }
            By::ChangeNothing => {
                let change = attempt.change(seed)?;
                change.after = change.before.clone()?;
                Some(Refusal::Repeats(change.after.key.to_string()))
            }
            By::OverwriteAnEdit => {
                let change = attempt.change(seed)?;
                set_values(change.before.as_mut()?, &[STRANGER]);
                Some(Refusal::Rewrites(change.after.key.to_string()))
            }
            By::CreateWhatIsThere => {
                let change = attempt.change(seed)?;
                change.before.take()?;
                Some(Refusal::Rewrites(change.after.key.to_string()))
            }
            By::ReplaceWhatIsNotThere => {
                let change = attempt.change(seed)?;
                change.before.is_none().then_some(())?;
                change.before = Some(change.after.clone());
                Some(Refusal::Rewrites(change.after.key.to_string()))
            }
            By::ChangeTheTtl => {
                let (configured, change) = (attempt.spec.records.clone(), attempt.change(seed)?);
                let wanted = configured.iter().find(|wanted| wanted.key == change.after.key)?;
                // A new record whose TTL is not configured has to have some.
                (wanted.ttl_seconds.is_some() || change.before.is_some()).then_some(())?;
                attempt.spoil(seed, |set| {
                    let Answer::Values { ttl_seconds, .. } = &mut set.answer else { panic!("an alias") };
                    *ttl_seconds += 1;
                })
            }
            By::ChangeTheHealthCheck => attempt.spoil(seed, |set| {
                set.health_check_id = match &set.health_check_id {
                    Some(_) => None,
                    None => Some("another".to_owned()),
                };
            }),
            By::ChangeTheRouting => attempt.spoil(seed, |set| {
                set.routing = match &set.routing {
                    Routing::Simple => Routing::Failover(Failover::Primary),
                    _ => Routing::Simple,
                };
            }),
            By::MakeAnAlias => {
                attempt.spoil(seed, |set| set.answer = Answer::Alias(alias("theirs.example.com")))
            }
            By::TakeAllValues | By::GiveAnEmptyValue => {
                let values: &[&str] = if self == By::TakeAllValues { &[] } else { &[&at_primary, ""] };
                let change = attempt.change(seed)?;
                set_values(&mut change.after, values);
                Some(Refusal::Empties(change.after.key.to_string()))
            }
            By::PointThePrimarysRecordAtAStandby => {
                let standby = (1..=3).rev().map(host).find(|host| *host != at_primary)?;
                attempt.mislead(seed, PointsTo::Primary, &standby)
            }
            By::PointThePrimarysRecordAtAStranger => attempt.mislead(seed, PointsTo::Primary, STRANGER),
            By::PointTheStandbysRecordAtThePrimary => attempt.mislead(seed, PointsTo::Standby, &at_primary),
            By::PointTheStandbysRecordAtAStranger => attempt.mislead(seed, PointsTo::Standby, STRANGER),
            By::PointTheReadersRecordAtAStranger => attempt.mislead(seed, READERS, STRANGER),
            By::PointTheReadersRecordAtALaggard => {
                // Just after another member has begun to lead, one that is there may stay.
                let (member, timeline) = (attempt.primary()?.member, attempt.primary()?.timeline);
                attempt.state.leader = Some(KnownLeader { member, timeline, since: None });
                let laggard = attempt.lag_behind(&at_primary)?;
                attempt.mislead(seed, READERS, &laggard)
            }
            _ => unreachable!("{self:?} is not about records"),
        }
    }
}

//! The auditor and listeners: each way to break an invariant with their weights is refused.

use std::cell::RefCell;
use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use repoint_domain::audit::Refusal;
use repoint_domain::decide::verdict::Verdict;
use repoint_domain::observed::Observed;
use repoint_domain::plan::{ListenerStep, StepGroup, TargetStep};
use repoint_domain::spec::{GroupSpec, Spec, Strategy as Follows};
use repoint_domain::state::State;
use repoint_domain::values::arn::{GroupArn, ListenerArn};
use repoint_domain::values::cluster::Address;
use repoint_domain::values::listener::{Listener, Stickiness, WeightChange};

use super::tampering::Attempt;
use super::{TRIED_AT_LEAST, config};
use crate::support::cases::weighted_case;
use crate::support::evidence::{
    LISTENER, forward, healthy, host, ip_group, listener_arn, member_group, refused, spec, target,
    weighted_spec,
};

const OTHER: &str = "arn:aws:elasticloadbalancing:us-east-1:123456789012:listener/net/theirs/50dc6c495c0c9188/f2f7dc8efc522ab2";

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Tampering {
    SendNowhere,
    SendAstray,
    SendToSeveral,
    SendToAStranger,
    SendBeforeOpening,
    OpenAfterwards,
    CloseBeforeSending,
    CloseInstead,
    DropAGroup,
    ChangeWhatIsNotOurs,
    ChangeTheStickiness,
    ChangeTheOrder,
    OverwriteAnEdit,
    ChangeNothing,
    SendTwice,
    TouchAListenerTwice,
    TouchAnotherListener,
    TouchAnUnreadListener,
    TouchAnotherAction,
    SendToAnUnreadGroup,
    TouchAGroupThatIsNotBehindIt,
    TouchAGroupTwice,
    RegisterAnotherMember,
    FollowNobodysGroup,
}

use Tampering as By;

const ALL: [Tampering; 24] = [
    By::SendNowhere,
    By::SendAstray,
    By::SendToSeveral,
    By::SendToAStranger,
    By::SendBeforeOpening,
    By::OpenAfterwards,
    By::CloseBeforeSending,
    By::CloseInstead,
    By::DropAGroup,
    By::ChangeWhatIsNotOurs,
    By::ChangeTheStickiness,
    By::ChangeTheOrder,
    By::OverwriteAnEdit,
    By::ChangeNothing,
    By::SendTwice,
    By::TouchAListenerTwice,
    By::TouchAnotherListener,
    By::TouchAnUnreadListener,
    By::TouchAnotherAction,
    By::SendToAnUnreadGroup,
    By::TouchAGroupThatIsNotBehindIt,
    By::TouchAGroupTwice,
    By::RegisterAnotherMember,
    By::FollowNobodysGroup,
];

/// The lane of the listener.
fn step_group(attempt: &mut Attempt) -> Option<&mut Vec<ListenerStep>> {
    attempt.plan.step_groups.iter_mut().find_map(|step_group| match step_group {
        StepGroup::Listeners { steps } => Some(steps),
        StepGroup::Group { .. } | StepGroup::Zone { .. } | StepGroup::Backend { .. } => None,
    })
}

fn at_weights(steps: &[ListenerStep]) -> Option<usize> {
    steps.iter().position(|step| matches!(step, ListenerStep::Weights(_)))
}

fn weights(attempt: &mut Attempt) -> Option<&mut WeightChange> {
    let steps = step_group(attempt)?;
    steps.iter_mut().find_map(|step| match step {
        ListenerStep::Weights(weights) => Some(weights),
        ListenerStep::Target(..) => None,
    })
}

/// The primary's group: the one that gets everything.
fn primarys(attempt: &mut Attempt) -> Option<GroupArn> {
    let after = &weights(attempt)?.after;
    after.weights.iter().find(|(_, weight)| **weight > 0).map(|(group, _)| group.clone())
}

fn primary_address(attempt: &Attempt) -> Option<Address> {
    match &attempt.verdict {
        Verdict::Primary(primary) => primary.address.clone(),
        Verdict::Hold(_) => None,
    }
}

impl Tampering {
    /// Tampers with the plan, or with what it rests on; what the auditor must say of it, or `None` where there is
    /// nothing to tamper with.
    fn tamper(self, attempt: &mut Attempt) -> Option<Refusal> {
        let primarys = primarys(attempt)?;
        let another = attempt.spec.groups.iter().map(|own| own.arn.clone()).find(|own| *own != primarys)?;
        let listener = || LISTENER.to_owned();
        let rewrites = || Some(Refusal::Rewrites(LISTENER.to_owned()));
        match self {
            By::SendNowhere => {
                weights(attempt)?.after.weights.values_mut().for_each(|weight| *weight = 0);
                // It may be what it is.
                let WeightChange { before, after, .. } = weights(attempt)?;
                (before != after).then(|| Refusal::Empties(listener()))
            }
            By::SendAstray | By::SendToSeveral => {
                let WeightChange { before, after, .. } = weights(attempt)?;
                after.weights.insert(another, 5);
                if self == By::SendAstray {
                    after.weights.insert(primarys, 0);
                }
                let at = after.to_string();
                (before != after).then(|| Refusal::WrongNode { endpoint: listener(), at })
            }
            By::SendToAStranger | By::ChangeWhatIsNotOurs => {
                let share = if self == By::SendToAStranger { 100 } else { 0 };
                let after = &mut weights(attempt)?.after.weights;
                let foreign = member_group(9);
                if self == By::ChangeWhatIsNotOurs && after.remove(&member_group(4)).is_some() {
                    return rewrites();
                }
                after.insert(foreign, share);
                rewrites()
            }
            By::SendBeforeOpening | By::OpenAfterwards => {
                let steps = step_group(attempt)?;
                (at_weights(steps)? == 1).then_some(())?;
                let open = steps.remove(0);
                if self == By::OpenAfterwards {
                    steps.insert(1, open);
                }
                Some(Refusal::SendsFirst { listener: listener(), group: primarys.to_string() })
            }
            By::CloseBeforeSending => {
                let steps = step_group(attempt)?;
                let at = at_weights(steps)?;
                let weights = steps.remove(at);
                let (group, target) = steps.iter().find_map(|step| match step {
                    ListenerStep::Target(group, TargetStep::Deregister(target)) => {
                        Some((group.to_string(), target.clone()))
                    }
                    _ => None,
                })?;
                steps.push(weights);
                Some(Refusal::ClosesFirst { group, target })
            }
            By::CloseInstead => {
                let steps = step_group(attempt)?;
                let of = |step: &ListenerStep| match step {
                    ListenerStep::Target(group, step) if *group == another => Some(step.clone()),
                    _ => None,
                };
                let steps: Vec<TargetStep> = steps.iter().filter_map(of).collect();
                let target = steps.iter().find_map(|step| match step {
                    TargetStep::Deregister(target) => Some(target.clone()),
                    TargetStep::Register(_) => None,
                })?;
                let before = &weights(attempt)?.before.weights;
                before.iter().any(|(group, weight)| *weight > 0 && *group != primarys).then_some(())?;
                let group = another.to_string();
                attempt.plan.step_groups = vec![StepGroup::Group { arn: another, steps }];
                Some(Refusal::ClosesFirst { group, target })
            }
            By::DropAGroup => {
                let WeightChange { before, after, .. } = weights(attempt)?;
                let group = before.weights.keys().next()?;
                after.weights.remove(group);
                rewrites()
            }
            By::ChangeTheStickiness => {
                let after = &mut weights(attempt)?.after;
                after.stickiness = match after.stickiness {
                    Some(_) => None,
                    None => Some(Stickiness { enabled: Some(true), duration_seconds: None }),
                };
                rewrites()
            }
            By::ChangeTheOrder => {
                weights(attempt)?.after.order = Some(42);
                rewrites()
            }
            By::OverwriteAnEdit => {
                weights(attempt)?.before.weights.insert(another, 42);
                rewrites()
            }
            _ => self.tamper_with_the_step_group(attempt, &primarys, &another),
        }
    }

    fn tamper_with_the_step_group(
        self,
        attempt: &mut Attempt,
        primarys: &GroupArn,
        another: &GroupArn,
    ) -> Option<Refusal> {
        let listener = || LISTENER.to_owned();
        match self {
            By::ChangeNothing => {
                let weights = weights(attempt)?;
                weights.after = weights.before.clone();
                Some(Refusal::Repeats(listener()))
            }
            By::SendTwice => {
                let steps = step_group(attempt)?;
                let again = steps[at_weights(steps)?].clone();
                steps.push(again);
                Some(Refusal::Repeats(listener()))
            }
            By::TouchAListenerTwice => {
                let again = attempt.plan.step_groups.first()?.clone();
                attempt.plan.step_groups.push(again);
                Some(Refusal::Repeats(listener()))
            }
            By::TouchAnotherListener => {
                let other = ListenerArn::parse(OTHER).ok()?;
                let read = attempt.observed.listeners.get(&listener_arn())?.clone();
                attempt.observed.listeners.insert(other.clone(), read);
                weights(attempt)?.listener = other;
                Some(Refusal::NotOurs(OTHER.to_owned()))
            }
            By::TouchAnUnreadListener | By::TouchAnotherAction => {
                let read = match self {
                    By::TouchAnUnreadListener => Err(refused()),
                    _ => Ok(Listener::Other("its default action is redirect".to_owned())),
                };
                attempt.observed.listeners.insert(listener_arn(), read);
                Some(Refusal::Unread(listener()))
            }
            By::SendToAnUnreadGroup => {
                attempt.observed.groups.insert(primarys.clone(), Err(refused()));
                Some(Refusal::Unread(primarys.to_string()))
            }
            By::TouchAGroupThatIsNotBehindIt => {
                // Another one of ours, in which just that target belongs.
                attempt.spec.groups.push(GroupSpec { strategy: Follows::Exclusive, ..weighted_spec(4) });
                attempt.observed.groups.insert(member_group(4), Ok(ip_group(&[])));
                let primary = primary_address(attempt)?;
                let steps = step_group(attempt)?;
                let register = TargetStep::Register(target(&primary.host, primary.port));
                steps.push(ListenerStep::Target(member_group(4), register));
                Some(Refusal::NotOurs(member_group(4).to_string()))
            }
            By::TouchAGroupTwice => {
                let steps = step_group(attempt)?;
                let ListenerStep::Target(group, step) =
                    steps.iter().find(|step| matches!(step, ListenerStep::Target(..)))?.clone()
                else {
                    return None;
                };
                matches!(step, TargetStep::Register(_)).then_some(())?;
                let again = StepGroup::Group { arn: group.clone(), steps: vec![step] };
                attempt.plan.step_groups.push(again);
                Some(Refusal::Repeats(group.to_string()))
            }
            By::RegisterAnotherMember => {
                let primary = primary_address(attempt)?;
                attempt.observed.groups.get(another)?.as_ref().ok()?;
                let steps = step_group(attempt)?;
                steps.retain(|step| !matches!(step, ListenerStep::Target(group, _) if group != primarys));
                let target = target(&primary.host, primary.port);
                let at = target.to_string();
                steps.push(ListenerStep::Target(another.clone(), TargetStep::Register(target)));
                Some(Refusal::WrongNode { endpoint: another.to_string(), at })
            }
            _ => {
                // The group is another member's now.
                let own = attempt.spec.groups.iter_mut().find(|own| own.arn == *primarys)?;
                own.strategy = Follows::Weighted {
                    listeners: vec![listener_arn()],
                    member: crate::support::evidence::name(9),
                };
                let at = weights(attempt)?.after.to_string();
                Some(Refusal::WrongNode { endpoint: listener(), at })
            }
        }
    }
}

#[test]
fn no_weights_that_were_tampered_with_pass() {
    let tried: RefCell<BTreeMap<Tampering, u32>> = RefCell::default();
    let property = |given| {
        let honest = Attempt::honest(given);
        for tampering in ALL {
            let mut attempt = honest.clone();
            if let Some(expected) = tampering.tamper(&mut attempt) {
                *tried.borrow_mut().entry(tampering).or_default() += 1;
                prop_assert_eq!(attempt.audit(), Err(expected), "{:?}", tampering);
            }
        }
        Ok(())
    };
    TestRunner::new(config()).run(&weighted_case(), property).unwrap();
    let tried = tried.into_inner();
    let rare: Vec<_> = ALL.iter().filter(|by| tried.get(by).copied().unwrap_or(0) < TRIED_AT_LEAST).collect();
    assert!(rare.is_empty(), "hardly tried: {rare:?} of {tried:?}");
}

/// pg2 leads, its group is empty, and the listener still sends to pg1; pg1's group has a stranger as well.
fn after_a_failover() -> Attempt {
    let spec = Spec { groups: (1..=3).map(weighted_spec).collect(), ..spec() };
    let groups = [
        (member_group(1), Ok(ip_group(&[(&host(1), "healthy"), ("10.0.1.99", "healthy")]))),
        (member_group(2), Ok(ip_group(&[]))),
        (member_group(3), Ok(ip_group(&[(&host(3), "healthy")]))),
    ];
    let listener = Listener::Forward(forward(&[(1, 100), (2, 0), (3, 0), (4, 0)]));
    let observed = Observed {
        groups: BTreeMap::from(groups),
        listeners: BTreeMap::from([(listener_arn(), Ok(listener))]),
        ..healthy(2, 4)
    };
    Attempt::honest((spec, observed, State::default()))
}

#[test]
fn each_tampering_with_weights_is_refused_with_a_reason() {
    let lines = ALL.map(|tampering| {
        let mut attempt = after_a_failover();
        assert!(attempt.audit().is_ok());
        let expected =
            tampering.tamper(&mut attempt).unwrap_or_else(|| panic!("{tampering:?} has no example"));
        let refusal = attempt.audit().expect_err("it was tampered with");
        assert_eq!(refusal, expected, "{tampering:?}");
        let group =
            |text: String, number: u8| text.replace(member_group(number).as_str(), &format!("PG{number}"));
        let words = (1..=9).fold(refusal.to_string().replace(LISTENER, "LISTENER"), group);
        format!("{tampering:?}: {}", words.replace(OTHER, "OTHER"))
    });
    insta::assert_snapshot!(lines.join("\n"), @"
    SendNowhere: it leaves LISTENER empty (invariant 5)
    SendAstray: it points LISTENER at pg1, where the member that it follows is not (invariant 3)
    SendToSeveral: it points LISTENER at pg1 (5) and pg2 (100), where the member that it follows is not (invariant 3)
    SendToAStranger: it replaces LISTENER although it has changed since it was read, or drops a part of it that repoint does not manage (invariant 7)
    SendBeforeOpening: it lets LISTENER send connections to PG2 before the primary is registered there (invariant 6)
    OpenAfterwards: it lets LISTENER send connections to PG2 before the primary is registered there (invariant 6)
    CloseBeforeSending: it deregisters 10.0.1.99:5432 from PG1 before the primary is registered there (invariant 6)
    CloseInstead: it deregisters 10.0.1.99:5432 from PG1 before the primary is registered there (invariant 6)
    DropAGroup: it replaces LISTENER although it has changed since it was read, or drops a part of it that repoint does not manage (invariant 7)
    ChangeWhatIsNotOurs: it replaces LISTENER although it has changed since it was read, or drops a part of it that repoint does not manage (invariant 7)
    ChangeTheStickiness: it replaces LISTENER although it has changed since it was read, or drops a part of it that repoint does not manage (invariant 7)
    ChangeTheOrder: it replaces LISTENER although it has changed since it was read, or drops a part of it that repoint does not manage (invariant 7)
    OverwriteAnEdit: it replaces LISTENER although it has changed since it was read, or drops a part of it that repoint does not manage (invariant 7)
    ChangeNothing: it changes LISTENER twice, or does not change it (invariant 8)
    SendTwice: it changes LISTENER twice, or does not change it (invariant 8)
    TouchAListenerTwice: it changes LISTENER twice, or does not change it (invariant 8)
    TouchAnotherListener: it touches OTHER, which is not configured for this cluster (invariant 7)
    TouchAnUnreadListener: it changes LISTENER, which could not be read (invariant 2)
    TouchAnotherAction: it changes LISTENER, which could not be read (invariant 2)
    SendToAnUnreadGroup: it changes PG2, which could not be read (invariant 2)
    TouchAGroupThatIsNotBehindIt: it touches PG4, which is not configured for this cluster (invariant 7)
    TouchAGroupTwice: it changes PG2 twice, or does not change it (invariant 8)
    RegisterAnotherMember: it points PG1 at 10.0.1.12:5432, where the member that it follows is not (invariant 3)
    FollowNobodysGroup: it points LISTENER at pg2, where the member that it follows is not (invariant 3)
    ");
}

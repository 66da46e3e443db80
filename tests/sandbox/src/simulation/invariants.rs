//! The invariants of `repoint`'s design, checked against the simulated world after every step.
//!
//! They are checked against what happened to the world and the true state of the cluster, never against what a reconciler
//! reports.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use repoint_domain::spec::PointsTo;
use repoint_domain::state::{OutboxMessage, State};
use repoint_domain::values::cluster::{SiteName, SystemId, Timeline};
use repoint_domain::values::listener::Forward;
use repoint_domain::values::record::{Alias, Answer, Failover, RecordChange, RecordSet, Routing};

use super::alerts::check_outbox;
use super::promptness::{check_promptness, check_readers};
use super::sites::{Node, Side};
use super::world::{Action, World};
use crate::Millis;
use crate::patroni::MemberId;

/// From a member's answer to the arrival of the write that rests on it: the rest of the observation, the commit, the lease guard, and
/// the way there.
const OLDEST_EVIDENCE: Millis = 30_000;
/// Within this, an operator's edit and a reconciler's step may have crossed each other on the way; a target group has no
/// compare-and-swap.
const EDIT_CROSSES: Millis = 30_000;
/// Two reconcilers may not act at once: the later one waits so long for the earlier one.
const LEASE_WAIT: Millis = 6_000;
/// The identity that runs `repoint adopt`.
pub(super) const OPERATOR: &str = "operator";

/// Which invariant of the design; or that a healed run must converge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "their names say it")]
pub enum Invariant {
    NeverGuess,
    NeverBackwards,
    NeverEmpty,
    OpenBeforeClose,
    OwnOnly,
    Idempotent,
    Bounded,
    Explained,
    AlertOnce,
    OneActs,
    Audited,
    Prompt,
    Recorded,
    ReadersStay,
    Converges,
}

/// A violated invariant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// When.
    pub at: Millis,
    /// Which.
    pub invariant: Invariant,
    /// How.
    pub how: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} at {} ms: {}", self.invariant, self.at, self.how)
    }
}

/// What the checks need of the past.
#[expect(clippy::struct_excessive_bools, reason = "each says whether one thing is so")]
#[derive(Debug, Default)]
pub struct Invariants {
    /// The first violation.
    pub violation: Option<Violation>,
    /// When each member was last seen to take writes on each timeline.
    writers: BTreeMap<(Node, u32), Millis>,
    /// The highest timeline of a primary that an endpoint was pointed at.
    pointed_at: u32,
    /// The only member that takes writes, and since when.
    pub(super) only_writer: Option<(Node, Millis)>,
    /// The site that was left for the other one, until operators say which of them is to hold the primary: until one is a
    /// standby cluster.
    left_site: Option<Side>,
    /// When one was a standby cluster for the last time.
    last_standby_site: Option<Millis>,
    /// For which system and timeline each reconciler has committed to act.
    pub(super) acts: BTreeMap<String, (SystemId, Timeline)>,
    /// The members whose `/cluster` each pass has read while there was a clone.
    pub(super) answered: BTreeMap<String, BTreeSet<MemberId>>,
    /// When there was a clone for the last time.
    pub(super) last_clone: Option<Millis>,
    /// The highest timeline that a write was made for.
    written: Option<(SystemId, Timeline)>,
    /// When operators last edited each group, listener or name.
    pub(super) edited: BTreeMap<String, Millis>,
    /// When the open commit was made.
    leased_since: Millis,
    /// The last pass that committed after it had waited for another one.
    pub(super) waited: Option<String>,
    /// The status that each kind of message was last posted with, by its topic and its key.
    pub(super) posted: BTreeMap<(Option<String>, String), String>,
    /// The ids of the events that were alerted, reminders left out.
    pub(super) alerted: BTreeSet<String>,
    /// The messages that were published.
    messages: BTreeSet<String>,
    /// A crash or a lost answer may send a message twice.
    pub(super) may_repeat: bool,
    /// Whether the state is required; with `[state] required = false` nothing fences.
    pub(super) is_fenced: bool,
    /// Nothing goes wrong in this run but what [`Invariant::Prompt`] and [`Invariant::ReadersStay`] are about.
    pub(super) is_plain: bool,
    /// Its state is that of another entry, whose world checks what is stored.
    pub(super) has_anothers_state: bool,
    /// How many actions each pass has done.
    pub(super) actions: BTreeMap<String, u64>,
}

impl Invariants {
    /// The first violation is kept: later ones may follow from it.
    pub fn violated(&mut self, at: Millis, invariant: Invariant, how: impl Into<String>) {
        self.violation.get_or_insert_with(|| Violation { at, invariant, how: how.into() });
    }

    pub(super) fn published(&mut self, now: Millis, message: &OutboxMessage) {
        if !self.messages.insert(message.id.clone()) && !self.may_repeat {
            self.violated(now, Invariant::AlertOnce, format!("`{}` was published twice", message.subject));
        }
    }

    /// The timelines on which a member has taken writes so lately that a pass under way may have seen it.
    fn wrote_on(&self, node: Node, now: Millis) -> impl Iterator<Item = u32> {
        let timelines = self.writers.range((node, 0)..=(node, u32::MAX));
        timelines.filter(move |(_, last)| *last + OLDEST_EVIDENCE >= now).map(|((_, timeline), _)| *timeline)
    }

    fn wrote_lately(&self, node: Node, now: Millis) -> bool {
        self.wrote_on(node, now).next().is_some()
    }

    /// An endpoint was pointed at a primary: never at one of an older timeline than another was before.
    fn never_back(&mut self, now: Millis, by: &str, nodes: &[Node]) {
        // A restore may have set it back since it was seen, or just before.
        let timelines: Vec<u32> = nodes.iter().flat_map(|node| self.wrote_on(*node, now)).collect();
        let least = timelines.iter().copied().min().unwrap_or(0);
        let timeline = timelines.into_iter().max().unwrap_or(0);
        if self.is_fenced && timeline < self.pointed_at {
            let how = format!("{by} pointed at a primary of timeline {timeline} after {}", self.pointed_at);
            self.violated(now, Invariant::NeverBackwards, how);
        }
        self.pointed_at = self.pointed_at.max(least);
    }

    /// The member that has been the primary for so long that every observation must have found it.
    fn long_only_writer(&self, now: Millis) -> Option<Node> {
        self.only_writer.filter(|(_, since)| since + OLDEST_EVIDENCE <= now).map(|(node, _)| node)
    }

    /// Whether a pass may rest on what a clone has answered.
    pub(super) fn may_have_seen_a_clone(&self, now: Millis) -> bool {
        self.last_clone.is_some_and(|last| last + OLDEST_EVIDENCE >= now)
    }

    /// The members are those of another cluster now.
    pub(super) fn forget_members(&mut self) {
        self.writers.clear();
        self.only_writer = None;
    }

    fn was_edited(&self, what: &str, now: Millis) -> bool {
        self.edited.get(what).is_some_and(|at| at + EDIT_CROSSES >= now)
    }
}

/// Records which members take writes.
pub(super) fn watch(world: &mut World, now: Millis) {
    let writers = world.takes_writes();
    let invariants = &mut world.invariants;
    for (node, timeline) in &writers {
        invariants.writers.insert((*node, *timeline), now);
    }
    if world.has_standby_site() {
        (world.invariants.left_site, world.invariants.last_standby_site) = (None, Some(now));
    }
    let only_writer = world.leader();
    match (world.invariants.only_writer, only_writer) {
        (Some((before, _)), Some(now)) if before == now => {}
        (_, Some(node)) => world.invariants.only_writer = Some((node, now)),
        (_, None) => world.invariants.only_writer = None,
    }
}

/// Invariants 3 to 7, of one action that has just been done.
pub(super) fn check_action(world: &mut World, now: Millis, by: &str, action: &Action) {
    *world.invariants.actions.entry(by.to_owned()).or_default() += 1;
    if world.is_fooled(now, by) || world.knows_the_replaced_alone(by) {
        return;
    }
    match action {
        Action::Registered { group, targets } => {
            own_group(world, now, group);
            never_backwards(world, now, by);
            if let Some(own) = member_of_group(world, group) {
                if targets.iter().any(|target| world.member_of(group, &target.id) != Some(own)) {
                    let how = format!("{by} registered {targets:?} in the group of {own:?}");
                    world.invariants.violated(now, Invariant::NeverGuess, how);
                }
                return;
            }
            if !follows_the_primary_alone(world, group) {
                return;
            }
            check_promptness(world, now, by);
            for target in targets {
                let node = world.member_of(group, &target.id);
                world.invariants.never_back(now, by, node.as_slice());
                if !node.is_some_and(|node| world.invariants.wrote_lately(node, now)) {
                    let how = format!("{by} registered {target}, which has not taken writes lately");
                    world.invariants.violated(now, Invariant::NeverGuess, how);
                }
            }
        }
        Action::Deregistered { group, targets } => {
            own_group(world, now, group);
            never_backwards(world, now, by);
            let left_site = world.registered(group);
            if left_site.is_empty() && !world.invariants.was_edited(group, now) {
                world.invariants.violated(now, Invariant::NeverEmpty, format!("{by} emptied {group}"));
            }
            check_readers(world, now, by, group, targets);
            if *group == world.resources_at(group).1.reader_group || !gets_connections(world, now, group) {
                return;
            }
            for target in targets {
                let node = world.member_of(group, &target.id);
                if node.is_some() && node == world.invariants.long_only_writer(now) {
                    let how = format!("{by} deregistered {target}, which has been the primary all the while");
                    world.invariants.violated(now, Invariant::OpenBeforeClose, how);
                }
            }
        }
        Action::Weighted { listener, before, after } => {
            never_backwards(world, now, by);
            check_weights(world, now, by, listener, before, after);
        }
        Action::Changed(changes) => {
            never_backwards(world, now, by);
            for change in changes {
                check_change(world, now, by, change);
            }
        }
    }
}

/// The member that a group behind the listener belongs to.
fn member_of_group(world: &World, group: &str) -> Option<Node> {
    let (side, resources) = world.resources_at(group);
    let groups = &resources.weighted.as_ref()?.groups;
    groups.iter().position(|own| own == group).map(|number| Node { side, member: MemberId(number) })
}

/// Whether a group is behind no listener, or gets a share of its connections, which no operator has just given it.
fn gets_connections(world: &mut World, now: Millis, group: &str) -> bool {
    let Some(weighted) = world.resources_at(group).1.weighted.clone() else { return true };
    if weighted.groups.iter().any(|own| own == group) && world.invariants.was_edited(&weighted.listener, now)
    {
        return false;
    }
    let listeners = world.account_of(group).describe_listeners(now, None, &[weighted.listener]);
    let forwards = listeners.ok().and_then(|found| Some(found.first()?.forwards.clone()));
    let share = forwards.iter().flatten().find(|forward| forward.group == group);
    share.map_or(!weighted.groups.iter().any(|own| own == group), |forward| forward.weight != Some(0))
}

/// Connections go to the group of the primary, which is in it; the rest of the listener is kept.
fn check_weights(
    world: &mut World,
    now: Millis,
    by: &str,
    listener: &str,
    before: &Forward,
    after: &Forward,
) {
    let weighted = world.resources_at(listener).1.weighted.clone();
    let Some(weighted) = weighted.filter(|own| own.listener == listener) else {
        return world.invariants.violated(now, Invariant::OwnOnly, format!("{listener} is not configured"));
    };
    let foreign = |forward: &Forward| {
        forward.weights.iter().find(|(group, _)| group.as_str() == weighted.foreign).map(|(_, share)| *share)
    };
    if foreign(before) != foreign(after) || before.stickiness != after.stickiness {
        world.invariants.violated(
            now,
            Invariant::OwnOnly,
            format!("{by} lost a part of the listener: {after:?}"),
        );
    }
    let receiving: Vec<String> =
        after.weights.iter().filter(|(_, share)| **share > 0).map(|(group, _)| group.to_string()).collect();
    let [group] = &receiving[..] else {
        let invariant = if receiving.is_empty() { Invariant::NeverEmpty } else { Invariant::NeverGuess };
        return world.invariants.violated(now, invariant, format!("{by} sent connections to {receiving:?}"));
    };
    let node = member_of_group(world, group);
    world.invariants.never_back(now, by, node.as_slice());
    let Some(node) = node.filter(|node| world.invariants.wrote_lately(*node, now)) else {
        let how = format!("{by} sent connections to {group}, and {node:?} has not taken writes lately");
        return world.invariants.violated(now, Invariant::NeverGuess, how);
    };
    let is_there = world.registered(group).iter().any(|target| world.member_of(group, target) == Some(node));
    if !is_there && !world.invariants.was_edited(group, now) {
        world.invariants.violated(
            now,
            Invariant::OpenBeforeClose,
            format!("{by} sent connections to {group} too early"),
        );
    }
}

fn follows_the_primary_alone(world: &World, group: &str) -> bool {
    let (_, resources) = world.resources_at(group);
    let far = world.far.iter().map(|far| &far.group);
    [&resources.ip_group, &resources.instance_group].into_iter().chain(far).any(|own| own == group)
}

fn own_group(world: &mut World, now: Millis, group: &str) {
    if !world.resources.spec.groups.iter().any(|own| own.arn.as_str() == group) {
        world.invariants.violated(now, Invariant::OwnOnly, format!("{group} is not configured"));
    }
    let (side, _) = world.resources_at(group);
    if !world.nodes_of(side).into_iter().any(|node| world.invariants.wrote_lately(node, now)) {
        let how = format!("{group} was changed, and no member there has taken writes lately");
        world.invariants.violated(now, Invariant::NeverGuess, how);
    }
}

/// A write is for the timeline of its writer's commit, and that never falls.
fn never_backwards(world: &mut World, now: Millis, by: &str) {
    let invariants = &mut world.invariants;
    let Some((system, timeline)) = invariants.acts.get(by).cloned() else {
        if invariants.is_fenced {
            invariants.violated(now, Invariant::NeverBackwards, format!("{by} wrote without a commit"));
        }
        return;
    };
    let highest =
        invariants.written.as_ref().filter(|(known, _)| *known == system).map(|(_, highest)| *highest);
    if invariants.is_fenced && highest.is_some_and(|highest| timeline < highest) {
        let how = format!("{by} wrote for timeline {timeline} after timeline {highest:?}");
        invariants.violated(now, Invariant::NeverBackwards, how);
    }
    invariants.written = Some((system, highest.map_or(timeline, |highest| highest.max(timeline))));
}

fn check_change(world: &mut World, now: Millis, by: &str, change: &RecordChange) {
    let key = &change.after.key;
    let Some(wanted) = world.resources.spec.records.iter().find(|own| own.key == *key).cloned() else {
        return world.invariants.violated(
            now,
            Invariant::OwnOnly,
            format!("{by} changed {key}, which is not configured"),
        );
    };
    let (values, ttl_seconds) = match &change.after.answer {
        Answer::Alias(alias) if wanted.points_to == PointsTo::Site => {
            return check_alias(world, now, by, change, alias);
        }
        Answer::Values { values, ttl_seconds } if wanted.points_to != PointsTo::Site => (values, ttl_seconds),
        other => {
            return world.invariants.violated(now, Invariant::OwnOnly, format!("{by} made {key} {other:?}"));
        }
    };
    if values.is_empty() {
        world.invariants.violated(now, Invariant::NeverEmpty, format!("{by} emptied {key}"));
    }
    if let Some(before) = &change.before {
        let is_carried = matches!(before.answer, Answer::Values { ttl_seconds: ttl, .. } if ttl == *ttl_seconds)
            && before.health_check_id == change.after.health_check_id
            && before.routing == change.after.routing;
        if !is_carried {
            world.invariants.violated(now, Invariant::OwnOnly, format!("{by} lost a field of {key}"));
        }
    }
    for value in values {
        let node = world.member_at(value);
        if wanted.points_to == PointsTo::Primary {
            world.invariants.never_back(now, by, node.as_slice());
        }
        let is_fit = match wanted.points_to {
            PointsTo::Primary => node.is_some_and(|node| world.invariants.wrote_lately(node, now)),
            PointsTo::Standby => node.is_some() && node != world.invariants.long_only_writer(now),
            PointsTo::Readers { .. } => node.is_some(),
            PointsTo::Site => false,
        };
        if !is_fit {
            world.invariants.violated(now, Invariant::NeverGuess, format!("{by} pointed {key} at {value}"));
        }
    }
}

/// A name leads to the site of the primary; the second of a pair does not.
fn check_alias(world: &mut World, now: Millis, by: &str, change: &RecordChange, alias: &Alias) {
    let (key, before) = (&change.after.key, &change.before);
    let is_carried = |before: &RecordSet| {
        matches!(before.answer, Answer::Alias(_))
            && before.health_check_id == change.after.health_check_id
            && before.routing == change.after.routing
    };
    if before.as_ref().is_some_and(|before| !is_carried(before)) {
        world.invariants.violated(now, Invariant::OwnOnly, format!("{by} lost a field of {key}"));
    }
    let side = world.side_of(alias);
    let nodes = side.map_or_else(Vec::new, |side| world.nodes_of(side));
    let is_fit = if change.after.routing == Routing::Failover(Failover::Secondary) {
        side.is_some() && side != world.invariants.long_only_writer(now).map(|node| node.side)
    } else {
        world.invariants.never_back(now, by, &nodes);
        nodes.iter().any(|node| world.invariants.wrote_lately(*node, now))
    };
    if !is_fit {
        world.invariants.violated(now, Invariant::NeverGuess, format!("{by} pointed {key} at {alias}"));
    }
}

/// Invariants 4 and 12, and that one reconciler acts at a time, of a state that is about to be stored.
pub(super) fn check_state(world: &mut World, now: Millis, by: &str, next: &State) {
    let before = &world.state;
    let invariants = &mut world.invariants;
    let same_system = before.system_id == next.system_id;
    if by == OPERATOR {
        // What was done before was done for another cluster, or for a future that is no more.
        invariants.written = None;
        invariants.pointed_at = 0;
    } else if same_system && next.highest_timeline < before.highest_timeline {
        invariants.violated(
            now,
            Invariant::NeverBackwards,
            format!("{by} forgot timeline {:?}", before.highest_timeline),
        );
    }
    let side = |site: &SiteName| Side::BOTH.into_iter().find(|side| side.name() == *site);
    let (from, to) = (before.site.as_ref().and_then(side), next.site.as_ref().and_then(side));
    if let (Some(from), Some(to)) = (from, to)
        && from != to
    {
        if by != OPERATOR && invariants.left_site == Some(to) {
            invariants.violated(
                now,
                Invariant::NeverBackwards,
                format!("{by} went back to {to:?}, which was left"),
            );
        }
        // A pass may still have seen how one followed the other.
        let began = world.under_way.iter().flatten().min().copied();
        invariants.left_site = (invariants.last_standby_site < began).then_some(from);
    }
    if let Some(lease) = next.lease.as_ref().filter(|lease| lease.revision == next.revision) {
        let is_respected = before.lease.as_ref().is_none_or(|other| other.by == lease.by)
            || invariants.leased_since + LEASE_WAIT <= now;
        if !is_respected {
            invariants.violated(now, Invariant::OneActs, format!("{by} did not wait for {:?}", before.lease));
        }
        invariants.leased_since = now;
        if before.lease.is_some() {
            invariants.waited = Some(lease.by.clone());
        }
        let system = next.system_id.clone().unwrap_or_else(|| SystemId::new(""));
        invariants.acts.insert(lease.by.clone(), (system, lease.timeline));
    }
    check_outbox(world, now, &next.outbox);
}

//! How soon a group has the primary, and how long a replica stays a reader, in runs in which nothing goes wrong but that
//! hosts are lost and Route 53 hangs.

use repoint_domain::values::cluster::MemberName;
use repoint_domain::values::target::Target;

use super::invariants::Invariant;
use super::world::World;
use crate::Millis;

/// A group has a primary so soon after a pass could know of it, whatever else hangs or is silent.
const PROMPT: Millis = 1_500;
/// A replica that answers stays a reader so long after another one has become the leader, less what a pass takes.
const READER_STAYS: Millis = 28_000;
/// A pass rests on what it saw so long ago at most, in such a run.
const SEEN: Millis = 10_000;

/// Invariant 15, of a pass that registers the primary: neither another endpoint nor a silent host has delayed it.
pub(super) fn check_promptness(world: &mut World, now: Millis, by: &str) {
    let began = world.under_way.first().copied().flatten();
    // One that is not on a higher timeline than the last is not known to be new: every member has to answer. And a pass that finds
    // a lease waits for it.
    let has_waited = world.invariants.waited.as_deref() == Some(by);
    let last = world.state.primary.as_ref().map(|primary| primary.timeline);
    let is_new = last.is_some() && world.invariants.acts.get(by).map(|(_, timeline)| *timeline) > last;
    let is_known = is_new && is_distinct_from_clones(world) && world.invariants.is_plain && !has_waited;
    let Some((began, (_, since))) = began.zip(world.invariants.only_writer).filter(|_| is_known) else {
        return;
    };
    let took = now.saturating_sub(began.max(since));
    if took > PROMPT {
        let how = format!("{by} registered the primary {took} ms after it could know of it");
        world.invariants.violated(now, Invariant::Prompt, how);
    }
}

/// Whether another member is there that can name the leader, or the state has it. Else it might be a restored clone.
fn is_distinct_from_clones(world: &World) -> bool {
    let Some((leader, _)) = world.cluster.leader() else { return false };
    let mut others = world.cluster.ids().filter(|id| *id != leader);
    let name = MemberName::new(&*world.cluster.spec(leader).name);
    let known = world.state.members_of(None).get(&name);
    others.any(|id| world.cluster.runs_postgres(id)) || known.is_some_and(|known| known.api_url.is_some())
}

/// A replica that runs does not leave the readers because another leader knows nothing of it yet.
pub(super) fn check_readers(world: &mut World, now: Millis, by: &str, group: &str, targets: &[Target]) {
    // Without a last primary in the state, this leader is not known to be new.
    let is_known = world.state.primary.is_some() && world.invariants.is_plain;
    let is_new = world.invariants.only_writer.is_none_or(|(_, since)| since + READER_STAYS > now);
    if !is_known || !is_new || group != world.resources.reader_group {
        return;
    }
    let runs = |member| world.cluster.has_run_as_replica_since(member, now.saturating_sub(SEEN));
    let running = |target: &&Target| world.member_of(group, &target.id).is_some_and(|node| runs(node.member));
    if let Some(target) = targets.iter().find(running) {
        let how = format!("{by} took {target} from the readers, which runs");
        world.invariants.violated(now, Invariant::ReadersStay, how);
    }
}

//! What differs between two statuses of a cluster, in words: for a reader who watches it.

use super::{ClusterStatus, ConditionStatus, MemberReport};
use crate::report::{VerdictReport, describe};
use crate::values::primary::label;

/// What has changed since `before`. Lag is left out, since it changes all the time.
#[must_use]
pub fn changes(before: &ClusterStatus, after: &ClusterStatus) -> Vec<String> {
    let mut changes: Vec<String> = differs(&verdict(before), &verdict(after)).into_iter().collect();
    if before.is_paused != after.is_paused {
        let paused = if after.is_paused { "Patroni is paused" } else { "Patroni is no longer paused" };
        changes.push(paused.to_owned());
    }
    changes.extend(member_changes(&before.members, &after.members));
    changes.extend(endpoints(before, after));
    match (&before.state_error, &after.state_error) {
        (None, None) => changes.extend(conditions(before, after)),
        (None, Some(_)) => changes.push("state store unavailable".to_owned()),
        (Some(_), None) => changes.push("state store available again".to_owned()),
        (Some(_), Some(_)) => {}
    }
    changes
}

fn differs(before: &str, after: &str) -> Option<String> {
    (before != after).then(|| format!("{before} -> {after}"))
}

/// What changed of one thing, in one sentence.
fn all_of<const N: usize>(thing: &str, differences: [Option<String>; N]) -> Option<String> {
    let differences: Vec<String> = differences.into_iter().flatten().collect();
    (!differences.is_empty()).then(|| format!("{thing}: {}", differences.join(", ")))
}

fn verdict(status: &ClusterStatus) -> String {
    match &status.verdict {
        VerdictReport::Primary(primary) => {
            let name = primary.label().unwrap_or_else(|| "unnamed".to_owned());
            format!("primary {name} on timeline {}", primary.timeline)
        }
        VerdictReport::Hold { kind, .. } => kind.as_str().to_owned(),
    }
}

/// What has changed of the members, lag left out.
#[must_use]
pub fn member_changes(before: &[MemberReport], after: &[MemberReport]) -> Vec<String> {
    let changed = |member: &MemberReport| {
        let Some(was) = before.iter().find(|was| name(was) == name(member)) else {
            return Some(format!("{} is new", name(member)));
        };
        let role = |member: &MemberReport| member.role.clone().unwrap_or_else(|| "role unknown".to_owned());
        let timeline = |member: &MemberReport| {
            let number =
                member.timeline.map_or_else(|| "unknown".to_owned(), |timeline| timeline.to_string());
            format!("timeline {number}")
        };
        let differences = [
            differs(&role(was), &role(member)),
            differs(&state(was), &state(member)),
            differs(&timeline(was), &timeline(member)),
        ];
        all_of(&name(member), differences)
    };
    let is_listed = |was: &&MemberReport| after.iter().any(|member| name(member) == name(was));
    let gone = before.iter().filter(|was| !is_listed(was));
    let gone = gone.map(|was| format!("{} is gone", name(was)));
    after.iter().filter_map(changed).chain(gone).collect()
}

fn name(member: &MemberReport) -> String {
    label(member.site.as_ref(), &member.member)
}

/// Of a member that does not answer, what is listed may be old.
fn state(member: &MemberReport) -> String {
    match (&member.error, &member.state) {
        (Some(_), _) => "unreachable".to_owned(),
        (None, state) => state.clone().unwrap_or_else(|| "state unknown".to_owned()),
    }
}

fn endpoints(before: &ClusterStatus, after: &ClusterStatus) -> Vec<String> {
    let pairs = after.endpoints.iter().filter_map(|endpoint| {
        let was = before.endpoints.iter().find(|was| was.endpoint == endpoint.endpoint)?;
        Some((was, endpoint))
    });
    let changed = pairs.filter_map(|(was, endpoint)| {
        let differences = [
            differs(was.standing.as_str(), endpoint.standing.as_str()),
            differs(&was.points_at.join(", "), &endpoint.points_at.join(", ")),
        ];
        all_of(&describe(&endpoint.endpoint), differences)
    });
    changed.collect()
}

fn conditions(before: &ClusterStatus, after: &ClusterStatus) -> Vec<String> {
    let without = |some: &[ConditionStatus], others: &[ConditionStatus], what: &str| -> Vec<String> {
        let is = |a: &ConditionStatus, b: &ConditionStatus| a.kind == b.kind && a.subject == b.subject;
        let alone = some.iter().filter(|one| !others.iter().any(|other| is(one, other)));
        let sentence = |condition: &ConditionStatus| match &condition.subject {
            Some(subject) => format!("{} {subject} {what}", condition.kind.as_str()),
            None => format!("{} {what}", condition.kind.as_str()),
        };
        alone.map(sentence).collect()
    };
    let begun = without(&after.conditions, &before.conditions, "has begun");
    let over = without(&before.conditions, &after.conditions, "is over");
    [begun, over].concat()
}

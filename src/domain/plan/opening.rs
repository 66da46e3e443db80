//! Which groups a new primary can join before they have been read.
//!
//! To read a group takes as long as to change it, and writers wait for both. A registration rests on where the primary is and
//! on what never changes of the group, which the state remembers. What is planned so is audited like any plan, it closes
//! nothing (invariant 6), and the group that is read meanwhile is planned again.

use std::collections::BTreeMap;

use crate::spec::Spec;
use crate::state::{ConditionKind, State};
use crate::values::arn::GroupArn;
use crate::values::primary::Primary;
use crate::values::target::TargetGroup;

/// The groups that hold the primary alone and whose kind is remembered, without their targets; none where the endpoints were
/// last seen to follow this primary. One that could not be read or changed last is read first: a registration that is sent and not
/// answered keeps the lease, for which other endpoints would wait.
#[must_use]
pub fn openable(spec: &Spec, state: &State, primary: &Primary) -> BTreeMap<GroupArn, TargetGroup> {
    let is_new = state.primary.as_ref().is_some_and(|last| {
        last.site == primary.site && last.timeline < primary.timeline && last.address != primary.address
    });
    let groups = spec.groups.iter().filter(|group| {
        is_new && group.holds_primary_alone() && (group.site.is_none() || group.site == primary.site)
    });
    let remembered = groups.filter_map(|group| {
        let kind = state.group_kinds.get(group.arn.as_str()).filter(|_| !is_in_trouble(&group.arn, state))?;
        Some((group.arn.clone(), TargetGroup::unread(kind)))
    });
    remembered.collect()
}

fn is_in_trouble(arn: &GroupArn, state: &State) -> bool {
    state.conditions.iter().any(|condition| {
        matches!(condition.kind, ConditionKind::EndpointHeld | ConditionKind::ApplyFailed)
            && condition.endpoint.as_deref() == Some(arn.as_str())
    })
}

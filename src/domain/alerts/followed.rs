//! Whether endpoints follow the primary, and which do not.
//!
//! Invariants 12, alert once and never silent, and 15, independent endpoints: an endpoint that has been held for a year
//! neither keeps a failover of the others from being alerted nor from being recorded.

use std::collections::BTreeSet;

use super::outcome::PassOutcome;
use crate::report::{Reason, StepResult};
use crate::spec::{GroupRole, PointsTo, Spec};
use crate::values::endpoint::Endpoint;
use crate::values::primary::Primary;
use crate::values::record::Failover;

/// Some endpoint follows the primary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Followed {
    /// Those of its kind that do not, since they are held or their change failed.
    pub left: BTreeSet<Endpoint>,
}

/// Whether the endpoints that could be read, and be changed where that was needed, follow the primary now. One that waits
/// for a standby, or for a replica to read from, does not count: of two members, one is left after a failover.
pub(super) fn followed(pass: &PassOutcome, primary: &Primary) -> Option<Followed> {
    if pass.holds.iter().any(|hold| matches!(hold.reason, Reason::Pass(_))) {
        return None;
    }
    let failed = pass.steps.iter().filter(|step| step.result != StepResult::Done).map(|step| &step.endpoint);
    let held = pass.holds.iter().filter_map(|hold| hold.endpoint.as_ref());
    let not: BTreeSet<&Endpoint> = failed.chain(held).collect();
    let all = writers(pass.spec, primary);
    let left: BTreeSet<Endpoint> = all.iter().filter(|endpoint| not.contains(endpoint)).cloned().collect();
    (left.is_empty() || left.len() < all.len()).then_some(Followed { left })
}

/// The endpoints whose connections go to the primary. Target groups of other sites are left alone.
fn writers(spec: &Spec, primary: &Primary) -> BTreeSet<Endpoint> {
    let groups = spec.groups.iter().filter(|group| {
        group.role == GroupRole::Writer && (group.site.is_none() || group.site == primary.site)
    });
    let groups = groups.flat_map(|group| match group.strategy.listeners() {
        [] => vec![Endpoint::Group(group.arn.clone())],
        listeners => listeners.iter().cloned().map(Endpoint::Listener).collect(),
    });
    let records = spec.records.iter().filter(|record| match record.points_to {
        PointsTo::Primary => true,
        PointsTo::Site => record.failover != Some(Failover::Secondary),
        PointsTo::Standby | PointsTo::Readers { .. } => false,
    });
    let backends = spec.backends.iter().filter(|backend| backend.role == GroupRole::Writer);
    let backends = backends.map(|backend| Endpoint::Backend(backend.key.clone()));
    groups.chain(records.map(|record| Endpoint::Record(record.key.clone()))).chain(backends).collect()
}

//! Endpoints that are read, planned and changed for themselves.
//!
//! Invariant 15: an endpoint waits only for what it needs itself. What shares a call is one part: a target group,
//! listeners with the groups behind them, the records of a hosted zone under one role. A part that cannot be read holds
//! itself and no other.

use std::collections::BTreeSet;

use crate::spec::{GroupRole, GroupSpec, PointsTo, RecordSpec, Spec, Strategy};
use crate::values::arn::{GroupArn, ListenerArn};
use crate::values::assume::AssumedRole;
use crate::values::endpoint::Endpoint;
use crate::values::haproxy::BackendKey;
use crate::values::record::ZoneId;

/// One part of a cluster's endpoints.
#[derive(Clone, Debug)]
pub struct Part {
    /// What it is about. Reports list parts in this order, in whichever order they were read.
    pub key: PartKey,
    /// The cluster with these endpoints alone.
    pub spec: Spec,
}

/// What a part is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PartKey {
    /// A target group that is behind no configured listener.
    Group(GroupArn),
    /// Groups, and the listeners before all of them.
    Listeners(Vec<ListenerArn>),
    /// The records of a hosted zone that are changed under one role: they travel in one batch.
    Zone(ZoneId, Option<AssumedRole>),
    /// A backend of HAProxy.
    Backend(BackendKey),
}

impl Part {
    /// Whether an endpoint is of this part.
    #[must_use]
    pub fn covers(&self, endpoint: &Endpoint) -> bool {
        match endpoint {
            Endpoint::Group(arn) => self.spec.groups.iter().any(|group| group.arn == *arn),
            Endpoint::Listener(arn) => self.spec.listeners().contains(arn),
            Endpoint::Record(key) => self.spec.records.iter().any(|record| record.key == *key),
            Endpoint::Backend(key) => self.spec.backends.iter().any(|backend| backend.key == *key),
        }
    }

    /// Whether it rests on where every member is, and not on where the primary is alone.
    #[must_use]
    pub fn needs_every_member(&self) -> bool {
        !self.spec.groups.iter().all(GroupSpec::holds_primary_alone)
            || !self.spec.backends.is_empty()
            || self
                .spec
                .records
                .iter()
                .any(|record| matches!(record.points_to, PointsTo::Standby | PointsTo::Readers { .. }))
    }
}

/// The parts of what is configured, in their order.
#[must_use]
pub fn parts(spec: &Spec) -> Vec<Part> {
    let of_groups = |key, groups| Part { key, spec: Spec { groups, ..spec.without_endpoints() } };
    let alone = spec.groups.iter().filter(|group| !matches!(group.strategy, Strategy::Weighted { .. }));
    let alone = alone.map(|group| of_groups(PartKey::Group(group.arn.clone()), vec![group.clone()]));
    let listeners = spec.weighted_sets().into_iter().map(|(listeners, groups)| {
        let groups = groups.into_iter().map(|(_, group)| group.clone()).collect();
        of_groups(PartKey::Listeners(listeners.to_vec()), groups)
    });
    let batch = |record: &RecordSpec| (record.key.place.zone.clone(), record.assume.clone());
    let zones: BTreeSet<_> = spec.records.iter().map(batch).collect();
    let zones = zones.into_iter().map(|(zone, role)| {
        let is_of = |record: &&RecordSpec| record.key.place.zone == zone && record.assume == role;
        let records = spec.records.iter().filter(is_of).cloned().collect();
        let spec = Spec { records, ..spec.without_endpoints() };
        Part { key: PartKey::Zone(zone, role), spec }
    });
    let backends = spec.backends.iter().map(|backend| Part {
        key: PartKey::Backend(backend.key.clone()),
        spec: Spec { backends: vec![backend.clone()], ..spec.without_endpoints() },
    });
    alone.chain(listeners).chain(zones).chain(backends).collect()
}

/// Whether an endpoint follows the primary, and not standbys or readers.
#[must_use]
pub fn is_writer(spec: &Spec, endpoint: &Endpoint) -> bool {
    match endpoint {
        Endpoint::Group(arn) => {
            let group = spec.groups.iter().find(|group| group.arn == *arn);
            group.is_some_and(|group| group.role == GroupRole::Writer)
        }
        Endpoint::Listener(_) => true,
        Endpoint::Record(key) => {
            let record = spec.records.iter().find(|record| record.key == *key);
            record.is_some_and(|record| matches!(record.points_to, PointsTo::Primary | PointsTo::Site))
        }
        Endpoint::Backend(key) => {
            let backend = spec.backends.iter().find(|backend| backend.key == *key);
            backend.is_some_and(|backend| backend.role == GroupRole::Writer)
        }
    }
}

//! What to change, step by step; or, for an endpoint, why not.
//!
//! Invariants: unknown is not absent (2), never empty (5), open before close (6), own only (7), idempotent (8), ordered
//! (13). A plan is so specific that applying it takes no decision.
//!
//! A new kind of endpoint is a file beside this one with a function `plan`, a line in [`plan`] and a variant of
//! [`StepGroup`].

mod backend;
pub mod batch;
mod hosts;
mod listener;
pub mod moves;
mod opening;
mod readers;
mod reason;
mod record;
mod target_group;
mod warning;

pub use hosts::{are_local, literal};
pub use opening::openable;
pub use reason::{EndpointHold, EndpointReason, EndpointReasonKind};
pub use target_group::{apis_of, is_of_primary, validate_health_check};
pub use warning::{EndpointWarning, WarningReason};

use crate::decide::readers::{Reader, settling};
use crate::decide::verdict::Verdict;
use crate::observed::Observed;
use crate::spec::Spec;
use crate::state::State;
use crate::values::arn::GroupArn;
use crate::values::cluster::Address;
use crate::values::endpoint::Endpoint;
use crate::values::haproxy::{BackendKey, ServerChange};
use crate::values::listener::WeightChange;
use crate::values::primary::Primary;
use crate::values::record::{RecordChange, ZoneId};
use crate::values::target::Target;
use crate::values::timestamp::Timestamp;
use hosts::Hosts;

/// The TTL of a record set that repoint creates: short, since clients should follow a failover within seconds, and
/// within Route 53's advice for records with health checks (60 seconds or less).
pub const DEFAULT_TTL_SECONDS: u32 = 5;

/// What to change for one cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Step groups do not depend on each other; the steps within one are done in their order.
    pub step_groups: Vec<StepGroup>,
    /// Endpoints that stay as they are, although that may be wrong.
    pub holds: Vec<EndpointHold>,
    /// What is wrong with endpoints although nothing is to be changed now.
    pub warnings: Vec<EndpointWarning>,
    /// Whether nothing is held up by there being no primary: every endpoint is one of readers, and those follow the leader
    /// of a standby cluster as well.
    pub needs_no_primary: bool,
}

impl Plan {
    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.step_groups.is_empty()
    }

    /// The steps on target groups that stand behind no configured listener.
    pub fn target_steps(&self) -> impl Iterator<Item = (&GroupArn, &TargetStep)> {
        self.step_groups.iter().flat_map(|step_group| match step_group {
            StepGroup::Group { arn, steps } => steps.iter().map(|step| (arn, step)).collect(),
            StepGroup::Listeners { .. } | StepGroup::Zone { .. } | StepGroup::Backend { .. } => Vec::new(),
        })
    }

    /// The changes of listeners' weights.
    pub fn weight_changes(&self) -> impl Iterator<Item = &WeightChange> {
        let steps = self.step_groups.iter().flat_map(|step_group| match step_group {
            StepGroup::Listeners { steps } => &steps[..],
            StepGroup::Group { .. } | StepGroup::Zone { .. } | StepGroup::Backend { .. } => &[],
        });
        steps.filter_map(|step| match step {
            ListenerStep::Weights(weights) => Some(weights),
            ListenerStep::Target(..) => None,
        })
    }

    /// The changes of record sets.
    pub fn record_changes(&self) -> impl Iterator<Item = &RecordChange> {
        self.step_groups.iter().flat_map(|step_group| match step_group {
            StepGroup::Zone { changes, .. } => &changes[..],
            StepGroup::Group { .. } | StepGroup::Listeners { .. } | StepGroup::Backend { .. } => &[],
        })
    }

    /// The changes of servers of HAProxy.
    pub fn server_changes(&self) -> impl Iterator<Item = (&BackendKey, &ServerChange)> {
        self.step_groups.iter().flat_map(|step_group| match step_group {
            StepGroup::Backend { key, changes } => changes.iter().map(|change| (key, change)).collect(),
            StepGroup::Group { .. } | StepGroup::Listeners { .. } | StepGroup::Zone { .. } => Vec::new(),
        })
    }

    /// Adds the plan of other endpoints.
    pub fn add(&mut self, other: Self) {
        self.step_groups.extend(other.step_groups);
        self.holds.extend(other.holds);
        self.warnings.extend(other.warnings);
        self.needs_no_primary &= other.needs_no_primary;
    }
}

/// Steps that belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StepGroup {
    /// Steps on one target group, each only if the one before it was done.
    Group {
        /// Which group.
        arn: GroupArn,
        /// In order.
        steps: Vec<TargetStep>,
    },
    /// The weights of groups behind one listener or several, and what has to be done in those groups before and after; each
    /// step only if those before it were done, but that no listener waits for another.
    Listeners {
        /// In order.
        steps: Vec<ListenerStep>,
    },
    /// Changes of the servers of one backend of HAProxy, each only if the one before it was done.
    Backend {
        /// Which backend.
        key: BackendKey,
        /// In order.
        changes: Vec<ServerChange>,
    },
    /// Changes in one hosted zone, for one batch.
    Zone {
        /// Which zone.
        zone: ZoneId,
        /// In the order of their keys.
        changes: Vec<RecordChange>,
    },
}

/// One step on a target group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TargetStep {
    /// `RegisterTargets`.
    Register(Target),
    /// `DeregisterTargets`.
    Deregister(Target),
}

/// One step on a listener, or on a target group behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListenerStep {
    /// A step on that group.
    Target(GroupArn, TargetStep),
    /// `ModifyListener`.
    Weights(WeightChange),
}

impl ListenerStep {
    /// The Region of its call.
    #[must_use]
    pub fn region(&self) -> &str {
        match self {
            Self::Target(group, _) => group.region(),
            Self::Weights(weights) => weights.listener.region(),
        }
    }
}

/// What the endpoints of a cluster are planned from.
struct Context<'a> {
    spec: &'a Spec,
    hosts: Hosts<'a>,
    primary: &'a Primary,
    /// The replicas that may stay although they are not known to stream.
    settling: &'a [Reader],
    state: &'a State,
    now: Timestamp,
}

/// Compares what is wanted with what was read. Without a primary nothing is planned, except for the readers of a standby
/// cluster. The state says how long a target has belonged to no member by `now`, and whether another leader is new.
#[must_use]
pub fn plan(spec: &Spec, observed: &Observed, verdict: &Verdict, state: &State, now: Timestamp) -> Plan {
    let Some(primary) = verdict.leader() else { return Plan::default() };
    let hosts = Hosts::of(spec, observed, primary);
    let (spec, needs_no_primary) = match verdict {
        Verdict::Primary(_) => {
            (&spec.with_groups(|group| group.site.is_none() || group.site == primary.site), false)
        }
        Verdict::Hold(_) => {
            let readers = readers::only(spec);
            let is_all = readers == *spec;
            (&{ readers }, is_all)
        }
    };
    let settling = &settling(observed, primary, state, now);
    let context = Context { spec, hosts, primary, settling, state, now };
    let mut plan = Plan { needs_no_primary, ..Plan::default() };
    target_group::plan(&context, &mut plan);
    listener::plan(&context, &mut plan);
    record::plan(&context, &mut plan);
    backend::plan(&context, &mut plan);
    plan
}

/// What one endpoint needs.
#[derive(Debug, Default)]
struct Needs<T> {
    /// What to do.
    what: T,
    /// What is wrong with it.
    warnings: Vec<WarningReason>,
    /// Why that may not be all.
    unknown: Option<EndpointReason>,
}

impl Plan {
    /// What to do for an endpoint; the rest that is known of it goes into the plan at once.
    fn take<T>(&mut self, endpoint: &Endpoint, needs: Result<Needs<T>, EndpointReason>) -> Option<T> {
        let (what, reason) = match needs {
            Ok(Needs { what, warnings, unknown }) => {
                let warning = |what| EndpointWarning { endpoint: endpoint.clone(), what };
                self.warnings.extend(warnings.into_iter().map(warning));
                (Some(what), unknown)
            }
            Err(reason) => (None, Some(reason)),
        };
        self.holds.extend(reason.map(|reason| EndpointHold { endpoint: endpoint.clone(), reason }));
        what
    }
}

/// Where the primary's PostgreSQL listens.
fn primary_address(primary: &Primary) -> Result<&Address, EndpointReason> {
    primary.address.as_ref().ok_or(EndpointReason::AddressUnknown)
}

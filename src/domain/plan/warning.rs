//! What is wrong with an endpoint although nothing is to be changed now.

use super::EndpointReason;
use crate::values::cluster::MemberName;
use crate::values::endpoint::Endpoint;
use crate::values::target::Target;

/// Something about an endpoint that is reported, and alerted if it lasts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointWarning {
    /// Which one.
    pub endpoint: Endpoint,
    /// What.
    pub what: WarningReason,
}

/// What is wrong; its `Display` is the sentence in reports and alerts.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WarningReason {
    /// A target of a warm group belongs to no member.
    #[error("{0} belongs to no member")]
    Surplus(Target),
    /// The load balancer sends writes elsewhere than to the primary, or nowhere.
    #[error("healthy targets: {}; expected only the primary {primary}", listed(.healthy))]
    Unhealthy {
        /// The targets that are healthy.
        healthy: Vec<Target>,
        /// The primary.
        primary: Target,
    },
    /// The load balancer sends reads to the primary, or not to a replica that may be read from.
    #[error("healthy targets: {}; expected replicas: {}", listed(.healthy), listed(.readers))]
    Unread {
        /// The targets that are healthy.
        healthy: Vec<Target>,
        /// The replicas that surely may be read from.
        readers: Vec<Target>,
    },
    /// A member that could be promoted has no group behind the listener.
    #[error(
        "{0} has no target group behind this listener: the listener could not follow it if it became the primary"
    )]
    NoGroup(MemberName),
    /// A member that belongs to an endpoint cannot be placed there.
    #[error("{member} is left out: {why}")]
    Unplaced {
        /// The member.
        member: MemberName,
        /// Why.
        why: EndpointReason,
    },
}

fn listed(targets: &[Target]) -> String {
    if targets.is_empty() {
        return "none".to_owned();
    }
    targets.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

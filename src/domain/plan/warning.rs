//! What is wrong with an endpoint although nothing is to be changed now.

use super::EndpointReason;
use crate::values::cluster::MemberName;
use crate::values::endpoint::Endpoint;
use crate::values::target::Target;

/// Something about an endpoint that people should know if it lasts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointWarning {
    /// Which one.
    pub endpoint: Endpoint,
    /// What.
    pub what: WarningReason,
}

/// What is not right; its `Display` is the sentence for people.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WarningReason {
    /// A target of a warm group belongs to no member.
    #[error("{0} belongs to no member")]
    Surplus(Target),
    /// The load balancer sends writes elsewhere than to the primary, or nowhere.
    #[error("the load balancer takes {} for healthy, and the primary is {primary}", either(.healthy))]
    Unhealthy {
        /// The targets that are healthy.
        healthy: Vec<Target>,
        /// The primary.
        primary: Target,
    },
    /// The load balancer sends reads to the primary, or not to a replica that may be read from.
    #[error("the load balancer takes {} for healthy, and {} may be read from", either(.healthy), either(.readers))]
    Unread {
        /// The targets that are healthy.
        healthy: Vec<Target>,
        /// The replicas that surely may be read from.
        readers: Vec<Target>,
    },
    /// A member that could be promoted has no group behind the listener.
    #[error(
        "{0} has no target group behind this listener, which could not follow it if it became the primary"
    )]
    NoGroup(MemberName),
    /// A member that belongs into an endpoint has no place there.
    #[error("{member} is left out: {why}")]
    Unplaced {
        /// The member.
        member: MemberName,
        /// Why.
        why: EndpointReason,
    },
}

fn either(targets: &[Target]) -> String {
    if targets.is_empty() {
        return "nobody".to_owned();
    }
    targets.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and ")
}

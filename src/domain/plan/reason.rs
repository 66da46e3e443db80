//! Why an endpoint is held.

use std::net::IpAddr;

use serde::Serialize;

use crate::values::cluster::MemberName;
use crate::values::endpoint::Endpoint;
use crate::values::failure::Failure;
use crate::values::target::Target;

/// An endpoint that is left alone, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointHold {
    /// Which endpoint.
    pub endpoint: Endpoint,
    /// Why.
    pub reason: EndpointReason,
}

/// Why an endpoint is left alone; its `Display` is the sentence in reports and alerts.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EndpointReason {
    /// The endpoint, or something needed to decide about it, could not be read.
    #[error("{0}")]
    Unreadable(Failure),
    /// No readable `/cluster` says where the primary's PostgreSQL listens.
    #[error("no readable /cluster says where the primary's PostgreSQL listens")]
    AddressUnknown,
    /// No readable `/cluster` says where a replica's PostgreSQL listens.
    #[error("no readable /cluster says where the PostgreSQL of {0} listens")]
    MemberAddressUnknown(MemberName),
    /// The node has no address of the kind that the endpoint needs, or more than one.
    #[error("{0}")]
    AddressUnfit(String),
    /// No EC2 instance has the address.
    #[error("no running EC2 instance has the address {0}")]
    NoInstance(IpAddr),
    /// This build cannot look instances up.
    #[error("its targets are EC2 instances, and this build of repoint has no EC2 support (feature `ec2`)")]
    NoEc2,
    /// No readable `/cluster` names the primary and the replicas.
    #[error("no readable /cluster names the primary's replicas")]
    ReplicasUnknown,
    /// No replica may be read from, and the primary is not to take its place.
    #[error(
        "no replica qualifies as a reader: none streams within `max_lag_bytes` and allows load balancing"
    )]
    NoReader,
    /// A warm group whose health check cannot choose.
    #[error("{0}")]
    HealthCheck(String),
    /// The listener does something that repoint cannot change without taking a decision that is not its own.
    #[error("{0}")]
    Listener(String),
    /// The primary has no target group behind the listener.
    #[error(
        "the primary {primary} has no target group behind this listener, and {} {}; configure one for it",
        known.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
        if known.len() == 1 { "has" } else { "have" }
    )]
    NoGroup {
        /// The primary.
        primary: MemberName,
        /// The members that have one.
        known: Vec<MemberName>,
    },
    /// The primary's name is not known, and so neither is its target group.
    #[error("no readable /cluster names the primary, so its target group is unknown")]
    Unnamed,
    /// No standby answers that may be pointed at.
    #[error("no standby qualifies: none streams, answers and allows load balancing")]
    NoStandby,
    /// HAProxy has no server for a member.
    #[error(
        "HAProxy has no server at {0} in this backend: add one to its configuration, or set `server_options`"
    )]
    NoServer(Target),
    /// The backend is not as the strategy needs it.
    #[error("{0}")]
    Backend(String),
    /// What stands in Route 53 is not what the configuration describes.
    #[error("{found}, but the configuration makes it {wanted}; change one of the two by hand")]
    Routing {
        /// What stands there.
        found: String,
        /// What is configured.
        wanted: String,
    },
}

/// The name of an endpoint's hold in reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EndpointReasonKind {
    /// [`EndpointReason::Unreadable`].
    Unreadable,
    /// [`EndpointReason::AddressUnknown`], [`EndpointReason::MemberAddressUnknown`] and [`EndpointReason::AddressUnfit`].
    Address,
    /// [`EndpointReason::NoInstance`] and [`EndpointReason::NoEc2`].
    NoInstance,
    /// [`EndpointReason::ReplicasUnknown`] and [`EndpointReason::NoReader`].
    NoReader,
    /// [`EndpointReason::HealthCheck`].
    HealthCheck,
    /// [`EndpointReason::Listener`].
    Listener,
    /// [`EndpointReason::NoGroup`] and [`EndpointReason::Unnamed`].
    NoGroup,
    /// [`EndpointReason::NoServer`].
    NoServer,
    /// [`EndpointReason::Backend`].
    Backend,
    /// [`EndpointReason::NoStandby`].
    NoStandby,
    /// [`EndpointReason::Routing`].
    Routing,
}

impl EndpointReason {
    /// Whether a member's place could not be found out; otherwise it is known to have none.
    pub(super) fn is_unknown(&self) -> bool {
        match self {
            Self::Unreadable(_) | Self::AddressUnknown | Self::MemberAddressUnknown(_) | Self::NoEc2 => true,
            Self::AddressUnfit(_)
            | Self::NoInstance(_)
            | Self::ReplicasUnknown
            | Self::NoReader
            | Self::HealthCheck(_)
            | Self::Listener(_)
            | Self::NoGroup { .. }
            | Self::Unnamed
            | Self::NoServer(_)
            | Self::Backend(_)
            | Self::NoStandby
            | Self::Routing { .. } => false,
        }
    }

    /// Its name in reports.
    #[must_use]
    pub fn kind(&self) -> EndpointReasonKind {
        match self {
            Self::Unreadable(_) => EndpointReasonKind::Unreadable,
            Self::AddressUnknown | Self::MemberAddressUnknown(_) | Self::AddressUnfit(_) => {
                EndpointReasonKind::Address
            }
            Self::NoInstance(_) | Self::NoEc2 => EndpointReasonKind::NoInstance,
            Self::ReplicasUnknown | Self::NoReader => EndpointReasonKind::NoReader,
            Self::HealthCheck(_) => EndpointReasonKind::HealthCheck,
            Self::Listener(_) => EndpointReasonKind::Listener,
            Self::NoGroup { .. } | Self::Unnamed => EndpointReasonKind::NoGroup,
            Self::NoServer(_) => EndpointReasonKind::NoServer,
            Self::Backend(_) => EndpointReasonKind::Backend,
            Self::NoStandby => EndpointReasonKind::NoStandby,
            Self::Routing { .. } => EndpointReasonKind::Routing,
        }
    }
}

//! Why a plan must not be applied, and the number of the invariant that it breaks.

use crate::values::cluster::{SiteName, SystemId, Timeline};
use crate::values::target::Target;

/// Why a plan must not be applied; the number is the invariant's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Invariant 3. Endpoints of readers may follow the leader of a standby cluster.
    #[error("it moves endpoints although no primary is known (invariant 3)")]
    NoPrimary,
    /// Invariant 4.
    #[error("it goes back to timeline {to}, and timeline {applied} was applied before (invariant 4)")]
    Backwards {
        /// The plan's.
        to: Timeline,
        /// What the state has.
        applied: Timeline,
    },
    /// Invariant 4: timelines of two systems cannot be compared.
    #[error("it follows system {found}, and this cluster is system {expected} (invariant 4)")]
    WrongSystem {
        /// The plan's.
        found: SystemId,
        /// What the state or the configuration has.
        expected: SystemId,
    },
    /// Invariant 14: the state alone makes no member the primary.
    #[error(
        "it follows {0}, which no configured member lists, although a configured member lists the members of the cluster (invariant 14)"
    )]
    Unconfirmed(String),
    /// Invariant 14: a cluster is not identified by its scope alone.
    #[error("the state belongs to other endpoints than the configured ones (invariant 14)")]
    StateOfOthers,
    /// Invariant 4: a site that another one was followed after may lack what was written there.
    #[error(
        "it goes back to site {to}, which has not been seen to replicate from the site that was followed after it (invariant 4)"
    )]
    BackToSite {
        /// The plan's.
        to: SiteName,
    },
    /// Invariant 3: a group in another site than the primary's.
    #[error("it changes {0}, which belongs to another site than the primary (invariant 3)")]
    OtherSite(String),
    /// Invariant 7.
    #[error("it touches {0}, which is not configured for this cluster (invariant 7)")]
    NotOurs(String),
    /// Invariant 2.
    #[error("it changes {0}, which could not be read (invariant 2)")]
    Unread(String),
    /// Invariant 5.
    #[error("it leaves {0} empty (invariant 5)")]
    Empties(String),
    /// Invariant 6, and so invariant 5: what is left holds the primary.
    #[error("it deregisters {target} from {group} before the primary is registered there (invariant 6)")]
    ClosesFirst {
        /// The group.
        group: String,
        /// What would go.
        target: Target,
    },
    /// Invariant 6.
    #[error(
        "it lets {listener} send connections to {group} before the primary is registered there (invariant 6)"
    )]
    SendsFirst {
        /// The listener.
        listener: String,
        /// The primary's group.
        group: String,
    },
    /// Invariant 6.
    #[error("it deregisters {target}, which belongs there, from {group} (invariant 6)")]
    ClosesOpen {
        /// The group.
        group: String,
        /// What would go.
        target: Target,
    },
    /// Invariant 6.
    #[error("it closes server {server} of {backend} before one that belongs there is open (invariant 6)")]
    ClosesServerFirst {
        /// The backend.
        backend: String,
        /// The server.
        server: String,
    },
    /// Invariant 6.
    #[error("it closes server {server} of {backend}, which leads to the primary (invariant 6)")]
    ClosesServer {
        /// The backend.
        backend: String,
        /// The server.
        server: String,
    },
    /// Invariant 3.
    #[error("it points {endpoint} at {at}, where the member that it follows is not (invariant 3)")]
    WrongNode {
        /// The endpoint.
        endpoint: String,
        /// Where it would point.
        at: String,
    },
    /// Invariant 8: what only this machine believes.
    #[error("it points {endpoint} at {at}, which other machines cannot use (invariant 8)")]
    OwnView {
        /// The endpoint.
        endpoint: String,
        /// Where it would point.
        at: String,
    },
    /// Invariant 7.
    #[error(
        "it replaces {0} although it has changed since it was read, or drops a part of it that repoint does not manage (invariant 7)"
    )]
    Rewrites(String),
    /// Invariant 7.
    #[error("it creates {0} beside a record set of a type that excludes it (invariant 7)")]
    Crowds(String),
    /// Invariant 8.
    #[error("it changes {0} twice, or does not change it (invariant 8)")]
    Repeats(String),
}

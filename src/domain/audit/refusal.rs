//! Why a plan must not be applied, and the number of the invariant that it breaks.

use crate::values::cluster::{SiteName, SystemId, Timeline};
use crate::values::target::Target;

/// Why a plan must not be applied; the number is the law's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Law 3. Endpoints of readers may follow the leader of a standby cluster.
    #[error("it moves endpoints although nobody is known to be the primary (law 3)")]
    NoPrimary,
    /// Law 4.
    #[error("it goes back to timeline {to}, and timeline {applied} was applied before (law 4)")]
    Backwards {
        /// The plan's.
        to: Timeline,
        /// What memory holds.
        applied: Timeline,
    },
    /// Law 4: timelines of two systems cannot be compared.
    #[error("it follows system {found}, and this cluster is system {expected} (law 4)")]
    WrongSystem {
        /// The plan's.
        found: SystemId,
        /// What memory or the configuration holds.
        expected: SystemId,
    },
    /// Law 14: what the state knows makes nobody the primary.
    #[error(
        "it follows {0}, and no configured member lists it, although some can tell who belongs to the cluster (law 14)"
    )]
    Unconfirmed(String),
    /// Law 14: a cluster is not identified by its scope alone.
    #[error("the state is kept for other endpoints than those that are configured (law 14)")]
    StateOfOthers,
    /// Law 4: a site that another one was followed after may lack what was written there.
    #[error(
        "it goes to {to}, which another site was followed after, and which nobody has seen to follow that (law 4)"
    )]
    BackToSite {
        /// The plan's.
        to: SiteName,
    },
    /// Law 3: a group in another site than the primary's.
    #[error("it changes {0}, which belongs to another site than the primary (law 3)")]
    OtherSite(String),
    /// Law 7.
    #[error("it touches {0}, which is not configured for this cluster (law 7)")]
    NotOurs(String),
    /// Law 2.
    #[error("it changes {0}, which could not be read (law 2)")]
    Unread(String),
    /// Law 5.
    #[error("it leaves {0} empty (law 5)")]
    Empties(String),
    /// Law 6, and so law 5: what is left holds the primary.
    #[error("it deregisters {target} from {group} before the primary is registered there (law 6)")]
    ClosesFirst {
        /// The group.
        group: String,
        /// What would go.
        target: Target,
    },
    /// Law 6.
    #[error("it lets {listener} send connections to {group} before the primary is registered there (law 6)")]
    SendsFirst {
        /// The listener.
        listener: String,
        /// The primary's group.
        group: String,
    },
    /// Law 6.
    #[error("it deregisters {target}, which belongs there, from {group} (law 6)")]
    ClosesOpen {
        /// The group.
        group: String,
        /// What would go.
        target: Target,
    },
    /// Law 3.
    #[error("it points {endpoint} at {at}, and whom it follows is not there (law 3)")]
    WrongNode {
        /// The endpoint.
        endpoint: String,
        /// Where it would point.
        at: String,
    },
    /// Law 8: what only this machine believes.
    #[error("it points {endpoint} at {at}, which other machines cannot use (law 8)")]
    OwnView {
        /// The endpoint.
        endpoint: String,
        /// Where it would point.
        at: String,
    },
    /// Law 7.
    #[error(
        "it replaces {0} by something that is not the same, or drops a part of it that is not repoint's (law 7)"
    )]
    Rewrites(String),
    /// Law 7.
    #[error("it puts {0} beside a record set of another type that leaves no room (law 7)")]
    Crowds(String),
    /// Law 8.
    #[error("it changes {0} twice, or to what it is (law 8)")]
    Repeats(String),
}

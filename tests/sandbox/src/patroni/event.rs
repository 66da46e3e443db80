//! What happened, as readable text.
//!
//! An event is emitted once, when it happens, and is never read back by the model.

use std::fmt;
use std::sync::Arc;

use crate::Millis;

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// When.
    pub at: Millis,
    /// The member it happened to; none for an event of the cluster.
    pub member: Option<Arc<str>>,
    /// What.
    pub what: EventKind,
}

/// What can happen to a member, or to the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is spelt out below")]
pub enum EventKind {
    Crashed,
    PatroniKilled,
    PostgresCrashed,
    Stopped,
    Started,
    StartedAsZombie,
    Hung,
    Woke,
    Frozen,
    Thawed,
    CutFromDcs,
    CutFromMembers,
    Healed,
    Joined,
    Left,
    SwitchoverAsked,
    KeyTaken,
    KeyReleased,
    KeyRanOut,
    Promoting,
    Promoted(u32),
    LeadsStandbyCluster,
    Demoting,
    Recovering,
    Recovered,
    Rewinding,
    Rejoined,
    KeptByFailsafe,
    SplitBrainForced(u32),
    DcsDown,
    DcsUp,
    Paused,
    Resumed,
    SitePromoted,
    SiteDemoted,
    Restored(u64),
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = match self {
            Self::Crashed => "crashed",
            Self::PatroniKilled => "lost its Patroni, PostgreSQL runs on",
            Self::PostgresCrashed => "lost its PostgreSQL, Patroni runs on",
            Self::Stopped => "was stopped",
            Self::Started => "was started",
            Self::StartedAsZombie => "came back in its earlier state",
            Self::Hung => "hangs",
            Self::Woke => "woke up",
            Self::Frozen => "was frozen, clock and all",
            Self::Thawed => "was thawed",
            Self::CutFromDcs => "cannot reach the DCS",
            Self::CutFromMembers => "cannot reach the other members",
            Self::Healed => "reaches everything again",
            Self::Joined => "joined",
            Self::Left => "left",
            Self::SwitchoverAsked => "is to become the leader",
            Self::KeyTaken => "took the leader key",
            Self::KeyReleased => "released the leader key",
            Self::KeyRanOut => "the leader key ran out",
            Self::Promoting => "is promoting",
            Self::Promoted(timeline) => return write!(f, "is primary on timeline {timeline}"),
            Self::LeadsStandbyCluster => "leads the standby cluster",
            Self::Demoting => "is demoting itself",
            Self::Recovering => "recovers from a crash",
            Self::Recovered => "recovered",
            Self::Rewinding => "is being rewound",
            Self::Rejoined => "rejoined as replica",
            Self::KeptByFailsafe => "stays primary by failsafe mode",
            Self::SplitBrainForced(timeline) => {
                return write!(f, "was made a second primary on timeline {timeline}");
            }
            Self::DcsDown => "the DCS went down",
            Self::DcsUp => "the DCS is back",
            Self::Paused => "the cluster was paused",
            Self::Resumed => "the cluster was resumed",
            Self::SitePromoted => "the site was promoted",
            Self::SiteDemoted => "the site was demoted",
            Self::Restored(system_id) => {
                return write!(f, "the cluster was restored as system {system_id}");
            }
        };
        f.write_str(words)
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.member {
            Some(member) => write!(f, "{member} {}", self.what),
            None => self.what.fmt(f),
        }
    }
}

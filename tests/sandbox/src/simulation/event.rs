//! What can happen in a run.

use std::fmt;

use super::sites::Side;
use crate::Millis;
use crate::patroni::{DcsOutage, Lag, MemberId, Silence, Wire};
use crate::transport::FaultRates;

/// One thing that happens: a fault, or an operator's action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "their names say it")]
pub enum Event {
    /// In the Patroni cluster of a site.
    In(Side, Fault),
    /// Every node of a site goes at once.
    LoseSite(Side),
    /// They start again, perhaps as they were when they went.
    StartSite {
        side: Side,
        as_zombies: bool,
    },
    /// A site is cut off from everything outside it; it runs on.
    CutOff(Side, bool),
    /// No WAL flows between the sites.
    CutReplication(bool),
    /// AWS's API does not answer in the Region of a site.
    RegionDown(Side, bool),
    /// An operator makes the standby cluster there a normal one.
    PromoteSite(Side),
    /// An operator makes the cluster there a standby cluster of the other site.
    DemoteSite(Side),
    FaultRates(usize, FaultRates),
    StateDown(bool),
    /// Reads of AWS answer with the state of so long ago.
    ReadLag(Millis),
    ProtectRecord(bool),
    /// AWS denies an action.
    Deny(&'static str),
    /// AWS denies to publish to the second topic.
    DenyPages,
    Allow,
    /// The account's request rate is used up.
    SmallBuckets(bool),
    /// An operator registers a member, or takes it out.
    EditGroup {
        member: MemberId,
        register: bool,
    },
    /// An operator registers a member in the group of another, or takes it out.
    EditMembersGroup {
        of: MemberId,
        member: MemberId,
        register: bool,
    },
    /// An operator sends every connection to the group of a member.
    EditWeights(MemberId),
    /// An operator points the name somewhere.
    EditRecord(MemberId),
    /// The cluster is restored from a backup, as another one with a DCS of its own, at the address of a stopped member.
    StartClone(MemberId),
    /// It is taken away again.
    StopClone(MemberId),
    /// The state can be read, and not written.
    StateReadOnly(bool),
    /// The clock of a reconciler is so far ahead; 0 sets it back.
    ClockAhead(usize, Millis),
    /// Route 53 does not answer.
    HangZones(bool),
    /// The two Regions of one cluster lose one another.
    Part {
        first_has_majority: bool,
    },
    /// They have one another again.
    Join,
    /// AWS's API does not answer in the second Region.
    FarDown(bool),
    /// A new node joins, which only its tag makes known.
    AddNode,
    /// A node is terminated, if another one has its data.
    RemoveNode(MemberId),
    /// The cluster is restored from a backup on nodes of its own, with the tag of the others.
    StartCopy,
    /// A new cluster takes the place of the old one, which runs on: the configuration names the new nodes alone.
    Replace,
}

/// A fault of a Patroni cluster, or its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "named like the methods that they call")]
pub enum Fault {
    Crash(MemberId, Silence),
    KillPatroni(MemberId),
    CrashPostgres(MemberId),
    Start(MemberId),
    StartAsZombie(MemberId),
    Hang(MemberId),
    Unhang(MemberId),
    Freeze(MemberId),
    Thaw(MemberId),
    CutFromDcs(MemberId),
    CutFromMembers(MemberId),
    Heal(MemberId),
    DcsDown(DcsOutage),
    DcsUp,
    SetWire(usize, MemberId, Wire),
    ViewLag(MemberId, Millis),
    ReplicaLag(MemberId, Lag),
    Switchover(MemberId),
    SlowPromotion(MemberId, Millis),
    Pause,
    Resume,
    ForceSplitBrain(MemberId),
    Restore { system_id: u64, timeline: u32 },
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::In(side, fault) => write!(f, "{side:?}: {fault:?}"),
            _ => write!(f, "{self:?}"),
        }
    }
}

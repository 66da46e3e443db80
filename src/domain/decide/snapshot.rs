//! What members report, reduced to what a decision could rest on.
//!
//! From two equal snapshots passes come to the same verdict and plan. How far a replica lags, and in which
//! words a failure was reported, changes all the time and is left out; what is kept of the lag is who may be read from.

use std::hash::{DefaultHasher, Hash, Hasher};

use crate::decide::readers::{Reader, readers};
use crate::decide::verdict::{HoldKind, Verdict, verdict};
use crate::observed::{Observed, Sites, Wal};
use crate::rates::Urgency;
use crate::spec::Spec;
use crate::state::State;
use crate::values::cluster::{Address, MemberName, SiteName, SystemId, Timeline};
use crate::values::primary::Primary;

/// The members' answers, without what always changes: a daemon keeps one for each of a thousand clusters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    leader: Leader,
    /// A digest of the rest: what all members say, and who may be read from. Two that differ have the same once in 2⁶⁴ times,
    /// and then the next audit sees it.
    rest: u64,
}

/// The leader by the answers alone, without the state.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Leader {
    Primary(Option<SiteName>, Option<MemberName>, Option<Address>, Timeline, SystemId),
    /// The leader of a standby cluster, whose readers are served.
    Standby(Option<MemberName>, Option<Address>, Timeline, SystemId),
    None(HoldKind),
}

impl Snapshot {
    /// Of these answers.
    #[must_use]
    pub fn of(spec: &Spec, sites: Sites) -> Self {
        let observed = Observed { sites, ..Observed::default() };
        let verdict = verdict(spec, &observed, &State::default());
        let readers_of =
            |leader| spec.reader_limits().map(|limit| readers(&observed, leader, limit)).collect();
        let readers: Vec<Option<Vec<Reader>>> = verdict.leader().map_or_else(Vec::new, readers_of);
        let leader = verdict.leader().cloned();
        let leader = match (verdict, leader) {
            (Verdict::Primary(Primary { site, member, address, timeline, system_id, .. }), _) => {
                Leader::Primary(site, member, address, timeline, system_id)
            }
            (Verdict::Hold(_), Some(Primary { member, address, timeline, system_id, .. })) => {
                Leader::Standby(member, address, timeline, system_id)
            }
            (Verdict::Hold(hold), None) => Leader::None(hold.kind()),
        };
        let mut sites = observed.sites;
        for answer in sites.values_mut().flat_map(|answers| answers.values_mut()) {
            match &mut answer.status {
                Ok(status) => status.wal = Wal::default(),
                Err(failure) => failure.message.clear(),
            }
            match &mut answer.view {
                Ok(view) => {
                    for listed in &mut view.members {
                        (listed.lag_bytes, listed.replay_lag_bytes) = (None, None);
                    }
                }
                Err(failure) => failure.message.clear(),
            }
        }
        let mut digest = DefaultHasher::new();
        (sites, readers).hash(&mut digest);
        Self { leader, rest: digest.finish() }
    }

    /// Whether there is a primary, by what the members alone report.
    #[must_use]
    pub fn names_a_primary(&self) -> bool {
        matches!(self.leader, Leader::Primary(..))
    }

    /// Whether there is something to follow: a primary that is not the one that every endpoint was last seen to follow, or
    /// one for which a process has taken the lease and has not finished.
    #[must_use]
    pub fn urgency(&self, state: &State) -> Urgency {
        let Leader::Primary(site, member, address, timeline, _) = &self.leader else { return Urgency::Audit };
        let is_other = state.primary.as_ref().is_some_and(|known| {
            (&known.site, &known.member, &known.address, known.timeline) != (site, member, address, *timeline)
        });
        if is_other || state.lease.is_some() { Urgency::Failover } else { Urgency::Audit }
    }

    /// The primary, if its name is known, and the cluster is in one place.
    #[must_use]
    pub fn primary(&self) -> Option<&MemberName> {
        match &self.leader {
            Leader::Primary(None, name, ..) => name.as_ref(),
            _ => None,
        }
    }

    /// Whether it names the same primary, or none for the same reason.
    #[must_use]
    pub fn agrees(&self, other: &Self) -> bool {
        self.leader == other.leader
    }
}

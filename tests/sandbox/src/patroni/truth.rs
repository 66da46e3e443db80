//! How things really are, whatever the members say.
//!
//! Nothing that a member answers counts here, only keys and PostgreSQL instances.

use super::cluster::Cluster;
use super::member::{Lag, Member, MemberId, Process, Role, State};
use crate::Millis;

impl Cluster {
    /// The PostgreSQL instances that would accept a write now, with their timelines.
    #[must_use]
    pub fn takes_writes(&self) -> Vec<(MemberId, u32)> {
        let writers = self.ids().filter(|id| self.members[*id].takes_writes());
        writers.map(|id| (id, self.members[id].postgres.timeline)).collect()
    }

    /// Whether PostgreSQL of a member accepts connections.
    #[must_use]
    pub fn runs_postgres(&self, id: MemberId) -> bool {
        let Member { postgres, process, .. } = &self.members[id];
        postgres.state == State::Running && !matches!(process, Process::Frozen(_))
    }

    /// Whether a member is a replica that streams, is no further behind, and is not tagged `noloadbalance`.
    #[must_use]
    pub fn may_be_read_from(&self, id: MemberId, max_lag_bytes: u64) -> bool {
        let Member { postgres, spec, .. } = &self.members[id];
        let is_near = matches!(postgres.lag, Lag::Bytes(lag) if lag <= max_lag_bytes);
        self.streams(id) && is_near && !spec.tags.noloadbalance
    }

    /// The primary and its timeline, if there is exactly one and it holds the leader key.
    #[must_use]
    pub fn leader(&self) -> Option<(MemberId, u32)> {
        let mut writers = self.ids().filter(|id| self.members[*id].takes_writes());
        let writer = writers.next()?;
        let alone = writers.next().is_none() && self.dcs.current().leader == Some(writer);
        alone.then(|| (writer, self.members[writer].postgres.timeline))
    }

    /// The member that holds the leader key, running or not.
    #[must_use]
    pub fn key_holder(&self) -> Option<MemberId> {
        self.dcs.current().leader
    }

    /// Whether the DCS says that this is a standby cluster.
    #[must_use]
    pub fn is_standby(&self) -> bool {
        self.dcs.current().standby_cluster
    }

    /// The system identifier of the cluster's data: the key holder's.
    #[must_use]
    pub fn system_id(&self) -> Option<u64> {
        self.key_holder().map(|id| self.members[id].postgres.system_id)
    }

    /// The members whose data are of another system than the leader's: Patroni does not repair that, an operator does
    /// (`patronictl reinit`).
    #[must_use]
    pub fn strays(&self) -> Vec<MemberId> {
        let Some(system_id) = self.system_id() else { return Vec::new() };
        self.ids()
            .filter(|id| !self.has_left(*id) && self.members[*id].postgres.system_id != system_id)
            .collect()
    }

    /// Whether nothing is under way and every member that answers answers what is so: one leader, with the key and alone,
    /// every key as its member would write it now, every
    /// replica streaming, and no silent member still listed.
    #[must_use]
    pub fn is_settled(&self, now: Millis) -> bool {
        let contents = self.dcs.current();
        let Some(leader) = contents.leader else { return false };
        let rightly_leads = self.members[leader].leader_expiry > now
            && self.members[leader].postgres.state == State::Running
            && if contents.standby_cluster {
                self.members[leader].postgres.role == Role::StandbyLeader && self.takes_writes().is_empty()
            } else {
                self.leader().is_some()
            };
        let view_lag = self.members.iter().map(|member| member.view_lag).max().unwrap_or(0);
        rightly_leads
            && self.dcs.outage.is_none()
            && self.dcs.changed_at() + view_lag <= now
            && self.ids().all(|id| self.is_member_settled(id))
    }

    /// Whether a replica streams from the leader and reports its timeline.
    fn follows_well(&self, id: MemberId) -> bool {
        let leader = self.dcs.current().leader;
        let timeline = leader.map(|leader| self.members[leader].postgres.timeline);
        self.streams(id) && timeline == Some(self.members[id].postgres.reported)
    }

    fn is_member_settled(&self, id: MemberId) -> bool {
        let member = &self.members[id];
        let contents = self.dcs.current();
        if member.process != Process::Running {
            return !contents.members.contains_key(&id) && !member.takes_writes();
        }
        let leads = contents.leader == Some(id);
        member.task.is_none()
            && member.stale.is_none()
            && member.cached
            && member.dcs_gives_up.is_none()
            && !member.cut_from_dcs
            && member.known == *contents
            && contents.members.get(&id) == Some(&self.key(id))
            && (leads || self.follows_well(id))
    }
}

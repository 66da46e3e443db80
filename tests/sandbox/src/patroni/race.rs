//! The leader race: no member holds the key (`ha.py`, `process_unhealthy_cluster` and `is_healthiest_node`).
//!
//! A member asks only those that it can reach, and takes the key only if none of them is fitter.

use super::cluster::Cluster;
use super::event::EventKind;
use super::member::{AfterStop, MemberId, Role, State};
use crate::Millis;

impl Cluster {
    pub(super) fn race(&mut self, id: MemberId, now: Millis) {
        if self.is_healthiest(id) {
            self.take_key(id, now);
        } else if !self.members[id].postgres.in_recovery && !self.members[id].known.paused {
            // A primary that may not have the key: another has been promoted since.
            self.members[id].postgres.diverged = true;
            self.demote(id, now, 0, AfterStop::Demote);
        }
    }

    pub(super) fn take_key(&mut self, id: MemberId, now: Millis) {
        self.dcs.set_leader(now, Some(id));
        if self.dcs.candidate == Some(id) || !self.members[id].known.paused {
            self.dcs.candidate = None;
        }
        self.renew(id, now);
        self.emit_for(now, id, EventKind::KeyTaken);
        self.wake_all(now);
        if self.members[id].known.standby_cluster {
            let postgres = &mut self.members[id].postgres;
            (postgres.role, postgres.follows) = (Role::StandbyLeader, None);
            self.emit_for(now, id, EventKind::LeadsStandbyCluster);
        } else if self.members[id].postgres.in_recovery {
            self.promote(id, now);
        }
    }

    fn is_healthiest(&mut self, id: MemberId) -> bool {
        if !self.members[id].postgres.in_recovery {
            return self.members[id].known.paused
                || self.members[id].postgres.timeline >= self.members[id].known.timeline;
        }
        if let Some(candidate) = self.dcs.candidate {
            if candidate == id {
                return self.is_fit(id);
            }
            if self.members[candidate].process_answers() && self.is_fit(candidate) {
                return false;
            }
            // `manual_failover_process_no_leader` deletes the key of a candidate that cannot be.
            self.dcs.candidate = None;
        }
        // A member that failsafe mode does not ask might take the key from a primary that it keeps.
        let is_asked = |id: MemberId| self.dcs.failsafe.is_empty() || self.dcs.failsafe.contains(&id);
        if self.members[id].known.paused || !is_asked(id) || !self.is_fit(id) {
            return false;
        }
        let mine = self.lsn(id);
        self.ids().filter(|peer| *peer != id && self.talk(id, *peer)).all(|peer| {
            let other = &self.members[peer];
            let is_alive_primary = other.is_primary();
            // Patroni counts those too that failsafe mode keeps out, and then no member is promoted; here one is.
            let is_fitter = is_asked(peer) && !other.spec.tags.nofailover && self.lsn(peer) > mine;
            !is_alive_primary && !is_fitter
        })
    }

    /// Whether a replica may be promoted at all.
    pub(super) fn is_fit(&self, id: MemberId) -> bool {
        let member = &self.members[id];
        let lagging = |lsn: u64| {
            self.dcs.current().last_lsn.saturating_sub(lsn) > self.settings.maximum_lag_on_failover
        };
        member.postgres.state == State::Running
            && member.postgres.in_recovery
            && member.task.is_none()
            && !member.spec.tags.nofailover
            && member.postgres.timeline >= self.dcs.current().timeline
            && self.reaches_dcs(id)
            && self.lsn(id).is_some_and(|lsn| !lagging(lsn))
    }
}

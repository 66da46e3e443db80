//! The HA loop of one member (`ha.py`, `_run_cycle`).
//!
//! A loop reads the DCS once, at its start, and decides by that; it never reads the true state of the world.

use std::sync::Arc;

use super::cluster::Cluster;
use super::event::EventKind;
use super::member::{AfterStop, MemberId, Role, State, Task};
use super::settings::DcsFailure;
use crate::Millis;

/// How long an immediate shutdown takes.
const IMMEDIATE_STOP: Millis = 100;

/// How long a replica takes to stream again when its source went: `wal_retrieve_retry_interval`.
pub(super) const RECONNECT: Millis = 5_000;

impl Cluster {
    pub(super) fn run_loop(&mut self, id: MemberId, now: Millis) {
        self.members[id].next_loop = now + self.settings.loop_wait;
        if !self.reaches_dcs(id) {
            let late = self.settings.dcs_failure == DcsFailure::OnWrite && self.members[id].cached;
            let tries = if late { 2 } else { 1 };
            self.members[id].dcs_gives_up = Some(now + tries * self.settings.retry_timeout);
            return;
        }
        let known = Arc::clone(self.dcs.current());
        let leader = known.leader;
        let member = &mut self.members[id];
        (member.known, member.cached, member.stale) = (known, true, None);
        (member.last_loop, member.dcs_last_seen) = (now, now);
        if leader != Some(id) {
            member.leader_expiry = 0;
        }
        if leader.is_some() {
            member.failsafe_until = 0;
        }
        if let Some((_, task)) = self.members[id].task {
            self.stay_in_task(id, now, task);
        } else if self.members[id].postgres.state != State::Running {
            self.recover(id, now);
        } else {
            match leader {
                Some(leader) if leader == id => self.lead(id, now),
                Some(leader) => self.follow(id, now, leader),
                // Failsafe mode puts the leader that still calls in place of the missing key.
                None if self.members[id].failsafe_until > now => {}
                None => self.race(id, now),
            }
        }
        self.touch(id, now);
    }

    /// Writes the leader key again, and with it the flag that `/primary` answers by.
    pub(super) fn renew(&mut self, id: MemberId, now: Millis) {
        self.dcs.leader_expires = now + self.settings.ttl;
        self.members[id].leader_expiry = now + self.settings.ttl + self.settings.renewal_latency;
        let listed = self.dcs.current().members.keys();
        if self.has_failsafe() && !listed.clone().eq(&self.dcs.failsafe) {
            self.dcs.failsafe = listed.copied().collect();
        }
        if self.members[id].is_primary() {
            let (wal, timeline) = (self.wal, self.members[id].postgres.timeline);
            let known = self.dcs.current();
            if (known.last_lsn, known.timeline) != (wal, timeline) {
                let contents = self.dcs.edit(now);
                (contents.last_lsn, contents.timeline) = (wal, timeline);
            }
        }
    }

    /// `handle_long_action_in_progress`, `handle_starting_instance`.
    fn stay_in_task(&mut self, id: MemberId, now: Millis, task: Task) {
        if self.members[id].known.leader == Some(id) {
            let crashed_at = self.members[id].postgres.crashed_at;
            if task == Task::RecoverPrimary && now - crashed_at > self.settings.primary_start_timeout {
                self.demote(id, now, IMMEDIATE_STOP, AfterStop::Release);
                return;
            }
            self.renew(id, now);
        } else if task == Task::Promote && self.members[id].known.leader.is_some() {
            self.demote(id, now, IMMEDIATE_STOP, AfterStop::Demote);
        }
    }

    /// PostgreSQL does not run (`recover`).
    fn recover(&mut self, id: MemberId, now: Millis) {
        let holds_key = self.members[id].known.leader == Some(id);
        let postgres = &mut self.members[id].postgres;
        if postgres.state == State::Unknown {
            postgres.state = State::Crashed;
        }
        if self.members[id].known.paused {
            self.members[id].postgres.state = State::Stopped;
            if holds_key {
                self.release(id, now);
            }
            return;
        }
        let starts_at = now + self.start_time(id);
        let member = &mut self.members[id];
        if holds_key && !member.postgres.in_recovery && member.postgres.role.is_primary() {
            member.postgres.state = State::Starting;
            member.task = Some((starts_at, Task::RecoverPrimary));
            self.emit_for(now, id, EventKind::Recovering);
            self.renew(id, now);
        } else {
            if holds_key {
                self.renew(id, now);
            }
            self.begin_rejoin(id, now);
        }
    }

    /// It holds the key (`process_healthy_cluster`, first half).
    fn lead(&mut self, id: MemberId, now: Millis) {
        let standby_cluster = self.members[id].known.standby_cluster;
        let in_recovery = self.members[id].postgres.in_recovery;
        if self.members[id].known.paused && in_recovery && !standby_cluster {
            self.release(id, now);
            return;
        }
        self.renew(id, now);
        if self.dcs.candidate.is_some_and(|candidate| candidate != id) {
            self.demote(id, now, self.settings.stop_time, AfterStop::Release);
        } else if standby_cluster && !in_recovery {
            self.demote(id, now, self.settings.stop_time, AfterStop::LeadStandby);
        } else if standby_cluster {
            let postgres = &mut self.members[id].postgres;
            (postgres.role, postgres.follows) = (Role::StandbyLeader, None);
        } else if in_recovery {
            self.promote(id, now);
        } else {
            self.members[id].postgres.role = Role::Primary;
        }
    }

    /// Another holds the key (`process_healthy_cluster`, second half).
    fn follow(&mut self, id: MemberId, now: Millis, leader: MemberId) {
        if !self.members[id].postgres.in_recovery {
            if !self.members[id].known.paused {
                // What it wrote as a second primary is in no other member's history.
                self.members[id].postgres.diverged = true;
                self.demote(id, now, IMMEDIATE_STOP, AfterStop::Demote);
            }
            return;
        }
        let leader_is_primary = self.members[leader].is_primary();
        if leader_is_primary && self.members[leader].postgres.timeline < self.members[id].postgres.timeline {
            // It is on a branch that its leader left behind (`rewind.py`, `_check_timeline_and_lsn`).
            self.members[id].postgres.diverged = true;
        }
        if self.members[id].postgres.diverged {
            // pg_rewind needs a source that is out of recovery.
            if leader_is_primary && !self.members[id].known.paused {
                self.begin_rejoin(id, now);
            }
            return;
        }
        let leaders_timeline = self.members[leader].postgres.timeline;
        let published = self.members[id].known.members.get(&leader).and_then(|key| key.timeline);
        let postgres = &mut self.members[id].postgres;
        if postgres.follows != Some(leader) {
            (postgres.follows, postgres.connects_at) = (Some(leader), now + RECONNECT);
        }
        postgres.role = Role::Replica;
        if self.streams(id) {
            let postgres = &mut self.members[id].postgres;
            (postgres.timeline, postgres.lag) = (leaders_timeline, postgres.lag_when_streaming);
            postgres.reported = published.unwrap_or(postgres.reported);
        }
    }

    /// Stops a primary; `after` says why.
    pub(super) fn demote(&mut self, id: MemberId, now: Millis, takes: Millis, after: AfterStop) {
        let member = &mut self.members[id];
        member.postgres.state = State::Stopping;
        member.task = Some((now + takes, Task::Stop(after)));
        self.emit_for(now, id, EventKind::Demoting);
    }

    pub(super) fn promote(&mut self, id: MemberId, now: Millis) {
        let takes = self.members[id].promotion_time.unwrap_or(self.settings.promotion_time);
        let member = &mut self.members[id];
        (member.postgres.role, member.postgres.follows) = (Role::Promoted, None);
        member.task = Some((now + takes, Task::Promote));
        self.emit_for(now, id, EventKind::Promoting);
    }

    /// Gives the leader key away, if it has it and can.
    pub(super) fn release(&mut self, id: MemberId, now: Millis) {
        self.members[id].leader_expiry = 0;
        if self.reaches_dcs(id) && self.dcs.current().leader == Some(id) {
            self.dcs.set_leader(now, None);
            self.emit_for(now, id, EventKind::KeyReleased);
            self.wake_all(now);
        }
    }

    /// The retries have run out (`_handle_dcs_error`).
    pub(super) fn give_up_dcs(&mut self, id: MemberId, now: Millis) {
        self.members[id].dcs_gives_up = None;
        if self.reaches_dcs(id) {
            self.run_loop(id, now);
            return;
        }
        let next_loop = now + self.settings.loop_wait;
        let member = &mut self.members[id];
        (member.cached, member.next_loop) = (false, next_loop);
        if member.known.paused || member.task.is_some() || !member.is_primary() {
            return;
        }
        if self.kept_by_failsafe(id) {
            let until = now + self.settings.ttl;
            for peer in &self.dcs.failsafe {
                self.members[*peer].failsafe_until = until;
            }
            self.members[id].leader_expiry = until + self.settings.renewal_latency;
            self.emit_for(now, id, EventKind::KeptByFailsafe);
        } else {
            self.members[id].failsafe_until = 0;
            self.members[id].postgres.diverged = true;
            self.demote(id, now, self.settings.stop_time, AfterStop::Demote);
        }
    }

    /// Whether every member of the failsafe topology answers that it may stay (`check_failsafe_topology`).
    fn kept_by_failsafe(&self, id: MemberId) -> bool {
        let may_stay = |peer: MemberId| self.talk(id, peer) && !self.members[peer].postgres.role.is_primary();
        self.has_failsafe()
            && self.dcs.failsafe.contains(&id)
            && self.dcs.failsafe.iter().all(|peer| *peer == id || may_stay(*peer))
    }

    pub(super) fn has_failsafe(&self) -> bool {
        self.settings.failsafe_mode && self.settings.version.has_failsafe()
    }
}

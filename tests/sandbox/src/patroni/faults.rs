//! What breaks: processes, machines and the wires between them, and how each comes back.
//!
//! A fault changes only what it physically changes; what follows is left to the HA loops and to time.

use std::sync::Arc;

use super::cluster::Cluster;
use super::event::EventKind;
use super::member::{MemberId, Process, Role, State, Task};
use super::rest::Silence;
use super::settings::DcsOutage;
use crate::Millis;

/// The way from one observer to one member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    /// Whatever the member does gets through.
    Fine,
    /// Connections are refused on the way.
    Refused,
    /// Packets are lost.
    Lost,
}

impl Cluster {
    /// The whole node goes, PostgreSQL with it. Its port refuses if only the processes died, and is silent
    /// ([`Silence::TimedOut`]) if the machine is lost.
    pub fn crash(&mut self, now: Millis, id: MemberId, silence: Silence) {
        self.advance(now);
        if self.members[id].process == Process::Left {
            return;
        }
        let member = &mut self.members[id];
        (member.process, member.task, member.dcs_gives_up) = (Process::Down(silence), None, None);
        (member.postgres.state, member.postgres.crashed_at) = (State::Stopped, now);
        self.emit_for(now, id, EventKind::Crashed);
    }

    /// Patroni goes and PostgreSQL stays: a primary goes on taking writes, as there is no watchdog.
    pub fn kill_patroni(&mut self, now: Millis, id: MemberId) {
        self.advance(now);
        if !matches!(self.members[id].process, Process::Running | Process::Hung) {
            return;
        }
        let member = &mut self.members[id];
        (member.process, member.dcs_gives_up) = (Process::Killed, None);
        if matches!(member.task, Some((_, Task::Stop(_) | Task::ReleaseKey | Task::Rewind | Task::Clone))) {
            (member.task, member.postgres.state) = (None, State::Stopped);
        }
        self.emit_for(now, id, EventKind::PatroniKilled);
    }

    /// PostgreSQL goes and Patroni stays. It notices at its next HA loop; a primary that holds the key recovers and
    /// answers 200 meanwhile.
    pub fn crash_postgres(&mut self, now: Millis, id: MemberId) {
        self.advance(now);
        let member = &mut self.members[id];
        if !matches!(member.postgres.state, State::Running | State::Starting) {
            return;
        }
        member.task = None;
        let noticed_later = matches!(member.process, Process::Running | Process::Hung);
        member.postgres.state = if noticed_later { State::Unknown } else { State::Stopped };
        member.postgres.crashed_at = now;
        self.emit_for(now, id, EventKind::PostgresCrashed);
    }

    /// Starts what was crashed, killed or stopped. Data of before are there, beliefs of before are not.
    pub fn start(&mut self, now: Millis, id: MemberId) {
        self.advance(now);
        if !matches!(self.members[id].process, Process::Down(_) | Process::Killed) {
            return;
        }
        self.reset_beliefs(id);
        let clone_ends = now + self.settings.clone_time;
        let member = &mut self.members[id];
        member.process = Process::Running;
        member.next_loop = now;
        if member.postgres.role == Role::Uninitialized {
            member.postgres.state = State::CreatingReplica;
            member.task = Some((clone_ends, Task::Clone));
        } else if member.postgres.state == State::Stopped {
            (member.postgres.role, member.postgres.in_recovery) = (Role::Replica, true);
        }
        self.wake(id, now);
        self.emit_for(now, id, EventKind::Started);
    }

    /// A crashed node comes back as it was, with its memory, like a machine resumed from a saved state: an
    /// old primary takes writes on its old timeline, answers 200 and shows its old view, until its next HA loop.
    pub fn start_as_zombie(&mut self, now: Millis, id: MemberId) {
        self.advance(now);
        if !matches!(self.members[id].process, Process::Down(_)) {
            return;
        }
        let believes_until = now + self.settings.ttl + self.settings.renewal_latency;
        let next_loop = now + self.settings.loop_wait;
        let member = &mut self.members[id];
        member.process = Process::Running;
        (member.postgres.state, member.cached) = (State::Running, true);
        if !member.postgres.in_recovery {
            member.leader_expiry = believes_until;
        }
        member.stale = Some(Arc::clone(&member.known));
        member.next_loop = next_loop;
        self.emit_for(now, id, EventKind::StartedAsZombie);
    }

    /// Patroni is stopped by a signal: its port accepts and never answers, PostgreSQL runs on.
    pub fn hang(&mut self, now: Millis, id: MemberId) {
        self.advance(now);
        if self.members[id].process == Process::Running {
            self.members[id].process = Process::Hung;
            self.emit_for(now, id, EventKind::Hung);
        }
    }

    /// It goes on at its next HA loop. Its clock went on: after more than the TTL it answers 503, role primary, as real
    /// ones do; for one that still answers 200 see [`freeze`](Self::freeze).
    pub fn unhang(&mut self, now: Millis, id: MemberId) {
        self.advance(now);
        if self.members[id].process == Process::Hung {
            self.resume_process(now, id, 0);
            self.emit_for(now, id, EventKind::Woke);
        }
    }

    /// The whole machine stands still, with PostgreSQL and its clock (a suspended virtual machine).
    pub fn freeze(&mut self, now: Millis, id: MemberId) {
        self.advance(now);
        if matches!(self.members[id].process, Process::Running | Process::Hung) {
            self.members[id].process = Process::Frozen(now);
            self.emit_for(now, id, EventKind::Frozen);
        }
    }

    /// It goes on with the time, the beliefs and the view of before, until its next HA loop: an old primary takes
    /// writes and answers 200 while another has been promoted.
    pub fn thaw(&mut self, now: Millis, id: MemberId) {
        self.advance(now);
        if let Process::Frozen(since) = self.members[id].process {
            self.members[id].stale = Some(Arc::clone(&self.members[id].known));
            self.resume_process(now, id, now - since);
            self.emit_for(now, id, EventKind::Thawed);
        }
    }

    fn resume_process(&mut self, now: Millis, id: MemberId, stood_still: Millis) {
        let next_loop = self.members[id].next_slot(now, self.settings.loop_wait);
        let member = &mut self.members[id];
        (member.process, member.next_loop) = (Process::Running, next_loop);
        member.leader_expiry += stood_still;
        member.failsafe_until += stood_still;
        member.task = member.task.map(|(at, task)| ((at + stood_still).max(now), task));
        member.dcs_gives_up = member.dcs_gives_up.map(|at| (at + stood_still).max(now));
    }

    pub(super) fn reset_beliefs(&mut self, id: MemberId) {
        let member = &mut self.members[id];
        (member.leader_expiry, member.failsafe_until, member.stale, member.cached) = (0, 0, None, true);
        member.dcs_gives_up = None;
    }

    /// The member's Patroni cannot reach the DCS.
    pub fn cut_from_dcs(&mut self, now: Millis, id: MemberId) {
        self.advance(now);
        self.members[id].cut_from_dcs = true;
        self.emit_for(now, id, EventKind::CutFromDcs);
    }

    /// The member's Patroni and the others cannot ask each other.
    pub fn cut_from_members(&mut self, now: Millis, id: MemberId) {
        self.advance(now);
        self.members[id].cut_from_members = true;
        self.emit_for(now, id, EventKind::CutFromMembers);
    }

    /// Undoes both cuts.
    pub fn heal(&mut self, now: Millis, id: MemberId) {
        self.advance(now);
        let member = &mut self.members[id];
        (member.cut_from_dcs, member.cut_from_members) = (false, false);
        self.emit_for(now, id, EventKind::Healed);
        self.retry_dcs(now, id);
    }

    /// The DCS has no quorum; `outage` says what `GET /cluster` then does.
    pub fn dcs_down(&mut self, now: Millis, outage: DcsOutage) {
        self.advance(now);
        self.dcs.outage = Some(outage);
        self.emit(now, EventKind::DcsDown);
    }

    /// The DCS is back. All keys are there for another TTL, as etcd's new leader extends the leases.
    pub fn dcs_up(&mut self, now: Millis) {
        self.advance(now);
        if self.dcs.outage.take().is_some() {
            self.dcs.extend(now + self.settings.ttl);
            self.emit(now, EventKind::DcsUp);
            for id in self.ids() {
                self.retry_dcs(now, id);
            }
        }
    }

    /// A retry that is under way succeeds at once.
    fn retry_dcs(&mut self, now: Millis, id: MemberId) {
        if self.reaches_dcs(id) {
            self.members[id].dcs_gives_up = None;
            self.wake(id, now);
        }
    }

    /// Changes the way from an observer to a member.
    pub fn set_wire(&mut self, observer: usize, id: MemberId, wire: Wire) {
        if wire == Wire::Fine {
            self.wires.remove(&(observer, id));
        } else {
            self.wires.insert((observer, id), wire);
        }
    }
}

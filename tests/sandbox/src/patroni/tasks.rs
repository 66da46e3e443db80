//! What takes PostgreSQL a while, and what follows when it is done.
//!
//! A task ends exactly one way; another one cancels it first.

use super::cluster::{Cluster, TimelineEnd};
use super::event::EventKind;
use super::ha::RECONNECT;
use super::member::{AfterStop, Lag, MemberId, Process, Role, State, Task};
use super::rest::Silence;
use crate::Millis;

/// From the end of the shutdown to the end of the key: `release_leader_key_voluntarily` comes after `stop`.
const KEY_OUTLIVES_STOP: Millis = 100;

/// The old leader waits this long for a successor before it starts again (`ha.py`, `demote`).
const PAUSE_FOR_SUCCESSOR: Millis = 2_000;

/// What the end of recovery writes, in bytes.
const PROMOTION_WAL: u64 = 0x118;

impl Cluster {
    pub(super) fn start_time(&self, id: MemberId) -> Millis {
        self.members[id].start_time.unwrap_or(self.settings.start_time)
    }

    pub(super) fn finish(&mut self, id: MemberId, now: Millis, task: Task) {
        match task {
            Task::Promote => self.promoted(id, now),
            Task::RecoverPrimary => {
                self.is_up(id, now);
                self.emit_for(now, id, EventKind::Recovered);
            }
            Task::StartReplica => self.started_as_replica(id, now),
            Task::Rewind => {
                let starts_at = now + self.start_time(id);
                // Without a source it starts on what it has, and is rewound when there is a leader again.
                self.copy_leader(id);
                let member = &mut self.members[id];
                member.postgres.state = State::Starting;
                member.task = Some((starts_at, Task::StartReplica));
            }
            Task::Clone if self.copy_leader(id) => self.started_as_replica(id, now),
            Task::Clone => {
                self.members[id].task = Some((now + self.settings.loop_wait, Task::Clone));
            }
            Task::Stop(after) => self.stopped(id, now, after),
            Task::ReleaseKey => {
                self.release(id, now);
                self.members[id].task = Some((now + PAUSE_FOR_SUCCESSOR, Task::StartReplica));
            }
        }
    }

    fn promoted(&mut self, id: MemberId, now: Millis) {
        let ended = self.members[id].postgres.timeline;
        let lsn = self.lsn(id).unwrap_or(self.wal);
        let wal = lsn + PROMOTION_WAL;
        for peer in self.ids().filter(|peer| *peer != id) {
            if let Lag::Bytes(lag) = self.members[peer].postgres.lag {
                let position = self.wal.saturating_sub(lag);
                self.members[peer].postgres.lag = Lag::Bytes(wal.saturating_sub(position));
            }
        }
        self.wal = wal;
        self.timelines.push(TimelineEnd { timeline: ended, lsn, at: now, new_leader: id });
        let postgres = &mut self.members[id].postgres;
        (postgres.timeline, postgres.in_recovery, postgres.diverged) = (ended + 1, false, false);
        (postgres.follows, postgres.lag) = (None, Lag::Bytes(0));
        self.emit_for(now, id, EventKind::Promoted(ended + 1));
        for peer in self.ids() {
            if self.members[peer].postgres.follows == Some(id) && self.streams(peer) {
                let postgres = &mut self.members[peer].postgres;
                (postgres.timeline, postgres.lag) = (ended + 1, postgres.lag_when_streaming);
            }
        }
    }

    fn is_up(&mut self, id: MemberId, now: Millis) {
        let postgres = &mut self.members[id].postgres;
        (postgres.state, postgres.started_at) = (State::Running, now);
        for peer in self.members.iter_mut() {
            if peer.postgres.follows == Some(id) {
                peer.postgres.connects_at = now + RECONNECT;
            }
        }
        self.wake(id, now);
    }

    fn started_as_replica(&mut self, id: MemberId, now: Millis) {
        let postgres = &mut self.members[id].postgres;
        (postgres.role, postgres.in_recovery) = (Role::Replica, true);
        self.is_up(id, now);
        let leader = self.dcs.current().leader;
        if let Some(leader) = leader.filter(|leader| *leader != id && self.reaches_dcs(id)) {
            let postgres = &mut self.members[id].postgres;
            (postgres.follows, postgres.connects_at) = (Some(leader), now);
        }
        self.emit_for(now, id, EventKind::Rejoined);
    }

    /// A rewind or a base backup ends: the data are the leader's. False if there is no leader to copy.
    fn copy_leader(&mut self, id: MemberId) -> bool {
        let runs = |leader: &MemberId| self.members[*leader].postgres.state == State::Running;
        let leader = self.dcs.current().leader.filter(|leader| *leader != id).filter(runs);
        let Some(leader) = leader.filter(|_| self.reaches_dcs(id)) else { return false };
        let source = &self.members[leader].postgres;
        let (timeline, system_id) = (source.timeline, source.system_id);
        let postgres = &mut self.members[id].postgres;
        (postgres.timeline, postgres.reported, postgres.system_id) = (timeline, timeline, system_id);
        (postgres.diverged, postgres.lag) = (false, postgres.lag_when_streaming);
        true
    }

    pub(super) fn stopped(&mut self, id: MemberId, now: Millis, after: AfterStop) {
        let postgres = &mut self.members[id].postgres;
        (postgres.state, postgres.in_recovery, postgres.follows) = (State::Stopped, true, None);
        postgres.reported = postgres.timeline;
        match after {
            AfterStop::Release => {
                postgres.role = Role::Demoted;
                self.members[id].task = Some((now + KEY_OUTLIVES_STOP, Task::ReleaseKey));
            }
            AfterStop::Demote => {
                postgres.role = Role::Demoted;
                self.members[id].leader_expiry = 0;
                // Offline it starts at once, on what it has; with a leader in sight it is rewound first.
                self.begin_rejoin(id, now);
            }
            AfterStop::LeadStandby => {
                postgres.role = Role::Demoted;
                let starts_at = now + self.start_time(id);
                self.members[id].postgres.state = State::Starting;
                self.members[id].task = Some((starts_at, Task::StartReplica));
            }
            AfterStop::Exit { forever } => {
                if self.reaches_dcs(id) {
                    self.touch(id, now);
                }
                self.release(id, now);
                let (process, notified) = if forever {
                    (Process::Left, EventKind::Left)
                } else {
                    (Process::Down(Silence::Refused), EventKind::Stopped)
                };
                self.members[id].process = process;
                self.emit_for(now, id, notified);
            }
        }
    }

    /// Brings a PostgreSQL that is down, or has diverged, back as a replica.
    pub(super) fn begin_rejoin(&mut self, id: MemberId, now: Millis) {
        let rewinds = self.members[id].cached
            && self.members[id].known.leader.is_some_and(|leader| {
                let (own, theirs) = (&self.members[id].postgres, &self.members[leader].postgres);
                leader != id
                    && self.members[leader].is_primary()
                    && (own.diverged || own.timeline < theirs.timeline || own.system_id != theirs.system_id)
            });
        let takes = if rewinds { self.settings.rewind_time } else { self.start_time(id) };
        let member = &mut self.members[id];
        member.postgres.in_recovery = true;
        if rewinds {
            member.postgres.state = State::Stopped;
            member.task = Some((now + takes, Task::Rewind));
            self.emit_for(now, id, EventKind::Rewinding);
        } else {
            member.postgres.state = State::Starting;
            member.task = Some((now + takes, Task::StartReplica));
        }
    }
}

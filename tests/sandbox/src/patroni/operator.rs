//! What operators do to a cluster: switch over, pause, move sites, add and remove members, restore.
//!
//! An operator's request goes into the DCS, as with `patronictl`, and the HA loops carry it out; only what has no such way
//! (a restore, a forced split brain, a lag) is set directly.

use std::sync::Arc;

use super::cluster::Cluster;
use super::dcs::Contents;
use super::event::EventKind;
use super::member::{AfterStop, Lag, Member, MemberId, Postgres, Process, Role, Spec, State, Tags, Task};
use crate::Millis;

/// Why a switchover is not even begun (`api.py`, `do_POST_failover`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// There is no leader, or the leader is in a task or cannot be reached.
    NoLeader,
    /// The candidate cannot be promoted.
    NotFit,
}

impl Cluster {
    /// A planned switchover: the leader shuts down cleanly and gives the key to `candidate`.
    ///
    /// # Errors
    /// Where Patroni would refuse it at once.
    pub fn switchover(&mut self, now: Millis, candidate: MemberId) -> Result<(), Refusal> {
        self.advance(now);
        let leader = self.key_holder().filter(|leader| self.members[*leader].task.is_none());
        let leader = leader.filter(|leader| self.reaches_dcs(*leader)).ok_or(Refusal::NoLeader)?;
        let leads = self.members[leader].process == Process::Running && self.members[leader].is_primary();
        if !leads {
            return Err(Refusal::NoLeader);
        }
        if candidate == leader || !self.is_fit(candidate) || !self.talk(leader, candidate) {
            return Err(Refusal::NotFit);
        }
        self.dcs.candidate = Some(candidate);
        self.emit_for(now, candidate, EventKind::SwitchoverAsked);
        self.wake(leader, now);
        Ok(())
    }

    /// Maintenance mode: no automatic failover.
    pub fn pause(&mut self, now: Millis) {
        self.set_paused(now, true);
    }

    /// Ends maintenance mode.
    pub fn resume(&mut self, now: Millis) {
        self.set_paused(now, false);
    }

    fn set_paused(&mut self, now: Millis, paused: bool) {
        self.advance(now);
        if self.dcs.current().paused != paused {
            self.dcs.edit(now).paused = paused;
            self.emit(now, if paused { EventKind::Paused } else { EventKind::Resumed });
            self.wake_all(now);
        }
    }

    /// Makes a standby cluster a normal one: its leader is promoted.
    pub fn promote_site(&mut self, now: Millis) {
        self.set_standby_cluster(now, false);
    }

    /// Makes a normal cluster a standby cluster: its leader restarts and follows the other site.
    pub fn demote_site(&mut self, now: Millis) {
        self.set_standby_cluster(now, true);
    }

    fn set_standby_cluster(&mut self, now: Millis, standby_cluster: bool) {
        self.advance(now);
        if self.dcs.outage.is_none() && self.dcs.current().standby_cluster != standby_cluster {
            self.dcs.edit(now).standby_cluster = standby_cluster;
            self.emit(now, if standby_cluster { EventKind::SiteDemoted } else { EventKind::SitePromoted });
            self.wake_all(now);
        }
    }

    /// The leader of this standby cluster replicates from the primary of another site, and the other members from it: they
    /// replay onto its timeline, and one that has a history of its own is rewound or recreated, which takes no time here.
    pub fn follow_upstream(&mut self, now: Millis, timeline: u32, system_id: u64) {
        self.advance(now);
        let replays = |member: &Member| {
            let stands_still = matches!(member.process, Process::Frozen(_));
            member.postgres.state == State::Running && member.postgres.in_recovery && !stands_still
        };
        if !self.key_holder().is_some_and(|leader| replays(&self.members[leader])) {
            return;
        }
        for member in self.members.iter_mut().filter(|member| replays(member)) {
            let postgres = &mut member.postgres;
            (postgres.timeline, postgres.reported) = (timeline, timeline);
            (postgres.system_id, postgres.diverged) = (system_id, false);
        }
        if self.dcs.current().timeline != timeline {
            self.dcs.edit(now).timeline = timeline;
        }
    }

    /// A new member joins and is made from a base backup.
    pub fn join(&mut self, now: Millis, spec: Spec) -> MemberId {
        self.advance(now);
        let postgres = Postgres {
            state: State::CreatingReplica,
            role: Role::Uninitialized,
            in_recovery: true,
            timeline: 0,
            reported: 0,
            system_id: 0,
            lag: Lag::Bytes(0),
            lag_when_streaming: Lag::Bytes(0),
            diverged: false,
            follows: None,
            connects_at: now,
            started_at: now,
            crashed_at: now,
        };
        let mut member = Member::new(spec, postgres, Arc::clone(self.dcs.current()));
        member.next_loop = now;
        member.task = Some((now + self.settings.clone_time, Task::Clone));
        let id = MemberId(self.members.len());
        self.members.push(member);
        self.emit_for(now, id, EventKind::Joined);
        id
    }

    /// A member is stopped for good. Its key stays, `stopped`, until it runs out.
    pub fn leave(&mut self, now: Millis, id: MemberId) {
        self.shut_down(now, id, true);
    }

    /// Patroni and PostgreSQL of a member are stopped cleanly; a leader gives its key away.
    pub fn stop(&mut self, now: Millis, id: MemberId) {
        self.shut_down(now, id, false);
    }

    fn shut_down(&mut self, now: Millis, id: MemberId, forever: bool) {
        self.advance(now);
        match self.members[id].process {
            Process::Running if self.members[id].postgres.state == State::Running => {
                self.demote(id, now, self.settings.stop_time, AfterStop::Exit { forever });
            }
            Process::Running => {
                self.members[id].task = None;
                self.stopped(id, now, AfterStop::Exit { forever });
            }
            _ if forever => {
                let member = &mut self.members[id];
                (member.process, member.task, member.postgres.state) = (Process::Left, None, State::Stopped);
                self.emit_for(now, id, EventKind::Left);
            }
            _ => {}
        }
    }

    /// The operator recreates the cluster from a backup: another system identifier, any timeline. The key holder, or
    /// else the first member that can, becomes the primary, and the others are cloned from it.
    ///
    /// # Errors
    /// If no member runs and reaches the DCS.
    pub fn restore(&mut self, now: Millis, system_id: u64, timeline: u32) -> Result<(), Refusal> {
        self.advance(now);
        let can = |id: &MemberId| self.members[*id].process == Process::Running && self.reaches_dcs(*id);
        let restored: Vec<MemberId> = self.ids().filter(can).collect();
        let holder = self.key_holder().filter(can);
        let leader = holder.or(restored.first().copied()).ok_or(Refusal::NoLeader)?;
        self.timelines.clear();
        self.dcs.candidate = None;
        let recovered = now + self.start_time(leader);
        for id in restored {
            self.reset_beliefs(id);
            let leads = id == leader;
            let cloned = now + self.settings.clone_time;
            let member = &mut self.members[id];
            member.task = Some(if leads { (recovered, Task::RecoverPrimary) } else { (cloned, Task::Clone) });
            let postgres = &mut member.postgres;
            postgres.state = if leads { State::Starting } else { State::CreatingReplica };
            postgres.role = if leads { Role::Primary } else { Role::Uninitialized };
            (postgres.in_recovery, postgres.diverged, postgres.crashed_at) = (!leads, false, now);
            (postgres.timeline, postgres.reported, postgres.system_id) = (timeline, timeline, system_id);
            (postgres.follows, postgres.lag) = (None, Lag::Bytes(0));
        }
        self.dcs.set_leader(now, Some(leader));
        self.dcs.edit(now).timeline = timeline;
        self.touch(leader, now);
        self.renew(leader, now);
        self.emit(now, EventKind::Restored(system_id));
        self.wake_all(now);
        Ok(())
    }

    /// Makes a replica a second primary on the leader's own timeline, believing in itself for a TTL: the worst split
    /// brain, which Patroni's own rules do not lead to.
    pub fn force_split_brain(&mut self, now: Millis, id: MemberId) {
        self.advance(now);
        let timeline = self.leader().map_or(self.members[id].postgres.timeline, |(_, timeline)| timeline);
        let until = now + self.settings.ttl;
        let view = Arc::new(Contents { leader: Some(id), ..Contents::clone(self.dcs.current()) });
        let member = &mut self.members[id];
        (member.process, member.task, member.dcs_gives_up) = (Process::Running, None, None);
        (member.leader_expiry, member.next_loop) = (until, until);
        (member.known, member.stale, member.cached) = (Arc::clone(&view), Some(view), true);
        let postgres = &mut member.postgres;
        (postgres.state, postgres.role, postgres.in_recovery) = (State::Running, Role::Primary, false);
        (postgres.timeline, postgres.diverged, postgres.follows) = (timeline, true, None);
        self.emit_for(now, id, EventKind::SplitBrainForced(timeline));
    }

    /// How far a replica is behind from now on, whenever it streams.
    pub fn set_lag(&mut self, now: Millis, id: MemberId, lag: Lag) {
        self.advance(now);
        self.members[id].postgres.lag_when_streaming = lag;
        if self.streams(id) {
            self.members[id].postgres.lag = lag;
        }
    }

    /// The tags of a member from now on; others see them after its next HA loop.
    pub fn set_tags(&mut self, now: Millis, id: MemberId, tags: Tags) {
        self.advance(now);
        self.members[id].spec.tags = tags;
    }

    /// `GET /cluster` of this member shows the DCS of that long ago, at most ten minutes.
    pub fn set_view_lag(&mut self, id: MemberId, lag: Millis) {
        self.members[id].view_lag = lag;
    }

    /// How long this member's promotions take; `None` for what the settings say.
    pub fn set_promotion_time(&mut self, id: MemberId, time: Option<Millis>) {
        self.members[id].promotion_time = time;
    }

    /// How long this member's PostgreSQL takes to start; `None` for what the settings say.
    pub fn set_start_time(&mut self, id: MemberId, time: Option<Millis>) {
        self.members[id].start_time = time;
    }
}

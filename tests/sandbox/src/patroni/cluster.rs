//! The cluster: its members, its DCS, and the truth about them.
//!
//! Every change has its time, and time only goes forward.

use std::collections::BTreeMap;
use std::mem;
use std::sync::Arc;

use super::dcs::{Contents, Dcs, Key};
use super::event::{Event, EventKind};
use super::faults::Wire;
use super::member::{Lag, Member, MemberId, Members, Postgres, Process, Role, Spec, State};
use super::settings::{DcsOutage, Settings};
use crate::Millis;

/// Where the WAL of a new cluster begins, in bytes: five segments, as after a bootstrap with two base backups.
const FIRST_LSN: u64 = 0x0500_0000;

/// One line of `/history`: a timeline that ended, and how.
#[derive(Clone, Debug)]
pub struct TimelineEnd {
    pub timeline: u32,
    pub lsn: u64,
    pub at: Millis,
    pub new_leader: MemberId,
}

/// A Patroni cluster in simulated time.
///
/// Every method that changes something takes `now` and first runs what was due until then.
#[derive(Clone, Debug)]
pub struct Cluster {
    pub(super) scope: Arc<str>,
    pub(super) settings: Settings,
    pub(super) now: Millis,
    pub(super) dcs: Dcs,
    pub(super) members: Members,
    /// The WAL position of the newest primary, in bytes.
    pub(super) wal: u64,
    pub(super) timelines: Vec<TimelineEnd>,
    pub(super) wires: BTreeMap<(usize, MemberId), Wire>,
    events: Vec<Event>,
}

impl Cluster {
    /// A cluster that has been running for a while: the first of `members` leads on `timeline`, the others stream.
    #[must_use]
    pub fn new(
        scope: &str,
        system_id: u64,
        timeline: u32,
        settings: Settings,
        members: Vec<Spec>,
        now: Millis,
    ) -> Self {
        let dcs = Dcs::new(settings.standby_cluster, timeline, FIRST_LSN);
        let mut cluster = Self {
            scope: Arc::from(scope),
            now,
            members: Members::default(),
            wal: FIRST_LSN,
            timelines: Vec::new(),
            wires: BTreeMap::new(),
            events: Vec::new(),
            dcs,
            settings,
        };
        for spec in members {
            let leads = cluster.members.len() == 0;
            let role = match (leads, cluster.settings.standby_cluster) {
                (true, true) => Role::StandbyLeader,
                (true, false) => Role::Primary,
                (false, _) => Role::Replica,
            };
            let postgres = Postgres {
                state: State::Running,
                role,
                in_recovery: role != Role::Primary,
                timeline,
                reported: timeline,
                system_id,
                lag: Lag::Bytes(0),
                lag_when_streaming: Lag::Bytes(0),
                diverged: false,
                follows: (!leads).then_some(MemberId(0)),
                connects_at: now,
                started_at: now,
                crashed_at: now,
            };
            let known = Arc::clone(cluster.dcs.current());
            cluster.members.push(Member::new(spec, postgres, known));
        }
        if let Some(leader) = cluster.ids().next() {
            cluster.dcs.set_leader(now, Some(leader));
            cluster.renew(leader, now);
        }
        for id in cluster.ids() {
            cluster.touch(id, now);
        }
        for member in cluster.members.iter_mut() {
            member.next_loop = member.next_slot(now, cluster.settings.loop_wait);
            (member.last_loop, member.dcs_last_seen) = (now, now);
            member.known = Arc::clone(cluster.dcs.current());
        }
        cluster
    }

    /// The scope, that is its name.
    #[must_use]
    pub fn scope(&self) -> &Arc<str> {
        &self.scope
    }

    /// The settings it was made with.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The time that it has been advanced to.
    #[must_use]
    pub fn now(&self) -> Millis {
        self.now
    }

    /// Every member that ever was, in the order of joining.
    pub fn ids(&self) -> impl Iterator<Item = MemberId> + use<> {
        (0..self.members.len()).map(MemberId)
    }

    /// The member of that name.
    #[must_use]
    pub fn member(&self, name: &str) -> Option<MemberId> {
        self.members.iter().position(|member| &*member.spec.name == name).map(MemberId)
    }

    /// What a member was made with.
    #[must_use]
    pub fn spec(&self, member: MemberId) -> &Spec {
        &self.members[member].spec
    }

    /// Puts every member behind a translation of addresses: it is asked elsewhere than it lists, and what it lists is not
    /// reached from outside.
    pub fn translate(&mut self) {
        for member in self.members.iter_mut() {
            let outside = member.spec.rest.0.replacen("172.31.", "198.18.", 1);
            member.spec.rest.0 = Arc::from(outside);
        }
    }

    /// Whether a member's node is down.
    #[must_use]
    pub fn is_down(&self, member: MemberId) -> bool {
        matches!(self.members[member].process, Process::Down(_))
    }

    /// Whether a member has been running as a replica since then.
    #[must_use]
    pub fn has_run_as_replica_since(&self, member: MemberId, since: Millis) -> bool {
        let member = &self.members[member];
        let postgres = &member.postgres;
        let is_running = member.process_answers() && postgres.state == State::Running;
        is_running && postgres.in_recovery && postgres.started_at <= since
    }

    /// Whether a member has left for good.
    #[must_use]
    pub fn has_left(&self, member: MemberId) -> bool {
        self.members[member].process == Process::Left
    }

    /// What happened since this was last asked.
    pub fn take_events(&mut self) -> Vec<Event> {
        mem::take(&mut self.events)
    }

    pub(super) fn emit(&mut self, at: Millis, what: EventKind) {
        self.events.push(Event { at, member: None, what });
    }

    pub(super) fn emit_for(&mut self, at: Millis, member: MemberId, what: EventKind) {
        let name = Arc::clone(&self.members[member].spec.name);
        self.events.push(Event { at, member: Some(name), what });
    }

    /// Whether the member's Patroni can read and write the DCS.
    pub(super) fn reaches_dcs(&self, member: MemberId) -> bool {
        self.dcs.outage.is_none() && !self.members[member].cut_from_dcs
    }

    /// Whether two members' Patronis can ask each other.
    pub(super) fn talk(&self, a: MemberId, b: MemberId) -> bool {
        let alive = |id: MemberId| self.members[id].process == Process::Running;
        alive(a) && alive(b) && !self.members[a].cut_from_members && !self.members[b].cut_from_members
    }

    /// The WAL position of a member, if it is known.
    pub(super) fn lsn(&self, member: MemberId) -> Option<u64> {
        let postgres = &self.members[member].postgres;
        match postgres.lag {
            _ if postgres.state != State::Running => None,
            Lag::Bytes(lag) => Some(self.wal.saturating_sub(lag)),
            Lag::Unknown => None,
        }
    }

    /// Whether a replica gets WAL from the member that it follows.
    pub(super) fn streams(&self, member: MemberId) -> bool {
        let Member { postgres, process, .. } = &self.members[member];
        let receives = postgres.state == State::Running && postgres.in_recovery && !postgres.diverged;
        if !receives || matches!(process, Process::Frozen(_)) {
            return false;
        }
        match postgres.follows {
            Some(source) => {
                let source = &self.members[source];
                // A shutdown waits until its replicas have everything.
                matches!(source.postgres.state, State::Running | State::Stopping)
                    && self.now >= postgres.connects_at
                    && source.postgres.timeline >= postgres.timeline
                    && !matches!(source.process, Process::Frozen(_))
            }
            // A standby leader streams from the other site.
            None => postgres.role == Role::StandbyLeader,
        }
    }

    /// The key that a member would write now (`ha.py`, `touch_member`).
    pub(super) fn key(&self, member: MemberId) -> Key {
        let postgres = &self.members[member].postgres;
        let queryable = postgres.state == State::Running;
        // The loop that begins a shutdown ends by writing the key: still `running`, but nothing can be queried any more.
        let begins_to_stop = postgres.state == State::Stopping;
        Key {
            state: if begins_to_stop { State::Running } else { postgres.state },
            timeline: queryable.then_some(if postgres.in_recovery {
                postgres.reported
            } else {
                postgres.timeline
            }),
            lsn: self.lsn(member),
            receives: postgres.in_recovery,
            streams: self.streams(member),
        }
    }

    pub(super) fn touch(&mut self, member: MemberId, now: Millis) {
        let key = self.key(member);
        self.dcs.write_key(now, member, key, now + self.settings.ttl);
    }

    /// What a member reads from the DCS for `GET /cluster`; none where the connection is closed without an answer.
    pub(super) fn seen_by(&self, now: Millis, member: MemberId) -> Option<&Arc<Contents>> {
        let asked = &self.members[member];
        if let Some(stale) = &asked.stale {
            return Some(stale);
        }
        match self.dcs.outage {
            _ if asked.cut_from_dcs => None,
            Some(DcsOutage::Closes) => None,
            Some(DcsOutage::StaleReads) => Some(&asked.known),
            None if asked.view_lag > 0 => Some(self.dcs.as_of(now.saturating_sub(asked.view_lag))),
            None => Some(self.dcs.current()),
        }
    }
}

//! The DCS: the leader key, the members' keys, and their values of a while ago.
//!
//! A key that is not renewed within its TTL goes, unless the DCS itself is down: then nothing in it moves.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::member::{MemberId, State};
use super::settings::DcsOutage;
use crate::Millis;

/// How far back [`Dcs::as_of`] sees.
pub const REMEMBERED: Millis = 600_000;

/// What a member last wrote about itself (`ha.py`, `touch_member`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    pub state: State,
    /// None while PostgreSQL cannot be queried.
    pub timeline: Option<u32>,
    /// The WAL position; none where it is unknown.
    pub lsn: Option<u64>,
    /// Whether it is in recovery, and so has positions of receipt and replay.
    pub receives: bool,
    /// `replication_state: streaming`.
    pub streams: bool,
}

/// What a reader sees: all keys under the scope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contents {
    pub leader: Option<MemberId>,
    pub members: BTreeMap<MemberId, Key>,
    pub paused: bool,
    pub standby_cluster: bool,
    /// The newest timeline that a leader wrote into `/history`.
    pub timeline: u32,
    /// The leader's WAL position as it last wrote it, in bytes.
    pub last_lsn: u64,
}

#[derive(Clone, Debug)]
pub struct Dcs {
    /// None while it is up.
    pub outage: Option<DcsOutage>,
    /// The candidate of a switchover (the `/failover` key).
    pub candidate: Option<MemberId>,
    /// The `/failsafe` key: the members that the leader counted when it last renewed. Empty without `failsafe_mode`.
    pub failsafe: Vec<MemberId>,
    /// When the leader key runs out, if there is one.
    pub leader_expires: Millis,
    /// When the members' keys run out.
    pub expires: BTreeMap<MemberId, Millis>,
    current: Arc<Contents>,
    /// What was true until when, oldest first.
    past: VecDeque<(Millis, Arc<Contents>)>,
}

impl Dcs {
    pub fn new(standby_cluster: bool, timeline: u32, last_lsn: u64) -> Self {
        let contents = Contents {
            leader: None,
            members: BTreeMap::new(),
            paused: false,
            standby_cluster,
            timeline,
            last_lsn,
        };
        Self {
            outage: None,
            candidate: None,
            failsafe: Vec::new(),
            leader_expires: 0,
            expires: BTreeMap::new(),
            current: Arc::new(contents),
            past: VecDeque::new(),
        }
    }

    pub fn current(&self) -> &Arc<Contents> {
        &self.current
    }

    /// Its contents at `then`, or as far back as they are kept.
    pub fn as_of(&self, then: Millis) -> &Arc<Contents> {
        // An entry counts until its moment, exclusively: at that moment the change is there.
        self.past.iter().find(|(until, _)| then < *until).map_or(&self.current, |(_, contents)| contents)
    }

    /// When it last changed.
    pub fn changed_at(&self) -> Millis {
        self.past.back().map_or(0, |(until, _)| *until)
    }

    /// Changes the contents at `now`; the caller has made sure that something differs.
    pub fn edit(&mut self, now: Millis) -> &mut Contents {
        while self.past.front().is_some_and(|(until, _)| until + REMEMBERED < now) {
            self.past.pop_front();
        }
        if self.past.back().is_none_or(|(until, _)| *until < now) {
            self.past.push_back((now, Arc::clone(&self.current)));
        }
        Arc::make_mut(&mut self.current)
    }

    pub fn set_leader(&mut self, now: Millis, leader: Option<MemberId>) {
        if self.current.leader != leader {
            self.edit(now).leader = leader;
        }
    }

    pub fn write_key(&mut self, now: Millis, member: MemberId, key: Key, expires: Millis) {
        self.expires.insert(member, expires);
        if self.current.members.get(&member) != Some(&key) {
            self.edit(now).members.insert(member, key);
        }
    }

    pub fn remove_key(&mut self, now: Millis, member: MemberId) {
        self.expires.remove(&member);
        if self.current.members.contains_key(&member) {
            self.edit(now).members.remove(&member);
        }
    }

    /// After an outage the leases start over: etcd's new leader extends them all.
    pub fn extend(&mut self, until: Millis) {
        self.leader_expires = self.leader_expires.max(until);
        for expires in self.expires.values_mut() {
            *expires = (*expires).max(until);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_past_is_kept_and_not_for_ever() {
        let mut dcs = Dcs::new(false, 1, 0);
        dcs.set_leader(100, Some(MemberId(0)));
        dcs.set_leader(200, Some(MemberId(1)));
        assert_eq!(dcs.as_of(99).leader, None);
        assert_eq!(dcs.as_of(100).leader, Some(MemberId(0)));
        assert_eq!(dcs.as_of(199).leader, Some(MemberId(0)));
        assert_eq!(dcs.as_of(200).leader, Some(MemberId(1)));
        dcs.set_leader(REMEMBERED + 150, None);
        assert_eq!(dcs.past.len(), 2);
    }
}

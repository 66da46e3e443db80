//! A member's REST API (`api.py`), to typed callers and over HTTP.
//!
//! Both transports read the same structs, so that they cannot disagree; what a member answers comes from what it knows.

mod health;
mod json;
mod view;

pub use health::{Follower, Health, Postmaster, Wal};
pub use view::{Listed, Location, View};

use super::cluster::Cluster;
use super::faults::Wire;
use super::member::{MemberId, Process, Role, State};
use crate::Millis;
use crate::http::exchange::Reply;

/// How a member does not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Silence {
    /// Nothing listens.
    Refused,
    /// Nothing comes back.
    TimedOut,
    /// The connection is closed without an answer.
    Closed,
}

impl From<Silence> for Reply {
    /// A port on loopback that is open cannot refuse: the closest to a refusal is a closed connection.
    fn from(silence: Silence) -> Self {
        match silence {
            Silence::TimedOut => Self::Hang,
            Silence::Refused | Silence::Closed => Self::Reset,
        }
    }
}

impl Cluster {
    /// Whether a request of `observer` reaches the member's REST API at all. A server may use it to refuse connections.
    ///
    /// # Errors
    /// How it does not.
    pub fn reach(&self, member: MemberId, observer: usize) -> Result<(), Silence> {
        match self.wires.get(&(observer, member)) {
            Some(Wire::Refused) => return Err(Silence::Refused),
            Some(Wire::Lost) => return Err(Silence::TimedOut),
            Some(Wire::Fine) | None => {}
        }
        match self.members[member].process {
            Process::Running => Ok(()),
            Process::Hung | Process::Frozen(_) => Err(Silence::TimedOut),
            Process::Killed | Process::Left => Err(Silence::Refused),
            Process::Down(silence) => Err(silence),
        }
    }

    /// `GET /primary`: whether the status is 200, and the JSON. Call [`advance`](Self::advance) first.
    ///
    /// # Errors
    /// How the member does not answer.
    pub fn health(&self, now: Millis, member: MemberId, observer: usize) -> Result<(bool, Health), Silence> {
        self.reach(member, observer)?;
        Ok((self.leadership(now, member).primary, self.describe(now, member)))
    }

    /// `GET /cluster`. Call [`advance`](Self::advance) first.
    ///
    /// # Errors
    /// How the member does not answer.
    pub fn view(&self, now: Millis, member: MemberId, observer: usize) -> Result<View, Silence> {
        self.reach(member, observer)?;
        self.list(now, member).ok_or(Silence::Closed)
    }

    /// Any `GET`, as it goes over the wire; a query after the path is passed over. Call [`advance`](Self::advance) first.
    #[must_use]
    pub fn answer(&self, now: Millis, member: MemberId, path: &str, observer: usize) -> Reply {
        if let Err(silence) = self.reach(member, observer) {
            return silence.into();
        }
        let path = path.split('?').next().unwrap_or_default();
        let says = |ok: bool| self.describe(now, member).reply(if ok { 200 } else { 503 });
        let leadership = self.leadership(now, member);
        match path {
            "/cluster" => self.list(now, member).map_or(Reply::Reset, |view| view.reply()),
            "/history" if !self.members[member].cached && self.seen_by(now, member).is_none() => Reply::Reset,
            "/history" => self.history_reply(member),
            "/liveness" => json::status_only(self.is_live(now, member)),
            "/readiness" => json::status_only(self.is_ready(now, member)),
            "/patroni" => says(true),
            "/" | "/primary" | "/master" | "/read-write" => says(leadership.primary),
            "/leader" => says(leadership.leader),
            "/standby-leader" | "/standby_leader" => says(leadership.standby_leader),
            "/replica" => says(leadership.replica),
            "/read-only" => says(leadership.primary || leadership.standby_leader || leadership.replica),
            "/health" => says(self.members[member].postgres.state == State::Running),
            // Patroni answers any other path as a health check that fails.
            _ => says(false),
        }
    }

    /// What `do_GET` works out before it reads the path.
    fn leadership(&self, now: Millis, id: MemberId) -> Leadership {
        let member = &self.members[id];
        let role = self.role(id);
        let replica = role == Role::Replica
            && member.postgres.state == State::Running
            && !member.spec.tags.noloadbalance;
        if !member.cached && member.known.paused {
            let (primary, standby_leader) = (role == Role::Primary, role == Role::StandbyLeader);
            return Leadership { leader: primary || standby_leader, primary, standby_leader, replica };
        }
        let leader = member.leader_expiry > now;
        let standby_cluster = member.known.standby_cluster;
        Leadership {
            leader,
            primary: leader && !standby_cluster,
            standby_leader: leader && standby_cluster && matches!(role, Role::Replica | Role::StandbyLeader),
            replica: replica && !(leader && standby_cluster),
        }
    }

    /// `do_GET_liveness`: whether the HA loop runs.
    fn is_live(&self, now: Millis, id: MemberId) -> bool {
        let member = &self.members[id];
        let lease_wait = self.settings.ttl * if member.is_primary() { 1 } else { 2 };
        member.known.paused || member.last_loop + self.settings.loop_wait + lease_wait > now
    }

    /// `do_GET_readiness`: 4.1 asks for streaming too.
    fn is_ready(&self, now: Millis, id: MemberId) -> bool {
        let member = &self.members[id];
        let streams_enough = !self.settings.version.has_locations() || self.streams(id);
        member.leader_expiry > now
            || (member.postgres.state == State::Running && member.cached && streams_enough)
    }
}

/// Which of the leadership checks answer 200.
#[expect(clippy::struct_excessive_bools, reason = "four endpoints, four statuses")]
struct Leadership {
    leader: bool,
    primary: bool,
    standby_leader: bool,
    replica: bool,
}

//! One member: a node with its Patroni and its PostgreSQL.
//!
//! Only data and what follows from it alone; what a member does is in [`ha`](super::ha) and [`tasks`](super::tasks).

use std::ops::{Index, IndexMut};
use std::sync::Arc;

use super::dcs::Contents;
use super::rest::Silence;
use crate::Millis;

/// Names a member of one cluster: its place in the order of joining, never given twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MemberId(pub usize);

/// Patroni's tags that the model knows; further ones change nothing here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tags {
    /// `/replica` answers 503; `/primary` is not concerned.
    pub noloadbalance: bool,
    /// Never promoted.
    pub nofailover: bool,
}

/// What a member is made with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spec {
    /// Unique within the scope.
    pub name: Arc<str>,
    /// `restapi.connect_address`: host and port.
    pub rest: (Arc<str>, u16),
    /// `postgresql.connect_address`: host and port.
    pub postgres: (Arc<str>, u16),
    /// Its tags.
    pub tags: Tags,
    /// When in every `loop_wait` its HA loop runs, so that members do not run in step.
    pub phase: Millis,
}

impl Spec {
    /// A member on `host` with Patroni's and PostgreSQL's usual ports.
    #[must_use]
    pub fn new(name: &str, host: &str, phase: Millis) -> Self {
        let host: Arc<str> = Arc::from(host);
        let name = Arc::from(name);
        Self { name, rest: (Arc::clone(&host), 8008), postgres: (host, 5432), tags: Tags::default(), phase }
    }
}

/// How far a replica is behind the leader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lag {
    /// In bytes of WAL.
    Bytes(u64),
    /// The member published no WAL position.
    Unknown,
}

/// What Patroni says of its PostgreSQL (`PostgresqlState`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Running,
    Starting,
    Stopping,
    Stopped,
    Crashed,
    CreatingReplica,
    /// It has crashed, and Patroni, which has not noticed yet, cannot query it.
    Unknown,
}

impl State {
    pub fn word(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Starting => "starting",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
            Self::Crashed => "crashed",
            Self::CreatingReplica => "creating replica",
            Self::Unknown => "unknown",
        }
    }
}

/// The role that Patroni keeps in its own memory (`PostgresqlRole`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Primary,
    /// It is leaving recovery, and no HA loop has seen yet that it did (`promoted`).
    Promoted,
    Replica,
    StandbyLeader,
    Demoted,
    Uninitialized,
}

impl Role {
    /// Whether Patroni takes its PostgreSQL for a primary.
    pub fn is_primary(self) -> bool {
        matches!(self, Self::Primary | Self::Promoted)
    }
}

#[derive(Clone, Debug)]
pub struct Postgres {
    pub state: State,
    pub role: Role,
    /// `pg_is_in_recovery()`: the truth, whatever the role says.
    pub in_recovery: bool,
    pub timeline: u32,
    /// The timeline that a replica reports: the leader's as its Patroni last read it.
    pub reported: u32,
    pub system_id: u64,
    /// How far it is behind the newest WAL of the cluster.
    pub lag: Lag,
    /// How far behind it stays while it streams.
    pub lag_when_streaming: Lag,
    /// Its history is not a part of the leader's any more: it must be rewound before it can follow.
    pub diverged: bool,
    /// The member that it streams from, or tries to.
    pub follows: Option<MemberId>,
    /// From when on it streams from there, after a change or a restart of the source.
    pub connects_at: Millis,
    pub started_at: Millis,
    pub crashed_at: Millis,
}

/// What becomes of the process that answers on the REST port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Process {
    Running,
    /// Stopped by a signal; PostgreSQL runs on.
    Hung,
    /// The machine stands still since then, PostgreSQL and clock too.
    Frozen(Millis),
    /// Patroni has ended; PostgreSQL may run on.
    Killed,
    /// The node is down.
    Down(Silence),
    /// Removed.
    Left,
}

/// What Patroni or PostgreSQL is busy with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    Promote,
    /// Crash recovery of a primary that holds the key.
    RecoverPrimary,
    StartReplica,
    Stop(AfterStop),
    ReleaseKey,
    Rewind,
    Clone,
}

/// Why PostgreSQL is being stopped, and so what comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterStop {
    /// A switchover: give the key away, then follow.
    Release,
    /// It has no right to be a primary: come back as a replica.
    Demote,
    /// The whole site becomes a standby cluster; the key stays.
    LeadStandby,
    /// Patroni itself is being stopped, perhaps for good.
    Exit { forever: bool },
}

#[derive(Clone, Debug)]
pub struct Member {
    pub spec: Spec,
    pub api_url: Arc<str>,
    pub process: Process,
    pub postgres: Postgres,
    pub task: Option<(Millis, Task)>,
    pub next_loop: Millis,
    pub last_loop: Millis,
    /// When it gives up a DCS that it is retrying.
    pub dcs_gives_up: Option<Millis>,
    pub dcs_last_seen: Millis,
    /// `ha._leader_expiry`: until then it answers as the leader.
    pub leader_expiry: Millis,
    pub failsafe_until: Millis,
    /// The DCS as its HA loop last read it.
    pub known: Arc<Contents>,
    /// Whether that read is the last one that was tried (`dcs.cluster` is not None).
    pub cached: bool,
    /// A view from before it was frozen or down, shown until its next HA loop.
    pub stale: Option<Arc<Contents>>,
    pub view_lag: Millis,
    pub promotion_time: Option<Millis>,
    pub start_time: Option<Millis>,
    pub cut_from_dcs: bool,
    pub cut_from_members: bool,
}

impl Member {
    pub fn new(spec: Spec, postgres: Postgres, known: Arc<Contents>) -> Self {
        let (host, port) = &spec.rest;
        Self {
            api_url: Arc::from(format!("http://{host}:{port}/patroni")),
            process: Process::Running,
            postgres,
            task: None,
            next_loop: spec.phase,
            last_loop: 0,
            dcs_gives_up: None,
            dcs_last_seen: 0,
            leader_expiry: 0,
            failsafe_until: 0,
            known,
            cached: true,
            stale: None,
            view_lag: 0,
            promotion_time: None,
            start_time: None,
            cut_from_dcs: false,
            cut_from_members: false,
            spec,
        }
    }

    /// Whether PostgreSQL would accept a write now.
    pub fn takes_writes(&self) -> bool {
        self.is_primary() && !matches!(self.process, Process::Frozen(_))
    }

    /// Whether PostgreSQL runs and is not in recovery.
    pub fn is_primary(&self) -> bool {
        self.postgres.state == State::Running && !self.postgres.in_recovery
    }

    /// Whether its REST API could answer other members.
    pub fn process_answers(&self) -> bool {
        self.process == Process::Running
    }

    /// The first moment after `now` at which its HA loop is due by its phase.
    pub fn next_slot(&self, now: Millis, loop_wait: Millis) -> Millis {
        let phase = self.spec.phase % loop_wait;
        now + loop_wait - (now + loop_wait - phase) % loop_wait
    }
}

/// The members by their ids.
#[derive(Clone, Debug, Default)]
pub struct Members(Vec<Member>);

impl Members {
    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn push(&mut self, member: Member) {
        self.0.push(member);
    }

    pub fn iter(&self) -> std::slice::Iter<'_, Member> {
        self.0.iter()
    }

    pub fn iter_mut(&mut self) -> std::slice::IterMut<'_, Member> {
        self.0.iter_mut()
    }
}

impl Index<MemberId> for Members {
    type Output = Member;

    fn index(&self, id: MemberId) -> &Member {
        &self.0[id.0]
    }
}

impl IndexMut<MemberId> for Members {
    fn index_mut(&mut self, id: MemberId) -> &mut Member {
        &mut self.0[id.0]
    }
}

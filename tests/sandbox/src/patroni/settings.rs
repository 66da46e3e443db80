//! How a cluster is set up, and how long its parts take.
//!
//! Every duration of the model is here or in a named constant beside its use.

use crate::Millis;

/// A version of Patroni's REST API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// 2.1.7
    V2_1,
    /// 3.0.2, the first with `failsafe_mode`.
    V3_0,
    /// 3.3.11
    V3_3,
    /// 4.0.11, the first that says `primary`.
    V4_0,
    /// 4.1.5
    V4_1,
}

impl Version {
    /// All of them, oldest first.
    pub const ALL: [Self; 5] = [Self::V2_1, Self::V3_0, Self::V3_3, Self::V4_0, Self::V4_1];

    /// What `patroni.version` says.
    #[must_use]
    pub fn number(self) -> &'static str {
        match self {
            Self::V2_1 => "2.1.7",
            Self::V3_0 => "3.0.2",
            Self::V3_3 => "3.3.11",
            Self::V4_0 => "4.0.11",
            Self::V4_1 => "4.1.5",
        }
    }

    /// What a primary calls itself: `master` until 3.x.
    #[must_use]
    pub fn primary(self) -> &'static str {
        if self >= Self::V4_0 { "primary" } else { "master" }
    }

    /// `patroni.name`, and `scope` in `/cluster`: since 3.2.
    #[must_use]
    pub fn names_itself(self) -> bool {
        self >= Self::V3_3
    }

    /// `replication_state`, and `streaming` as a state in `/cluster`: since 3.0.4.
    pub(super) fn has_streaming(self) -> bool {
        self >= Self::V3_3
    }

    /// `receive_lsn`, `replay_lsn` and their lags in `/cluster`: since 4.1.
    pub(crate) fn has_locations(self) -> bool {
        self >= Self::V4_1
    }

    /// `failsafe_mode`: since 3.0.
    pub(super) fn has_failsafe(self) -> bool {
        self >= Self::V3_0
    }
}

/// Where in its HA loop a primary notices that the DCS is down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DcsFailure {
    /// Reading fails, for `retry_timeout`: it demotes at most `loop_wait + retry_timeout` after its last renewal.
    OnRead,
    /// Reading takes `retry_timeout` and just succeeds, then renewing fails for as long: `loop_wait + 2 * retry_timeout`,
    /// which Patroni keeps within the TTL. The worst case that its own rule allows.
    OnWrite,
}

/// How members answer `GET /cluster` while the DCS has no quorum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DcsOutage {
    /// The read raises, and the connection is closed without an answer (`api.py`, `do_GET_cluster`).
    Closes,
    /// Serializable reads or the local cache go on answering what was true (`dcs/etcd3.py`).
    StaleReads,
}

/// The settings of one cluster. Times in milliseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The version of the members' REST API.
    pub version: Version,
    /// How long the leader key and a member's own key last without renewal.
    pub ttl: Millis,
    /// From one HA loop to the next; must not be 0.
    pub loop_wait: Millis,
    /// How long a member retries a failing DCS before it gives up.
    pub retry_timeout: Millis,
    /// How long a crashed primary may take to recover before it gives the key away.
    pub primary_start_timeout: Millis,
    /// A replica further behind than this, in bytes, is never promoted.
    pub maximum_lag_on_failover: u64,
    /// From `pg_ctl promote` to the end of recovery.
    pub promotion_time: Millis,
    /// How long PostgreSQL takes to start, crash recovery included.
    pub start_time: Millis,
    /// How long a clean shutdown takes, with its checkpoint.
    pub stop_time: Millis,
    /// How long `pg_rewind` takes.
    pub rewind_time: Millis,
    /// How long a base backup takes.
    pub clone_time: Millis,
    /// How long a renewal is on its way back: the leader's own flag outlives the key by this (`ha.py`, `update_lock`).
    pub renewal_latency: Millis,
    /// From a change of the leader key to the HA loops that it wakes.
    pub reaction: Millis,
    /// Keep the primary through an outage of the DCS as long as all members answer it (3.0 and later).
    pub failsafe_mode: bool,
    /// A standby cluster: it follows another cluster and takes no writes.
    pub standby_cluster: bool,
    /// Where a primary notices that the DCS is down.
    pub dcs_failure: DcsFailure,
}

impl Default for Settings {
    /// Patroni's defaults, with the times of a small, idle PostgreSQL.
    fn default() -> Self {
        Self {
            version: Version::V4_1,
            ttl: 30_000,
            loop_wait: 10_000,
            retry_timeout: 10_000,
            primary_start_timeout: 300_000,
            maximum_lag_on_failover: 1_048_576,
            promotion_time: 1_000,
            start_time: 2_000,
            stop_time: 1_000,
            rewind_time: 5_000,
            clone_time: 20_000,
            renewal_latency: 50,
            reaction: 20,
            failsafe_mode: false,
            standby_cluster: false,
            dcs_failure: DcsFailure::OnWrite,
        }
    }
}

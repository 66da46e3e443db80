//! What Patroni says beyond what a pass reads.

use std::collections::BTreeMap;

use crate::observed::{Read, TimelineEnd};

/// The dynamic configuration: `GET /config` (Patroni, `dynamic_configuration`), without what it does not name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PatroniConfig {
    /// Seconds that the leader key lives; 30 unless set.
    pub ttl: Option<u64>,
    /// Seconds between two runs of the HA loop; 10 unless set.
    pub loop_wait: Option<u64>,
    /// Seconds that operations on the DCS and PostgreSQL are repeated; 10 unless set.
    pub retry_timeout: Option<u64>,
    /// Bytes; 1 MB unless set.
    pub maximum_lag_on_failover: Option<u64>,
    /// Seconds that a crashed primary gets to start before a failover; 300 unless set.
    pub primary_start_timeout: Option<u64>,
    /// `off`, `on` or `quorum`.
    pub synchronous_mode: Option<String>,
    /// Whether writes are blocked while there is no synchronous standby.
    pub synchronous_mode_strict: Option<bool>,
    /// Whether a primary that reaches every member stays one while the DCS is away.
    pub failsafe_mode: Option<bool>,
    /// Whether a candidate's timeline is compared.
    pub check_timeline: Option<bool>,
    /// Whether a former primary is rewound.
    pub use_pg_rewind: Option<bool>,
    /// Whether it is removed if it cannot be rewound.
    pub remove_data_directory_on_rewind_failure: Option<bool>,
    /// Whether this is a standby cluster.
    pub is_standby_cluster: bool,
    /// Callbacks by their action, where the dynamic configuration has them.
    pub callbacks: BTreeMap<String, String>,
    /// `postgresql.parameters`, as text.
    pub parameters: BTreeMap<String, String>,
}

impl PatroniConfig {
    /// `ttl`, in seconds.
    #[must_use]
    pub fn ttl_seconds(&self) -> u64 {
        self.ttl.unwrap_or(30)
    }

    /// `loop_wait`, in seconds.
    #[must_use]
    pub fn loop_wait_seconds(&self) -> u64 {
        self.loop_wait.unwrap_or(10)
    }

    /// `retry_timeout`, in seconds.
    #[must_use]
    pub fn retry_timeout_seconds(&self) -> u64 {
        self.retry_timeout.unwrap_or(10)
    }

    /// `maximum_lag_on_failover`, in bytes.
    #[must_use]
    pub fn maximum_lag_bytes(&self) -> u64 {
        self.maximum_lag_on_failover.unwrap_or(1024 * 1024)
    }

    /// Whether `synchronous_mode` is in effect: a standby cluster has none (Patroni, `global_config.py`).
    #[must_use]
    pub fn is_synchronous(&self) -> bool {
        !self.is_standby_cluster && self.synchronous_mode.as_deref().is_some_and(|mode| mode != "off")
    }
}

/// What one member says (`GET /patroni`, and its entry of `GET /cluster`).
#[derive(Clone, Debug)]
pub struct MemberFacts {
    /// `GET /patroni`.
    pub health: Read<Health>,
    /// `GET /cluster`, as this member has it.
    pub cluster: Read<ClusterExtra>,
    /// `GET /history`: asked of one member of each site.
    pub history: Option<Read<Vec<TimelineEnd>>>,
    /// The status of `POST /switchover` without a body, which has no effect (with `--probe`): 401 or 403 where the call needs
    /// credentials, 411 where it needs none.
    pub switchover_status: Option<Read<u16>>,
}

/// A member's own JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// `patroni.version`.
    pub version: Option<String>,
    /// `server_version`, such as 160004.
    pub server_version: Option<u64>,
    /// `pending_restart`.
    pub is_restart_pending: bool,
    /// `watchdog_failed`: this primary has no watchdog although it should.
    pub has_watchdog_failed: bool,
    /// Seconds since it last reached the DCS, by its own clock: the header `Date` less `dcs_last_seen`, which old versions lack.
    pub dcs_age_seconds: Option<u64>,
    /// Seconds by which its clock is ahead of this machine's (negative: behind), by the header `Date`.
    pub clock_ahead_seconds: Option<i64>,
    /// Its tags, as text.
    pub tags: BTreeMap<String, String>,
}

impl Health {
    /// The first two numbers of Patroni's version.
    #[must_use]
    pub fn release(&self) -> Option<(u32, u32)> {
        let mut numbers = self.version.as_deref()?.split('.').map(str::parse);
        Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
    }
}

/// What `GET /cluster` says beyond what a pass reads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClusterExtra {
    /// `scheduled_switchover`, in words.
    pub scheduled_switchover: Option<String>,
    /// The members as listed.
    pub members: Vec<ListedMember>,
}

/// One member as `GET /cluster` lists it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListedMember {
    /// Its name.
    pub name: String,
    /// `leader`, `replica`, `sync_standby`, `quorum_standby`, …
    pub role: String,
    /// `running`, `streaming`, …
    pub state: String,
    /// `host`, as it is.
    pub host: Option<String>,
    /// `api_url`, as it is.
    pub api_url: Option<String>,
    /// `timeline`.
    pub timeline: Option<u64>,
    /// `lag`, in bytes; `None` where it is `unknown`.
    pub lag_bytes: Option<u64>,
    /// Its tags, as text.
    pub tags: BTreeMap<String, String>,
}

impl ListedMember {
    /// Whether it holds the leader key.
    #[must_use]
    pub fn leads(&self) -> bool {
        matches!(self.role.as_str(), "leader" | "standby_leader" | "master" | "primary")
    }

    /// Whether its PostgreSQL runs: before 3.0.4 Patroni says `running` of replicas, too.
    #[must_use]
    pub fn runs(&self) -> bool {
        matches!(self.state.as_str(), "running" | "streaming" | "in archive recovery")
    }

    /// Whether a tag is set.
    #[must_use]
    pub fn has_tag(&self, tag: &str) -> bool {
        self.tags.get(tag).is_some_and(|value| {
            !matches!(value.to_ascii_lowercase().as_str(), "" | "false" | "no" | "off" | "0" | "null")
        })
    }

    /// Whether a tag keeps it from being promoted: `nofailover`, or else a `failover_priority` of 0, since 3.2.
    #[must_use]
    pub fn is_kept_from_failover(&self) -> bool {
        let has_no_priority = || {
            self.tags
                .get("failover_priority")
                .is_some_and(|value| value.parse().is_ok_and(|value: f64| value <= 0.0))
        };
        if self.tags.contains_key("nofailover") { self.has_tag("nofailover") } else { has_no_priority() }
    }
}

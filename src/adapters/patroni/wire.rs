//! Patroni's JSON, as versions 2.1 to 4.1 write it (`api.py`, and `cluster_as_json` in `utils.py`).
//!
//! Fields that depend on the version or the state are optional, and unknown fields are ignored. Words are sanitised;
//! an answer with an invalid name, host or address is rejected as a whole, with a reason.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use repoint_domain::observed;
use repoint_domain::values::cluster::{
    Address, ApiUrl, ClusterRole, MemberName, PostgresState, Role, Scope, SystemId, Timeline,
};
use repoint_domain::values::text::{self, LONGEST_HOST, LONGEST_NAME, LONGEST_URL, NameError};
use repoint_domain::values::utc::Utc;

/// The most members of a cluster, or streams of a member: far above any real number.
const MOST: usize = 256;

/// Why an answer is rejected.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    #[error("{0} {1}")]
    Name(&'static str, NameError),
    #[error("it lists more than {MOST} {0}")]
    TooMany(&'static str),
}

type Wire<T> = Result<T, WireError>;

fn identity(what: &'static str, most: usize, text: Option<String>) -> Wire<Option<String>> {
    if let Some(text) = &text {
        text::name(text, most).map_err(|error| WireError::Name(what, error))?;
    }
    Ok(text)
}

#[derive(Deserialize)]
pub struct Health {
    state: String,
    role: String,
    timeline: Option<u64>,
    database_system_identifier: Option<String>,
    #[serde(default)]
    patroni: Myself,
    #[serde(default)]
    replication: Vec<Replication>,
    // No decision rests on these: whatever they hold, the rest of the answer counts.
    #[serde(default)]
    xlog: Value,
    #[serde(default)]
    pause: Value,
    #[serde(default)]
    failsafe_mode_is_active: Value,
}

/// A row of `pg_stat_replication`.
#[derive(Deserialize)]
struct Replication {
    application_name: Option<String>,
    state: Option<String>,
}

#[derive(Default, Deserialize)]
struct Myself {
    scope: Option<String>,
    name: Option<String>,
}

impl Health {
    /// # Errors
    /// If the name of a member, a cluster or a system is invalid.
    pub fn into_domain(self, answers_primary: bool) -> Wire<observed::MemberStatus> {
        // Patroni reports "" for a system that does not exist yet.
        let system_id = self.database_system_identifier.filter(|id| !id.is_empty());
        if self.replication.len() > MOST {
            return Err(WireError::TooMany("streams"));
        }
        Ok(observed::MemberStatus {
            answers_primary,
            role: Role::from(text::word(&self.role).as_str()),
            state: PostgresState::from(text::word(&self.state).as_str()),
            timeline: timeline(self.timeline),
            system_id: identity("the system identifier", LONGEST_NAME, system_id)?.map(SystemId::new),
            scope: identity("the scope", LONGEST_NAME, self.patroni.scope)?.map(Scope::new),
            name: identity("the member's name", LONGEST_NAME, self.patroni.name)?.map(MemberName::new),
            feeds: self
                .replication
                .into_iter()
                .filter(|line| line.state.as_deref() == Some("streaming"))
                // A client may stream under any name; one that is not a valid name is not a member's.
                .filter_map(|line| {
                    line.application_name.filter(|name| text::name(name, LONGEST_NAME).is_ok())
                })
                .map(MemberName::new)
                .collect(),
            wal: observed::Wal {
                written: bytes(self.xlog.get("location")),
                received: bytes(self.xlog.get("received_location")),
                replayed: bytes(self.xlog.get("replayed_location")),
            },
            paused: self.pause == true,
            failsafe: self.failsafe_mode_is_active == true,
        })
    }
}

#[derive(Deserialize)]
pub struct View {
    scope: Option<String>,
    members: Vec<Member>,
    #[serde(default)]
    pause: bool,
    // Nothing that is written rests on it: whatever it holds, the rest of the answer counts.
    #[serde(default)]
    scheduled_switchover: Value,
}

impl TryFrom<View> for observed::ClusterView {
    type Error = WireError;

    fn try_from(view: View) -> Wire<Self> {
        if view.members.len() > MOST {
            return Err(WireError::TooMany("members"));
        }
        Ok(Self {
            scope: identity("the scope", LONGEST_NAME, view.scope)?.map(Scope::new),
            members: view.members.into_iter().map(observed::ClusterMember::try_from).collect::<Wire<_>>()?,
            paused: view.pause,
            scheduled_switchover: scheduled(&view.scheduled_switchover),
        })
    }
}

#[derive(Deserialize)]
struct Member {
    name: String,
    role: String,
    state: Option<String>,
    api_url: Option<String>,
    host: Option<String>,
    port: Option<Value>,
    timeline: Option<u64>,
    /// Bytes, or `"unknown"`.
    lag: Option<Value>,
    /// The same; since 4.1.0.
    replay_lag: Option<Value>,
    #[serde(default)]
    tags: BTreeMap<String, Value>,
}

impl TryFrom<Member> for observed::ClusterMember {
    type Error = WireError;

    fn try_from(member: Member) -> Wire<Self> {
        let port = member.port.as_ref().and_then(|port| match port {
            Value::String(text) => text.parse().ok(),
            other => other.as_u64().and_then(|port| u16::try_from(port).ok()),
        });
        text::name(&member.name, LONGEST_NAME).map_err(|error| WireError::Name("a member's name", error))?;
        // Both are absent until the member has published them.
        let host = identity("a member's host", LONGEST_HOST, member.host.filter(|host| !host.is_empty()))?;
        let api_url = member.api_url.filter(|url| !url.is_empty());
        let api_url = identity("a member's api_url", LONGEST_URL, api_url)?;
        let address = host.zip(port).map(|(host, port)| Address { host, port });
        Ok(Self {
            name: MemberName::new(member.name),
            role: ClusterRole::from(text::word(&member.role).as_str()),
            state: PostgresState::from(text::word(member.state.as_deref().unwrap_or("unknown")).as_str()),
            api_url: api_url.and_then(|url| ApiUrl::parse(&url).ok()),
            reported: address.clone(),
            address,
            timeline: timeline(member.timeline),
            lag_bytes: bytes(member.lag.as_ref()),
            replay_lag_bytes: bytes(member.replay_lag.as_ref()),
            noloadbalance: member.tags.get("noloadbalance").is_some_and(is_set),
            nofailover: keeps_from_failover(&member.tags),
        })
    }
}

/// When a switchover is scheduled: Patroni leaves the object out where none is (`utils.py`, `cluster_as_json`).
fn scheduled(switchover: &Value) -> Option<String> {
    let at = switchover.get("at").and_then(Value::as_str).unwrap_or("a time that Patroni does not give");
    (!switchover.is_null()).then(|| text::word(at))
}

/// A number of bytes; anything else is not known.
fn bytes(value: Option<&Value>) -> Option<u64> {
    value.and_then(Value::as_u64)
}

/// A line of `/history`: the timeline, where it ended, why, and from 2.1.1 on when and who was promoted (`postgresql/__init__.py`,
/// `get_history`, and `ha.py`, `update_cluster_history`). A line may be short where those are not known.
#[derive(Deserialize)]
#[serde(transparent)]
pub struct HistoryLine(Vec<Value>);

impl TryFrom<HistoryLine> for observed::TimelineEnd {
    type Error = WireError;

    fn try_from(HistoryLine(fields): HistoryLine) -> Wire<Self> {
        let text = |at: usize| fields.get(at).and_then(Value::as_str);
        let new_leader = identity("a new leader's name", LONGEST_NAME, text(4).map(str::to_owned))?;
        Ok(Self {
            timeline: timeline(fields.first().and_then(Value::as_u64)).unwrap_or(Timeline(0)),
            at: text(3).and_then(Utc::parse),
            new_leader: new_leader.map(MemberName::new),
        })
    }
}

/// Patroni reports 0 if it does not know the timeline.
fn timeline(number: Option<u64>) -> Option<Timeline> {
    number.filter(|number| *number > 0).and_then(|number| u32::try_from(number).ok()).map(Timeline)
}

/// Whether the tags keep a member from being promoted: `nofailover`, or else a `failover_priority` of 0, since 3.2 (`tags.py`).
fn keeps_from_failover(tags: &BTreeMap<String, Value>) -> bool {
    let by_priority =
        || tags.get("failover_priority").and_then(Value::as_f64).is_some_and(|priority| priority <= 0.0);
    tags.get("nofailover").map_or_else(by_priority, is_set)
}

/// Whether a tag is set: its value is free text, and only a plain "no" counts as not set.
fn is_set(tag: &Value) -> bool {
    match tag {
        Value::Null => false,
        Value::Bool(set) => *set,
        Value::String(word) => {
            !matches!(word.to_ascii_lowercase().as_str(), "" | "false" | "no" | "off" | "0")
        }
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::Array(_) | Value::Object(_) => true,
    }
}

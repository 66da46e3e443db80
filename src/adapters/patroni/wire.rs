//! Patroni's JSON, as versions 2.1 to 4.1 write it (`api.py`, and `cluster_as_json` in `utils.py`).
//!
//! Law: fields that come and go with the version or the state are optional, and unknown ones are passed over.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use crate::domain::cluster::{
    Address, ApiUrl, ListedRole, MemberName, Role, Scope, State, SystemId, Timeline,
};
use crate::domain::world;

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
}

/// A line of `pg_stat_replication`.
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
    pub fn into_domain(self, answers_primary: bool) -> world::Health {
        world::Health {
            answers_primary,
            role: Role::from(self.role.as_str()),
            state: State::from(self.state.as_str()),
            timeline: timeline(self.timeline),
            system_id: self.database_system_identifier.filter(|id| !id.is_empty()).map(SystemId::new),
            scope: self.patroni.scope.map(Scope::new),
            name: self.patroni.name.map(MemberName::new),
            feeds: self
                .replication
                .into_iter()
                .filter(|line| line.state.as_deref() == Some("streaming"))
                .filter_map(|line| line.application_name.map(MemberName::new))
                .collect(),
        }
    }
}

#[derive(Deserialize)]
pub struct View {
    scope: Option<String>,
    members: Vec<Member>,
    #[serde(default)]
    pause: bool,
}

impl From<View> for world::View {
    fn from(view: View) -> Self {
        Self {
            scope: view.scope.map(Scope::new),
            members: view.members.into_iter().map(world::Listed::from).collect(),
            paused: view.pause,
        }
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
    #[serde(default)]
    tags: BTreeMap<String, Value>,
}

impl From<Member> for world::Listed {
    fn from(member: Member) -> Self {
        let port = member.port.as_ref().and_then(|port| match port {
            Value::String(text) => text.parse().ok(),
            other => other.as_u64().and_then(|port| u16::try_from(port).ok()),
        });
        let address = member.host.filter(|host| !host.is_empty()).zip(port);
        Self {
            name: MemberName::new(member.name),
            role: ListedRole::from(member.role.as_str()),
            state: State::from(member.state.as_deref().unwrap_or("unknown")),
            api_url: member.api_url.and_then(|url| ApiUrl::parse(&url).ok()),
            address: address.map(|(host, port)| Address { host, port }),
            timeline: timeline(member.timeline),
            lag_bytes: member.lag.as_ref().and_then(Value::as_u64),
            noloadbalance: member.tags.get("noloadbalance").is_some_and(is_set),
            nofailover: member.tags.get("nofailover").is_some_and(is_set),
        }
    }
}

/// Patroni reports 0 where it does not know.
fn timeline(number: Option<u64>) -> Option<Timeline> {
    number.filter(|number| *number > 0).and_then(|number| u32::try_from(number).ok()).map(Timeline)
}

/// A tag is whatever the operator wrote; only a plain "no" unsets one that keeps clients away.
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

//! The JSON of the REST API, version by version.
//!
//! Only writes down what [`Health`] and [`View`] hold; booleans that are false are left out.

use serde_json::{Map, Value, json};

use super::health::{Follower, Health, Postmaster, Wal};
use super::view::{Listed, Location, View};
use crate::Millis;
use crate::http::exchange::Reply;
use crate::patroni::cluster::{Cluster, TimelineEnd};
use crate::patroni::member::{Lag, MemberId, Tags};
use crate::patroni::settings::Version;

/// What the date is when the world begins: 2026-01-01 00:00:00 UTC, in seconds since 1970.
const WORLD_BEGINS: u64 = 1_767_225_600;

/// PostgreSQL 15.18, as `server_version_num`.
const SERVER_VERSION: u32 = 150_018;

impl Health {
    pub(super) fn reply(&self, status: u16) -> Reply {
        reply(status, &self.json())
    }

    fn json(&self) -> Value {
        let mut json = Map::new();
        json.insert("state".into(), self.state.into());
        if let Some(postmaster) = &self.postmaster {
            json.insert("postmaster_start_time".into(), timestamp(postmaster.started_at, ' ').into());
        }
        json.insert("role".into(), self.role.into());
        if let Some(postmaster) = &self.postmaster {
            postmaster.write(self.timeline, &mut json);
        }
        // Until 3.2 `pause` came last; the order has no meaning, but it is Patroni's.
        let pause_last = self.version <= Version::V3_0;
        let mut flag = |name: &str, set: bool| {
            if set {
                json.insert(name.into(), true.into());
            }
        };
        flag("pause", self.paused && !pause_last);
        flag("cluster_unlocked", self.cluster_unlocked);
        flag("failsafe_mode_is_active", self.failsafe_active);
        json.insert("dcs_last_seen".into(), (WORLD_BEGINS + self.dcs_last_seen / 1000).into());
        insert_tags(self.tags, &mut json);
        if let Some(system_id) = self.system_id {
            json.insert("database_system_identifier".into(), system_id.to_string().into());
        }
        let mut patroni = json!({"version": self.version.number(), "scope": &*self.scope});
        if let Some(name) = &self.name {
            patroni["name"] = (**name).into();
        }
        json.insert("patroni".into(), patroni);
        if self.paused && pause_last {
            json.insert("pause".into(), true.into());
        }
        Value::Object(json)
    }
}

impl Postmaster {
    fn write(&self, timeline: Option<u32>, json: &mut Map<String, Value>) {
        json.insert("server_version".into(), SERVER_VERSION.into());
        let xlog = match self.wal {
            Wal::Primary(location) => json!({"location": location}),
            Wal::Replica(location) => json!({
                "received_location": location,
                "replayed_location": location,
                "replayed_timestamp": null,
                "paused": false,
            }),
        };
        json.insert("xlog".into(), xlog);
        json.insert("timeline".into(), timeline.into());
        if self.streams {
            json.insert("replication_state".into(), "streaming".into());
        }
        if !self.followers.is_empty() {
            json.insert("replication".into(), self.followers.iter().map(Follower::json).collect());
        }
    }
}

impl Follower {
    fn json(&self) -> Value {
        json!({
            "usename": "replicator",
            "application_name": &*self.name,
            "client_addr": &*self.address,
            "state": "streaming",
            "sync_state": "async",
            "sync_priority": 0,
        })
    }
}

impl View {
    pub(super) fn reply(&self) -> Reply {
        let members: Vec<Value> = self.members.iter().map(|member| member.json(self.version)).collect();
        let mut json = Map::new();
        json.insert("members".into(), members.into());
        if self.paused {
            json.insert("pause".into(), true.into());
        }
        if let Some(scope) = &self.scope {
            json.insert("scope".into(), (**scope).into());
        }
        reply(200, &Value::Object(json))
    }
}

impl Listed {
    fn json(&self, version: Version) -> Value {
        let mut json = Map::new();
        json.insert("name".into(), (*self.name).into());
        json.insert("role".into(), self.role.into());
        json.insert("state".into(), self.state.into());
        json.insert("api_url".into(), (*self.api_url).into());
        json.insert("host".into(), (*self.host).into());
        json.insert("port".into(), self.port.into());
        if let Some(timeline) = self.timeline {
            json.insert("timeline".into(), timeline.into());
        }
        insert_tags(self.tags, &mut json);
        if let Some(location) = self.location {
            location.write(version, &mut json);
        }
        Value::Object(json)
    }
}

impl Location {
    fn write(self, version: Version, json: &mut Map<String, Value>) {
        let unknown = || Value::from("unknown");
        let (lag, lsn) = match self.lag {
            Lag::Bytes(lag) => (lag.into(), lsn(self.lsn).into()),
            Lag::Unknown => (unknown(), unknown()),
        };
        if version.has_locations() {
            for of in ["receive", "replay"] {
                let known = self.receives;
                json.insert(format!("{of}_lag"), if known { lag.clone() } else { unknown() });
                json.insert(format!("{of}_lsn"), if known { lsn.clone() } else { unknown() });
            }
        }
        json.insert("lag".into(), lag);
        if version.has_locations() {
            json.insert("lsn".into(), lsn);
        }
    }
}

impl Cluster {
    /// `/history`: the timelines that had ended when the member last read the DCS.
    pub(super) fn history_reply(&self, member: MemberId) -> Reply {
        let line = |end: &TimelineEnd| {
            let new_leader = &*self.members[end.new_leader].spec.name;
            let reason = "no recovery target specified";
            json!([end.timeline, end.lsn, reason, timestamp(end.at, 'T'), new_leader])
        };
        let newest = self.members[member].known.timeline;
        reply(200, &self.timelines.iter().filter(|end| end.timeline < newest).map(line).collect())
    }
}

/// A status line and nothing else (`_write_status_code_only`).
pub fn status_only(ok: bool) -> Reply {
    let status = if ok { 200 } else { 503 };
    Reply::Full { status, content_type: "", headers: Vec::new(), body: Vec::new() }
}

fn reply(status: u16, json: &Value) -> Reply {
    let body = json.to_string().into_bytes();
    Reply::Full { status, content_type: "application/json", headers: Vec::new(), body }
}

fn insert_tags(tags: Tags, json: &mut Map<String, Value>) {
    let mut set = Map::new();
    for (name, is_set) in [("noloadbalance", tags.noloadbalance), ("nofailover", tags.nofailover)] {
        if is_set {
            set.insert(name.into(), true.into());
        }
    }
    if !set.is_empty() {
        json.insert("tags".into(), Value::Object(set));
    }
}

/// `0/5000060`, as PostgreSQL writes a position.
fn lsn(bytes: u64) -> String {
    format!("{:X}/{:X}", bytes >> 32, bytes & 0xFFFF_FFFF)
}

/// A moment of the world as Python writes it; the calendar is that of days since 1970.
fn timestamp(at: Millis, between: char) -> String {
    let seconds = WORLD_BEGINS + at / 1000;
    let (days, of_day) = (seconds / 86_400, seconds % 86_400);
    // The year begins in March here, so that the leap day comes last.
    let shifted = days + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let (hour, minute, second) = (of_day / 3_600, of_day / 60 % 60, of_day % 60);
    format!(
        "{year:04}-{month:02}-{day:02}{between}{hour:02}:{minute:02}:{second:02}.{:03}000+00:00",
        at % 1000
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_reads_as_patroni_writes_it() {
        assert_eq!(timestamp(0, ' '), "2026-01-01 00:00:00.000000+00:00");
        let leap_day = (365 + 365 + 31 + 28) * 86_400_000;
        assert_eq!(timestamp(leap_day + 3_723_045, 'T'), "2028-02-29T01:02:03.045000+00:00");
    }

    #[test]
    fn a_position_reads_as_postgresql_writes_it() {
        assert_eq!(lsn(0x0500_0060), "0/5000060");
        assert_eq!(lsn(0x1_0000_00AB), "1/AB");
    }
}

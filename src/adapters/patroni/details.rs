//! Patroni's JSON for `doctor`: what it has and a pass does not need.
//!
//! Values are read as Patroni reads them (`utils.py`, `parse_bool` and `parse_int`): a number may be text, and a switch a word.
//! What is not such a value is as if it were not there, which is what Patroni makes of it.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::wire::WireError;
use repoint_domain::doctor::facts::patroni::{ClusterExtra, Health, ListedMember, PatroniConfig};
use repoint_domain::values::text::{self, LONGEST_NAME};

/// Why an answer is rejected.
#[derive(Debug, thiserror::Error)]
pub enum DetailsError {
    #[error(transparent)]
    Wire(#[from] WireError),
    #[error("it has no `{0}`")]
    Missing(&'static str),
}

/// The most entries of a table, far above any real number.
const MOST: usize = 512;

/// `GET /config`.
///
/// # Errors
/// If it is not a table.
pub fn config(json: &Value) -> Result<PatroniConfig, DetailsError> {
    json.as_object().ok_or(DetailsError::Missing("ttl"))?;
    let postgresql = &json["postgresql"];
    let either = |new: &str, old: &str| json.get(new).or_else(|| json.get(old)).and_then(number);
    Ok(PatroniConfig {
        ttl: number(&json["ttl"]),
        loop_wait: number(&json["loop_wait"]),
        retry_timeout: number(&json["retry_timeout"]),
        maximum_lag_on_failover: number(&json["maximum_lag_on_failover"]),
        // Before 3.0 it had the other name, which later versions still read.
        primary_start_timeout: either("primary_start_timeout", "master_start_timeout"),
        synchronous_mode: synchronous_mode(&json["synchronous_mode"]),
        synchronous_mode_strict: switch(&json["synchronous_mode_strict"]),
        failsafe_mode: switch(&json["failsafe_mode"]),
        check_timeline: switch(&json["check_timeline"]),
        use_pg_rewind: switch(&postgresql["use_pg_rewind"]),
        remove_data_directory_on_rewind_failure: switch(
            &postgresql["remove_data_directory_on_rewind_failure"],
        ),
        is_standby_cluster: is_standby_cluster(&json["standby_cluster"]),
        callbacks: table(&postgresql["callbacks"]),
        parameters: table(&postgresql["parameters"]),
    })
}

/// `GET /patroni`; the header `Date` of that answer and this machine's clock, in seconds since the epoch.
///
/// # Errors
/// If it is not Patroni's.
pub fn health(json: &Value, date: Option<u64>, now: u64) -> Result<Health, DetailsError> {
    json["patroni"].as_object().ok_or(DetailsError::Missing("patroni"))?;
    let last_seen = number(&json["dcs_last_seen"]).filter(|seen| *seen > 0);
    Ok(Health {
        version: json["patroni"]["version"].as_str().map(text::word),
        server_version: number(&json["server_version"]),
        is_restart_pending: json["pending_restart"] == true,
        has_watchdog_failed: json["watchdog_failed"] == true,
        dcs_age_seconds: date.zip(last_seen).map(|(date, seen)| date.saturating_sub(seen)),
        clock_ahead_seconds: date.and_then(|date| i64::try_from(date).ok()?.checked_sub_unsigned(now)),
        tags: table(&json["tags"]),
    })
}

/// `GET /cluster`.
///
/// # Errors
/// If it is not Patroni's, the name of a member is invalid, or there are too many.
pub fn cluster(json: &Value) -> Result<ClusterExtra, DetailsError> {
    let members = json["members"].as_array().ok_or(DetailsError::Missing("members"))?;
    if members.len() > MOST {
        return Err(WireError::TooMany("members").into());
    }
    Ok(ClusterExtra {
        scheduled_switchover: json["scheduled_switchover"].as_object().map(switchover),
        members: members.iter().map(listed).collect::<Result<_, _>>()?,
    })
}

fn listed(member: &Value) -> Result<ListedMember, WireError> {
    let name = member["name"].as_str().unwrap_or_default();
    text::name(name, LONGEST_NAME).map_err(|error| WireError::Name("a member's name", error))?;
    let message = |field: &str| member[field].as_str().map(text::message);
    Ok(ListedMember {
        name: name.to_owned(),
        role: text::word(member["role"].as_str().unwrap_or_default()),
        state: text::word(member["state"].as_str().unwrap_or("unknown")),
        host: message("host"),
        api_url: message("api_url"),
        timeline: number(&member["timeline"]).filter(|timeline| *timeline > 0),
        lag_bytes: member["lag"].as_u64(),
        tags: table(&member["tags"]),
    })
}

/// Such as `at 2026-12-01T02:00:00+00:00 from pg1 to pg2`.
fn switchover(json: &Map<String, Value>) -> String {
    let parts = ["at", "from", "to"].into_iter();
    let words: Vec<String> = parts
        .filter_map(|part| Some(format!("{part} {}", text::message(json.get(part)?.as_str()?))))
        .collect();
    words.join(" ")
}

fn is_standby_cluster(json: &Value) -> bool {
    ["host", "port", "restore_command"].iter().any(|field| match &json[field] {
        Value::Null => false,
        Value::String(value) => !value.is_empty(),
        Value::Number(value) => value.as_f64() != Some(0.0),
        _ => true,
    })
}

/// `on`, `off` or `quorum`.
fn synchronous_mode(json: &Value) -> Option<String> {
    let is_quorum = json.as_str().is_some_and(|mode| mode.eq_ignore_ascii_case("quorum"));
    let word = |is_on| if is_on { "on" } else { "off" };
    if is_quorum { Some("quorum".to_owned()) } else { switch(json).map(|is_on| word(is_on).to_owned()) }
}

/// A switch, in any of the spellings that Patroni takes.
pub fn switch(json: &Value) -> Option<bool> {
    match json {
        Value::Bool(is_on) => Some(*is_on),
        Value::Number(number) => Some(number.as_f64() != Some(0.0)),
        Value::String(word) => match word.to_ascii_lowercase().as_str() {
            "on" | "true" | "yes" | "1" => Some(true),
            "off" | "false" | "no" | "0" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

/// A whole number, which may be text.
fn number(json: &Value) -> Option<u64> {
    json.as_u64().or_else(|| json.as_str()?.trim().parse().ok())
}

/// A table of names and values, as text; what is a table itself is left out.
pub fn table(json: &Value) -> BTreeMap<String, String> {
    let fields = json.as_object().into_iter().flatten().take(MOST);
    fields.filter_map(|(name, value)| Some((text::word(name), plain(value)?))).collect()
}

fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(value) => Some(text::message(value)),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

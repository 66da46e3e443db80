//! The TOML file as it is written. Only its shape is checked here.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use toml::Spanned;

use super::endpoint::{Haproxy, Record, TargetGroup};
use super::path::unexpanded;
use super::problem::{ConfigError, Problem, Source};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    #[serde(default)]
    pub aws: Aws,
    #[serde(default)]
    pub patroni: Patroni,
    #[serde(default)]
    pub pass: Pass,
    #[serde(default)]
    pub state: State,
    #[serde(default)]
    pub alerts: Alerts,
    #[serde(default)]
    pub watch: Watch,
    #[serde(default)]
    pub callback: Callback,
    #[serde(default)]
    pub lambda: Lambda,
    #[serde(default)]
    pub http: Http,
    #[serde(default)]
    pub metrics: Metrics,
    #[serde(default)]
    pub doctor: Doctor,
    #[serde(default)]
    pub cluster: Vec<Spanned<Cluster>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Aws {
    pub region: Option<Spanned<String>>,
    pub endpoint_url: Option<Spanned<String>>,
    pub limit_percent: Option<Spanned<u32>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Patroni {
    pub connect_timeout_seconds: Option<Spanned<f64>>,
    pub timeout_seconds: Option<Spanned<f64>>,
    pub ca_file: Option<Spanned<String>>,
    pub certificate_file: Option<Spanned<String>>,
    pub key_file: Option<Spanned<String>>,
    pub verify_hostname: Option<Spanned<bool>>,
    pub username: Option<Spanned<String>>,
    pub password_file: Option<Spanned<String>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pass {
    pub deadline_seconds: Option<Spanned<f64>>,
    pub wait_insync_seconds: Option<Spanned<f64>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    pub file: Option<Spanned<String>>,
    pub dynamodb_table: Option<Spanned<String>>,
    pub required: Option<Spanned<bool>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Alerts {
    pub sns_topic_arn: Option<Spanned<String>>,
    pub grace_seconds: Option<Spanned<f64>>,
    pub contested_grace_seconds: Option<Spanned<f64>>,
    pub replica_grace_seconds: Option<Spanned<f64>>,
    pub paused_grace_seconds: Option<Spanned<f64>>,
    pub reminder_seconds: Option<Spanned<f64>>,
    pub replica_lag_bytes: Option<Spanned<u64>>,
    pub maximum_lag_on_failover: Option<Spanned<u64>>,
    pub flapping_changes: Option<Spanned<u64>>,
    pub flapping_seconds: Option<Spanned<f64>>,
    pub heartbeat_url: Option<Spanned<String>>,
    #[serde(default)]
    pub topic: Vec<AlertTopic>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlertTopic {
    pub arn: Spanned<String>,
    pub format: Option<Spanned<String>>,
    pub min_severity: Option<Spanned<String>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Watch {
    pub interval_seconds: Option<Spanned<f64>>,
    pub audit_interval_seconds: Option<Spanned<f64>>,
    pub grace_seconds: Option<Spanned<f64>>,
    pub socket: Option<Spanned<String>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Callback {
    pub mode: Option<Spanned<CallbackModeName>>,
    pub sns_topic_arn: Option<Spanned<String>>,
}

/// How a callback triggers a check.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallbackModeName {
    Daemon,
    Sns,
    #[serde(rename = "self")]
    Detached,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lambda {
    pub fail_on_hold: Option<Spanned<bool>>,
    pub function: Option<Spanned<String>>,
    pub schedule_group: Option<Spanned<String>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Http {
    pub listen: Option<Spanned<String>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Metrics {
    pub textfile: Option<Spanned<String>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Doctor {
    #[serde(default)]
    pub ignore: Vec<Ignore>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ignore {
    pub id: Spanned<String>,
    pub reason: Spanned<String>,
    pub cluster: Option<Spanned<String>>,
    pub resource: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cluster {
    pub name: Option<Spanned<String>>,
    pub scope: Spanned<String>,
    pub members: Option<Spanned<Vec<Spanned<String>>>>,
    pub discover: Option<Spanned<Discover>>,
    #[serde(default)]
    pub addresses: BTreeMap<Spanned<String>, Spanned<String>>,
    #[serde(default)]
    pub site: Vec<Site>,
    pub system_id: Option<Spanned<String>>,
    pub role_arn: Option<Spanned<String>>,
    pub external_id: Option<Spanned<String>>,
    #[serde(default)]
    pub target_group: Vec<TargetGroup>,
    #[serde(default)]
    pub record: Vec<Record>,
    #[serde(default)]
    pub haproxy: Vec<Haproxy>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Site {
    pub region: Spanned<String>,
    pub name: Option<Spanned<String>>,
    pub scope: Option<Spanned<String>>,
    pub members: Option<Spanned<Vec<Spanned<String>>>>,
    pub discover: Option<Spanned<Discover>>,
    #[serde(default)]
    pub addresses: BTreeMap<Spanned<String>, Spanned<String>>,
    pub alias: Option<Alias>,
    #[serde(default)]
    pub target_group: Vec<TargetGroup>,
}

/// Where members may be found.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Discover {
    pub ec2_tag: Option<Spanned<String>>,
    pub autoscaling_group: Option<Spanned<String>>,
    pub dns: Option<Spanned<String>>,
    pub port: Option<Spanned<u16>>,
    pub scheme: Option<Spanned<SchemeName>>,
    pub region: Option<Spanned<String>>,
}

/// How the REST API is asked.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SchemeName {
    Http,
    Https,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Alias {
    pub zone_id: Spanned<String>,
    pub dns_name: Spanned<String>,
    pub evaluate_target_health: Option<Spanned<bool>>,
}

/// The file's text.
pub fn read(path: &Path) -> Result<String, ConfigError> {
    let problem = |message: String| Problem::of_file(path, message);
    let bytes = std::fs::read(path).map_err(|error| match unexpanded(path) {
        Some(message) => problem(format!("the configuration cannot be read: {message}")),
        None => problem(format!("the configuration cannot be read: {error}"))
            .with_hint("set another path with --config FILE or REPOINT_CONFIG"),
    })?;
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let line = String::from_utf8_lossy(&error.as_bytes()[..at]).matches('\n').count() + 1;
        Problem::of_line(path, line, "the configuration is not UTF-8: this line has an invalid byte").into()
    })
}

/// Parses the file.
pub fn parse(path: &Path, text: &str) -> Result<File, ConfigError> {
    toml::from_str(text).map_err(|error: toml::de::Error| {
        let source = Source::new(path, text);
        match error.span() {
            Some(span) => source.problem(&span, source.key_at(&span).as_deref(), error.message()),
            None => Problem::of_file(path, error.message()),
        }
        .into()
    })
}

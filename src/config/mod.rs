//! From a TOML file and the environment to checked settings.
//!
//! An invalid configuration is refused as a whole before any call, with the file, line and key of each problem. The
//! environment overrides the file, and flags override the environment.

mod bundle;
mod endpoint;
mod environment;
mod file;
mod heartbeat;
mod iam;
mod log_filter;
mod mask;
mod monitoring;
mod path;
pub mod pem;
mod problem;
mod resolve;
mod show;
mod triggers;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use bundle::{Bundle, bundle};
pub use environment::Environment;
pub use heartbeat::HeartbeatUrl;
pub use iam::{LONGEST_MANAGED, PolicyOf, Rights, policies};
pub use log_filter::{LogFilter, LogLevel};
pub use monitoring::{Http, Metrics};
pub use pem::{Authorities, Identity};
pub use problem::{ConfigError, Problem};
use repoint_domain::alerts::{AlertTopic, Limits};
use repoint_domain::doctor::report::Ignore;
use repoint_domain::spec::{GroupSpec, Spec};
use repoint_domain::values::arn::TopicArn;
use repoint_domain::values::assume::AssumedRole;
use repoint_domain::values::partition;
use repoint_domain::values::table::TableName;
pub use show::show;
pub use triggers::{Callback, CallbackMode, Lambda, Watch};

/// The whole checked configuration.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How to reach AWS.
    pub aws: Aws,
    /// How to ask members.
    pub patroni: Patroni,
    /// The deadline of a pass.
    pub deadline: Duration,
    /// How long of that a pass may wait until Route 53's servers have a change; `None` means no wait.
    pub wait_insync: Option<Duration>,
    /// Where the state is kept.
    pub state: State,
    /// Where alerts are published, and when.
    pub alerts: Alerts,
    /// The daemon.
    pub watch: Watch,
    /// Patroni's callback.
    pub callback: Callback,
    /// The Lambda.
    pub lambda: Lambda,
    /// The daemon's HTTP server.
    pub http: Http,
    /// Metrics of `repoint run`.
    pub metrics: Metrics,
    /// Findings of doctor that are to be ignored.
    pub ignored_findings: Vec<Ignore>,
    /// The clusters, in the order of the file.
    pub clusters: Vec<Spec>,
}

/// How to reach AWS.
#[derive(Clone, Debug)]
pub struct Aws {
    /// The default Region; target groups and topics are reached in the Region of their ARN.
    pub region: Option<String>,
    /// An endpoint to use instead of AWS's own.
    pub endpoint_url: Option<String>,
    /// The percentage of AWS's request limits that this process may use.
    pub limit_percent: u32,
}

/// Where the state is kept.
#[derive(Clone, Debug)]
pub struct State {
    /// The store.
    pub store: StateStore,
    /// Whether a pass without access to the state must change nothing.
    pub required: bool,
}

/// A store for the state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StateStore {
    /// A file on this machine.
    File(PathBuf),
    /// A DynamoDB table.
    DynamoDb(TableName),
}

/// Where alerts are published, and when.
#[derive(Clone, Debug)]
pub struct Alerts {
    /// The topics; without one no alert is published.
    pub topics: Vec<AlertTopic>,
    /// How long a condition that is often transient must last before its alert is published.
    pub grace: Duration,
    /// The same for a contested cluster.
    pub contested_grace: Duration,
    /// The same for a replica that is too far behind, and for a cluster in which no member could take over.
    pub replica_grace: Duration,
    /// The same for a cluster that is paused.
    pub paused_grace: Duration,
    /// From where on something is wrong.
    pub limits: Limits,
    /// The interval of reminders for a condition that lasts; `None` means no reminders.
    pub reminder: Option<Duration>,
    /// The URL to send heartbeats to; `None` means no heartbeats.
    pub heartbeat: Option<HeartbeatUrl>,
}

/// How to ask members.
#[derive(Clone, Debug)]
pub struct Patroni {
    /// The connect timeout.
    pub connect_timeout: Duration,
    /// The timeout of an answer.
    pub timeout: Duration,
    /// The trusted certificates, instead of the system's authorities.
    pub ca: Option<Authorities>,
    /// The client certificate and its key.
    pub identity: Option<Identity>,
    /// Whether a member's certificate must have the name or address of its URL.
    pub verify_hostname: bool,
    /// The user of Patroni's `restapi.authentication`, for requests that change something.
    pub login: Option<Login>,
}

/// A user of Patroni's REST API. The password is read when it is needed: only `repoint drill` needs it, and the daemon's user
/// need not be able to read it.
#[derive(Clone, Debug)]
pub struct Login {
    /// The name.
    pub username: String,
    /// The path of the file with the password.
    pub password_file: PathBuf,
}

impl Login {
    /// The password: the file without a line break at its end.
    ///
    /// # Errors
    /// If the file cannot be read, or has none.
    pub fn password(&self) -> Result<String, ConfigError> {
        let path = &self.password_file;
        let problem = |message: String| Problem::of_file(path, message);
        let text = std::fs::read_to_string(path)
            .map_err(|error| problem(format!("`patroni.password_file` cannot be read: {error}")))?;
        let password = text.trim_end_matches(['\r', '\n']);
        if password.is_empty() || password.contains('\n') {
            return Err(problem("`patroni.password_file` must have one line, the password".to_owned()).into());
        }
        Ok(password.to_owned())
    }
}

impl Settings {
    /// The entries with this name, or else all entries with this scope.
    #[must_use]
    pub fn entries_called(&self, name: &str) -> Vec<&Spec> {
        let named: Vec<&Spec> = self.clusters.iter().filter(|spec| spec.name.as_str() == name).collect();
        if named.is_empty() {
            self.clusters.iter().filter(|spec| spec.scope.as_str() == name).collect()
        } else {
            named
        }
    }

    /// The entries that a callback of this scope concerns: all that have the scope, or a site that has it.
    #[must_use]
    pub fn entries_of_scope(&self, scope: &str) -> Vec<&Spec> {
        self.clusters.iter().filter(|spec| spec.has_scope(scope)).collect()
    }

    /// The target groups of all clusters.
    pub fn groups(&self) -> impl Iterator<Item = &GroupSpec> {
        self.clusters.iter().flat_map(|cluster| &cluster.groups)
    }

    /// The roles that are assumed, without duplicates.
    #[must_use]
    pub fn roles(&self) -> BTreeSet<&AssumedRole> {
        let records = self.clusters.iter().flat_map(|cluster| &cluster.records);
        let of_records = records.filter_map(|record| record.assume.as_ref());
        let sites = self.clusters.iter().flat_map(|cluster| &cluster.sites);
        let of_discovery = sites.filter_map(|site| site.discover.as_ref()?.source.role());
        let of_groups = self.groups().filter_map(|group| group.assume.as_ref());
        of_groups.chain(of_records).chain(of_discovery).collect()
    }

    /// The partition of the whole configuration, as far as it is known without the SDK's Region.
    #[must_use]
    pub fn partition(&self) -> &str {
        let of_region = || partition::of_region(self.aws.region.as_deref()?);
        self.partition_by_arns().or_else(of_region).unwrap_or(partition::USUAL)
    }

    /// The partition of the first ARN.
    #[must_use]
    pub fn partition_by_arns(&self) -> Option<&str> {
        let group = self.groups().map(|group| group.arn.partition());
        let topics = self.topics().map(TopicArn::partition);
        let roles = self.roles().into_iter().map(|role| role.arn.partition());
        group.chain(topics).chain(roles).next()
    }

    /// The Region to use if neither the configuration nor the SDK has one: that of the first ARN with a Region.
    #[must_use]
    pub fn region_by_arns(&self) -> Option<&str> {
        let topics = self.topics().map(TopicArn::region);
        self.groups().map(|group| group.arn.region()).chain(topics).next()
    }

    /// Whether anything of AWS is used. Endpoints of HAProxy, with a state file and without topics, need neither credentials
    /// nor a Region.
    #[must_use]
    pub fn uses_aws(&self) -> bool {
        let has_endpoints = |spec: &Spec| !spec.groups.is_empty() || !spec.records.is_empty();
        matches!(self.state.store, StateStore::DynamoDb(_))
            || self.topics().next().is_some()
            || self.clusters.iter().any(has_endpoints)
    }

    fn topics(&self) -> impl Iterator<Item = &TopicArn> {
        let called = match &self.callback.mode {
            CallbackMode::Sns(topic) => Some(topic),
            CallbackMode::Daemon | CallbackMode::Detached => None,
        };
        self.alerts.topics.iter().map(|topic| &topic.arn).chain(called)
    }

    /// The names of all entries, for error messages.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.clusters.iter().map(|spec| spec.name.to_string()).collect()
    }
}

/// Reads and checks the configuration, and fills in its defaults.
///
/// # Errors
/// All problems, each with its place.
pub fn load(path: &Path, environment: &Environment) -> Result<Settings, ConfigError> {
    read(path, &text(path)?, environment)
}

/// The text of a configuration, unchecked.
///
/// # Errors
/// If the file cannot be read.
pub fn text(path: &Path) -> Result<String, ConfigError> {
    file::read(path)
}

/// Checks a configuration whose text is given, and fills in its defaults. `path` is its name in messages, and the
/// base of relative paths in it.
///
/// # Errors
/// All problems, each with its place.
pub fn read(path: &Path, text: &str, environment: &Environment) -> Result<Settings, ConfigError> {
    let file = file::parse(path, text)?;
    resolve::resolve(path, text, &file, environment)
}

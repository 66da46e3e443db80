//! From a TOML file and the environment to what repoint works with.
//!
//! Law: a bad configuration is refused whole, before anything is called, with the file, the line and the key of each
//! problem. The file is overruled by the environment, and that by flags.

mod bundle;
mod environment;
mod file;
mod heartbeat;
mod iam;
mod log_filter;
mod mask;
mod path;
mod pem;
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
pub use pem::{Authorities, Identity};
pub use problem::{ConfigError, Problem};
use repoint_domain::spec::{GroupSpec, Spec};
use repoint_domain::values::arn::TopicArn;
use repoint_domain::values::assume::AssumedRole;
use repoint_domain::values::partition;
pub use show::show;
pub use triggers::{Callback, CallbackMode, Lambda, Watch};

/// Everything that can be configured, checked.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How AWS is reached.
    pub aws: Aws,
    /// How members are asked.
    pub patroni: Patroni,
    /// The longest that a pass may take.
    pub deadline: Duration,
    /// How much of that it may wait for Route 53's servers to have what was changed; not at all if unset.
    pub wait_insync: Option<Duration>,
    /// Where memory is kept.
    pub state: State,
    /// Where alerts go, and when.
    pub alerts: Alerts,
    /// The daemon.
    pub watch: Watch,
    /// Patroni's callback.
    pub callback: Callback,
    /// The Lambda.
    pub lambda: Lambda,
    /// The clusters, in the order of the file.
    pub clusters: Vec<Spec>,
}

/// How AWS is reached.
#[derive(Clone, Debug)]
pub struct Aws {
    /// The default Region; target groups and topics are reached in the Region of their ARN.
    pub region: Option<String>,
    /// Instead of AWS's own endpoints.
    pub endpoint_url: Option<String>,
    /// How many hundredths of AWS's request limits this process may use.
    pub limit_percent: u32,
}

/// Where memory is kept.
#[derive(Clone, Debug)]
pub struct State {
    /// The place.
    pub store: StateStore,
    /// Whether a pass that cannot reach it must leave everything as it is.
    pub required: bool,
}

/// A place for memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StateStore {
    /// A file on this machine.
    File(PathBuf),
    /// A DynamoDB table.
    DynamoDb(String),
}

/// Where alerts go, and when.
#[derive(Clone, Debug)]
pub struct Alerts {
    /// The topic; nobody is told without one.
    pub topic: Option<TopicArn>,
    /// How long a condition that often passes by itself must last before people are told.
    pub grace: Duration,
    /// The same for a contested cluster.
    pub contested_grace: Duration,
    /// How often people are told again of a condition that lasts; never if unset.
    pub reminder: Option<Duration>,
    /// Who is asked for while repoint works; nobody if unset.
    pub heartbeat: Option<HeartbeatUrl>,
}

/// How members are asked.
#[derive(Clone, Debug)]
pub struct Patroni {
    /// The longest wait for a connection.
    pub connect_timeout: Duration,
    /// The longest wait for an answer.
    pub timeout: Duration,
    /// The certificates to trust, instead of the system's authorities.
    pub ca: Option<Authorities>,
    /// The client certificate and its key.
    pub identity: Option<Identity>,
    /// Whether a member's certificate must have the name or address by which the member is asked.
    pub verify_hostname: bool,
}

impl Settings {
    /// The entries that are meant by a name, or else by the scope of an entry: several entries may have one.
    #[must_use]
    pub fn entries_called(&self, name: &str) -> Vec<&Spec> {
        let named: Vec<&Spec> = self.clusters.iter().filter(|spec| spec.name.as_str() == name).collect();
        if named.is_empty() {
            self.clusters.iter().filter(|spec| spec.scope.as_str() == name).collect()
        } else {
            named
        }
    }

    /// The entries that a callback of that scope is about: all that have the scope, or a site that has it.
    #[must_use]
    pub fn entries_of_scope(&self, scope: &str) -> Vec<&Spec> {
        self.clusters.iter().filter(|spec| spec.has_scope(scope)).collect()
    }

    /// The target groups of all clusters.
    pub fn groups(&self) -> impl Iterator<Item = &GroupSpec> {
        self.clusters.iter().flat_map(|cluster| &cluster.groups)
    }

    /// The roles that are assumed, each once.
    #[must_use]
    pub fn roles(&self) -> BTreeSet<&AssumedRole> {
        let records = self.clusters.iter().flat_map(|cluster| &cluster.records);
        let of_records = records.filter_map(|record| record.assume.as_ref());
        self.groups().filter_map(|group| group.assume.as_ref()).chain(of_records).collect()
    }

    /// The partition of everything that is configured, as far as that can be told without asking the SDK for a Region.
    #[must_use]
    pub fn partition(&self) -> &str {
        let of_region = || partition::of_region(self.aws.region.as_deref()?);
        self.partition_by_arns().or_else(of_region).unwrap_or(partition::USUAL)
    }

    /// The partition of whatever has an ARN.
    #[must_use]
    pub fn partition_by_arns(&self) -> Option<&str> {
        let group = self.groups().map(|group| group.arn.partition());
        let topics = self.topics().map(TopicArn::partition);
        let roles = self.roles().into_iter().map(|role| role.arn.partition());
        group.chain(topics).chain(roles).next()
    }

    /// The Region to take where none is configured, neither here nor for the SDK: that of the first ARN that has one.
    #[must_use]
    pub fn region_by_arns(&self) -> Option<&str> {
        let topics = self.topics().map(TopicArn::region);
        self.groups().map(|group| group.arn.region()).chain(topics).next()
    }

    fn topics(&self) -> impl Iterator<Item = &TopicArn> {
        let called = match &self.callback.mode {
            CallbackMode::Sns(topic) => Some(topic),
            CallbackMode::Daemon | CallbackMode::Detached => None,
        };
        self.alerts.topic.iter().chain(called)
    }

    /// The names of all entries, for an error that says which there are.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.clusters.iter().map(|spec| spec.name.to_string()).collect()
    }
}

/// Reads, checks and completes the configuration.
///
/// # Errors
/// Every problem that was found, each with its place.
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

/// Checks and completes a configuration whose text is at hand; `path` is what it is called, and where the files that it
/// names lie.
///
/// # Errors
/// Every problem that was found, each with its place.
pub fn read(path: &Path, text: &str, environment: &Environment) -> Result<Settings, ConfigError> {
    let file = file::parse(path, text)?;
    resolve::resolve(path, text, &file, environment)
}

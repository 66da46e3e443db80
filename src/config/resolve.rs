//! Checks the file and the environment, and fills in defaults.

mod alerts;
mod assume;
mod aws;
mod cluster;
mod discover;
mod doctor;
mod monitoring;
mod pass;
mod patroni;
mod site;
mod state;
mod triggers;

pub(super) use site::name as site_name;

use std::collections::BTreeMap;
use std::ops::{Range, RangeInclusive};
use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::Spanned;

use super::Settings;
use super::environment::Environment;
use super::file::File;
use super::path::unexpanded;
use super::problem::{ConfigError, Problem, Source};
use repoint_domain::values::arn::TopicArn;
use repoint_domain::values::assume::AssumedRole;
use repoint_domain::values::endpoint::Endpoint;
use repoint_domain::values::record::{RecordName, ZoneId};

/// The longest reminder interval and the longest grace period: a week.
pub(super) const LONGEST_GRACE: Duration = Duration::from_hours(7 * 24);
/// The longest timeout that can be configured: Lambda's limit is 15 minutes.
const LONGEST: Duration = Duration::from_mins(15);

/// The variables that correspond to a key of the file.
const VARIABLES: [&str; 32] = [
    "REPOINT_AWS_REGION",
    "REPOINT_AWS_ENDPOINT_URL",
    "REPOINT_AWS_LIMIT_PERCENT",
    "REPOINT_PATRONI_CONNECT_TIMEOUT_SECONDS",
    "REPOINT_PATRONI_TIMEOUT_SECONDS",
    "REPOINT_PATRONI_CA_FILE",
    "REPOINT_PATRONI_CERTIFICATE_FILE",
    "REPOINT_PATRONI_KEY_FILE",
    "REPOINT_PATRONI_VERIFY_HOSTNAME",
    "REPOINT_PATRONI_USERNAME",
    "REPOINT_PATRONI_PASSWORD_FILE",
    "REPOINT_PASS_DEADLINE_SECONDS",
    "REPOINT_PASS_WAIT_INSYNC_SECONDS",
    "REPOINT_STATE_FILE",
    "REPOINT_STATE_DYNAMODB_TABLE",
    "REPOINT_STATE_REQUIRED",
    "REPOINT_ALERTS_SNS_TOPIC_ARN",
    "REPOINT_ALERTS_GRACE_SECONDS",
    "REPOINT_ALERTS_CONTESTED_GRACE_SECONDS",
    "REPOINT_ALERTS_REMINDER_SECONDS",
    "REPOINT_ALERTS_HEARTBEAT_URL",
    "REPOINT_WATCH_INTERVAL_SECONDS",
    "REPOINT_WATCH_AUDIT_INTERVAL_SECONDS",
    "REPOINT_WATCH_GRACE_SECONDS",
    "REPOINT_WATCH_SOCKET",
    "REPOINT_CALLBACK_MODE",
    "REPOINT_CALLBACK_SNS_TOPIC_ARN",
    "REPOINT_LAMBDA_FAIL_ON_HOLD",
    "REPOINT_LAMBDA_FUNCTION",
    "REPOINT_LAMBDA_SCHEDULE_GROUP",
    "REPOINT_HTTP_LISTEN",
    "REPOINT_METRICS_TEXTFILE",
];

/// Where a value was given.
pub(super) enum Place {
    File(Range<usize>),
    Variable(String),
}

/// A value and its place.
pub(super) struct Given<T> {
    pub(super) value: T,
    pub(super) place: Place,
}

/// Collects the problems of a configuration while it is checked.
pub(super) struct Resolver<'a> {
    pub(super) source: Source<'a>,
    path: &'a Path,
    environment: &'a Environment,
    problems: Vec<Problem>,
    /// The endpoints that a cluster has claimed, and where.
    claimed: BTreeMap<Endpoint, (String, usize)>,
    /// The role of the record sets of a name, and the line of the first of them.
    pub(super) roles_of_names: BTreeMap<(ZoneId, RecordName), (Option<AssumedRole>, usize)>,
    /// The partition of the first resource with one, and its place.
    partition: Option<(String, String)>,
    /// The Region of `[aws]`.
    region: Option<String>,
    /// Whether `[patroni]` has a certificate, so that REST APIs are asked over TLS.
    uses_tls: bool,
}

pub fn resolve(
    path: &Path,
    text: &str,
    file: &File,
    environment: &Environment,
) -> Result<Settings, ConfigError> {
    let mut resolver = Resolver {
        source: Source::new(path, text),
        path,
        environment,
        problems: environment.unknown(&VARIABLES),
        claimed: BTreeMap::new(),
        roles_of_names: BTreeMap::new(),
        partition: None,
        region: None,
        uses_tls: false,
    };
    let aws = resolver.aws(file);
    resolver.region.clone_from(&aws.region);
    let patroni = resolver.patroni(file);
    resolver.uses_tls = patroni.ca.is_some() || patroni.identity.is_some();
    let (deadline, wait_insync) = resolver.pass(file);
    let state = resolver.state(file);
    let alerts = resolver.alerts(file);
    let watch = resolver.watch(file);
    let callback = resolver.callback(file);
    let lambda = resolver.lambda(file);
    let http = resolver.http(file);
    let metrics = resolver.metrics(file);
    let clusters = resolver.clusters(&file.cluster);
    let ignored_findings = resolver.ignored_findings(file, &clusters);
    if resolver.problems.is_empty() {
        Ok(Settings {
            aws,
            patroni,
            deadline,
            wait_insync,
            state,
            alerts,
            watch,
            callback,
            lambda,
            http,
            metrics,
            ignored_findings,
            clusters,
        })
    } else {
        Err(ConfigError { problems: resolver.problems })
    }
}

impl Resolver<'_> {
    fn problem(&self, place: &Place, key: &str, message: impl Into<String>) -> Problem {
        match place {
            Place::File(span) => self.source.problem(span, Some(key), message),
            Place::Variable(name) => Problem::of_variable(name, message),
        }
    }

    pub(super) fn push_error(&mut self, span: &Range<usize>, key: &str, message: impl Into<String>) {
        let problem = self.source.problem(span, Some(key), message);
        self.problems.push(problem);
    }

    /// The environment's value, or else the file's.
    fn text(&self, variables: &[&str], file: Option<&Spanned<String>>) -> Option<Given<String>> {
        let from_variable = self
            .environment
            .get(variables)
            .map(|(name, value)| Given { value: value.to_owned(), place: Place::Variable(name.to_owned()) });
        from_variable.or_else(|| {
            let spanned = file?;
            Some(Given { value: spanned.get_ref().clone(), place: Place::File(spanned.span()) })
        })
    }

    pub(super) fn parsed<T, E: std::fmt::Display>(
        &mut self,
        given: &Given<String>,
        key: &str,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Option<T> {
        parse(&given.value)
            .map_err(|error| {
                let problem = self.problem(&given.place, key, format!("`{}`: {error}", given.value));
                self.problems.push(problem);
            })
            .ok()
    }

    pub(super) fn spanned<T, E: std::fmt::Display>(
        &mut self,
        spanned: &Spanned<String>,
        key: &str,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Option<T> {
        let given = Given { value: spanned.get_ref().clone(), place: Place::File(spanned.span()) };
        self.parsed(&given, key, parse)
    }

    fn boolean(&mut self, variable: &str, file: Option<&Spanned<bool>>, default: bool) -> bool {
        match self.environment.get(&[variable]) {
            Some((_, "true")) => true,
            Some((_, "false")) => false,
            Some((name, other)) => {
                let message = format!("`{other}` is not a boolean: use true or false");
                self.problems.push(Problem::of_variable(name, message));
                default
            }
            None => file.map_or(default, |spanned| *spanned.get_ref()),
        }
    }

    /// A duration above zero and up to the longest timeout.
    fn seconds(&mut self, variables: &[&str], key: &str, file: Option<&Spanned<f64>>) -> Option<Duration> {
        self.seconds_within(variables, key, file, Duration::from_nanos(1)..=LONGEST)
    }

    /// A whole number within a range.
    pub(super) fn whole(
        &mut self,
        variable: &str,
        key: &str,
        file: Option<&Spanned<u64>>,
        range: RangeInclusive<u64>,
    ) -> Option<u64> {
        let (value, place) = match (self.environment.get(&[variable]), file) {
            (Some((name, value)), _) => (value.parse().ok(), Place::Variable(name.to_owned())),
            (None, Some(spanned)) => (Some(*spanned.get_ref()), Place::File(spanned.span())),
            (None, None) => return None,
        };
        let fitting = value.filter(|value| range.contains(value));
        if fitting.is_none() {
            let message = format!("it must be a whole number from {} to {}", range.start(), range.end());
            let problem = self.problem(&place, key, message);
            self.problems.push(problem);
        }
        fitting
    }

    pub(super) fn seconds_within(
        &mut self,
        variables: &[&str],
        key: &str,
        file: Option<&Spanned<f64>>,
        range: RangeInclusive<Duration>,
    ) -> Option<Duration> {
        let given = match self.environment.get(variables) {
            Some((name, value)) => {
                let place = Place::Variable(name.to_owned());
                Given { value: value.parse().unwrap_or(f64::NAN), place }
            }
            None => {
                file.map(|spanned| Given { value: *spanned.get_ref(), place: Place::File(spanned.span()) })?
            }
        };
        let duration = Duration::try_from_secs_f64(given.value).ok();
        let fitting = duration.filter(|duration| range.contains(duration));
        if fitting.is_none() {
            let least = match range.start() {
                least if least.is_zero() => "not below 0".to_owned(),
                least if least.as_millis() > 0 => format!("not below {}", least.as_secs_f64()),
                _ => "above 0".to_owned(),
            };
            let message =
                format!("it must be a number of seconds {least} and at most {}", range.end().as_secs());
            let problem = self.problem(&given.place, key, message);
            self.problems.push(problem);
        }
        fitting
    }

    /// A path relative to the configuration's folder.
    pub(super) fn path_of(&mut self, given: &Given<String>, key: &str) -> PathBuf {
        if let Some(message) = unexpanded(Path::new(&given.value)) {
            let problem = self.problem(&given.place, key, message);
            self.problems.push(problem);
        }
        self.path.parent().unwrap_or(Path::new("")).join(&given.value)
    }

    fn topic(&mut self, given: &Given<String>, key: &str) -> Option<TopicArn> {
        let topic = self.parsed(given, key, TopicArn::parse)?;
        self.is_of_partition(topic.partition(), &given.place, key);
        Some(topic)
    }
}

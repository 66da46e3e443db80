//! Checks what the file and the environment say, and puts in what they leave open.

mod assume;
mod group;
mod pass;
mod patroni;
mod record;
mod site;
mod triggers;

use std::collections::BTreeMap;
use std::ops::{Range, RangeInclusive};
use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::Spanned;

use super::environment::Environment;
use super::file::{Cluster, File};
use super::path::unexpanded;
use super::problem::{ConfigError, Problem, Source};
use super::{Alerts, Aws, HeartbeatUrl, Settings, State, StateStore};
use repoint_domain::spec::{RecordSpec, Spec};
use repoint_domain::values::arn::TopicArn;
use repoint_domain::values::assume::AssumedRole;
use repoint_domain::values::cluster::{EntryName, Scope, SystemId};
use repoint_domain::values::endpoint::Endpoint;
use repoint_domain::values::partition;
use repoint_domain::values::record::{RecordName, ZoneId};

/// Where programs keep what must outlive them (Filesystem Hierarchy Standard, `/var/lib`).
const STATE_FILE: &str = "/var/lib/repoint/state.json";
/// A failover with Patroni's defaults (`ttl` 30) takes half a minute; what lasts longer does not pass by itself.
const GRACE: Duration = Duration::from_mins(1);
/// The longest interval between reminders, and the longest grace: a week.
const LONGEST_GRACE: Duration = Duration::from_hours(7 * 24);
/// The longest that anything may be told to wait: Lambda's limit is 15 minutes.
const LONGEST: Duration = Duration::from_mins(15);

/// Most of what AWS allows an account; other programs ask, too.
const LIMIT_PERCENT: u32 = 90;
/// From the smallest share to far beyond what AWS raises its limits to.
const LIMIT_PERCENTS: RangeInclusive<u32> = 1..=100_000;

/// The longest name of an entry, in bytes: it is a key of the state table, and stands in the subject of alerts.
const LONGEST_NAME: usize = 255;

/// The variables that stand for a key of the file.
const VARIABLES: [&str; 26] = [
    "REPOINT_AWS_REGION",
    "REPOINT_AWS_ENDPOINT_URL",
    "REPOINT_AWS_LIMIT_PERCENT",
    "REPOINT_PATRONI_CONNECT_TIMEOUT_SECONDS",
    "REPOINT_PATRONI_TIMEOUT_SECONDS",
    "REPOINT_PATRONI_CA_FILE",
    "REPOINT_PATRONI_CERTIFICATE_FILE",
    "REPOINT_PATRONI_KEY_FILE",
    "REPOINT_PATRONI_VERIFY_HOSTNAME",
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
];

/// Where a value was given.
enum Place {
    File(Range<usize>),
    Variable(String),
}

/// A value and its place.
struct Given<T> {
    value: T,
    place: Place,
}

struct Resolver<'a> {
    source: Source<'a>,
    path: &'a Path,
    environment: &'a Environment,
    problems: Vec<Problem>,
    /// Endpoints that a cluster has claimed, and where.
    claimed: BTreeMap<Endpoint, (String, usize)>,
    /// The role of the record sets of a name, and the line of the first of them.
    roles_of_names: BTreeMap<(ZoneId, RecordName), (Option<AssumedRole>, usize)>,
    /// The partition of what was named first, and where that stands.
    partition: Option<(String, String)>,
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
    };
    let aws = resolver.aws(file);
    let patroni = resolver.patroni(file);
    let (deadline, wait_insync) = resolver.pass(file);
    let state = resolver.state(file);
    let alerts = resolver.alerts(file);
    let watch = resolver.watch(file);
    let callback = resolver.callback(file);
    let lambda = resolver.lambda(file);
    let clusters = resolver.clusters(&file.cluster);
    if resolver.problems.is_empty() {
        Ok(Settings { aws, patroni, deadline, wait_insync, state, alerts, watch, callback, lambda, clusters })
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

    fn push_error(&mut self, span: &Range<usize>, key: &str, message: impl Into<String>) {
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

    fn parsed<T, E: std::fmt::Display>(
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

    fn spanned<T, E: std::fmt::Display>(
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
                let message = format!("`{other}` is neither true nor false");
                self.problems.push(Problem::of_variable(name, message));
                default
            }
            None => file.map_or(default, |spanned| *spanned.get_ref()),
        }
    }

    /// A time above zero and within the longest wait.
    fn seconds(&mut self, variables: &[&str], key: &str, file: Option<&Spanned<f64>>) -> Option<Duration> {
        self.seconds_within(variables, key, file, Duration::from_nanos(1)..=LONGEST)
    }

    fn seconds_within(
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
                format!("it must be a number of seconds {least}, and at most {}", range.end().as_secs());
            let problem = self.problem(&given.place, key, message);
            self.problems.push(problem);
        }
        fitting
    }

    fn aws(&mut self, file: &File) -> Aws {
        let region = ["REPOINT_AWS_REGION", "AWS_REGION", "AWS_DEFAULT_REGION"];
        let region = self.text(&region, file.aws.region.as_ref());
        if let Some((given, partition)) =
            region.as_ref().and_then(|given| Some((given, partition::of_region(&given.value)?)))
        {
            self.is_of_partition(partition, &given.place, "aws.region");
        }
        // What is said to repoint alone outranks what is said to every program.
        let endpoint = self.text(&["REPOINT_AWS_ENDPOINT_URL"], file.aws.endpoint_url.as_ref());
        let is_ignored = self.environment.get(&["AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"]);
        let is_ignored = is_ignored.is_some_and(|(_, value)| value.eq_ignore_ascii_case("true"));
        let of_all = || self.text(&["AWS_ENDPOINT_URL"], None).filter(|_| !is_ignored);
        let endpoint = endpoint.or_else(of_all);
        if let Some(given) = endpoint.as_ref().filter(|given| !is_url(&given.value)) {
            let message = format!("`{}` is no URL that begins with http:// or https://", given.value);
            let problem = self.problem(&given.place, "aws.endpoint_url", message);
            self.problems.push(problem);
        }
        Aws {
            region: region.map(|given| given.value),
            endpoint_url: endpoint.map(|given| given.value),
            limit_percent: self.limit_percent(file),
        }
    }

    fn limit_percent(&mut self, file: &File) -> u32 {
        let (value, place) =
            match (self.environment.get(&["REPOINT_AWS_LIMIT_PERCENT"]), &file.aws.limit_percent) {
                (Some((name, value)), _) => (value.parse().ok(), Place::Variable(name.to_owned())),
                (None, Some(spanned)) => (Some(*spanned.get_ref()), Place::File(spanned.span())),
                (None, None) => return LIMIT_PERCENT,
            };
        value.filter(|percent| LIMIT_PERCENTS.contains(percent)).unwrap_or_else(|| {
            let (least, most) = (LIMIT_PERCENTS.start(), LIMIT_PERCENTS.end());
            let message =
                format!("it must be a whole number from {least} to {most}, in hundredths of AWS's limits");
            let problem = self.problem(&place, "aws.limit_percent", message);
            self.problems.push(problem);
            LIMIT_PERCENT
        })
    }

    fn state(&mut self, file: &File) -> State {
        let file = &file.state;
        let path = self.text(&["REPOINT_STATE_FILE"], file.file.as_ref());
        let table = self.text(&["REPOINT_STATE_DYNAMODB_TABLE"], file.dynamodb_table.as_ref());
        for (key, given) in [("state.file", &path), ("state.dynamodb_table", &table)] {
            if let Some(empty) = given.as_ref().filter(|given| given.value.trim().is_empty()) {
                let problem = self.problem(&empty.place, key, "it is empty");
                self.problems.push(problem);
            }
        }
        let store = match (path, table) {
            (Some(path), Some(table)) => match (&path.place, &table.place) {
                (Place::File(_), Place::Variable(_)) => StateStore::DynamoDb(table.value),
                (Place::Variable(_), Place::File(_)) => self.state_file(&path),
                _ => {
                    let message = "memory is kept in one place: give `file` or `dynamodb_table`, not both";
                    let problem = self.problem(&path.place, "state.file", message);
                    self.problems.push(problem);
                    StateStore::DynamoDb(table.value)
                }
            },
            (None, Some(table)) => StateStore::DynamoDb(table.value),
            (Some(path), None) => self.state_file(&path),
            (None, None) => StateStore::File(STATE_FILE.into()),
        };
        let required = self.boolean("REPOINT_STATE_REQUIRED", file.required.as_ref(), true);
        State { store, required }
    }

    fn state_file(&mut self, given: &Given<String>) -> StateStore {
        StateStore::File(self.path_of(given, "state.file"))
    }

    /// A path that is named relative to the configuration.
    fn path_of(&mut self, given: &Given<String>, key: &str) -> PathBuf {
        if let Some(message) = unexpanded(Path::new(&given.value)) {
            let problem = self.problem(&given.place, key, message);
            self.problems.push(problem);
        }
        self.path.parent().unwrap_or(Path::new("")).join(&given.value)
    }

    fn alerts(&mut self, file: &File) -> Alerts {
        let file = &file.alerts;
        let topic = self
            .text(&["REPOINT_ALERTS_SNS_TOPIC_ARN"], file.sns_topic_arn.as_ref())
            .and_then(|given| self.topic(&given, "alerts.sns_topic_arn"));
        let grace = Duration::ZERO..=LONGEST_GRACE;
        Alerts {
            topic,
            grace: self
                .seconds_within(
                    &["REPOINT_ALERTS_GRACE_SECONDS"],
                    "alerts.grace_seconds",
                    file.grace_seconds.as_ref(),
                    grace.clone(),
                )
                .unwrap_or(GRACE),
            contested_grace: self
                .seconds_within(
                    &["REPOINT_ALERTS_CONTESTED_GRACE_SECONDS"],
                    "alerts.contested_grace_seconds",
                    file.contested_grace_seconds.as_ref(),
                    grace,
                )
                .unwrap_or_default(),
            reminder: self.seconds_within(
                &["REPOINT_ALERTS_REMINDER_SECONDS"],
                "alerts.reminder_seconds",
                file.reminder_seconds.as_ref(),
                Duration::from_nanos(1)..=LONGEST_GRACE,
            ),
            heartbeat: self.heartbeat(file.heartbeat_url.as_ref()),
        }
    }

    /// A problem with it shows neither the value nor its line.
    fn heartbeat(&mut self, file: Option<&Spanned<String>>) -> Option<HeartbeatUrl> {
        const KEY: &str = "alerts.heartbeat_url";
        let given = self.text(&["REPOINT_ALERTS_HEARTBEAT_URL"], file)?;
        let problem = |message| match &given.place {
            Place::File(span) => {
                Problem::of_line(self.path, self.source.line(span), format!("`{KEY}`: {message}"))
            }
            Place::Variable(name) => Problem::of_variable(name, message),
        };
        let url = HeartbeatUrl::parse(&given.value).map_err(problem);
        url.map_err(|problem| self.problems.push(problem)).ok()
    }

    fn topic(&mut self, given: &Given<String>, key: &str) -> Option<TopicArn> {
        let topic = self.parsed(given, key, TopicArn::parse)?;
        self.is_of_partition(topic.partition(), &given.place, key);
        Some(topic)
    }

    fn clusters(&mut self, clusters: &[Spanned<Cluster>]) -> Vec<Spec> {
        if clusters.is_empty() {
            let problem = Problem::of_file(self.path, "it names no cluster")
                .with_hint("add a [[cluster]] with its `scope` and `members`");
            self.problems.push(problem);
        }
        let mut names: BTreeMap<EntryName, &Cluster> = BTreeMap::new();
        let mut intents = Vec::new();
        for cluster in clusters {
            let cluster = cluster.get_ref();
            if cluster.scope.get_ref().trim().is_empty() {
                self.push_error(&cluster.scope.span(), "cluster.scope", "it is empty");
            }
            let name = self.entry_name(cluster);
            match names.get(&name) {
                Some(first) => self.same_name(&name, first, cluster),
                None => drop(names.insert(name.clone(), cluster)),
            }
            intents.push(self.cluster(name, cluster));
        }
        intents
    }

    /// What the entry is called: its state is kept under that, and alerts carry it.
    fn entry_name(&mut self, cluster: &Cluster) -> EntryName {
        let Some(name) = &cluster.name else { return EntryName::new(cluster.scope.get_ref()) };
        let (text, span) = (name.get_ref(), name.span());
        if text.trim().is_empty() {
            self.push_error(&span, "cluster.name", "it is empty");
        }
        if text.len() > LONGEST_NAME || text.chars().any(char::is_control) {
            let message = format!("it may have {LONGEST_NAME} bytes at most, and no control characters");
            self.push_error(&span, "cluster.name", message);
        }
        EntryName::new(text)
    }

    /// Two entries of one name would share a state, and each would follow the other's primary.
    fn same_name(&mut self, name: &EntryName, first: &Cluster, second: &Cluster) {
        let of = |cluster: &Cluster| match &cluster.name {
            Some(given) => ("cluster.name", given.span()),
            None => ("cluster.scope", cluster.scope.span()),
        };
        let (key, span) = of(second);
        let line = self.source.line(&of(first).1);
        let problem = if first.scope.get_ref() == second.scope.get_ref() && second.name.is_none() {
            let message = format!("cluster `{name}` is named twice, first in line {line}");
            let hint = "give each entry a `name` of its own: several entries may have one scope, as Citus groups have";
            self.source.problem(&span, Some(key), message).with_hint(hint)
        } else {
            let message = format!("two entries are called `{name}`, the first in line {line}");
            let hint = "give each entry a `name` of its own; where none is given, the scope is the name";
            self.source.problem(&span, Some(key), message).with_hint(hint)
        };
        self.problems.push(problem);
    }

    fn cluster(&mut self, name: EntryName, cluster: &Cluster) -> Spec {
        let system_id = cluster.system_id.as_ref().and_then(|id| {
            self.spanned(id, "cluster.system_id", |text| {
                let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
                is_number
                    .then(|| SystemId::new(text))
                    .ok_or("it is not a number, as `pg_controldata` prints it")
            })
        });
        let scope = Scope::new(cluster.scope.get_ref());
        let sites = self.sites(&scope, cluster);
        let role = self.role_of_cluster(cluster);
        let mut groups = self.groups(&name, &cluster.target_group, role.as_ref());
        groups.extend(self.groups_of_sites(&name, cluster, role.as_ref()));
        groups.sort_by(|a, b| a.arn.cmp(&b.arn));
        let records = cluster.record.iter();
        let mut records: Vec<RecordSpec> =
            records.filter_map(|record| self.record(&name, &sites, record, role.as_ref())).collect();
        records.sort_by(|a, b| a.key.cmp(&b.key));
        Spec { name, scope, sites, system_id, groups, records }
    }

    /// Two claims on one endpoint would undo each other for ever.
    fn claim(&mut self, entry: &EntryName, endpoint: Endpoint, span: &Range<usize>, key: &str) {
        let line = self.source.line(span);
        let what = match &endpoint {
            Endpoint::Group(arn) => format!("target group `{}`", arn.name()),
            Endpoint::Listener(arn) => format!("listener `{}`", arn.name()),
            Endpoint::Record(record) => format!("record `{record}`"),
        };
        if let Some((owner, first)) = self.claimed.insert(endpoint, (entry.to_string(), line)) {
            let message = format!("{what} is claimed twice, first by cluster `{owner}` in line {first}");
            self.push_error(span, key, message);
        }
    }
}

fn is_url(text: &str) -> bool {
    let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
    rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/') && !text.contains(char::is_whitespace))
}

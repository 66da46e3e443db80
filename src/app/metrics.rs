//! Metrics in Prometheus's text format 0.0.4, rendered from an [`Overview`]: what is gone from it has no series any more.
//!
//! `infra/guide/monitoring.md` has the list. Names are a contract: rules and dashboards rest on them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::{fmt, fs, io};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::prometheus_text::encode;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder};
use prometheus_client::metrics::MetricType::{self, Counter, Gauge};
use prometheus_client::registry::Registry;

use super::overview::{Known, Overview};
use crate::adapters::clock::SystemClock;
use crate::adapters::textfile;
use crate::counters::Counters;
use crate::ports::Clock as _;
use repoint_domain::report::status::{MemberReport, Standing};
use repoint_domain::report::{ClusterReport, VerdictReport};
use repoint_domain::spec::Spec;
use repoint_domain::values::endpoint::Endpoint;
use repoint_domain::values::moves::MoveCause;
use repoint_domain::values::timestamp::Timestamp;

pub use prometheus_client::encoding::prometheus_text::CONTENT_TYPE;

const PREFIX: &str = "repoint";
/// No success yet, in a run.
const NEVER: Timestamp = Timestamp(0);
const LAST_SUCCESS: &str = "repoint_cluster_last_pass_success_timestamp_seconds{";

/// Patroni's words for the state of PostgreSQL (`patroni/postgresql/misc.py`, `PostgresqlState`), and the two that
/// `/cluster` adds for replicas. Any other word counts as `other` (invariant 10).
const STATES: [&str; 17] = [
    "running",
    "streaming",
    "in archive recovery",
    "starting",
    "start failed",
    "restarting",
    "restart failed",
    "stopping",
    "stopped",
    "stop failed",
    "crashed",
    "creating replica",
    "initializing new cluster",
    "initdb failed",
    "running custom bootstrap script",
    "custom bootstrap failed",
    "starting after custom bootstrap",
];
/// The causes that rules rest on: they are counted from 0, the others once there is one.
const CAUSES: [MoveCause; 3] = [MoveCause::Failover, MoveCause::Switchover, MoveCause::Correction];

/// What is true of a process that goes on.
#[derive(Clone, Debug)]
pub struct Process {
    /// What it has done.
    pub counters: Counters,
    /// Whether the configuration could be loaded the last time.
    pub is_last_reload_good: bool,
    /// When it was last loaded.
    pub loaded_at: Timestamp,
}

/// Renders the clusters, and for a process that goes on what it has counted.
#[must_use]
pub fn render(overview: &Arc<Overview>, process: Option<&Process>) -> String {
    let mut registry = Registry::with_prefix(PREFIX);
    if let Some(process) = process {
        process.counters.register(&mut registry);
    }
    registry.register_collector(Box::new(Snapshot { overview: overview.clone(), process: process.cloned() }));
    let mut text = String::new();
    // Writing to a string does not fail.
    encode(&mut text, &registry).map_or_else(|_| String::new(), |()| text)
}

/// Replaces the textfile by what a run has found: the series of a process that goes on are not in it.
///
/// # Errors
/// Why it could not be written.
pub fn write_textfile(path: &Path, clusters: &[Spec], reports: &[ClusterReport]) -> io::Result<()> {
    let (overview, now) = (Overview::new(clusters, None, NEVER), SystemClock.now());
    for report in reports {
        if let Some(place) = clusters.iter().position(|spec| spec.name == report.name) {
            overview.passed(place, report, now);
        }
    }
    let text = render(&Arc::new(overview), None);
    let before = fs::read_to_string(path).unwrap_or_default();
    textfile::replace(path, &with_last_success(&text, &before, now))
}

/// A run that failed knows of no success, but the file of the run before does; the first run of all counts from now.
fn with_last_success(text: &str, before: &str, now: Timestamp) -> String {
    let line = |line: &str| {
        let series = line.strip_suffix(" 0.0").filter(|series| series.starts_with(LAST_SUCCESS));
        let Some(series) = series else { return format!("{line}\n") };
        let value = before.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        format!("{series} {}\n", value.map_or_else(|| now.as_seconds().to_string(), str::to_owned))
    };
    text.lines().map(line).collect()
}

#[derive(Debug)]
struct Snapshot {
    overview: Arc<Overview>,
    process: Option<Process>,
}

/// One cluster, and the labels that all its series have.
struct Cluster<'a> {
    spec: &'a Spec,
    known: Known,
    /// The name of the entry, if another one has the same scope.
    entry: Option<&'a str>,
}

type Labels<'a> = Vec<(&'static str, &'a str)>;

#[derive(Clone, Copy)]
enum Value {
    Whole(u64),
    Time(Timestamp),
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Whole(value.into())
    }
}

impl From<usize> for Value {
    fn from(value: usize) -> Self {
        Self::Whole(u64::try_from(value).unwrap_or(u64::MAX))
    }
}

/// Writes the samples of one metric. A set of labels stands once, since one that stands twice makes the scrape fail.
fn samples<'a>(
    encoder: &mut DescriptorEncoder,
    (name, kind, help): (&str, MetricType, &str),
    samples: impl Iterator<Item = (Labels<'a>, Value)>,
) -> fmt::Result {
    let mut metric = encoder.encode_descriptor(name, help, None, kind)?;
    let mut written = BTreeSet::new();
    for (labels, value) in samples {
        if !written.contains(&labels) {
            write(&mut metric.encode_family(&labels)?, kind, value)?;
            written.insert(labels);
        }
    }
    Ok(())
}

fn write(sample: &mut MetricEncoder, kind: MetricType, value: Value) -> fmt::Result {
    match (kind, value) {
        (Counter, Value::Whole(value)) => sample.encode_counter::<Labels, _, f64>(&value, None),
        (_, Value::Whole(value)) => sample.encode_gauge(&value),
        (_, Value::Time(time)) => sample.encode_gauge(&time.as_seconds()),
    }
}

impl Cluster<'_> {
    /// `scope`, `entry` if it needs one, and these.
    fn labels<'b>(&'b self, more: &[(&'static str, &'b str)]) -> Labels<'b> {
        self.labels_of(self.spec.scope.as_str(), more)
    }

    fn labels_of<'b>(&'b self, scope: &'b str, more: &[(&'static str, &'b str)]) -> Labels<'b> {
        let entry = self.entry.map(|entry| ("entry", entry));
        [("scope", scope)].into_iter().chain(entry).chain(more.iter().copied()).collect()
    }

    /// A member's scope is that of its site, as in Patroni's own metrics.
    fn labels_of_member<'b>(&'b self, member: &'b MemberReport) -> Labels<'b> {
        let site = self.spec.site(member.site.as_ref());
        let scope = site.map_or(self.spec.scope.as_str(), |site| site.scope.as_str());
        let name = ("name", member.member.as_str());
        match &member.site {
            Some(site) => self.labels_of(scope, &[name, ("site", site.as_str())]),
            None => self.labels_of(scope, &[name]),
        }
    }

    /// How many members are in each state.
    fn states(&self) -> BTreeMap<&'static str, usize> {
        let mut states = BTreeMap::new();
        for member in self.known.members() {
            let known = |word: &String| STATES.into_iter().find(|state| state == word);
            let state = match (&member.error, &member.state) {
                (Some(_), _) => "unreachable",
                (None, Some(word)) => known(word).unwrap_or("other"),
                (None, None) => "unknown",
            };
            *states.entry(state).or_default() += 1;
        }
        states
    }
}

/// An endpoint as CloudWatch names it in its dimensions, and a record by its zone, name, type and identifier.
fn name(endpoint: &Endpoint) -> String {
    let resource = |arn: &str| arn.splitn(6, ':').last().unwrap_or_default().to_owned();
    match endpoint {
        Endpoint::Group(arn) => resource(arn.as_str()),
        Endpoint::Listener(arn) => resource(arn.as_str()),
        Endpoint::Record(key) => key.to_string(),
        Endpoint::Backend(key) => key.to_string(),
    }
}

impl Collector for Snapshot {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let encoder = &mut encoder;
        let clusters = self.overview.clusters().map(|(spec, shares_scope, known)| Cluster {
            spec,
            known,
            entry: shares_scope.then(|| spec.name.as_str()),
        });
        let clusters: Vec<Cluster> = clusters.collect();
        self.of_process(encoder)?;
        of_clusters(encoder, &clusters)?;
        of_endpoints(encoder, &clusters)?;
        of_members(encoder, &clusters)
    }
}

impl Snapshot {
    fn of_process(&self, encoder: &mut DescriptorEncoder) -> fmt::Result {
        let features = if cfg!(feature = "ec2") { "ec2" } else { "" };
        let labels = vec![("version", env!("CARGO_PKG_VERSION")), ("features", features)];
        let one = |value: Value| std::iter::once((Labels::new(), value));
        let build = ("build_info", Gauge, "The version of repoint and its build features.");
        samples(encoder, build, std::iter::once((labels, Value::Whole(1))))?;
        if let Some(process) = &self.process {
            let help = "Whether the configuration could be loaded the last time.";
            let good = Value::from(process.is_last_reload_good);
            samples(encoder, ("config_last_reload_successful", Gauge, help), one(good))?;
            let metric = (
                "config_last_reload_success_timestamp_seconds",
                Gauge,
                "When the configuration was last loaded.",
            );
            samples(encoder, metric, one(Value::Time(process.loaded_at)))?;
        }
        let pending =
            self.overview.clusters().filter_map(|(_, _, known)| known.alerts_pending()).sum::<usize>();
        let help = "Alerts that have yet to be published, by the state.";
        samples(encoder, ("alerts_pending", Gauge, help), one(pending.into()))?;
        samples(
            encoder,
            ("clusters", Gauge, "Clusters in the configuration."),
            one(self.overview.count().into()),
        )
    }
}

/// The series that a cluster has once.
fn of_clusters(encoder: &mut DescriptorEncoder, clusters: &[Cluster]) -> fmt::Result {
    let info = clusters.iter().filter_map(|cluster| {
        let (primary, site) = match cluster.known.verdict()? {
            VerdictReport::Primary(primary) => (primary.member.as_ref(), primary.site.as_ref()),
            VerdictReport::Hold { .. } => (None, None),
        };
        let primary = primary.map_or("", |member| member.as_str());
        let site = site.map_or("", |site| site.as_str());
        Some((cluster.labels(&[("primary", primary), ("site", site)]), Value::Whole(1)))
    });
    let help = "Which member is the primary, and in which site; empty without a primary.";
    samples(encoder, ("cluster_info", Gauge, help), info)?;
    let mut each = |name: &str, help: &str, value: fn(&Known) -> Option<Value>| {
        let values =
            clusters.iter().filter_map(|cluster| Some((cluster.labels(&[]), value(&cluster.known)?)));
        samples(encoder, (name, Gauge, help), values)
    };
    each(
        "cluster_has_primary",
        "Whether the cluster has a primary; absent for a standby cluster.",
        |known| known.has_primary().map(Value::from),
    )?;
    each("cluster_primaries", "Members that claim to be the primary.", |known| {
        known.checked_at?;
        Some(known.members().iter().filter(|member| member.is_claimant).count().into())
    })?;
    each("cluster_timeline", "The primary's timeline.", |known| match known.verdict()? {
        VerdictReport::Primary(primary) => Some(Value::Whole(primary.timeline.0.into())),
        VerdictReport::Hold { .. } => None,
    })?;
    each("cluster_paused", "Whether Patroni is in maintenance mode.", |known| {
        known.is_paused().map(Value::from)
    })?;
    let help = "When the cluster's members were last asked.";
    each("cluster_last_look_timestamp_seconds", help, |known| known.checked_at.map(Value::Time))?;
    let help = "When the last pass ended in which nothing failed, the state was available and every alert was published; before the first one, when the process began.";
    each("cluster_last_pass_success_timestamp_seconds", help, |known| Some(Value::Time(known.succeeded_at)))?;
    let help = "When endpoints were last moved, by the state.";
    each("cluster_last_retarget_timestamp_seconds", help, |known| {
        known.retargets()?.last_at().map(Value::Time)
    })?;
    let states: Vec<_> = clusters.iter().map(|cluster| (cluster, cluster.states())).collect();
    let members = states.iter().flat_map(|(cluster, states)| {
        states.iter().map(|(state, count)| (cluster.labels(&[("state", state)]), Value::from(*count)))
    });
    samples(encoder, ("cluster_members", Gauge, "Members by the state of their PostgreSQL."), members)?;
    let conditions = clusters.iter().flat_map(|cluster| {
        let labels = cluster.known.conditions().map(|condition| {
            let severity = condition.kind.severity().as_str();
            cluster.labels(&[("condition", condition.kind.as_str()), ("severity", severity)])
        });
        labels.map(|labels| (labels, Value::Whole(1)))
    });
    let help = "1 while the condition lasts, once it has lasted as long as its grace.";
    samples(encoder, ("cluster_condition", Gauge, help), conditions)?;
    let retargets = clusters.iter().filter_map(|cluster| Some((cluster, &cluster.known.retargets()?.counts)));
    let retargets = retargets.flat_map(|(cluster, counts)| {
        let causes: BTreeSet<&str> =
            counts.keys().map(String::as_str).chain(CAUSES.map(MoveCause::as_str)).collect();
        causes.into_iter().map(|cause| {
            let count = counts.get(cause).copied().unwrap_or_default();
            (cluster.labels(&[("cause", cause)]), Value::Whole(count))
        })
    });
    samples(encoder, ("retargets", Counter, "Moves of endpoints, by the state."), retargets)
}

fn of_endpoints(encoder: &mut DescriptorEncoder, clusters: &[Cluster]) -> fmt::Result {
    let endpoints =
        clusters.iter().flat_map(|cluster| cluster.known.endpoints().iter().map(move |its| (cluster, its)));
    let named: Vec<_> =
        endpoints.map(|(cluster, endpoint)| (cluster, name(&endpoint.endpoint), endpoint.standing)).collect();
    let in_sync = named.iter().map(|(cluster, name, standing)| {
        let is_right = matches!(standing, Standing::Right | Standing::Idle);
        (cluster.labels(&[("endpoint", name)]), Value::from(is_right))
    });
    let help = "Whether the endpoint pointed where it should after the last pass.";
    samples(encoder, ("endpoint_in_sync", Gauge, help), in_sync)
}

fn of_members(encoder: &mut DescriptorEncoder, clusters: &[Cluster]) -> fmt::Result {
    let mut each = |name: &str, help: &str, value: fn(&MemberReport) -> Option<Value>| {
        let members =
            clusters.iter().flat_map(|cluster| cluster.known.members().iter().map(move |its| (cluster, its)));
        let values =
            members.filter_map(|(cluster, member)| Some((cluster.labels_of_member(member), value(member)?)));
        samples(encoder, (name, Gauge, help), values)
    };
    each("member_up", "Whether the member's REST API answers.", |member| {
        Some(member.error.is_none().into())
    })?;
    let help =
        "How much of the leader's WAL the member has neither received nor replayed; absent if unknown.";
    each("member_lag_bytes", help, |member| member.lag_bytes.map(Value::Whole))?;
    let help = "How much of the leader's WAL the member has not replayed; absent if unknown.";
    each("member_replay_lag_bytes", help, |member| member.replay_lag_bytes.map(Value::Whole))
}

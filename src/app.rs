//! The one place that wires adapters to the runtime.
//!
//! Clients are built once and shared; each pass over a cluster counts its own requests.

mod by_role;
mod clients;
mod connect;
#[cfg(feature = "doctor")]
mod doctor;
#[cfg(feature = "drill")]
mod drill;
mod history;
mod member_watch;
mod metrics;
mod overview;
mod page;
mod pages;
mod publish;
mod recent;
mod watching;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::FutureExt;
use futures::future::{join_all, ready};
use tokio::time::Instant;

use crate::adapters::aws::{self, Access};
use crate::adapters::clock::SystemClock;
use crate::adapters::discovery::{Discovering, Tagged};
use crate::adapters::elbv2::Known;
use crate::adapters::haproxy::Haproxy;
use crate::adapters::heartbeat::Heartbeat;
use crate::adapters::open_files;
use crate::adapters::patroni::{Options, OptionsError, Rest};
use crate::adapters::resolver::SystemResolver;
use crate::adapters::sns::Sns;
use crate::adapters::state_dynamodb::StateTable;
use crate::adapters::state_file::StateFile;
use crate::config::{self, Settings, StateStore};
use crate::limits::{Calls, RateLimiter};
use crate::ports::{Clock, History, Instances, MemberPorts, Ports, Store};
use crate::runtime::adopt::adopt;
use crate::runtime::ahead::Ahead;
use crate::runtime::deadline::Span;
use crate::runtime::fleet::fleet;
use crate::runtime::follow::follow;
use crate::runtime::insync::Insync;
use crate::runtime::members::{KnownState, Members};
use crate::runtime::observe::observe;
use crate::runtime::pass::{self, pass_with};
use crate::runtime::supervise::Panicked;
use crate::unsaved::Unsaved;
use repoint_domain::alerts::{AlertTopic, Rules};
use repoint_domain::rates::{Needs, RateKey, most_writes, reads, time_for};
use repoint_domain::report::status::{ClusterStatus, Status, status};
use repoint_domain::report::{ClusterReport, Report, VERSION};
use repoint_domain::spec::Spec;
use repoint_domain::values::arn::GroupArn;
#[cfg(feature = "ec2")]
use repoint_domain::values::failure::{Failure, Kind};
use repoint_domain::values::table::TableName;
use repoint_domain::values::utc::Utc;

use self::by_role::{ByRole, Owner, Roles};
use self::clients::Clients;
pub use crate::adapters::control;
pub use crate::adapters::http_server::Server;
pub use crate::adapters::log_stream::LogStream;
pub use crate::adapters::panics;
pub use crate::adapters::service_file;
pub use crate::adapters::single_flight;
pub use crate::adapters::state_file::lock;
pub use crate::counters::Counters;
pub use crate::runtime::adopt::{AdoptError, Adopted};
pub use crate::runtime::history::HISTORY_EVENTS;
pub use crate::runtime::pass::Mode;
pub use crate::runtime::watch::News;
#[cfg(feature = "doctor")]
pub use doctor::DoctorOptions;
#[cfg(feature = "drill")]
pub use drill::Survey;
pub use history::Since;
pub use member_watch::{Found, MemberWatch};
pub use metrics::write_textfile;
pub use overview::{Overview, Summary};
pub use pages::{Pages, Source};
pub use recent::Recent;
pub use watching::{Health, Wake, Watching};

/// Connections to AWS, at most one for each token of a burst, and what a process has open anyway.
const FILES_FOR_THE_REST: usize = 256;
/// Where a third of a thousand clusters' members hang, as when a zone is lost, they are all waited for within seconds.
const MEMBERS_AT_ONCE: usize = 1024;

/// Notifying needs at most a save, a message for each condition, and a save again.
const NOTIFY_WITHIN: Duration = Duration::from_secs(10);

/// How long a pass may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Until its last write.
    pub pass: Duration,
    /// From then on, to publish alerts.
    pub notify: Duration,
}

/// repoint, wired.
pub struct App {
    settings: Settings,
    limiter: RateLimiter,
    /// With the process's own credentials.
    aws: Access,
    patroni: Arc<Rest>,
    resolver: Arc<SystemResolver>,
    /// All passes share what it finds.
    discovery: Arc<Discovering>,
    /// Which role each endpoint's calls are made under.
    roles: Arc<Roles>,
    /// The clients under each role, and those with the process's own credentials.
    clients: BTreeMap<Owner, Clients>,
    /// What is known of target groups beyond one pass.
    known: Arc<Known>,
    /// Passes share what they wait for.
    insync: Insync,
    /// By the Region of an alert topic.
    sns: Arc<BTreeMap<String, aws_sdk_sns::Client>>,
    alert_topics: Arc<[AlertTopic]>,
    heartbeat: Option<Heartbeat>,
    state: StoreKind,
    /// What this process knows while the state store is unavailable.
    unsaved: Unsaved,
    /// What this process has done.
    counters: Counters,
    identity: String,
    /// How many passes were begun: each has a name of its own in leases.
    passes: AtomicU64,
    /// The states that the next passes begin with.
    ahead: Mutex<Ahead>,
}

/// Where the state is stored. The file is one for all passes, since they take turns at it.
enum StoreKind {
    File(StateFile),
    Table(aws_sdk_dynamodb::Client, TableName),
}

/// The client that asks Patroni, with the configured certificates.
///
/// # Errors
/// If a certificate or key cannot be used.
pub fn patroni_client(settings: &config::Patroni) -> Result<Rest, OptionsError> {
    Rest::new(&Options {
        connect_timeout: settings.connect_timeout,
        timeout: settings.timeout,
        ca: settings.ca.as_ref().map(|ca| ca.certificates.clone()),
        identity: settings.identity.as_ref().map(|identity| identity.pair.clone()),
        verify_hostname: settings.verify_hostname,
        at_once: members_at_once(),
    })
}

/// Each member takes two open files while it is asked. What is left is for AWS, the state and the rest.
fn members_at_once() -> usize {
    let files = open_files::raise_limit();
    (files.saturating_sub(FILES_FOR_THE_REST) / 2).clamp(8, MEMBERS_AT_ONCE)
}

impl App {
    /// Builds the clients. AWS is not called yet.
    ///
    /// # Errors
    /// If a certificate or key cannot be used.
    pub async fn new(settings: Settings) -> Result<Self, OptionsError> {
        let patroni = Arc::new(patroni_client(&settings.patroni)?);
        let aws = Access::load(&aws::Options {
            // The SDK would look for a Region, at the instance metadata service in the end.
            region: settings.aws.region.as_deref().or((!settings.uses_aws()).then_some(aws::GLOBAL_REGION)),
            endpoint_url: settings.aws.endpoint_url.as_deref(),
            usual_region: settings.region_by_arns(),
            partition: settings.partition_by_arns(),
            has_roles: !settings.roles().is_empty(),
        })
        .await;
        let roles = Arc::new(Roles::of(&settings.clusters));
        let clients = |owner: Owner| {
            let access = owner.as_ref().map_or_else(|| aws.clone(), |role| aws.under(role));
            let clients = Clients::new(&access, &roles.regions(&owner, aws.region()));
            (owner, clients)
        };
        let clients: BTreeMap<Owner, Clients> = roles.owners().into_iter().map(clients).collect();
        let state = match &settings.state.store {
            StateStore::File(path) => StoreKind::File(StateFile::new(path.clone())),
            StateStore::DynamoDb(table) => StoreKind::Table(aws.dynamodb(table.region()), table.clone()),
        };
        let alert_topics: Arc<[AlertTopic]> = settings.alerts.topics.clone().into();
        let regions: BTreeSet<&str> = alert_topics.iter().map(|topic| topic.arn.region()).collect();
        let sns = regions.into_iter().map(|region| (region.to_owned(), aws.sns(region))).collect();
        let heartbeat = settings.alerts.heartbeat.as_ref().map(|url| Heartbeat::new(url.secret()));
        let heartbeat = heartbeat.transpose().map_err(OptionsError::Client)?;
        let counters = Counters::default();
        let limiter = RateLimiter::counting(settings.aws.limit_percent, counters.clone());
        let resolver = Arc::new(SystemResolver::new(settings.patroni.timeout));
        Ok(Self {
            discovery: discovery(&settings, &clients, &limiter, &resolver, aws.region()),
            limiter,
            counters,
            patroni,
            resolver,
            roles,
            clients,
            known: Arc::new(Known::new(availability_zones(&settings.clusters))),
            insync: Insync::new(settings.wait_insync),
            sns: Arc::new(sns),
            alert_topics,
            heartbeat,
            state,
            unsaved: Unsaved::default(),
            identity: identity(),
            passes: AtomicU64::new(1),
            ahead: Mutex::default(),
            aws,
            settings,
        })
    }

    /// The same, with counters that outlive it.
    #[must_use]
    pub fn counting(self, counters: Counters) -> Self {
        let limiter = RateLimiter::counting(self.settings.aws.limit_percent, counters.clone());
        let discovery = discovery(&self.settings, &self.clients, &limiter, &self.resolver, self.aws.region());
        Self { limiter, discovery, counters, ..self }
    }

    /// What is configured.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// One pass over every cluster; `notify` is called for each that is done.
    pub async fn run(&self, mode: Mode, notify: impl Fn(&ClusterReport) + Sync) -> Report {
        let clusters: Vec<&Spec> = self.settings.clusters.iter().collect();
        let passes = self.passes(&clusters, mode, || Some(self.limits()), None, notify).await;
        let clusters = passes.into_iter().flatten().collect();
        Report { version: VERSION, dry_run: mode == Mode::DryRun, clusters }
    }

    /// One pass over each of these, those that have failed over first, within what `limits` says when it begins; `notify` is
    /// called for each, once nothing of it is waited for any longer. `None` where no time was left, by `limits` or because its
    /// turn had not come by `until`.
    ///
    /// # Panics
    /// If one of them does, but not before the others have ended.
    pub async fn passes(
        &self,
        clusters: &[&Spec],
        mode: Mode,
        limits: impl Fn() -> Option<Limits> + Sync,
        until: Option<Instant>,
        notify: impl Fn(&ClusterReport) + Sync,
    ) -> Vec<Option<ClusterReport>> {
        let (limits, notify) = (&limits, &notify);
        let panicked = &Panicked::default();
        let pass = |spec, ports, mut members: Members| {
            if let Some(state) = self.loaded_ahead(spec) {
                members.keep(KnownState::Loaded(state));
            }
            #[expect(clippy::async_yields_async, reason = "what is still to be waited for is returned")]
            let one = async move {
                let Some(limits) = limits() else { return ready(None).boxed() };
                let span = Span::of(limits.pass);
                let settings = self.pass_settings(limits);
                let passing = Box::pin(pass_with(spec, &ports, &settings, mode, &mut members));
                let passed = panicked.catch(passing).await;
                let Some(report) = passed else { return ready(None).boxed() };
                let rest = async move {
                    let report = self.insync.wait(report, || self.ports(), span).await;
                    notify(&report);
                    Some(report)
                };
                rest.boxed()
            };
            one.boxed()
        };
        let passes = fleet(clusters, &|| self.ports(), self.settings.deadline, until, &pass).await;
        panicked.resume();
        passes.into_iter().map(Option::flatten).collect()
    }

    /// How long a pass over every cluster may take: AWS lets only so many requests through, and a few members that hang
    /// are waited for.
    #[must_use]
    pub fn longest_run(&self) -> Duration {
        let Limits { pass, notify } = self.limits();
        let percent = self.settings.aws.limit_percent;
        let turns = time_for(&all(&self.settings.clusters, reads), percent)
            + time_for(&all(&self.settings.clusters, most_writes), percent);
        pass * 2 + notify + Duration::from_millis(turns)
    }

    /// What the configuration allows a pass.
    #[must_use]
    pub fn limits(&self) -> Limits {
        Limits { pass: self.settings.deadline, notify: NOTIFY_WITHIN }
    }

    /// How often the daemon asks AWS where nothing seems to have changed: as configured, or as often as AWS's rate limits permit
    /// for all clusters.
    #[must_use]
    pub fn audit_interval(&self) -> Duration {
        let all = all(&self.settings.clusters, reads);
        let turn = Duration::from_millis(time_for(&all, self.settings.aws.limit_percent));
        // A tenth is left for changes.
        self.settings.watch.audit_interval.max(turn.mul_f64(1.1))
    }

    /// The time from the beginning of one [`status`](Self::status) to that of the next, for a reader that repeats it: as wanted, or
    /// so long that it takes no more than a quarter of the configured share of AWS's rate limits, which other processes need.
    #[must_use]
    pub fn refresh_interval(&self, wanted: Duration) -> Duration {
        const SHARE: u64 = 4;
        let mut needs = all(&self.settings.clusters, reads);
        let records = self.settings.clusters.iter().flat_map(|spec| &spec.records);
        let zones: BTreeSet<_> = records.map(|record| &record.key.place.zone).collect();
        let zones = u32::try_from(zones.len()).unwrap_or(u32::MAX);
        *needs.entry(RateKey::Route53).or_default() += zones;
        wanted.max(Duration::from_millis(time_for(&needs, self.settings.aws.limit_percent) * SHARE))
    }

    /// How every cluster stands; `notify` is called for each that was read.
    pub async fn status(&self, notify: impl Fn(&ClusterStatus) + Sync) -> Status {
        let notify = &notify;
        let observation = |spec, ports, _| {
            #[expect(clippy::async_yields_async, reason = "what is still to be waited for is returned")]
            let one = async move {
                let observation = observe(spec, &ports, Instant::now() + self.settings.deadline).await;
                let status = status(
                    spec,
                    &observation.observed,
                    &observation.state,
                    &observation.verdict,
                    &observation.plan,
                    SystemClock.now(),
                );
                notify(&status);
                ready(status).boxed()
            };
            one.boxed()
        };
        let clusters: Vec<&Spec> = self.settings.clusters.iter().collect();
        let statuses = fleet(&clusters, &|| self.ports(), self.settings.deadline, None, &observation).await;
        let clusters = statuses.into_iter().flatten().collect();
        Status { version: VERSION, at: Utc(SystemClock.now()), clusters }
    }

    /// Accepts the system identifier and timeline that a cluster has now, for the endpoints of this entry.
    ///
    /// # Errors
    /// If no primary can be named, or the state store is unavailable.
    pub async fn adopt(&self, spec: &Spec) -> Result<Adopted, AdoptError> {
        let deadline = Instant::now() + self.settings.deadline;
        adopt(spec, &self.ports(), deadline).await
    }

    /// Follows every entry of a scope until it has a primary and its endpoints point there, or time runs out; none if the
    /// scope is not configured.
    pub async fn follow(&self, scope: &str) -> Vec<ClusterReport> {
        let settings = self.pass_settings(self.limits());
        let follows = self.settings.entries_of_scope(scope).into_iter();
        let follows = follows.map(|spec| follow(spec, || self.ports(), &settings, &self.insync));
        join_all(follows).await
    }

    fn member_ports(&self) -> MemberPorts {
        MemberPorts { patroni: self.patroni.clone(), discovery: self.discovery.clone() }
    }

    /// The ports of a pass, under a name that no other pass has.
    fn ports(&self) -> Ports {
        let calls = Calls::new(self.limiter.clone());
        let (store, history): (Arc<dyn Store>, Arc<dyn History>) = match &self.state {
            StoreKind::File(file) => (Arc::new(file.clone()), Arc::new(file.clone())),
            StoreKind::Table(client, table) => {
                let table = Arc::new(StateTable::new(client.clone(), table.clone(), calls.clone()));
                (table.clone(), table)
            }
        };
        let elbv2 = Arc::new(self.by_role(|clients| clients.elbv2(&self.known, &calls)));
        Ports {
            members: self.member_ports(),
            groups: elbv2.clone(),
            listeners: elbv2,
            zones: Arc::new(self.by_role(|clients| clients.zones(&calls))),
            backends: Arc::new(Haproxy),
            instances: instances(self, &calls),
            resolver: self.resolver.clone(),
            topics: Arc::new(Sns::new(self.sns.clone(), calls.clone())),
            alert_topics: self.alert_topics.clone(),
            store,
            history,
            unsaved: self.unsaved.clone(),
            clock: Arc::new(SystemClock),
            identity: format!("{} pass {}", self.identity, self.passes.fetch_add(1, Ordering::Relaxed)),
            calls,
        }
    }

    /// The newest events of the clusters, for readers; to be called where passes are made.
    #[must_use]
    pub fn recent(&self) -> Recent {
        Recent::new(self.ports().history)
    }

    /// Why nothing could be done at present, by the last calls: AWS refused the process's own credentials, or there are none.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        self.aws.trouble()
    }

    fn by_role<P>(&self, port: impl Fn(&Clients) -> P) -> ByRole<P> {
        let ports = self.clients.iter().map(|(owner, clients)| (owner.clone(), port(clients)));
        ByRole::new(self.roles.clone(), ports)
    }

    /// How passes within these limits are made.
    fn pass_settings(&self, limits: Limits) -> pass::Settings {
        let milliseconds = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let alerts = &self.settings.alerts;
        pass::Settings {
            limit: limits.pass,
            notify_within: limits.notify,
            needs_state: self.settings.state.required,
            alerts: Rules {
                grace_ms: milliseconds(alerts.grace),
                contested_grace_ms: milliseconds(alerts.contested_grace),
                replica_grace_ms: milliseconds(alerts.replica_grace),
                paused_grace_ms: milliseconds(alerts.paused_grace),
                reminder_ms: alerts.reminder.map(milliseconds),
                limits: alerts.limits,
            },
        }
    }
}

/// What all of them need.
fn all(clusters: &[Spec], of_one: fn(&Spec) -> Needs) -> Needs {
    let mut needs = Needs::new();
    for (key, count) in clusters.iter().flat_map(of_one) {
        *needs.entry(key).or_default() += count;
    }
    needs
}

/// The Availability Zones that the configuration gives to target groups.
fn availability_zones(clusters: &[Spec]) -> BTreeMap<GroupArn, String> {
    let groups = clusters.iter().flat_map(|cluster| &cluster.groups);
    groups.filter_map(|group| Some((group.arn.clone(), group.availability_zone.clone()?))).collect()
}

/// Discovery for all clusters.
fn discovery(
    settings: &Settings,
    clients: &BTreeMap<Owner, Clients>,
    limiter: &RateLimiter,
    resolver: &Arc<SystemResolver>,
    region: &str,
) -> Arc<Discovering> {
    let sites = settings.clusters.iter().flat_map(|spec| &spec.sites);
    let sources = sites.filter_map(|site| site.discover.as_ref()).map(|discover| &discover.source);
    let tagged = tagged(clients, &Calls::new(limiter.clone()), region);
    Arc::new(Discovering::new(sources, tagged, resolver.clone(), settings.patroni.timeout))
}

/// Host, process and the time of its start; no other process has all three.
fn identity() -> String {
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    format!("{host} process {} since {}", std::process::id(), SystemClock.now().0)
}

#[cfg(feature = "ec2")]
#[expect(clippy::unnecessary_wraps, reason = "a build without EC2 has none")]
fn instances(app: &App, calls: &Calls) -> Option<Arc<dyn Instances>> {
    Some(Arc::new(app.by_role(|clients| clients.ec2(calls))))
}

/// How instances are found by a tag; `own` is the process's Region.
#[cfg(feature = "ec2")]
#[expect(clippy::unnecessary_wraps, reason = "a build without EC2 has none")]
fn tagged(clients: &BTreeMap<Owner, Clients>, calls: &Calls, own: &str) -> Result<Box<Tagged>, &'static str> {
    let own = own.to_owned();
    let by_owner: BTreeMap<Owner, _> =
        clients.iter().map(|(owner, clients)| (owner.clone(), clients.ec2(calls))).collect();
    Ok(Box::new(move |region, role, key, values| {
        let region = region.unwrap_or_else(|| own.clone());
        let ec2 = by_owner.get(&role).cloned();
        async move {
            let none = || Failure::new(Kind::Invalid, "ec2:DescribeInstances", "*", "no client for its role");
            ec2.ok_or_else(none)?.tagged(&region, &key, &values).await
        }
        .boxed()
    }))
}

#[cfg(not(feature = "ec2"))]
fn tagged(_: &BTreeMap<Owner, Clients>, _: &Calls, _: &str) -> Result<Box<Tagged>, &'static str> {
    Err("this build of repoint has no EC2")
}

#[cfg(not(feature = "ec2"))]
fn instances(_: &App, _: &Calls) -> Option<Arc<dyn Instances>> {
    None
}

//! Reading everything that doctor judges.
//!
//! Each resource is read once, however many clusters share it, and all are read at the same time as far as AWS's rate limits
//! permit. What could not be read is a failure of that fact alone (invariant 2).

mod network;
mod reader;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::FutureExt;
use futures::future::{OptionFuture, join_all};
use tokio::time::Instant;

use super::App;
use crate::adapters::clock::SystemClock;
use crate::adapters::node;
use crate::config::{CallbackMode, StateStore};
use crate::ports::Clock;
use crate::runtime::fleet::fleet;
use crate::runtime::observe::observe;
use reader::Reader;
use repoint_domain::doctor::facts::function::{Function, Schedule};
use repoint_domain::doctor::facts::node::NodeFacts;
use repoint_domain::doctor::facts::table::Table;
use repoint_domain::doctor::facts::topic::TopicFacts;
use repoint_domain::doctor::facts::{ClusterFacts, Configured, Facts};
use repoint_domain::observed::Read;
use repoint_domain::observed::member::members;
use repoint_domain::spec::Spec;
use repoint_domain::values::arn::TopicArn;
use repoint_domain::values::cluster::ApiUrl;
use repoint_domain::values::function::FunctionName;

/// What doctor reads beside the clusters and AWS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DoctorOptions {
    /// What only this machine can say.
    pub local: bool,
    /// What takes a request that is no read.
    pub probe: bool,
}

/// Is called as facts are read: of what, how many have been, and how many there are.
pub trait Notify: Fn(&'static str, usize, usize) + Sync {}

impl<F: Fn(&'static str, usize, usize) + Sync> Notify for F {}

impl App {
    /// Reads everything that doctor judges. It ends when every call has ended: each has a timeout, and waits for its turn within
    /// AWS's rate limits.
    pub async fn doctor(&self, options: DoctorOptions, notify: impl Notify) -> Facts {
        let notify = &notify;
        let reader = Reader::new(self);
        let specs = &self.settings.clusters;
        let (clusters, groups, zones, triggers, table, node) = tokio::join!(
            self.clusters(options, notify).boxed(),
            reader.groups(specs, notify).boxed(),
            reader.zones(specs, notify).boxed(),
            self.triggers(&reader, notify).boxed(),
            self.table(&reader).boxed(),
            self.node(options).boxed(),
        );
        let mut facts = Facts {
            at: SystemClock.now(),
            configured: self.configured(),
            clusters,
            groups: groups.by_arn,
            balancers: groups.balancers,
            balancer_names: groups.balancer_names,
            zones,
            topics: triggers.topics,
            functions: triggers.functions,
            schedules: triggers.schedules,
            table,
            node,
            ..Facts::default()
        };
        let (networks, health_checks) = tokio::join!(
            reader.networks(&facts, notify).boxed(),
            reader.health_checks(&facts.clusters, notify).boxed()
        );
        (facts.networks, facts.health_checks) = (networks, health_checks);
        facts
    }

    fn configured(&self) -> Configured {
        let settings = &self.settings;
        Configured {
            deadline_ms: u64::try_from(settings.deadline.as_millis()).unwrap_or(u64::MAX),
            alert_topics: settings.alerts.topics.iter().map(|topic| topic.arn.clone()).collect(),
            callback_topic: self.callback_topic().cloned(),
            table: match &settings.state.store {
                StateStore::DynamoDb(table) => Some(table.to_string()),
                StateStore::File(_) => None,
            },
            function: settings.lambda.function.clone(),
            schedule_group: settings.lambda.schedule_group.clone(),
        }
    }

    fn callback_topic(&self) -> Option<&TopicArn> {
        match &self.settings.callback.mode {
            CallbackMode::Sns(topic) => Some(topic),
            CallbackMode::Daemon | CallbackMode::Detached => None,
        }
    }

    /// What a pass over each cluster would observe and decide, and what members say beyond that.
    async fn clusters(&self, options: DoctorOptions, notify: &impl Notify) -> Vec<ClusterFacts> {
        let clusters: Vec<&Spec> = self.settings.clusters.iter().collect();
        let (done, all) = (&AtomicUsize::new(0), clusters.len());
        let one = |spec, ports, _| {
            #[expect(clippy::async_yields_async, reason = "what is still to be waited for is returned")]
            let one = async move {
                let observation = observe(spec, &ports, Instant::now() + self.settings.deadline).await;
                let mut facts = ClusterFacts {
                    spec: Spec::clone(spec),
                    observed: observation.observed,
                    verdict: observation.verdict,
                    plan: observation.plan,
                    state: observation.state,
                    config: BTreeMap::new(),
                    members: BTreeMap::new(),
                };
                let rest = async move {
                    self.members(&mut facts, options).await;
                    notify("clusters", done.fetch_add(1, Ordering::Relaxed) + 1, all);
                    facts
                };
                rest.boxed()
            };
            one.boxed()
        };
        let facts = fleet(&clusters, &|| self.ports(), self.settings.deadline, None, &one).await;
        facts.into_iter().flatten().collect()
    }

    /// What members say beyond what a pass reads. A member with several URLs is asked once.
    async fn members(&self, facts: &mut ClusterFacts, options: DoctorOptions) {
        for site in &facts.spec.sites {
            let members = members(facts.observed.answers_of(site.name.as_ref()));
            let urls: Vec<&ApiUrl> = members.iter().filter_map(|member| member.urls().next()).collect();
            let readable = members.iter().find(|member| member.is_readable());
            // All of them have it from the DCS.
            let one = readable.and_then(|member| member.urls().next()).or(urls.first().copied());
            let asked = urls.iter().map(|url| async move {
                let its = self.patroni.inspect(url, Some(*url) == one, options.probe).await;
                ((site.name.clone(), (*url).clone()), its)
            });
            let config = OptionFuture::from(one.map(|url| self.patroni.config(url)));
            let (asked, config) = tokio::join!(join_all(asked), config);
            facts.members.extend(asked);
            facts.config.extend(config.map(|config| (site.name.clone(), config)));
        }
    }

    /// What only this machine can say.
    async fn node(&self, options: DoctorOptions) -> Option<NodeFacts> {
        let socket = match &self.settings.callback.mode {
            CallbackMode::Daemon => Some(self.settings.watch.socket.as_path()),
            CallbackMode::Sns(_) | CallbackMode::Detached => None,
        };
        let has_backends = self.settings.clusters.iter().any(|spec| !spec.backends.is_empty());
        if options.local { Some(node::read(Path::new("/"), socket, has_backends).await) } else { None }
    }

    /// The topics, the schedules, and the functions: those that they call, and the configured one.
    async fn triggers(&self, reader: &Reader<'_>, notify: &impl Notify) -> Triggers {
        let callback = self.callback_topic();
        let topics: BTreeSet<&TopicArn> =
            self.settings.alerts.topics.iter().map(|topic| &topic.arn).chain(callback).collect();
        let topics = topics.into_iter().map(|arn| async move {
            let its = reader.own(arn.region()).topic(arn, Some(arn) == callback).await;
            (arn.clone(), its)
        });
        let (topics, schedules) = tokio::join!(every("topics", notify, topics), self.schedules(reader));
        let topics: BTreeMap<_, _> = topics.into_iter().collect();
        let functions = functions(&topics, schedules.as_ref(), self.settings.lambda.function.as_ref());
        let functions = functions.into_iter().map(|name| async move {
            let region = name.region().unwrap_or(reader.own_region());
            let its = reader.own(region).function(&name).await;
            (name, its)
        });
        let functions = every("functions", notify, functions).await.into_iter().collect();
        Triggers { topics, schedules, functions }
    }

    async fn schedules(&self, reader: &Reader<'_>) -> Option<Read<Vec<Schedule>>> {
        let group = self.settings.lambda.schedule_group.as_ref()?;
        Some(reader.own(reader.own_region()).schedules(group).await)
    }

    async fn table(&self, reader: &Reader<'_>) -> Option<Read<Table>> {
        match &self.settings.state.store {
            StateStore::DynamoDb(table) => {
                let region = table.region().unwrap_or_else(|| reader.own_region());
                Some(reader.own(region).table(table).await)
            }
            StateStore::File(_) => None,
        }
    }
}

/// What calls the Lambda, and what is called.
struct Triggers {
    topics: BTreeMap<TopicArn, TopicFacts>,
    schedules: Option<Read<Vec<Schedule>>>,
    functions: BTreeMap<FunctionName, Function>,
}

/// The functions that are called, each as it is called: failed invocations of an alias go where the alias says. The configured
/// one, unless it is among them.
fn functions(
    topics: &BTreeMap<TopicArn, TopicFacts>,
    schedules: Option<&Read<Vec<Schedule>>>,
    configured: Option<&FunctionName>,
) -> BTreeSet<FunctionName> {
    let subscriptions =
        topics.values().filter_map(|topic| topic.subscriptions.as_ref()?.as_ref().ok()).flatten();
    let subscribed = subscriptions.map(|subscription| &subscription.endpoint);
    let targets = schedules.into_iter().flatten().flatten().map(|schedule| &schedule.target);
    let called = subscribed.chain(targets).filter_map(|arn| FunctionName::parse(arn).ok());
    let mut functions: BTreeSet<_> = called.filter(|function| function.region().is_some()).collect();
    if let Some(configured) = configured {
        let is_it = |known: &FunctionName| {
            known.name() == configured.name()
                && (configured.region().is_none() || known.region() == configured.region())
        };
        if !functions.iter().any(is_it) {
            functions.insert(configured.clone());
        }
    }
    functions
}

/// Reads all of these at the same time.
async fn every<T, F: Future<Output = T> + Send>(
    what: &'static str,
    notify: &impl Notify,
    reads: impl IntoIterator<Item = F>,
) -> Vec<T> {
    let reads: Vec<F> = reads.into_iter().collect();
    let (done, all) = (&AtomicUsize::new(0), reads.len());
    let counted = reads.into_iter().map(|read| async move {
        let read = read.await;
        notify(what, done.fetch_add(1, Ordering::Relaxed) + 1, all);
        read
    });
    join_all(counted).await
}

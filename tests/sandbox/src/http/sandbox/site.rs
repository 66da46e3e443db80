//! What is behind the sockets: a cluster, an account, and what happened to them.
//!
//! It is always at the current time for its user; every event is sent once.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::sync::broadcast;

use super::setup::Setup;
use super::write::{Action, Write, signer};
use crate::Millis;
use crate::aws::elbv2::health::Probe;
use crate::aws::elbv2::listener::Forward;
use crate::aws::error::AwsError;
use crate::aws::iam::Iam;
use crate::aws::log::Ending;
use crate::aws::route53::record::{Answer, RecordSet};
use crate::aws::sns::Published;
use crate::aws::throttle::{Bucket, Rate, Throttle};
use crate::aws::{Account, wire};
use crate::http::exchange::{Reply, Request};
use crate::http::faults::{Effect, Faults};
use crate::patroni::{Cluster, Event, MemberId};
use crate::transport::{NAME, PORT, Resources};

/// All that asks through the sockets is one observer to the cluster.
pub const OBSERVER: usize = 0;

/// A request that came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// When.
    pub at: Millis,
    /// `aws`, or the member's name.
    pub whom: String,
    /// e.g. `RegisterTargets`, or `GET /primary`.
    pub action: String,
    /// The access key id that signed it; empty for a member.
    pub by: String,
}

/// Something that happened.
#[derive(Clone, Debug)]
pub enum News {
    /// In the cluster.
    Cluster(Event),
    /// A request came in, and is answered next.
    Asked(Asked),
    /// A write of targets or records reached AWS.
    Wrote(Write),
    /// A message was published to the topic.
    Published(Published),
}

/// Everything there is.
pub struct Site {
    /// The time to give to the models.
    pub now: Millis,
    /// The Patroni cluster.
    pub cluster: Cluster,
    /// The AWS account.
    pub account: Account,
    /// Other accounts.
    pub others: Vec<Account>,
    /// The access keys and roles of all accounts.
    pub iam: Iam,
    /// What the operators have in it.
    pub resources: Resources,
    /// What happens to requests to members, by service `patroni`, action e.g. `GET /primary`, and name.
    pub member_faults: Faults,
    /// What happens to requests to AWS, by service and action.
    pub aws_faults: Faults,
    pub(super) alert_grace: u32,
    /// How the sandbox began: for what is put back.
    usual: Throttle,
    events: Vec<Event>,
    writes: Vec<Write>,
    published: usize,
    news: broadcast::Sender<News>,
}

impl Site {
    pub(super) fn new(
        setup: Setup,
        addresses: &[SocketAddr],
        news: broadcast::Sender<News>,
    ) -> Result<Self, AwsError> {
        let specs = setup.specs(addresses);
        let cluster = Cluster::new(&setup.scope, setup.system_id, setup.timeline, setup.patroni, specs, 0);
        let mut account = Account::new(&Account::default().id, &setup.region);
        account.settings = setup.aws;
        let resources = Resources::new(&mut account, &cluster, setup.shape)?;
        let balancer = account.create_load_balancer(0, "writers", "internal")?;
        let forward = Forward { group: resources.ip_group.clone(), weight: None };
        account.create_listener(0, &balancer.arn, "TCP", PORT, vec![forward])?;
        account.drain_calls();
        Ok(Self {
            now: 0,
            cluster,
            others: Vec::new(),
            iam: Iam::default(),
            resources,
            member_faults: Faults::default(),
            aws_faults: Faults::default(),
            alert_grace: setup.alert_grace,
            usual: account.throttle.clone(),
            account,
            events: Vec::new(),
            writes: Vec::new(),
            published: 0,
            news,
        })
    }

    pub(super) fn subscribe(&self) -> broadcast::Receiver<News> {
        self.news.subscribe()
    }

    /// Advances both models to `now`.
    pub(super) fn advance(&mut self, now: Millis) {
        self.now = self.now.max(now);
        self.cluster.advance(self.now);
        let Self { cluster, account, now, .. } = self;
        account.advance(*now, &mut |probe| passes(cluster, *now, probe));
        self.send_news();
    }

    /// Sends what has happened since the last time.
    pub(super) fn send_news(&mut self) {
        for event in self.cluster.take_events() {
            self.events.push(event.clone());
            self.send(News::Cluster(event));
        }
        let published = self.account.published(&self.resources.topic)[self.published..].to_vec();
        self.published += published.len();
        for message in published {
            self.send(News::Published(message));
        }
    }

    /// There may be no receiver.
    fn send(&self, news: News) {
        drop(self.news.send(news));
    }

    /// What happened in the cluster so far.
    #[must_use]
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// The writes of targets and records so far.
    #[must_use]
    pub fn writes(&self) -> &[Write] {
        &self.writes
    }

    /// What was published to the topic so far.
    #[must_use]
    pub fn messages(&self) -> &[Published] {
        self.account.published(&self.resources.topic)
    }

    /// The name of a member.
    #[must_use]
    pub fn name(&self, member: MemberId) -> &str {
        &self.cluster.spec(member).name
    }

    /// The member with that address of PostgreSQL.
    #[must_use]
    pub fn member_at(&self, host: &str) -> Option<MemberId> {
        self.cluster.ids().find(|id| *self.cluster.spec(*id).postgres.0 == *host)
    }

    /// The addresses in the target group that are not on their way out.
    #[must_use]
    pub fn targets(&self) -> Vec<String> {
        let targets = self.account.registered(&self.resources.ip_group);
        targets.into_iter().map(|target| target.id).collect()
    }

    /// The addresses that the load balancer would send a new connection to.
    #[must_use]
    pub fn routes(&self) -> Vec<String> {
        let targets = self.account.routes(&self.resources.ip_group, self.now);
        targets.into_iter().map(|target| target.id).collect()
    }

    /// The record sets of [`NAME`] as they were last changed.
    #[must_use]
    pub fn records(&self) -> Vec<RecordSet> {
        let mut sets = self.account.record_sets(&self.resources.zone);
        sets.retain(|set| set.key.name.as_str().trim_end_matches('.') == NAME);
        sets
    }

    /// What the record sets of [`NAME`] point at, by their identifiers.
    #[must_use]
    pub fn values(&self) -> BTreeMap<String, Vec<String>> {
        let values = |answer: Answer| match answer {
            Answer::Values { values, .. } => values,
            Answer::Alias(alias) => vec![alias.name],
        };
        let sets = self.records().into_iter();
        sets.map(|set| (set.key.set_identifier.unwrap_or_default(), values(set.answer))).collect()
    }

    /// What a client gets that asks DNS for [`NAME`].
    #[must_use]
    pub fn resolved(&self) -> Vec<String> {
        self.account.resolve(self.now, &self.resources.zone, NAME, "A")
    }

    /// From now on AWS refuses every call for its rate.
    pub fn throttle(&mut self) {
        for bucket in
            [Bucket::ElbRead, Bucket::ElbWrite, Bucket::Route53, Bucket::Ec2, Bucket::Sns, Bucket::DynamoDb]
        {
            self.account.throttle.set(bucket, Some(Rate { burst: 0, per_second: 0 }));
        }
    }

    /// AWS is well again: no throttling, no faults, nothing denied.
    pub fn heal_aws(&mut self) {
        self.account.throttle = self.usual.clone();
        self.account.faults.clear();
        self.account.denials.clear();
        self.aws_faults.clear();
    }

    /// A request to a member's REST API.
    pub(super) fn ask_member(&mut self, member: MemberId, request: &Request) -> (Duration, Reply) {
        let name = self.name(member).to_owned();
        let action = format!("{} {}", request.method, request.path);
        self.asked(&name, &action, "");
        let effects = self.member_faults.meet("patroni", &action, &name);
        self.under(&effects, |site| site.cluster.answer(site.now, member, &request.path, OBSERVER))
    }

    /// A request to AWS.
    pub fn ask_aws(&mut self, request: &Request) -> (Duration, Reply) {
        let (service, action) = wire::action(request).unwrap_or_default();
        let by = signer(request);
        self.asked("aws", &action, &by);
        let effects = self.aws_faults.meet(service, &action, "");
        let loses = effects.iter().any(|effect| matches!(effect, Effect::LoseAnswer(_)));
        self.under(&effects, |site| {
            let (reply, ending) = site.as_caller(&by, service, request);
            if let (Some(action), Some(ending)) = (Action::of(&action, request), ending) {
                let ending = if loses { lost(ending) } else { ending };
                let agent = request.headers.get("user-agent").cloned().unwrap_or_default();
                let write = Write { at: site.now, by, agent, action, ending };
                site.writes.push(write.clone());
                site.send(News::Wrote(write));
            }
            reply
        })
    }

    /// Answers as the caller that has signed, in its account.
    fn as_caller(&mut self, by: &str, service: &str, request: &Request) -> (Reply, Option<Ending>) {
        let caller = match self.iam.caller(by, service) {
            Ok(caller) => caller,
            Err(error) => return (wire::refuse(&mut self.account, request, &error), None),
        };
        let zone = wire::zone(request);
        let is_somewhere = zone.is_some_and(|zone| {
            self.account.owns_zone(zone) || self.others.iter().any(|account| account.owns_zone(zone))
        });
        let is_its = |account: &Account| account.id == caller.account;
        let account = match self.others.iter_mut().find(|account| is_its(account)) {
            Some(other) => other,
            None => &mut self.account,
        };
        account.caller = Some(caller.clone());
        let before = account.calls().len();
        let assumed = wire::assume_role(&mut self.iam, &caller, account, request);
        let is_foreign = is_somewhere && zone.is_some_and(|zone| !account.owns_zone(zone));
        let reply = match assumed {
            Some(reply) => reply,
            None if is_foreign => wire::foreign_zone(account, request),
            None => wire::answer(account, self.now, request),
        };
        account.caller = None;
        let ending = account.calls().get(before).map(|call| call.ending.clone());
        (reply, ending)
    }

    fn asked(&self, whom: &str, action: &str, by: &str) {
        let (whom, action, by) = (whom.to_owned(), action.to_owned(), by.to_owned());
        self.send(News::Asked(Asked { at: self.now, whom, action, by }));
    }

    /// Answers under faults.
    fn under(&mut self, effects: &[Effect], answer: impl FnOnce(&mut Self) -> Reply) -> (Duration, Reply) {
        let late = effects.iter().find_map(|effect| match effect {
            Effect::Latency(late) => Some(*late),
            _ => None,
        });
        let instead = effects.iter().find_map(|effect| match effect {
            Effect::Answer(reply) => Some(reply.clone()),
            _ => None,
        });
        let reply = instead.unwrap_or_else(|| {
            let reply = answer(self);
            let lost = effects.iter().find_map(|effect| match effect {
                Effect::LoseAnswer(reply) => Some(reply.clone()),
                _ => None,
            });
            lost.unwrap_or(reply)
        });
        (late.unwrap_or_default(), reply)
    }
}

fn lost(ending: Ending) -> Ending {
    match ending {
        Ending::Done => Ending::AnswerLost(None),
        Ending::Refused(code) => Ending::AnswerLost(Some(code)),
        other => other,
    }
}

/// A TCP check finds PostgreSQL; an HTTP check asks Patroni.
fn passes(cluster: &Cluster, now: Millis, probe: &Probe<'_>) -> bool {
    let member = cluster.ids().find(|id| *cluster.spec(*id).postgres.0 == *probe.target.id);
    member.is_some_and(|member| match probe.path {
        None => cluster.runs_postgres(member),
        Some(path) => {
            matches!(cluster.answer(now, member, path, OBSERVER), Reply::Full { status: 200, .. })
        }
    })
}

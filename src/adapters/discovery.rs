//! Where members may be: EC2 instances by their tags, and DNS.
//!
//! All clusters of a process share one answer for each Region, role and key of a tag, and one for each name.

mod shared;
#[cfg(feature = "srv")]
pub mod srv;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::FutureExt;
use futures::future::{BoxFuture, ready};

use self::shared::Answers;
#[cfg(feature = "srv")]
use self::srv::lookup as services;
use crate::ports::{Discovery, Resolver};
use repoint_domain::observed::Read;
use repoint_domain::spec::{Discover, Source};
use repoint_domain::values::assume::AssumedRole;
use repoint_domain::values::cluster::{Address, ApiUrl};
use repoint_domain::values::failure::{Failure, Kind};

const INSTANCES: &str = "ec2:DescribeInstances";

/// Where something was found: a host, and the port where it has one of its own.
type Places = BTreeSet<(String, Option<u16>)>;

/// What is asked for several clusters at once.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Question {
    /// The instances with a tag of that key.
    Instances { key: String, region: Option<String>, role: Option<AssumedRole> },
    /// The addresses of a name.
    Addresses(String),
    /// The SRV records of a name.
    Service(String),
}

impl From<&Source> for Question {
    fn from(source: &Source) -> Self {
        match source {
            Source::Instances { tag, region, assume } => {
                Self::Instances { key: tag.key.clone(), region: region.clone(), role: assume.clone() }
            }
            Source::Addresses(name) => Self::Addresses(name.clone()),
            Source::Service(name) => Self::Service(name.clone()),
        }
    }
}

/// How a question is answered: by what is looked for, a tag's value or the name.
type Found = BTreeMap<String, Places>;

/// What finds instances by a tag: in a Region, under a role, the key, and the values.
pub type Tagged = dyn Fn(
        Option<String>,
        Option<AssumedRole>,
        String,
        BTreeSet<String>,
    ) -> BoxFuture<'static, Read<BTreeMap<String, BTreeSet<std::net::IpAddr>>>>
    + Send
    + Sync;

/// Discovery for all clusters of a process.
pub struct Discovering {
    /// The values of each tag's key, of all clusters.
    values: BTreeMap<Question, BTreeSet<String>>,
    /// Or why none are looked up.
    instances: Result<Box<Tagged>, &'static str>,
    resolver: Arc<dyn Resolver>,
    /// The timeout of one DNS request.
    timeout: Duration,
    answers: Answers<Question, Found>,
}

impl Discovering {
    /// For these sources.
    #[must_use]
    pub fn new<'a>(
        sources: impl IntoIterator<Item = &'a Source>,
        instances: Result<Box<Tagged>, &'static str>,
        resolver: Arc<dyn Resolver>,
        timeout: Duration,
    ) -> Self {
        let mut values: BTreeMap<Question, BTreeSet<String>> = BTreeMap::new();
        for source in sources {
            if let Source::Instances { tag, .. } = source {
                values.entry(source.into()).or_default().insert(tag.value.clone());
            }
        }
        Self { values, instances, resolver, timeout, answers: Answers::default() }
    }

    fn ask(&self, question: &Question) -> BoxFuture<'static, Read<Found>> {
        match question {
            Question::Instances { key, region, role } => {
                let instances = match &self.instances {
                    Ok(instances) => instances,
                    Err(why) => return ready(Err(Failure::new(Kind::Invalid, INSTANCES, "*", *why))).boxed(),
                };
                let values = self.values.get(question).cloned().unwrap_or_default();
                let found = instances(region.clone(), role.clone(), key.clone(), values);
                async move {
                    let places = |addresses: BTreeSet<std::net::IpAddr>| {
                        addresses.into_iter().map(|address| (address.to_string(), None)).collect()
                    };
                    Ok(found.await?.into_iter().map(|(value, found)| (value, places(found))).collect())
                }
                .boxed()
            }
            Question::Addresses(name) => {
                let (resolver, name) = (self.resolver.clone(), name.clone());
                async move {
                    let addresses = resolver.resolve(&name).await?.into_iter();
                    let places = addresses.map(|address| (address.to_string(), None)).collect();
                    Ok(Found::from([(name, places)]))
                }
                .boxed()
            }
            Question::Service(name) => {
                let (name, timeout) = (name.clone(), self.timeout);
                async move {
                    let services = services(&name, timeout).await?.into_iter();
                    let places = services.map(|(host, port)| (host, Some(port))).collect();
                    Ok(Found::from([(name, places)]))
                }
                .boxed()
            }
        }
    }
}

#[async_trait]
impl Discovery for Discovering {
    async fn seeds(&self, discover: &Discover) -> Read<BTreeSet<ApiUrl>> {
        let Discover { source, port, is_https } = discover;
        let question = Question::from(source);
        let found = self.answers.get(question.clone(), || self.ask(&question)).await;
        let found = found.map_err(|failure| Failure { resource: source.to_string(), ..failure })?;
        let (wanted, call, nothing) = match source {
            Source::Instances { tag, .. } => (&tag.value, INSTANCES, "none is running"),
            Source::Addresses(name) | Source::Service(name) => (name, "DNS", "it has no hosts"),
        };
        let scheme = if *is_https { "https" } else { "http" };
        let url = |(host, own): &(String, Option<u16>)| {
            let address = Address { host: host.clone(), port: own.unwrap_or(*port) };
            ApiUrl::parse(&format!("{scheme}://{address}")).ok()
        };
        let seeds: BTreeSet<ApiUrl> = found.get(wanted).into_iter().flatten().filter_map(url).collect();
        if seeds.is_empty() {
            return Err(Failure::new(Kind::NotFound, call, source.to_string(), nothing));
        }
        Ok(seeds)
    }
}

/// A build without it refuses such a configuration.
#[cfg(not(feature = "srv"))]
#[expect(clippy::unused_async, reason = "as in a build with it")]
async fn services(name: &str, _: Duration) -> Read<Vec<(String, u16)>> {
    Err(Failure::new(Kind::Invalid, "DNS", name, "this build of repoint has no SRV records"))
}

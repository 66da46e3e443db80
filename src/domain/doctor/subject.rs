//! What a check is asked about: one thing of a cluster, with the cluster and all facts around it.

use super::check::NotChecked;
use super::facts::attributes::Attributes;
use super::facts::balancer::{BalancerDescription, BalancerFacts, ListenerFacts};
use super::facts::function::{self, FunctionConfiguration};
use super::facts::group::{GroupDescription, GroupFacts, TargetState};
use super::facts::network::Network;
use super::facts::node::{NodeFacts, PatroniYml};
use super::facts::patroni::{ClusterExtra, Health, ListedMember, MemberFacts, PatroniConfig};
use super::facts::record::HealthCheck;
use super::facts::topic::{Subscription, TopicFacts};
use super::facts::{ClusterFacts, Facts, Place};
use crate::observed::{MemberAnswer, Read};
use crate::spec::{self, GroupSpec, RecordSpec, Spec};
use crate::values::arn::TopicArn;
use crate::values::cluster::{ApiUrl, MemberName};
use crate::values::function::FunctionName;
use crate::values::host::is_loopback;
use crate::values::primary::label;
use crate::values::record::{Alias, RecordSet};

/// A cluster.
#[derive(Clone, Copy)]
pub struct Cluster<'a> {
    /// Everything that was read.
    pub facts: &'a Facts,
    /// What was read of it.
    pub its: &'a ClusterFacts,
}

impl<'a> Cluster<'a> {
    /// What is configured.
    #[must_use]
    pub fn spec(&self) -> &'a Spec {
        &self.its.spec
    }

    /// Its sites.
    pub fn sites(self) -> impl Iterator<Item = Site<'a>> {
        self.its.spec.sites.iter().map(move |spec| Site { cluster: self, spec })
    }

    /// Its target groups.
    pub fn groups(self) -> impl Iterator<Item = Group<'a>> {
        self.its.spec.groups.iter().map(move |spec| Group { cluster: self, spec })
    }

    /// Its record sets.
    pub fn records(self) -> impl Iterator<Item = Record<'a>> {
        self.its.spec.records.iter().map(move |spec| Record { cluster: self, spec })
    }
}

/// A site of a cluster: one Patroni cluster.
#[derive(Clone, Copy)]
pub struct Site<'a> {
    /// Of which cluster.
    pub cluster: Cluster<'a>,
    /// What is configured.
    pub spec: &'a spec::Site,
}

impl<'a> Site<'a> {
    /// What a reader calls it.
    #[must_use]
    pub fn name(&self) -> String {
        self.spec
            .name
            .as_ref()
            .map_or_else(|| format!("Patroni cluster {}", self.spec.scope), |name| format!("site {name}"))
    }

    /// What `GET /config` says.
    ///
    /// # Errors
    /// If it could not be read.
    pub fn config(&self) -> Result<&'a PatroniConfig, NotChecked> {
        known(self.cluster.its.config.get(&self.spec.name))
    }

    /// Its target groups.
    pub fn groups(self) -> impl Iterator<Item = Group<'a>> {
        self.cluster.groups().filter(move |group| group.spec.site == self.spec.name)
    }

    /// Its load balancer, where records lead there.
    #[must_use]
    pub fn alias(&self) -> Option<&'a Alias> {
        let is_used = self.cluster.records().any(|record| record.spec.points_to.is_alias());
        self.spec.alias.as_ref().filter(|_| is_used)
    }

    /// `GET /cluster` of the leader, or else of the first member that could be read.
    ///
    /// # Errors
    /// If no member's could be read.
    pub fn view(self) -> Result<&'a ClusterExtra, NotChecked> {
        let is_leaders = |member: &Member<'a>| {
            let leads = |listed: &ListedMember| {
                listed.leads() && member.member_name().is_some_and(|name| name.as_str() == listed.name)
            };
            member.view().is_ok_and(|view| view.members.iter().any(leads))
        };
        let of_leader = self.members().find(is_leaders);
        let any =
            || self.members().find(|member| member.its.cluster.is_ok()).or_else(|| self.members().next());
        of_leader.or_else(any).map_or_else(|| known(None), |member| member.view())
    }

    /// Whether it is meant to have one member, and so no failover: no more are configured, listed or remembered.
    #[must_use]
    pub fn is_single(self) -> bool {
        let state = self.cluster.its.state.as_ref().ok();
        let known = state.and_then(|state| match &self.spec.name {
            Some(name) => state.members_of_sites.get(name),
            None => Some(&state.members),
        });
        self.spec.members.len() < 2
            && known.is_none_or(|known| known.len() < 2)
            && self.view().is_ok_and(|view| view.members.len() < 2)
    }

    /// Whether the configuration itself names its members by loopback addresses, as a cluster on one machine does.
    #[must_use]
    pub fn is_local(&self) -> bool {
        self.spec.members.iter().any(|url| url.host().parse().is_ok_and(is_loopback))
    }

    /// Its members that were asked.
    pub fn members(self) -> impl Iterator<Item = Member<'a>> {
        let members = self.cluster.its.members.iter().filter(move |((site, _), _)| *site == self.spec.name);
        members.map(move |((_, url), its)| Member { site: self, url, its })
    }
}

/// A member that was asked.
#[derive(Clone, Copy)]
pub struct Member<'a> {
    /// Of which site.
    pub site: Site<'a>,
    /// Its REST API.
    pub url: &'a ApiUrl,
    /// What it says beyond what a pass reads.
    pub its: &'a MemberFacts,
}

impl<'a> Member<'a> {
    /// What a pass has read of it.
    #[must_use]
    pub fn answer(&self) -> Option<&'a MemberAnswer> {
        self.site.cluster.its.observed.answers_of(self.site.spec.name.as_ref()).get(self.url)
    }

    /// Its name, where it has said it.
    #[must_use]
    pub fn member_name(&self) -> Option<&'a MemberName> {
        self.answer().and_then(|answer| answer.status.as_ref().ok()?.name.as_ref())
    }

    /// What a reader calls it: by its name, or by its URL.
    #[must_use]
    pub fn name(&self) -> String {
        let name = self.member_name().map_or_else(|| self.url.to_string(), ToString::to_string);
        format!("member {}", label(self.site.spec.name.as_ref(), &name))
    }

    /// Its own JSON.
    ///
    /// # Errors
    /// If it could not be read.
    pub fn health(&self) -> Result<&'a Health, NotChecked> {
        known(Some(&self.its.health))
    }

    /// What its `GET /cluster` says.
    ///
    /// # Errors
    /// If it could not be read.
    pub fn view(&self) -> Result<&'a ClusterExtra, NotChecked> {
        known(Some(&self.its.cluster))
    }
}

/// Client IP preservation: on for instances and off for addresses unless set (Elastic Load Balancing API,
/// `TargetGroupAttribute`).
pub const KEEPS_CLIENT_ADDRESS: &str = "preserve_client_ip.enabled";

/// A target group.
#[derive(Clone, Copy)]
pub struct Group<'a> {
    /// Of which cluster.
    pub cluster: Cluster<'a>,
    /// What is configured.
    pub spec: &'a GroupSpec,
}

impl<'a> Group<'a> {
    fn its(&self) -> Option<&'a GroupFacts> {
        self.cluster.facts.groups.get(&self.spec.arn)
    }

    /// What it is.
    ///
    /// # Errors
    /// If it could not be read.
    pub fn description(&self) -> Result<&'a GroupDescription, NotChecked> {
        known(self.its().map(|its| &its.group))
    }

    /// Its attributes.
    ///
    /// # Errors
    /// If they could not be read.
    pub fn attributes(&self) -> Result<&'a Attributes, NotChecked> {
        known(self.its().map(|its| &its.attributes))
    }

    /// Its targets.
    ///
    /// # Errors
    /// If they could not be read.
    pub fn targets(&self) -> Result<&'a [TargetState], NotChecked> {
        known(self.its().map(|its| &its.targets)).map(Vec::as_slice)
    }

    /// The sites whose members may be in it.
    pub fn sites(self) -> impl Iterator<Item = Site<'a>> {
        let its = self.spec.site.as_ref();
        self.cluster.sites().filter(move |site| its.is_none() || site.spec.name.as_ref() == its)
    }

    /// Whether its targets listen on another port than PostgreSQL, as those of a pooler do.
    #[must_use]
    pub fn has_own_port(&self) -> bool {
        let has_port = |site: Site<'_>| site.spec.addresses.values().any(|reached| reached.port.is_some());
        self.spec.port.is_some() || self.sites().any(has_port)
    }

    /// Whether its targets see the addresses of clients instead of the load balancer's.
    ///
    /// # Errors
    /// If the group or its attributes could not be read.
    pub fn keeps_client_address(&self) -> Result<bool, NotChecked> {
        let is_default = self.description()?.target_type == "instance";
        Ok(self.attributes()?.is_on(KEEPS_CLIENT_ADDRESS).unwrap_or(is_default))
    }

    /// Where it is.
    #[must_use]
    pub fn place(&self) -> Place {
        let role = self.spec.assume.as_ref().map(|role| role.arn.clone());
        Place { region: self.spec.arn.region().to_owned(), role }
    }

    /// The networks where it is.
    #[must_use]
    pub fn network(&self) -> Option<&'a Network> {
        self.cluster.facts.networks.get(&self.place())
    }

    /// The load balancers that forward to it.
    ///
    /// # Errors
    /// If the group could not be read.
    pub fn balancers(self) -> Result<impl Iterator<Item = Balancer<'a>>, NotChecked> {
        Ok(self.description()?.balancers.iter().map(move |arn| Balancer { group: self, arn }))
    }
}

/// A load balancer that forwards to a configured target group.
#[derive(Clone, Copy)]
pub struct Balancer<'a> {
    /// To which group.
    pub group: Group<'a>,
    /// Its ARN.
    pub arn: &'a str,
}

impl<'a> Balancer<'a> {
    fn its(&self) -> Option<&'a BalancerFacts> {
        self.group.cluster.facts.balancers.get(self.arn)
    }

    /// What a reader calls it.
    #[must_use]
    pub fn name(&self) -> &'a str {
        self.arn.split('/').nth(2).unwrap_or(self.arn)
    }

    /// What it is.
    ///
    /// # Errors
    /// If it could not be read.
    pub fn description(&self) -> Result<&'a BalancerDescription, NotChecked> {
        known(self.its().map(|its| &its.balancer))
    }

    /// Its attributes.
    ///
    /// # Errors
    /// If they could not be read.
    pub fn attributes(&self) -> Result<&'a Attributes, NotChecked> {
        known(self.its().map(|its| &its.attributes))
    }

    /// Its listeners that forward to the group.
    ///
    /// # Errors
    /// If they could not be read.
    pub fn listeners(self) -> Result<impl Iterator<Item = Listener<'a>>, NotChecked> {
        let listeners = known(self.its().map(|its| &its.listeners))?;
        let group = self.group.spec.arn.as_str();
        let its = listeners.iter().filter(move |its| its.groups.iter().any(|arn| arn == group));
        Ok(its.map(move |its| Listener { balancer: self, its }))
    }
}

/// A listener that forwards to a configured target group.
#[derive(Clone, Copy)]
pub struct Listener<'a> {
    /// Of which load balancer.
    pub balancer: Balancer<'a>,
    /// What was read of it.
    pub its: &'a ListenerFacts,
}

impl<'a> Listener<'a> {
    /// Its attributes.
    ///
    /// # Errors
    /// If they could not be read.
    pub fn attributes(&self) -> Result<&'a Attributes, NotChecked> {
        known(Some(&self.its.attributes))
    }
}

/// A record set.
#[derive(Clone, Copy)]
pub struct Record<'a> {
    /// Of which cluster.
    pub cluster: Cluster<'a>,
    /// What is configured.
    pub spec: &'a RecordSpec,
}

impl<'a> Record<'a> {
    /// The record set, if there is one.
    ///
    /// # Errors
    /// If it could not be read.
    pub fn set(&self) -> Result<Option<&'a RecordSet>, NotChecked> {
        let sets = known(self.cluster.its.observed.records.get(&self.spec.key.place))?;
        Ok(sets.iter().find(|set| set.key == self.spec.key))
    }

    /// All record sets of its name and type.
    ///
    /// # Errors
    /// If they could not be read.
    pub fn siblings(&self) -> Result<&'a [RecordSet], NotChecked> {
        known(self.cluster.its.observed.records.get(&self.spec.key.place)).map(Vec::as_slice)
    }

    /// The id of its health check: the configured one, else that of the record set.
    ///
    /// # Errors
    /// If the record set could not be read.
    pub fn health_check_id(&self) -> Result<Option<&'a str>, NotChecked> {
        match &self.spec.health_check_id {
            Some(id) => Ok(Some(id)),
            None => Ok(self.set()?.and_then(|set| set.health_check_id.as_deref())),
        }
    }

    /// Its health check, if it has one, with its id.
    ///
    /// # Errors
    /// If the record set or the health check could not be read.
    pub fn health_check(&self) -> Result<Option<(&'a str, &'a HealthCheck)>, NotChecked> {
        let Some(id) = self.health_check_id()? else { return Ok(None) };
        Ok(Some((id, known(self.cluster.facts.health_checks.get(id))?)))
    }
}

/// A configuration file of Patroni on this machine.
#[derive(Clone, Copy)]
pub struct File<'a> {
    /// This machine.
    pub node: &'a NodeFacts,
    /// The site of the Patroni cluster that the file is of.
    pub site: Site<'a>,
    /// Where it is.
    pub path: &'a str,
    /// What was read of it.
    pub its: &'a PatroniYml,
}

impl<'a> File<'a> {
    /// A file of a Patroni cluster that is configured.
    #[must_use]
    pub fn of(facts: &'a Facts, node: &'a NodeFacts, path: &'a str, its: &'a PatroniYml) -> Option<Self> {
        let scope = its.scope.as_deref()?;
        let sites = facts.clusters.iter().flat_map(|its| Cluster { facts, its }.sites());
        let site = { sites }.find(|site| site.spec.scope.as_str() == scope)?;
        Some(Self { node, site, path, its })
    }

    /// Everything that was read.
    #[must_use]
    pub fn facts(&self) -> &'a Facts {
        self.site.cluster.facts
    }

    /// The command that makes Patroni read the file again.
    #[must_use]
    pub fn reload(&self) -> String {
        let name = self.its.name.as_deref().unwrap_or_default();
        format!("patronictl -c {} reload {} {name}", self.path, self.site.spec.scope)
    }

    /// The callback for an action: the file's callbacks, or else those of the dynamic configuration, as Patroni chooses.
    #[must_use]
    pub fn callback(&self, action: &str) -> Option<&'a str> {
        self.callbacks().find(|(its, _)| *its == action).map(|(_, command)| command)
    }

    /// All callbacks, by action.
    pub fn callbacks(self) -> impl Iterator<Item = (&'a str, &'a str)> {
        let dynamic = self.site.config().ok().map(|config| &config.callbacks);
        let own = Some(&self.its.callbacks).filter(|own| !own.is_empty());
        let pairs = own.or(dynamic).into_iter().flatten();
        pairs.map(|(action, command)| (action.as_str(), command.as_str()))
    }
}

/// A topic.
#[derive(Clone, Copy)]
pub struct Topic<'a> {
    /// Everything that was read.
    pub facts: &'a Facts,
    /// Its ARN.
    pub arn: &'a TopicArn,
    /// What was read of it.
    pub its: &'a TopicFacts,
}

impl<'a> Topic<'a> {
    /// Whether it is the one through which callbacks call the Lambda.
    #[must_use]
    pub fn is_callback(&self) -> bool {
        self.facts.configured.callback_topic.as_ref() == Some(self.arn)
    }

    /// Whether alerts are published to it.
    #[must_use]
    pub fn is_of_alerts(&self) -> bool {
        self.facts.configured.alert_topics.contains(self.arn)
    }

    /// Its attributes.
    ///
    /// # Errors
    /// If they could not be read.
    pub fn attributes(&self) -> Result<&'a Attributes, NotChecked> {
        known(Some(&self.its.attributes))
    }

    /// Its subscriptions, where they matter: those of the topic that calls the Lambda.
    ///
    /// # Errors
    /// If they could not be read.
    pub fn subscriptions(&self) -> Result<&'a [Subscription], NotChecked> {
        known(self.its.subscriptions.as_ref()).map(Vec::as_slice)
    }

    /// The confirmed ones that call the Lambda: the configured function, or any where none is configured.
    ///
    /// # Errors
    /// If they could not be read.
    pub fn calls(&self) -> Result<Vec<&'a Subscription>, NotChecked> {
        let is_ours = |its: &&Subscription| {
            its.protocol == "lambda"
                && its.arn.starts_with("arn:")
                && self.facts.configured.is_function(&its.endpoint)
        };
        Ok(self.subscriptions()?.iter().filter(is_ours).collect())
    }
}

/// A Lambda function that triggers call.
#[derive(Clone, Copy)]
pub struct Function<'a> {
    /// Everything that was read.
    pub facts: &'a Facts,
    /// As it is called: by its ARN, or by its name where the configuration has that; without a qualifier it is the newest code.
    pub name: &'a FunctionName,
    /// What was read of it.
    pub its: &'a function::Function,
}

/// The functions that triggers call. Where they call a version or an alias, the function without a qualifier is none of them:
/// it has settings of its own for failed invocations.
pub fn functions(facts: &Facts) -> impl Iterator<Item = Function<'_>> {
    let has_qualifier = |name: &FunctionName| name.qualifier().is_some();
    let is_called = move |name: &FunctionName| {
        let is_other = |other: &FunctionName| other.name() == name.name() && has_qualifier(other);
        has_qualifier(name) || !facts.functions.keys().any(is_other)
    };
    let called = facts.functions.iter().filter(move |(name, _)| is_called(name));
    called.map(move |(name, its)| Function { facts, name, its })
}

impl<'a> Function<'a> {
    /// Its configuration.
    ///
    /// # Errors
    /// If it could not be read.
    pub fn configuration(&self) -> Result<&'a FunctionConfiguration, NotChecked> {
        known(Some(&self.its.configuration))
    }

    /// A command that changes its configuration, and how the change comes into effect.
    #[must_use]
    pub fn change(&self, option: &str) -> String {
        let name = self.name.name();
        let change = format!("aws lambda update-function-configuration --function-name {name} {option}");
        match self.name.qualifier() {
            None => change,
            Some(qualifier) => format!(
                "{change}; then aws lambda publish-version --function-name {name}, and aws lambda update-alias --function-name \
                 {name} --name {qualifier} --function-version VERSION"
            ),
        }
    }

    /// The networks where it is.
    ///
    /// # Errors
    /// If its ARN is not known, or if nothing was read there.
    pub fn network(&self) -> Result<&'a Network, NotChecked> {
        let region = self.configuration()?.arn.split(':').nth(3).unwrap_or_default().to_owned();
        let network = self.facts.networks.get(&Place { region, role: None });
        network.ok_or_else(|| NotChecked::Unknown("the network of its Region was not read".to_owned()))
    }
}

/// What was read, or why it was not.
///
/// # Errors
/// If it could not be read, or was not asked for.
pub fn known<T>(read: Option<&Read<T>>) -> Result<&T, NotChecked> {
    match read {
        Some(Ok(value)) => Ok(value),
        Some(Err(failure)) => Err(failure.into()),
        None => {
            Err(NotChecked::Unknown("it was not read, because what leads to it could not be read".to_owned()))
        }
    }
}

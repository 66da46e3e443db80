//! What to change, step by step; or, for an endpoint, why not.
//!
//! Laws: unknown is not absent (2), never empty (5), open before close (6), own only (7), idempotent (8), ordered (13).
//! A plan is so specific that applying it takes no decision.

pub mod batch;
mod group;
pub mod health_check;
pub mod moves;
mod readers;
mod record;
mod warm;
mod weighted;

use std::net::IpAddr;

use serde::Serialize;

use crate::decide::readers::settling;
use crate::decide::verdict::Verdict;
use crate::observed::Observed;
use crate::spec::{Spec, Strategy};
use crate::state::State;
use crate::values::arn::GroupArn;
use crate::values::cluster::{Address, ApiUrl, MemberName};
use crate::values::endpoint::Endpoint;
use crate::values::failure::Failure;
use crate::values::host::{is_fit, is_loopback, is_name, is_qualified_name};
use crate::values::listener::WeightChange;
use crate::values::primary::Primary;
use crate::values::record::{RecordChange, RecordType, ZoneId};
use crate::values::target::Target;
use crate::values::timestamp::Timestamp;

/// The TTL of a record set that repoint creates: short, since clients should follow a failover within seconds, and
/// within Route 53's advice for records with health checks (60 seconds or less).
pub const DEFAULT_TTL_SECONDS: u32 = 5;

/// What to change for one cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Lanes do not depend on each other; the steps within one are done in their order.
    pub step_groups: Vec<StepGroup>,
    /// Endpoints that stay as they are, though nobody knows whether that is right.
    pub holds: Vec<EndpointHold>,
    /// What is not right with endpoints, and nothing is to be done about now.
    pub warnings: Vec<EndpointWarning>,
    /// Whether nothing is held up by there being no primary: every endpoint is one of readers, and those follow the leader
    /// of a standby cluster as well.
    pub needs_no_primary: bool,
}

/// Something about an endpoint that people should know if it lasts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointWarning {
    /// Which one.
    pub endpoint: Endpoint,
    /// What.
    pub what: WarningReason,
}

/// What is not right; its `Display` is the sentence for people.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WarningReason {
    /// A target of a warm group belongs to no member.
    #[error("{0} belongs to no member")]
    Surplus(Target),
    /// The load balancer sends writes elsewhere than to the primary, or nowhere.
    #[error("the load balancer takes {} for healthy, and the primary is {primary}", either(.healthy))]
    Unhealthy {
        /// The targets that are healthy.
        healthy: Vec<Target>,
        /// The primary.
        primary: Target,
    },
    /// The load balancer sends reads to the primary, or not to a replica that may be read from.
    #[error("the load balancer takes {} for healthy, and {} may be read from", either(.healthy), either(.readers))]
    Unread {
        /// The targets that are healthy.
        healthy: Vec<Target>,
        /// The replicas that surely may be read from.
        readers: Vec<Target>,
    },
    /// A member that could be promoted has no group behind the listener.
    #[error(
        "{0} has no target group behind this listener, which could not follow it if it became the primary"
    )]
    NoGroup(MemberName),
    /// A member that belongs into an endpoint has no place there.
    #[error("{member} is left out: {why}")]
    Unplaced {
        /// The member.
        member: MemberName,
        /// Why.
        why: EndpointReason,
    },
}

fn either(targets: &[Target]) -> String {
    if targets.is_empty() {
        return "nobody".to_owned();
    }
    targets.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and ")
}

impl Plan {
    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.step_groups.is_empty()
    }

    /// Adds the plan of other endpoints.
    pub fn add(&mut self, other: Self) {
        self.step_groups.extend(other.step_groups);
        self.holds.extend(other.holds);
        self.warnings.extend(other.warnings);
        self.needs_no_primary &= other.needs_no_primary;
    }
}

/// Steps that belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StepGroup {
    /// Steps on one target group, each only if the one before it was done.
    Group {
        /// Which group.
        arn: GroupArn,
        /// In order.
        steps: Vec<TargetStep>,
    },
    /// The weights of groups behind one listener or several, and what has to be done in those groups before and after; each
    /// step only if those before it were done, but that no listener waits for another.
    Listeners {
        /// In order.
        steps: Vec<ListenerStep>,
    },
    /// Changes in one hosted zone, for one batch.
    Zone {
        /// Which zone.
        zone: ZoneId,
        /// In the order of their keys.
        changes: Vec<RecordChange>,
    },
}

/// One step on a target group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TargetStep {
    /// `RegisterTargets`.
    Register(Target),
    /// `DeregisterTargets`.
    Deregister(Target),
}

/// One step on a listener, or on a target group behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListenerStep {
    /// A step on that group.
    Target(GroupArn, TargetStep),
    /// `ModifyListener`.
    Weights(WeightChange),
}

impl ListenerStep {
    /// The Region of its call.
    #[must_use]
    pub fn region(&self) -> &str {
        match self {
            Self::Target(group, _) => group.region(),
            Self::Weights(weights) => weights.listener.region(),
        }
    }
}

/// An endpoint that is left alone, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointHold {
    /// Which endpoint.
    pub endpoint: Endpoint,
    /// Why.
    pub reason: EndpointReason,
}

/// Why an endpoint is left alone; its `Display` is the sentence for people.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EndpointReason {
    /// The endpoint, or something needed to decide about it, could not be read.
    #[error("{0}")]
    Unreadable(Failure),
    /// No readable `/cluster` says where the primary's PostgreSQL listens.
    #[error("no readable /cluster says where the primary's PostgreSQL listens")]
    AddressUnknown,
    /// No readable `/cluster` says where a replica's PostgreSQL listens.
    #[error("no readable /cluster says where the PostgreSQL of {0} listens")]
    MemberAddressUnknown(MemberName),
    /// The node has no address of the kind that the endpoint needs, or more than one.
    #[error("{0}")]
    AddressUnfit(String),
    /// No EC2 instance has the address.
    #[error("no running EC2 instance has the address {0}")]
    NoInstance(IpAddr),
    /// This build cannot look instances up.
    #[error("its targets are EC2 instances, and this build of repoint has no EC2 support (feature `ec2`)")]
    NoEc2,
    /// No readable `/cluster` names the primary and the replicas.
    #[error("no readable /cluster names the primary's replicas")]
    ReplicasUnknown,
    /// No replica may be read from, and the primary is not to take its place.
    #[error(
        "no replica is fit to be read from: none streams within `max_lag_bytes` and allows load balancing"
    )]
    NoReader,
    /// A warm group whose health check cannot choose.
    #[error("{0}")]
    HealthCheck(String),
    /// The listener does something that repoint cannot change without taking a decision that is not its own.
    #[error("{0}")]
    Listener(String),
    /// The primary has no target group behind the listener.
    #[error(
        "the primary {primary} has no target group behind this listener, and {} {}; configure one for it",
        known.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
        if known.len() == 1 { "has" } else { "have" }
    )]
    NoGroup {
        /// The primary.
        primary: MemberName,
        /// The members that have one.
        known: Vec<MemberName>,
    },
    /// The primary's name is not known, and so neither is its target group.
    #[error("no readable /cluster says what the primary is called, and so which target group is its")]
    Unnamed,
    /// No standby answers that may be pointed at.
    #[error("no standby is fit to be pointed at: none streams, answers and allows load balancing")]
    NoStandby,
    /// What stands in Route 53 is not what the configuration describes.
    #[error("{found}, but the configuration makes it {wanted}; change one of the two by hand")]
    Routing {
        /// What stands there.
        found: String,
        /// What is configured.
        wanted: String,
    },
}

/// The name of an endpoint's hold in reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EndpointReasonKind {
    /// [`EndpointReason::Unreadable`].
    Unreadable,
    /// [`EndpointReason::AddressUnknown`], [`EndpointReason::MemberAddressUnknown`] and [`EndpointReason::AddressUnfit`].
    Address,
    /// [`EndpointReason::NoInstance`] and [`EndpointReason::NoEc2`].
    NoInstance,
    /// [`EndpointReason::ReplicasUnknown`] and [`EndpointReason::NoReader`].
    NoReader,
    /// [`EndpointReason::HealthCheck`].
    HealthCheck,
    /// [`EndpointReason::Listener`].
    Listener,
    /// [`EndpointReason::NoGroup`] and [`EndpointReason::Unnamed`].
    NoGroup,
    /// [`EndpointReason::NoStandby`].
    NoStandby,
    /// [`EndpointReason::Routing`].
    Routing,
}

impl EndpointReason {
    /// Whether a member's place could not be found out; otherwise it is known to have none.
    fn is_unknown(&self) -> bool {
        match self {
            Self::Unreadable(_) | Self::AddressUnknown | Self::MemberAddressUnknown(_) | Self::NoEc2 => true,
            Self::AddressUnfit(_)
            | Self::NoInstance(_)
            | Self::ReplicasUnknown
            | Self::NoReader
            | Self::HealthCheck(_)
            | Self::Listener(_)
            | Self::NoGroup { .. }
            | Self::Unnamed
            | Self::NoStandby
            | Self::Routing { .. } => false,
        }
    }

    /// Its name in reports.
    #[must_use]
    pub fn kind(&self) -> EndpointReasonKind {
        match self {
            Self::Unreadable(_) => EndpointReasonKind::Unreadable,
            Self::AddressUnknown | Self::MemberAddressUnknown(_) | Self::AddressUnfit(_) => {
                EndpointReasonKind::Address
            }
            Self::NoInstance(_) | Self::NoEc2 => EndpointReasonKind::NoInstance,
            Self::ReplicasUnknown | Self::NoReader => EndpointReasonKind::NoReader,
            Self::HealthCheck(_) => EndpointReasonKind::HealthCheck,
            Self::Listener(_) => EndpointReasonKind::Listener,
            Self::NoGroup { .. } | Self::Unnamed => EndpointReasonKind::NoGroup,
            Self::NoStandby => EndpointReasonKind::NoStandby,
            Self::Routing { .. } => EndpointReasonKind::Routing,
        }
    }
}

/// Compares what is wanted with what was read. Without a primary nothing is planned, but for the readers of a standby
/// cluster. Memory tells how long a target has
/// belonged to no member by `now`, and whether another leader is new.
#[must_use]
pub fn plan(spec: &Spec, observed: &Observed, verdict: &Verdict, state: &State, now: Timestamp) -> Plan {
    let Some(primary) = verdict.leader() else { return Plan::default() };
    let hosts = Hosts::of(spec, observed, primary);
    let (spec, needs_no_primary) = match verdict {
        Verdict::Primary(_) => {
            (&spec.with_groups(|group| group.site.is_none() || group.site == primary.site), false)
        }
        Verdict::Hold(_) => {
            let readers = readers::only(spec);
            let is_all = readers == *spec;
            (&{ readers }, is_all)
        }
    };
    let mut plan = Plan { needs_no_primary, ..Plan::default() };
    let settling = &settling(observed, primary, state, now);
    for wanted in &spec.groups {
        let needs = match &wanted.strategy {
            Strategy::Weighted { .. } => continue,
            Strategy::Exclusive => group::steps(wanted, hosts, primary, settling),
            Strategy::Warm { deregister_after_ms } => {
                warm::group(wanted, spec, hosts, primary).map(|group| {
                    group.needs(|surplus| state.has_lasted(&wanted.arn, surplus, *deregister_after_ms, now))
                })
            }
        };
        let steps = plan.take(&Endpoint::Group(wanted.arn.clone()), needs).unwrap_or_default();
        if !steps.is_empty() {
            plan.step_groups.push(StepGroup::Group { arn: wanted.arn.clone(), steps });
        }
    }
    for (listeners, groups) in spec.weighted_sets() {
        weighted::listeners(listeners, &groups, hosts, primary, &mut plan);
    }
    record::changes(spec, hosts, primary, settling, &mut plan);
    plan
}

/// What one endpoint needs.
#[derive(Debug, Default)]
struct Needs<T> {
    /// What to do.
    what: T,
    /// What is not right with it.
    warnings: Vec<WarningReason>,
    /// Why that may not be all.
    unknown: Option<EndpointReason>,
}

impl Plan {
    /// What to do for an endpoint; the rest that is known of it goes into the plan at once.
    fn take<T>(&mut self, endpoint: &Endpoint, needs: Result<Needs<T>, EndpointReason>) -> Option<T> {
        let (what, reason) = match needs {
            Ok(Needs { what, warnings, unknown }) => {
                let warning = |what| EndpointWarning { endpoint: endpoint.clone(), what };
                self.warnings.extend(warnings.into_iter().map(warning));
                (Some(what), unknown)
            }
            Err(reason) => (None, Some(reason)),
        };
        self.holds.extend(reason.map(|reason| EndpointHold { endpoint: endpoint.clone(), reason }));
        what
    }
}

/// Where the primary's PostgreSQL listens.
fn primary_address(primary: &Primary) -> Result<&Address, EndpointReason> {
    primary.address.as_ref().ok_or(EndpointReason::AddressUnknown)
}

/// What was seen, with the hosts of it as any machine would use them.
#[derive(Clone, Copy)]
struct Hosts<'a> {
    observed: &'a Observed,
    /// The configuration itself names members by loopback addresses, as a laboratory on one machine does.
    are_local: bool,
}

impl<'a> Hosts<'a> {
    fn of(spec: &Spec, observed: &'a Observed, primary: &Primary) -> Self {
        let members = spec.site(primary.site.as_ref()).map_or(&[][..], |site| &site.members);
        let is_local = |url: &ApiUrl| url.host().parse().is_ok_and(is_loopback);
        Self { observed, are_local: members.iter().any(is_local) }
    }

    /// The addresses of a member's host, whether it is an address itself or a name.
    fn addresses(self, host: &str) -> Result<Vec<IpAddr>, EndpointReason> {
        let unfit = |why: String| Err(EndpointReason::AddressUnfit(why));
        if let Ok(address) = host.parse() {
            let is_meant = self.are_local && is_loopback(address);
            return if is_meant || is_fit(address) {
                Ok(vec![address])
            } else {
                unfit(format!(
                    "Patroni reports the address {address}, which other machines cannot use; {REMEDY}"
                ))
            };
        }
        if !is_name(host) {
            return unfit(format!("`{host}` is neither one address nor one host name; {REMEDY}"));
        }
        let addresses = match self.observed.names.get(host) {
            Some(Ok(addresses)) => addresses,
            Some(Err(failure)) => return Err(EndpointReason::Unreadable(failure.clone())),
            None => return unfit(format!("the host name `{host}` was not looked up")),
        };
        let (fit, own): (Vec<IpAddr>, Vec<IpAddr>) = addresses.iter().partition(|address| is_fit(**address));
        if fit.is_empty() && !own.is_empty() {
            let own = own.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            return unfit(format!(
                "`{host}` resolves to {own} here, which other machines cannot use (see /etc/hosts); {REMEDY}"
            ));
        }
        Ok(fit)
    }
}

/// What an operator does about a host that cannot be used.
const REMEDY: &str =
    "give the member an address that all machines can use, in Patroni's `postgresql.connect_address`";

/// The one address of that family; with several there is no telling which one Patroni means.
fn single_address(
    host: &str,
    addresses: &[IpAddr],
    family: &str,
    fits: impl Fn(&IpAddr) -> bool,
) -> Result<Option<IpAddr>, EndpointReason> {
    let mut fitting = addresses.iter().filter(|address| fits(address));
    match (fitting.next(), fitting.next()) {
        (Some(_), Some(_)) => {
            Err(EndpointReason::AddressUnfit(format!("`{host}` has several {family} addresses")))
        }
        (only, _) => Ok(only.copied()),
    }
}

/// What a record of that type says of a host.
fn address_for(hosts: Hosts, host: &str, record_type: RecordType) -> Result<String, EndpointReason> {
    let unfit = |why: String| Err(EndpointReason::AddressUnfit(why));
    let (family, is_of): (_, fn(&IpAddr) -> bool) = match record_type {
        RecordType::A => ("IPv4", IpAddr::is_ipv4),
        RecordType::Aaaa => ("IPv6", IpAddr::is_ipv6),
        RecordType::Cname if host.parse::<IpAddr>().is_ok() => {
            return unfit(format!("a CNAME points at a host name, and Patroni reports the address {host}"));
        }
        RecordType::Cname if is_qualified_name(host) => return Ok(host.to_owned()),
        RecordType::Cname => {
            return unfit(format!(
                "a CNAME points at a qualified host name such as pg1.example.com, and Patroni reports `{host}`; {REMEDY}"
            ));
        }
    };
    match single_address(host, &hosts.addresses(host)?, family, is_of)? {
        Some(address) => Ok(address.to_string()),
        None => unfit(format!("`{host}` has no {family} address")),
    }
}

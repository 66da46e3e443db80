//! EC2 instances, as far as addresses and tags go.
//!
//! An instance that ended keeps its id for a while and loses its address (EC2 guide, "Instance lifecycle").

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use super::Account;
use super::error::AwsError;
use super::history::History;
use super::policy::Says;
use super::service::{Operation, Service};
use crate::Millis;

const RUN: Operation = Operation::ec2("ec2:RunInstances");
const DESCRIBE: Operation = Operation::ec2("ec2:DescribeInstances");

/// The states that last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InstanceState {
    /// Starting.
    Pending,
    /// In use.
    Running,
    /// On its way down.
    Stopping,
    /// Down; keeps its address.
    Stopped,
    /// Terminated.
    Terminated,
}

impl InstanceState {
    /// As the API writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
            Self::Terminated => "terminated",
        }
    }

    /// EC2 API, `InstanceState`.
    #[must_use]
    pub fn code(self) -> u16 {
        match self {
            Self::Pending => 0,
            Self::Running => 16,
            Self::Stopping => 64,
            Self::Stopped => 80,
            Self::Terminated => 48,
        }
    }
}

/// An instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// e.g. `i-…`.
    pub id: String,
    /// The first address of its first interface; `None` once terminated.
    pub private_ip: Option<Ipv4Addr>,
    /// Its VPC: that of its first interface.
    pub vpc: String,
    /// Its interfaces; none once terminated.
    pub interfaces: Vec<Interface>,
    /// State.
    pub state: InstanceState,
    /// Availability Zone.
    pub zone: String,
    /// Tags.
    pub tags: BTreeMap<String, String>,
}

/// A network interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// Its VPC.
    pub vpc: String,
    /// Its addresses of both families; the first IPv4 one is its primary one.
    pub addresses: Vec<IpAddr>,
}

/// A filter: the name, and values of which one must fit (`*` and `?` as wildcards).
pub type Filter = (String, Vec<String>);

/// A page of `DescribeInstances`, and where the next one starts.
pub type Page = (Vec<Instance>, Option<String>);

/// The account's instances.
#[derive(Clone, Debug)]
pub(super) struct Instances {
    known: History<BTreeMap<String, Instance>>,
}

impl Default for Instances {
    fn default() -> Self {
        Self { known: History::new(0, BTreeMap::new()) }
    }
}

impl Account {
    /// `RunInstances`, for one instance that runs at once.
    ///
    /// # Errors
    /// `InvalidParameterValue` for an address outside the subnets, `InvalidIPAddress.InUse`.
    pub fn run_instance(
        &mut self,
        now: Millis,
        private_ip: Ipv4Addr,
        tags: BTreeMap<String, String>,
    ) -> Result<Instance, AwsError> {
        self.run_instance_in(now, None, private_ip, tags)
    }

    /// The same in that VPC.
    ///
    /// # Errors
    /// `InvalidParameterValue` for an address outside the subnets, `InvalidIPAddress.InUse`.
    pub fn run_instance_in(
        &mut self,
        now: Millis,
        vpc: Option<&str>,
        private_ip: Ipv4Addr,
        tags: BTreeMap<String, String>,
    ) -> Result<Instance, AwsError> {
        self.call(now, RUN, "*", |account| {
            let network = account.network_of(vpc);
            let (vpc, address) = (network.vpc.clone(), IpAddr::V4(private_ip));
            let Some(zone) = network.zone(address).map(str::to_owned) else {
                let words = format!("Address {private_ip} does not fall within the subnet's address range");
                return Err(AwsError::new("InvalidParameterValue", words));
            };
            let mut interfaces = account.instances.known.latest().values().flat_map(|it| &it.interfaces);
            if interfaces.any(|its| its.vpc == vpc && its.addresses.contains(&address)) {
                let words = format!("Address {private_ip} is in use.");
                return Err(AwsError::new("InvalidIPAddress.InUse", words));
            }
            let id = format!("i-0{}", account.next_id());
            let state = InstanceState::Running;
            let interfaces = vec![Interface { vpc: vpc.clone(), addresses: vec![address] }];
            let private_ip = Some(private_ip);
            let instance = Instance { id: id.clone(), private_ip, vpc, interfaces, state, zone, tags };
            let keep = account.lag(Service::Ec2);
            account.instances.known.change(now, keep).insert(id, instance.clone());
            Ok(instance)
        })
    }

    /// The state of an instance changes. This is the world's doing, not a call.
    pub fn set_instance_state(&mut self, now: Millis, id: &str, state: InstanceState) {
        let keep = self.lag(Service::Ec2);
        if let Some(instance) = self.instances.known.change(now, keep).get_mut(id) {
            instance.state = state;
            if state == InstanceState::Terminated {
                instance.private_ip = None;
                instance.interfaces.clear();
            }
        }
    }

    /// An instance gets another interface. This is the world's doing, not a call.
    pub fn attach_interface(&mut self, now: Millis, id: &str, interface: Interface) {
        let keep = self.lag(Service::Ec2);
        if let Some(instance) = self.instances.known.change(now, keep).get_mut(id) {
            instance.interfaces.push(interface);
        }
    }

    /// `DescribeInstances`. May lag. `max_results` is 5 to 1000 and cannot go with `ids`.
    ///
    /// # Errors
    /// `InvalidInstanceID.NotFound`, `InvalidParameterValue` for an unknown filter or a bad token,
    /// `InvalidParameterCombination`.
    pub fn describe_instances(
        &mut self,
        now: Millis,
        ids: &[String],
        filters: &[Filter],
        max_results: Option<usize>,
        next_token: Option<&str>,
    ) -> Result<Page, AwsError> {
        let says = Says::from([("ec2:Region", vec![self.region.clone()])]);
        self.call_saying(now, DESCRIBE, "*", &says, |account| {
            let empty = BTreeMap::new();
            let seen = now.saturating_sub(account.lag(Service::Ec2));
            let known = account.instances.known.at(seen).unwrap_or(&empty);
            if let Some(id) = ids.iter().find(|id| !known.contains_key(*id)) {
                let words = format!("The instance ID '{id}' does not exist");
                return Err(AwsError::new("InvalidInstanceID.NotFound", words));
            }
            if max_results.is_some() && !ids.is_empty() {
                let words = "The parameter instancesSet cannot be used with the parameter maxResults";
                return Err(AwsError::new("InvalidParameterCombination", words));
            }
            for (name, _) in filters {
                check_filter(name)?;
            }
            let fits = |it: &&Instance| filters.iter().all(|(name, values)| matches(it, name, values));
            let mut found: Vec<Instance> = known
                .values()
                .filter(|it| ids.is_empty() || ids.contains(&it.id))
                .filter(fits)
                .cloned()
                .collect();
            if let Some(token) = next_token {
                let Some(start) = token.strip_prefix("from:") else {
                    let words = format!("Unable to parse pagination token: {token}");
                    return Err(AwsError::new("InvalidParameterValue", words));
                };
                found.retain(|it| it.id.as_str() >= start);
            }
            let size = max_results.unwrap_or(1000).clamp(5, 1000);
            let next = found.get(size).map(|it| format!("from:{}", it.id));
            found.truncate(size);
            Ok((found, next))
        })
    }

    pub(super) fn instance_vpc(&self, id: &str) -> Option<String> {
        self.instances.known.latest().get(id).map(|it| it.vpc.clone())
    }

    pub(super) fn instance_state(&self, id: &str) -> Option<InstanceState> {
        self.instances.known.latest().get(id).map(|it| it.state)
    }
}

fn check_filter(name: &str) -> Result<(), AwsError> {
    let known = [
        "availability-zone",
        "instance-id",
        "instance-state-name",
        "network-interface.addresses.private-ip-address",
        "network-interface.ipv6-addresses.ipv6-address",
        "private-ip-address",
        "tag-key",
        "vpc-id",
    ];
    if known.contains(&name) || name.starts_with("tag:") {
        return Ok(());
    }
    Err(AwsError::new("InvalidParameterValue", format!("The filter '{name}' is invalid")))
}

fn matches(instance: &Instance, name: &str, values: &[String]) -> bool {
    let any = |text: &str| values.iter().any(|pattern| like(pattern, text));
    let has = |is_of: fn(&IpAddr) -> bool| {
        let mut addresses = instance.interfaces.iter().flat_map(|its| &its.addresses);
        addresses.any(|address| is_of(address) && any(&address.to_string()))
    };
    match name {
        "availability-zone" => any(&instance.zone),
        "instance-id" => any(&instance.id),
        "instance-state-name" => any(instance.state.as_str()),
        "private-ip-address" => instance.private_ip.is_some_and(|address| any(&address.to_string())),
        "network-interface.addresses.private-ip-address" => has(IpAddr::is_ipv4),
        "network-interface.ipv6-addresses.ipv6-address" => has(IpAddr::is_ipv6),
        "vpc-id" => any(&instance.vpc),
        "tag-key" => instance.tags.keys().any(|key| any(key)),
        _ => name.strip_prefix("tag:").and_then(|key| instance.tags.get(key)).is_some_and(|value| any(value)),
    }
}

/// `*` is anything, `?` one character.
fn like(pattern: &str, text: &str) -> bool {
    match (pattern.chars().next(), text.chars().next()) {
        (None, None) => true,
        (Some('*'), _) => {
            like(&pattern[1..], text)
                || text.chars().next().is_some_and(|c| like(pattern, &text[c.len_utf8()..]))
        }
        (Some('?'), Some(c)) => like(&pattern[1..], &text[c.len_utf8()..]),
        (Some(p), Some(c)) => p == c && like(&pattern[p.len_utf8()..], &text[c.len_utf8()..]),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account() -> (Account, Vec<String>) {
        let mut account = Account::default();
        let ids = (1..=7)
            .map(|last| {
                let scope = if last % 2 == 0 { "even" } else { "odd" };
                let tags = BTreeMap::from([("scope".to_owned(), scope.to_owned())]);
                account.run_instance(0, Ipv4Addr::new(172, 31, 0, last), tags).unwrap().id
            })
            .collect();
        (account, ids)
    }

    fn found(account: &mut Account, now: Millis, filters: &[(&str, &str)]) -> usize {
        let filters: Vec<Filter> =
            filters.iter().map(|(name, value)| ((*name).to_owned(), vec![(*value).to_owned()])).collect();
        account.describe_instances(now, &[], &filters, None, None).unwrap().0.len()
    }

    #[test]
    fn filters_must_all_fit() {
        let (mut account, ids) = account();
        account.set_instance_state(0, &ids[0], InstanceState::Stopped);
        assert_eq!(found(&mut account, 0, &[("tag:scope", "odd")]), 4);
        assert_eq!(found(&mut account, 0, &[("tag:scope", "o*"), ("instance-state-name", "running")]), 3);
        assert_eq!(found(&mut account, 0, &[("private-ip-address", "172.31.0.?")]), 7);
        assert_eq!(found(&mut account, 0, &[("tag:other", "*")]), 0);
    }

    #[test]
    fn an_unknown_filter_is_refused() {
        let (mut account, _) = account();
        let filters = [("private-ip".to_owned(), vec![])];
        let error = account.describe_instances(0, &[], &filters, None, None).unwrap_err();
        assert_eq!(error.code, "InvalidParameterValue");
    }

    #[test]
    fn pages_cover_all_once() {
        let (mut account, ids) = account();
        let (first, token) = account.describe_instances(0, &[], &[], Some(5), None).unwrap();
        let (rest, end) = account.describe_instances(0, &[], &[], Some(5), token.as_deref()).unwrap();
        let mut seen: Vec<String> = first.into_iter().chain(rest).map(|it| it.id).collect();
        let mut ids = ids;
        seen.sort();
        ids.sort();
        assert_eq!((seen, end), (ids, None));
    }

    #[test]
    fn a_lagging_read_still_shows_what_was() {
        let (mut account, ids) = account();
        account.set_read_lag(Service::Ec2, 1000);
        account.set_instance_state(5000, &ids[0], InstanceState::Terminated);
        assert_eq!(found(&mut account, 5999, &[("private-ip-address", "172.31.0.1")]), 1);
        assert_eq!(found(&mut account, 6000, &[("private-ip-address", "172.31.0.1")]), 0);
    }
}

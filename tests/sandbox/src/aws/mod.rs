//! A model of the AWS account: the services that `repoint` calls, as AWS documents them.
//!
//! An operation is one method with `now`; it goes through one function (`Account::call`) where faults, permissions
//! and throttling are decided, and it is done whole or not at all.

pub mod access;
pub mod dynamodb;
pub mod ec2;
pub mod elbv2;
pub mod error;
pub mod faults;
mod history;
pub mod iam;
pub mod log;
pub mod network;
pub mod policy;
pub mod route53;
pub mod service;
pub mod settings;
pub mod sns;
pub mod throttle;
pub mod wire;

use std::collections::BTreeMap;

use self::error::AwsError;
use self::faults::Fault;
use self::log::{Call, Ending};
use self::policy::Says;
use self::service::{Operation, Service};
use self::settings::Settings;
use crate::Millis;

/// An account in one Region.
#[derive(Clone, Debug)]
pub struct Account {
    /// Twelve digits.
    pub id: String,
    /// e.g. `us-east-1`.
    pub region: String,
    /// How slow things are.
    pub settings: Settings,
    /// The default VPC and its subnets.
    pub network: network::Network,
    /// The other VPCs.
    pub other_networks: Vec<network::Network>,
    /// The faults of calls.
    pub faults: faults::Faults,
    /// What the caller may not do.
    pub denials: access::Denials,
    /// What it may do; anything, if there is none.
    pub policy: Option<policy::Policy>,
    /// The caller, where that is not the account's user: it has a policy of its own, or none.
    pub caller: Option<iam::Caller>,
    /// How often it may call.
    pub throttle: throttle::Throttle,
    read_lag: BTreeMap<Service, Millis>,
    calls: Vec<Call>,
    /// For ids that differ from each other and are the same in every run.
    ids: u64,
    balancing: elbv2::Balancing,
    dns: route53::Dns,
    instances: ec2::Instances,
    topics: sns::Topics,
    tables: dynamodb::Tables,
}

/// The id of an account by default.
const USUAL_ACCOUNT: u64 = 123_456_789_012;

impl Default for Account {
    fn default() -> Self {
        Self::new(&USUAL_ACCOUNT.to_string(), "us-east-1")
    }
}

impl Account {
    /// An account with a default VPC, and nothing else in it.
    #[must_use]
    pub fn new(id: &str, region: &str) -> Self {
        Self {
            id: id.to_owned(),
            region: region.to_owned(),
            settings: Settings::default(),
            network: network::Network::default_vpc(region),
            other_networks: Vec::new(),
            faults: faults::Faults::default(),
            denials: access::Denials::default(),
            policy: None,
            caller: None,
            throttle: throttle::Throttle::default(),
            read_lag: BTreeMap::new(),
            calls: Vec::new(),
            // Two accounts have no id in common, and the usual one begins at 0.
            ids: id.parse::<u64>().unwrap_or_default().wrapping_sub(USUAL_ACCOUNT),
            balancing: elbv2::Balancing::default(),
            dns: route53::Dns::default(),
            instances: ec2::Instances::default(),
            topics: sns::Topics::default(),
            tables: dynamodb::Tables::default(),
        }
    }

    /// From now on, reads of this service that AWS calls eventually consistent answer with the state of `now - lag`.
    /// The past is kept from this call on.
    pub fn set_read_lag(&mut self, service: Service, lag: Millis) {
        self.read_lag.insert(service, lag);
    }

    /// The calls since the last time, oldest first.
    pub fn drain_calls(&mut self) -> Vec<Call> {
        std::mem::take(&mut self.calls)
    }

    /// The calls so far.
    #[must_use]
    pub fn calls(&self) -> &[Call] {
        &self.calls
    }

    /// The caller.
    #[must_use]
    pub fn user_arn(&self) -> String {
        let caller = self.caller.as_ref().map(|caller| caller.arn.clone()).filter(|arn| !arn.is_empty());
        caller.unwrap_or_else(|| format!("arn:{}:iam::{}:user/sandbox", self.partition(), self.id))
    }

    /// The partition that the Region is in.
    #[must_use]
    pub fn partition(&self) -> &'static str {
        match &self.region {
            region if region.starts_with("cn-") => "aws-cn",
            region if region.starts_with("us-gov-") => "aws-us-gov",
            _ => "aws",
        }
    }

    fn allows(&self, action: &str, resource: &str, says: &Says) -> bool {
        let policy = match &self.caller {
            Some(caller) if caller.is_session => caller.policy.as_ref(),
            _ => self.policy.as_ref(),
        };
        policy.is_none_or(|policy| policy.allows(action, resource, says))
    }

    /// The VPC of that id; the default one where none is given or known.
    #[must_use]
    pub fn network_of(&self, vpc: Option<&str>) -> &network::Network {
        let other = self.other_networks.iter().find(|network| Some(network.vpc.as_str()) == vpc);
        other.unwrap_or(&self.network)
    }

    fn lag(&self, service: Service) -> Millis {
        self.read_lag.get(&service).copied().unwrap_or_default()
    }

    /// A call that says no more of itself than its action and resource.
    fn call<T>(
        &mut self,
        now: Millis,
        operation: Operation,
        resource: &str,
        work: impl FnOnce(&mut Self) -> Result<T, AwsError>,
    ) -> Result<T, AwsError> {
        self.call_saying(now, operation, resource, &Says::new(), work)
    }

    /// Every call goes through here. `work` sees the account as it is if the call arrives and is allowed.
    fn call_saying<T>(
        &mut self,
        now: Millis,
        operation: Operation,
        resource: &str,
        says: &Says,
        work: impl FnOnce(&mut Self) -> Result<T, AwsError>,
    ) -> Result<T, AwsError> {
        let (ending, answer) = match self.faults.meet(operation.action) {
            Some(Fault::LoseRequest) => (Ending::RequestLost, Err(AwsError::no_answer())),
            Some(Fault::Refuse(error)) => (Ending::Refused(error.code.clone()), Err(error)),
            Some(Fault::LoseAnswer) => {
                let refused = self.check(now, operation, resource, says).and_then(|()| work(self)).err();
                (Ending::AnswerLost(refused.map(|error| error.code)), Err(AwsError::no_answer()))
            }
            None => match self.check(now, operation, resource, says).and_then(|()| work(self)) {
                Ok(result) => (Ending::Done, Ok(result)),
                Err(error) => (Ending::Refused(error.code.clone()), Err(error)),
            },
        };
        self.calls.push(Call { at: now, action: operation.action, resource: resource.to_owned(), ending });
        answer
    }

    /// AWS throttles before it checks permissions.
    fn check(
        &mut self,
        now: Millis,
        operation: Operation,
        resource: &str,
        says: &Says,
    ) -> Result<(), AwsError> {
        if !self.throttle.take(operation.bucket, now) {
            return Err(throttle::refusal(operation.service));
        }
        if !self.allows(operation.action, resource, says)
            || self.denials.deny_call(operation.action, resource)
        {
            return Err(access::refusal(operation.service, &self.user_arn(), operation.action, resource));
        }
        Ok(())
    }

    /// Sixteen hexadecimal digits that no other resource has.
    fn next_id(&mut self) -> String {
        self.ids += 1;
        format!("{:016x}", self.ids.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }
}

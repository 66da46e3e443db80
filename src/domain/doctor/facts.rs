//! What doctor reads: facts, as the adapters found them. Each may be a failure instead.

pub mod attributes;
pub mod balancer;
pub mod function;
pub mod group;
pub mod network;
pub mod node;
pub mod patroni;
pub mod record;
pub mod table;
pub mod topic;

use std::collections::BTreeMap;

use crate::decide::verdict::Verdict;
use crate::observed::{Observed, Read};
use crate::plan::Plan;
use crate::spec::Spec;
use crate::state::State;
use crate::values::arn::{GroupArn, RoleArn, TopicArn};
use crate::values::cluster::{ApiUrl, EntryName, SiteName};
use crate::values::function::FunctionName;
use crate::values::record::ZoneId;
use crate::values::timestamp::Timestamp;

use balancer::BalancerFacts;
use function::Function;
use group::GroupFacts;
use network::Network;
use node::NodeFacts;
use patroni::{MemberFacts, PatroniConfig};
use record::{HealthCheck, HostedZone};
use table::Table;
use topic::TopicFacts;

/// Everything that was read.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// When, by this machine's clock.
    pub at: Timestamp,
    /// What of the configuration matters to checks beside the clusters.
    pub configured: Configured,
    /// The clusters, in the order of the configuration.
    pub clusters: Vec<ClusterFacts>,
    /// The configured target groups.
    pub groups: BTreeMap<GroupArn, GroupFacts>,
    /// The load balancers of those groups, by their ARN.
    pub balancers: BTreeMap<String, BalancerFacts>,
    /// The DNS names of all load balancers at a place where an alias of the configuration leads, or where there are groups.
    pub balancer_names: BTreeMap<Place, Read<BTreeMap<String, String>>>,
    /// Networks, by place.
    pub networks: BTreeMap<Place, Network>,
    /// Health checks of Route 53, by their id.
    pub health_checks: BTreeMap<String, Read<HealthCheck>>,
    /// The configured hosted zones.
    pub zones: BTreeMap<ZoneId, Read<HostedZone>>,
    /// The alert topics and the one that calls the Lambda.
    pub topics: BTreeMap<TopicArn, TopicFacts>,
    /// The Lambda functions: those that the topic of callbacks and the schedules call, each as it is called, and the configured
    /// one, unless it is among them.
    pub functions: BTreeMap<FunctionName, Function>,
    /// The schedules of the configured group, if one is configured.
    pub schedules: Option<Read<Vec<function::Schedule>>>,
    /// The state table, if the state is in one.
    pub table: Option<Read<Table>>,
    /// What only this machine can say; with `--local`.
    pub node: Option<NodeFacts>,
}

/// Where a resource is: a Region, and the role whose account owns it (none: the process's own).
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Such as `eu-west-1`.
    pub region: String,
    /// The role that its calls are made under.
    pub role: Option<RoleArn>,
}

/// What checks need of the configuration beside the clusters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Configured {
    /// `pass.deadline_seconds`, in milliseconds.
    pub deadline_ms: u64,
    /// The topics that alerts are published to.
    pub alert_topics: Vec<TopicArn>,
    /// The topic that a callback calls the Lambda through.
    pub callback_topic: Option<TopicArn>,
    /// The table's name, where the state is in one; else it is in a file.
    pub table: Option<String>,
    /// `[lambda] function`.
    pub function: Option<FunctionName>,
    /// `[lambda] schedule_group`.
    pub schedule_group: Option<String>,
}

impl Configured {
    /// Whether what is called so is the configured function, or any function where none is configured.
    #[must_use]
    pub fn is_function(&self, called: &str) -> bool {
        let Ok(called) = FunctionName::parse(called) else { return false };
        self.function.as_ref().is_none_or(|function| called.name() == function.name())
    }
}

/// What was read of a cluster.
#[derive(Clone, Debug)]
pub struct ClusterFacts {
    /// What is configured.
    pub spec: Spec,
    /// What a pass would have observed.
    pub observed: Observed,
    /// What a pass would have decided.
    pub verdict: Verdict,
    /// What a pass would change.
    pub plan: Plan,
    /// The stored state.
    pub state: Read<State>,
    /// What `GET /config` of one member of each site says.
    pub config: BTreeMap<Option<SiteName>, Read<PatroniConfig>>,
    /// What members say beyond what a pass reads, by site and URL.
    pub members: BTreeMap<(Option<SiteName>, ApiUrl), MemberFacts>,
}

impl ClusterFacts {
    /// The name of the entry.
    #[must_use]
    pub fn name(&self) -> &EntryName {
        &self.spec.name
    }
}

//! What a deployment needs to know about a configuration, so that only `repoint` has to read TOML.
//!
//! The names here are a contract with `infra/terraform`, which decodes them. A change of a name's meaning raises
//! [`FORMAT`].

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::Value;

use super::iam::{PolicyOf, Rights, discovered_in, policies, policy};
use super::{CallbackMode, Settings, StateStore};
use repoint_domain::spec::Spec;

/// The version of this format.
const FORMAT: u32 = 1;

/// A configuration and what follows from it. Lists are sorted, without duplicates.
#[derive(Debug, Serialize)]
pub struct Bundle<'a> {
    /// [`FORMAT`].
    #[serde(rename = "bundle")]
    format: u32,
    /// The version of the `repoint` that wrote it.
    version: &'static str,
    /// The names of the clusters.
    clusters: BTreeSet<&'a str>,
    /// The scopes of the clusters, those of their sites included.
    scopes: BTreeSet<&'a str>,
    /// The ARNs of the target groups.
    target_groups: BTreeSet<&'a str>,
    /// The ARNs of the listeners whose weights are managed.
    listeners: BTreeSet<&'a str>,
    /// The Regions of the load balancers.
    regions: BTreeSet<&'a str>,
    /// The ids of the hosted zones.
    zones: BTreeSet<&'a str>,
    /// The DynamoDB table of the state; `None` if it is kept in a file.
    table: Option<&'a str>,
    /// The ARNs of the alert topics.
    alert_topics: BTreeSet<&'a str>,
    /// The ARN of the topic that callbacks publish to.
    trigger_topic: Option<&'a str>,
    /// The AWS services that a pass calls, as VPC endpoints name them.
    services: BTreeSet<&'static str>,
    /// The policy of the process that makes the passes.
    policy: Value,
    /// The policies of the roles that it assumes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    role_policies: Vec<PolicyOf>,
    /// The text of the configuration.
    configuration: &'a str,
}

/// The bundle of a configuration; `text` is its TOML. `has_instances` says whether a target group holds instances,
/// which the configuration does not show.
#[must_use]
pub fn bundle<'a>(settings: &'a Settings, configuration: &'a str, has_instances: bool) -> Bundle<'a> {
    let clusters = || settings.clusters.iter();
    let target_groups: BTreeSet<_> =
        clusters().flat_map(|cluster| &cluster.groups).map(|group| group.arn.as_str()).collect();
    let listeners: BTreeSet<_> = clusters().flat_map(|cluster| cluster.listeners()).collect();
    let groups_in = clusters().flat_map(|cluster| &cluster.groups).map(|group| group.arn.region());
    let listeners_in = listeners.iter().map(|listener| listener.region());
    let zones: BTreeSet<_> = clusters()
        .flat_map(|cluster| &cluster.records)
        .map(|record| record.key.place.zone.as_str())
        .collect();
    let table = match &settings.state.store {
        StateStore::DynamoDb(table) => Some(table.as_str()),
        StateStore::File(_) => None,
    };
    let alert_topics: BTreeSet<_> = settings.alerts.topics.iter().map(|topic| topic.arn.as_str()).collect();
    let called = [
        ("dynamodb", table.is_some()),
        (
            "ec2",
            has_instances && !target_groups.is_empty() || clusters().flat_map(discovered_in).next().is_some(),
        ),
        ("elasticloadbalancing", !target_groups.is_empty()),
        ("route53", !zones.is_empty()),
        ("sns", !alert_topics.is_empty()),
        ("sts", !settings.roles().is_empty()),
    ];
    let mut of_roles = policies(settings, Rights::Pass, has_instances);
    of_roles.retain(|policy| policy.role_arn.is_some());
    Bundle {
        format: FORMAT,
        version: env!("CARGO_PKG_VERSION"),
        clusters: clusters().map(|cluster| cluster.name.as_str()).collect(),
        scopes: clusters().flat_map(Spec::scopes).collect(),
        regions: groups_in.chain(listeners_in).collect(),
        listeners: listeners.iter().map(|listener| listener.as_str()).collect(),
        target_groups,
        zones,
        table,
        alert_topics,
        trigger_topic: match &settings.callback.mode {
            CallbackMode::Sns(topic) => Some(topic.as_str()),
            CallbackMode::Daemon | CallbackMode::Detached => None,
        },
        services: called.into_iter().filter(|(_, is_called)| *is_called).map(|(name, _)| name).collect(),
        policy: policy(settings, Rights::Pass, has_instances, None),
        role_policies: of_roles,
        configuration,
    }
}

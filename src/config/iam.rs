//! The IAM policies for a configuration: one for the process's own credentials, and one for each role that it
//! assumes.
//!
//! Least privilege: only calls that the configuration can lead to are allowed, and only on the resources that it
//! names.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::endpoint::{self, KINDS};
use super::{CallbackMode, Settings, StateStore};
use crate::permission::{Permission, needed};
use repoint_domain::spec::{Source, Spec};
use repoint_domain::values::arn::RoleArn;
use repoint_domain::values::cluster::HISTORY;
use repoint_domain::values::table::TableName;

/// What a policy is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rights {
    /// Whole passes: `run`, `watch`, the Lambda, and a callback that makes passes itself.
    Pass,
    /// Reading: `plan`, `status` and `history`.
    Plan,
    /// Reading these and what is around them: `doctor`.
    Doctor,
    /// Calling the Lambda through its topic: a callback with mode `sns`.
    Callback,
}

/// The longest managed policy, in characters without white space (IAM User Guide, "IAM and AWS STS quotas").
pub const LONGEST_MANAGED: usize = 6144;

/// A policy and its role.
#[derive(Clone, Debug, Serialize)]
pub struct PolicyOf {
    /// The role that needs it; `None` for the process's own credentials.
    pub role_arn: Option<RoleArn>,
    /// The policy document.
    pub policy: Value,
}

/// The policies: first that of the process's own credentials, then those of the roles, in the order of their ARNs.
/// `has_instances` says whether a target group holds instances, which the configuration does not show.
#[must_use]
pub fn policies(settings: &Settings, rights: Rights, has_instances: bool) -> Vec<PolicyOf> {
    let roles = match rights {
        Rights::Callback => BTreeSet::new(),
        Rights::Plan | Rights::Doctor | Rights::Pass => {
            settings.roles().into_iter().map(|role| &role.arn).collect()
        }
    };
    let owners = std::iter::once(None).chain(roles.into_iter().map(Some));
    let of = |role: Option<&RoleArn>| PolicyOf {
        role_arn: role.cloned(),
        policy: policy(settings, rights, has_instances, role),
    };
    owners.map(of).collect()
}

pub(super) fn policy(
    settings: &Settings,
    rights: Rights,
    has_instances: bool,
    role: Option<&RoleArn>,
) -> Value {
    let mut policy = Policy { partition: settings.partition().to_owned(), statements: Vec::new() };
    match rights {
        Rights::Callback => {
            if let CallbackMode::Sns(topic) = &settings.callback.mode {
                policy.allow(&["sns:Publish"], topic.as_str());
            }
        }
        Rights::Plan | Rights::Doctor | Rights::Pass => {
            let clusters: Vec<Spec> =
                settings.clusters.iter().map(|cluster| cluster.under_role(role)).collect();
            let usage = endpoint::Usage {
                rights,
                // Doctor asks which instances have the members' addresses, whatever the groups hold.
                has_instances: has_instances || rights == Rights::Doctor,
                waits_insync: settings.wait_insync.is_some(),
            };
            for kind in KINDS {
                (kind.allow)(&mut policy, &clusters, usage);
            }
            if role.is_none() {
                policy.allow_around(settings, usage.writes());
                if usage.inspects() {
                    policy.allow_to_inspect(settings, &clusters);
                }
            }
        }
    }
    policy.into_json()
}

/// A policy under construction.
pub(super) struct Policy {
    partition: String,
    /// The order of the statements in the policy.
    statements: Vec<Statement>,
}

struct Statement {
    sid: String,
    actions: BTreeSet<String>,
    resources: BTreeSet<String>,
    condition: Option<Value>,
}

impl Policy {
    /// Rights beside those on endpoints, needed by the process's own credentials: assuming roles, publishing alerts,
    /// keeping state.
    fn allow_around(&mut self, settings: &Settings, writes: bool) {
        for role in settings.roles() {
            self.allow(&["sts:AssumeRole"], role.arn.as_str());
        }
        for topic in settings.alerts.topics.iter().filter(|_| writes) {
            self.allow(&["sns:Publish"], topic.arn.as_str());
        }
        if let StateStore::DynamoDb(table) = &settings.state.store {
            let actions: &[&str] =
                if writes { &["dynamodb:GetItem", "dynamodb:PutItem"] } else { &["dynamodb:GetItem"] };
            // A missing key would satisfy `ForAllValues`, but both actions always have one, that of their item
            // (DynamoDB Developer Guide, "Using IAM policy conditions for fine-grained access control").
            let names = settings.clusters.iter().map(|cluster| literal(cluster.name.as_str()));
            // The state's item, and those of the history.
            let keys: BTreeSet<String> = names.flat_map(|name| [format!("{name}{HISTORY}*"), name]).collect();
            let of_these = json!({ "ForAllValues:StringLike": { "dynamodb:LeadingKeys": keys } });
            self.allow_if(actions, &table_arn(settings, table), Some(&of_these));
        }
    }

    /// What doctor reads with the process's own credentials beside the endpoints: topics, the Lambda, its schedules and its
    /// network, the table, and the load balancers of sites whose target groups are not configured.
    fn allow_to_inspect(&mut self, settings: &Settings, clusters: &[Spec]) {
        let has_alias = |cluster: &Spec| cluster.sites.iter().any(|site| site.alias.is_some());
        if clusters.iter().any(has_alias) {
            self.allow(&["elasticloadbalancing:DescribeLoadBalancers"], "*");
        }
        for topic in settings.topics() {
            self.allow(&["sns:GetTopicAttributes"], topic.as_str());
        }
        if let CallbackMode::Sns(topic) = &settings.callback.mode {
            self.allow(&["sns:ListSubscriptionsByTopic"], topic.as_str());
            self.allow(&["sns:GetSubscriptionAttributes"], "*");
        }
        for function in functions(settings) {
            self.allow(
                &[
                    "lambda:GetFunctionConfiguration",
                    "lambda:GetFunctionConcurrency",
                    "lambda:GetFunctionEventInvokeConfig",
                ],
                &function,
            );
            self.allow(
                &[
                    "ec2:DescribeSecurityGroups",
                    "ec2:DescribeSubnets",
                    "ec2:DescribeRouteTables",
                    "ec2:DescribeVpcEndpoints",
                ],
                "*",
            );
        }
        if let Some(group) = &settings.lambda.schedule_group {
            self.allow(&["scheduler:ListSchedules"], "*");
            self.allow(
                &["scheduler:GetSchedule"],
                &own_arn(settings, "scheduler", &format!("schedule/{group}/*")),
            );
        }
        if let StateStore::DynamoDb(table) = &settings.state.store {
            self.allow(&["dynamodb:DescribeTable"], &table_arn(settings, table));
        }
    }

    /// Finding the instances of target groups, and those that are discovered.
    pub(super) fn allow_to_find_instances(&mut self, clusters: &[Spec], have_groups: bool) {
        let groups = clusters.iter().filter(|_| have_groups).flat_map(|cluster| &cluster.groups);
        let discovered = clusters.iter().flat_map(discovered_in);
        let regions: Vec<_> = groups.map(|group| Some(group.arn.region())).chain(discovered).collect();
        if regions.is_empty() {
            return;
        }
        // Where one is in the process's own Region, that is not known here.
        let regions: Option<BTreeSet<&str>> = regions.into_iter().collect();
        let there = regions.map(|regions| json!({ "StringEquals": { "ec2:Region": regions } }));
        self.allow_if(&["ec2:DescribeInstances"], "*", there.as_ref());
    }

    pub(super) fn allow(&mut self, actions: &[&str], resource: &str) {
        self.allow_if(actions, resource, None);
    }

    pub(super) fn allow_if(&mut self, actions: &[&str], resource: &str, condition: Option<&Value>) {
        for action in actions {
            let Some(Permission { statement, resource, .. }) = needed(action, resource, &self.partition)
            else {
                continue;
            };
            let known = self.statements.iter().position(|known| known.sid == statement);
            let at = known.unwrap_or_else(|| {
                let (actions, resources) = (BTreeSet::new(), BTreeSet::new());
                self.statements.push(Statement {
                    sid: statement,
                    actions,
                    resources,
                    condition: condition.cloned(),
                });
                self.statements.len() - 1
            });
            self.statements[at].actions.insert((*action).to_owned());
            self.statements[at].resources.insert(resource);
        }
    }

    fn into_json(self) -> Value {
        let statement = |statement: Statement| {
            let mut json = Map::new();
            json.insert("Sid".to_owned(), json!(statement.sid));
            json.insert("Effect".to_owned(), json!("Allow"));
            json.insert("Action".to_owned(), json!(statement.actions));
            json.insert("Resource".to_owned(), json!(statement.resources));
            if let Some(condition) = statement.condition {
                json.insert("Condition".to_owned(), condition);
            }
            Value::Object(json)
        };
        let statements: Vec<Value> = self.statements.into_iter().map(statement).collect();
        json!({ "Version": "2012-10-17", "Statement": statements })
    }
}

/// The Regions in which instances of a cluster are discovered; `None`: the process's own.
pub(super) fn discovered_in(cluster: &Spec) -> impl Iterator<Item = Option<&str>> {
    let discovers = cluster.sites.iter().filter_map(|site| site.discover.as_ref());
    discovers.filter_map(|discover| match &discover.source {
        Source::Instances { region, .. } => Some(region.as_deref()),
        Source::Addresses(_) | Source::Service(_) => None,
    })
}

/// The ARN of the state table.
fn table_arn(settings: &Settings, table: &TableName) -> String {
    match table.region() {
        Some(_) => table.to_string(),
        None => own_arn(settings, "dynamodb", &format!("table/{table}")),
    }
}

/// The ARNs of the Lambda and of its aliases and versions: of the configured one, or else of any that the topic of callbacks
/// or a schedule may call.
fn functions(settings: &Settings) -> Vec<String> {
    let of = |arn: String| vec![format!("{arn}:*"), arn];
    match (&settings.lambda.function, &settings.callback.mode) {
        (Some(function), _) if function.region().is_some() => of(function.unqualified().to_owned()),
        (Some(function), _) => of(own_arn(settings, "lambda", &format!("function:{}", function.name()))),
        (None, CallbackMode::Sns(topic)) => {
            let (region, account) = (topic.region(), topic.account());
            vec![format!("arn:{}:lambda:{region}:{account}:function:*", settings.partition())]
        }
        (None, _) if settings.lambda.schedule_group.is_some() => {
            vec![own_arn(settings, "lambda", "function:*")]
        }
        (None, CallbackMode::Daemon | CallbackMode::Detached) => Vec::new(),
    }
}

/// The ARN of something of which the configuration has only the name: its account is that of the resources without a role.
fn own_arn(settings: &Settings, service: &str, resource: &str) -> String {
    let own = settings.groups().find(|group| group.assume.is_none());
    let account = own.map(|group| group.arn.account());
    let of_topic = settings.alerts.topics.first().map(|topic| topic.arn.account());
    let account = account.or(of_topic).unwrap_or("*");
    let region = settings.aws.region.as_deref().unwrap_or("*");
    format!("arn:{}:{service}:{region}:{account}:{resource}", settings.partition())
}

/// Escapes a text for a condition with wildcards: `${` would begin a policy variable (IAM User Guide, "Policy variables").
fn literal(text: &str) -> String {
    let escaped = |character: char| match character {
        '*' | '?' | '$' => format!("${{{character}}}"),
        other => other.to_string(),
    };
    text.chars().map(escaped).collect()
}

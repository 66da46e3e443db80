//! The IAM policies that fit a configuration: the process's own, and one for each role that it assumes.
//!
//! Law: least privilege. What the configuration never leads to is not allowed, and what it leads to is allowed on nothing
//! but what it names.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{CallbackMode, Settings, StateStore};
use repoint_domain::permission::{Permission, needed};
use repoint_domain::spec::Spec;
use repoint_domain::values::arn::{RoleArn, TopicArn};
use repoint_domain::values::record::ZoneId;

/// What somebody is to be allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rights {
    /// Whole passes: `run`, `watch`, the Lambda, and a callback that does not hand over to the Lambda.
    Pass,
    /// Looking: `plan` and `status`.
    Plan,
    /// Calling the Lambda through its topic: a callback that hands over to it.
    Callback,
}

/// The most characters of a managed policy, white space not counted (IAM User Guide, "IAM and AWS STS quotas").
pub const LONGEST_MANAGED: usize = 6144;

/// A policy, and whose it is.
#[derive(Clone, Debug, Serialize)]
pub struct PolicyOf {
    /// The role that has it; absent for the process's own credentials.
    pub role_arn: Option<RoleArn>,
    /// The policy's document.
    pub policy: Value,
}

/// The policies: first that of the process's own credentials, then that of each role, in the order of their ARNs.
/// `has_instances` says whether a target group holds instances, which no configuration tells.
#[must_use]
pub fn policies(settings: &Settings, rights: Rights, has_instances: bool) -> Vec<PolicyOf> {
    let roles = match rights {
        Rights::Callback => BTreeSet::new(),
        Rights::Plan | Rights::Pass => settings.roles().into_iter().map(|role| &role.arn).collect(),
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
        Rights::Plan | Rights::Pass => {
            let writes = rights == Rights::Pass;
            let clusters: Vec<Spec> =
                settings.clusters.iter().map(|cluster| cluster.under_role(role)).collect();
            policy.allow_endpoints(&clusters, writes, has_instances);
            let has_records = clusters.iter().any(|cluster| !cluster.records.is_empty());
            if writes && has_records && settings.wait_insync.is_some() {
                policy.allow(&["route53:GetChange"], "");
            }
            if role.is_none() {
                policy.allow_around(settings, writes);
            }
        }
    }
    policy.into_json()
}

struct Policy {
    partition: String,
    /// In the order in which they are read best.
    statements: Vec<Statement>,
}

struct Statement {
    sid: String,
    actions: BTreeSet<String>,
    resources: BTreeSet<String>,
    condition: Option<Value>,
}

impl Policy {
    fn allow_endpoints(&mut self, clusters: &[Spec], writes: bool, has_instances: bool) {
        let groups: Vec<_> = clusters.iter().flat_map(|cluster| &cluster.groups).collect();
        for group in &groups {
            let arn = group.arn.as_str();
            self.allow(
                &["elasticloadbalancing:DescribeTargetHealth", "elasticloadbalancing:DescribeTargetGroups"],
                arn,
            );
            for listener in group.strategy.listeners() {
                self.allow(&["elasticloadbalancing:DescribeListeners"], listener.as_str());
            }
        }
        if has_instances && !groups.is_empty() {
            let regions: BTreeSet<&str> = groups.iter().map(|group| group.arn.region()).collect();
            let there = json!({ "StringEquals": { "ec2:Region": regions } });
            self.allow_if(&["ec2:DescribeInstances"], "*", Some(&there));
        }
        if writes {
            for group in &groups {
                self.allow(
                    &["elasticloadbalancing:RegisterTargets", "elasticloadbalancing:DeregisterTargets"],
                    group.arn.as_str(),
                );
            }
            for group in &groups {
                for listener in group.strategy.listeners() {
                    self.allow(&["elasticloadbalancing:ModifyListener"], listener.as_str());
                }
            }
        }
        for (zone, places) in zones(clusters) {
            self.allow(&["route53:ListResourceRecordSets"], zone.as_str());
            if writes {
                let names: BTreeSet<&str> = places.iter().map(|(name, _)| *name).collect();
                let types: BTreeSet<&str> = places.iter().map(|(_, record_type)| *record_type).collect();
                let of_these = json!({ "ForAllValues:StringEquals": {
                    "route53:ChangeResourceRecordSetsNormalizedRecordNames": names,
                    "route53:ChangeResourceRecordSetsRecordTypes": types,
                    // Never UPSERT: a change deletes exactly what was read, and creates what is wanted.
                    "route53:ChangeResourceRecordSetsActions": ["CREATE", "DELETE"],
                } });
                self.allow_if(&["route53:ChangeResourceRecordSets"], zone.as_str(), Some(&of_these));
            }
        }
    }

    /// What is not an endpoint, and so is done with the process's own credentials: assuming roles, publishing alerts, keeping
    /// state.
    fn allow_around(&mut self, settings: &Settings, writes: bool) {
        for role in settings.roles() {
            self.allow(&["sts:AssumeRole"], role.arn.as_str());
        }
        if let Some(topic) = settings.alerts.topic.as_ref().filter(|_| writes) {
            self.allow(&["sns:Publish"], topic.as_str());
        }
        if let StateStore::DynamoDb(table) = &settings.state.store {
            let actions: &[&str] =
                if writes { &["dynamodb:GetItem", "dynamodb:PutItem"] } else { &["dynamodb:GetItem"] };
            // A key that is missing would satisfy `ForAllValues`; both actions always have one, that of their item (DynamoDB
            // Developer Guide, "Using IAM policy conditions for fine-grained access control").
            let names: BTreeSet<String> =
                settings.clusters.iter().map(|cluster| literal(cluster.name.as_str())).collect();
            let of_these = json!({ "ForAllValues:StringEquals": { "dynamodb:LeadingKeys": names } });
            self.allow_if(actions, &table_arn(settings, table), Some(&of_these));
        }
    }

    fn allow(&mut self, actions: &[&str], resource: &str) {
        self.allow_if(actions, resource, None);
    }

    fn allow_if(&mut self, actions: &[&str], resource: &str, condition: Option<&Value>) {
        for action in actions {
            let Some(Permission { statement, resource }) = needed(action, resource, &self.partition) else {
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

/// The names and types of record sets by zone. IAM wants names in lower case, special characters as octal escapes, and no dot
/// at the end (Route 53 Developer Guide, "Using IAM policy conditions for fine-grained access control").
fn zones(clusters: &[Spec]) -> BTreeMap<&ZoneId, BTreeSet<(&str, &'static str)>> {
    let mut zones: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for record in clusters.iter().flat_map(|cluster| &cluster.records) {
        let place = &record.key.place;
        let name = place.name.as_str().trim_end_matches('.');
        zones.entry(&place.zone).or_default().insert((name, place.record_type.as_str()));
    }
    zones
}

/// The configuration names the table alone. Its account is that of what is reached without a role.
fn table_arn(settings: &Settings, table: &str) -> String {
    let own = settings.groups().find(|group| group.assume.is_none());
    let account = own.map(|group| group.arn.account());
    let account = account.or(settings.alerts.topic.as_ref().map(TopicArn::account)).unwrap_or("*");
    let region = settings.aws.region.as_deref().unwrap_or("*");
    format!("arn:{}:dynamodb:{region}:{account}:table/{table}", settings.partition())
}

/// A text in a condition that stands for itself: `${` would begin a variable (IAM User Guide, "Policy variables").
fn literal(text: &str) -> String {
    text.replace("${", "${$}{")
}

//! `repoint iam`: the IAM policies that a configuration needs.

use std::process::ExitCode;

use serde_json::json;

use super::print;
use crate::config::{CallbackMode, LONGEST_MANAGED, PolicyOf, Rights, Settings, policies};
use repoint_domain::values::arn::RoleArn;

pub const HELP: &str = "\
Examples:
  repoint iam > policy.json                     for run, watch and the Lambda
  repoint iam --for plan                        read-only
  repoint iam --for doctor                      read-only, and everything that doctor reads
  repoint iam --for callback                    nodes that only call the Lambda ([callback] mode = \"sns\")
  repoint iam --role self                       the process's own policy, if roles are configured (role_arn)
  repoint iam --role arn:aws:iam::210987654321:role/repoint-dns     the policy of an assumed role
  aws iam create-policy --policy-name repoint --policy-document file://policy.json

If the configuration has roles, the output is {\"policies\": [{\"role_arn\", \"policy\"}, …]}, the process's own first,
with null as its role. No request is made. When AWS denies a call, repoint names the missing statement.";

/// The value of `--role` for the process's own credentials.
const OWN: &str = "self";

/// Prints the policies for this configuration, or the one of `role`. No request is made.
pub fn main(settings: &Settings, rights: Rights, has_instances: bool, role: Option<&str>) -> ExitCode {
    if rights == Rights::Callback && !matches!(settings.callback.mode, CallbackMode::Sns(_)) {
        return print::usage_error(
            "[callback] mode is not `sns`, so a callback may make passes itself: use `--for run`",
        );
    }
    let policies = policies(settings, rights, has_instances);
    policies.iter().for_each(warn_of_length);
    match (role, &policies[..]) {
        (None, [only]) => print::json(&only.policy, true),
        (None, all) => print::json(&json!({ "policies": all }), true),
        (Some(role), all) => {
            if let Some(policy) = all.iter().find(|policy| name(policy) == role) {
                return print::json(&policy.policy, true);
            }
            let known: Vec<&str> = all.iter().map(name).collect();
            print::usage_error(&format!(
                "--role {role}: the configuration has no such role; its roles are {}",
                known.join(", ")
            ))
        }
    }
}

fn name(policy: &PolicyOf) -> &str {
    policy.role_arn.as_ref().map_or(OWN, RoleArn::as_str)
}

fn warn_of_length(policy: &PolicyOf) {
    let length = policy.policy.to_string().chars().count();
    if length > LONGEST_MANAGED {
        tracing::warn!(
            "the policy of {} has {length} characters, but a managed policy may have {LONGEST_MANAGED}: split the clusters \
             with `--cluster`, and attach one policy for each part",
            name(policy)
        );
    }
}

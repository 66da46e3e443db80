//! What an access-denied error means: which policy has to change, and how.
//!
//! What AWS's message names takes precedence over the call itself, since a call may need rights on other resources,
//! such as a key.
//! Source: IAM User Guide, "Troubleshoot access denied error messages".

use super::owner::Owner;
use super::role::ASSUME;
use crate::permission::{Permission, needed};

/// The rights on an encrypted resource's key if AWS does not name them (SNS Developer Guide, "Key management";
/// DynamoDB Developer Guide, "Encryption at rest usage notes").
const PUBLISH_TO_ENCRYPTED: &str = "`kms:GenerateDataKey*` and `kms:Decrypt`";
const READ_ENCRYPTED: &str = "`kms:Decrypt`";

/// A kind of policy that IAM evaluates.
struct Policy {
    /// Its name in AWS's messages.
    name: &'static str,
    /// Its name in ours.
    whose: &'static str,
    /// How to remove its deny.
    lift: &'static str,
}

const POLICIES: &[Policy] = &[
    Policy {
        name: "service control policy",
        whose: "a service control policy of the AWS Organization",
        lift: "ask the Organization's administrators",
    },
    Policy {
        name: "resource control policy",
        whose: "a resource control policy of the AWS Organization",
        lift: "ask the Organization's administrators",
    },
    Policy {
        name: "permissions boundary",
        whose: "the permissions boundary of the role or user",
        lift: "remove the deny from it",
    },
    Policy {
        name: "session policy",
        whose: "the session policy that the credentials were issued with",
        lift: "remove the deny from it",
    },
    Policy {
        name: "VPC endpoint policy",
        whose: "the policy of the VPC endpoint that the call goes through",
        lift: "remove the deny from it",
    },
    Policy {
        name: "resource-based policy",
        whose: "the policy of the resource itself",
        lift: "remove the deny from it",
    },
    Policy {
        name: "identity-based policy",
        whose: "a policy of the role or user",
        lift: "remove the deny from it",
    },
];

/// What to do about a refused call.
#[must_use]
pub fn hint(owner: &Owner, call: &str, resource: &str, words: &str) -> String {
    let partition = if owner.partition.is_empty() { partition(resource) } else { &owner.partition };
    let named =
        after(words, "not authorized to perform: ").filter(|action| !action.eq_ignore_ascii_case(call));
    let (action, permission) = match named {
        // AWS names another right than that of the call itself.
        Some(action) => (action, None),
        None => (call, needed(call, resource, partition)),
    };
    let on = match (&permission, named) {
        (Some(permission), _) => permission.resource.as_str(),
        (None, Some(_)) => after(words, "on resource: ").unwrap_or(resource),
        (None, None) => resource,
    };
    for Policy { name, whose, lift } in POLICIES {
        if words.contains(&format!("explicit deny in a {name}"))
            || words.contains(&format!("explicit deny in an {name}"))
        {
            return format!("{whose} denies `{action}` on `{on}`, which overrides every allow: {lift}");
        }
        if words.contains(&format!("no {name} allows")) && *name != "identity-based policy" {
            return format!(
                "also allow `{action}` on `{on}` in {whose}: the role's own policy is not enough"
            );
        }
    }
    let role = owner.role.as_ref().map_or_else(String::new, |role| format!(" --role {role}"));
    match permission {
        Some(Permission { statement, resource, .. }) if call == ASSUME => format!(
            "allow these credentials in the trust policy of `{resource}`; if it requires an `sts:ExternalId`, set the same \
             `external_id` beside `role_arn`; and allow the IAM action `{action}` on the role (statement `{statement}` of \
             `repoint iam{role}`)"
        ),
        Some(Permission { statement, resource, is_for_doctor }) => {
            let whom = if is_for_doctor { " --for doctor" } else { "" };
            format!(
                "allow the IAM action `{action}` on `{resource}` (statement `{statement}` of `repoint iam{whom}{role}`), or use \
                 other credentials"
            )
        }
        None => format!("allow the IAM action `{action}` on `{on}`, or use other credentials"),
    }
}

/// What to do about a key; `state` is what is wrong with it.
#[must_use]
pub fn key_hint(call: &str, state: &str, words: &str) -> String {
    let key = words.split(|c: char| c.is_whitespace() || c == '\'' || c == ',').find(|word| is_key(word));
    let key = key.map_or("the AWS KMS key".to_owned(), |key| {
        format!("the AWS KMS key `{}`", key.trim_end_matches('.'))
    });
    let (what, rights) = if call.starts_with("sns:") {
        ("the topic", PUBLISH_TO_ENCRYPTED)
    } else {
        ("the table", READ_ENCRYPTED)
    };
    if !state.starts_with("may not") {
        return format!("{key} that encrypts {what} {state}: restore it, or encrypt {what} with another key");
    }
    let named = after(words, "not authorized to perform: ").filter(|action| action.starts_with("kms:"));
    let rights = match named {
        Some(named) if !rights.contains(named.trim_end_matches('*')) => format!("`{named}`, {rights}"),
        _ => rights.to_owned(),
    };
    format!(
        "{key} that encrypts {what} {state}: allow {rights} on it in the key policy, and for a key of another account also \
         in IAM; the right `{call}` is not the missing one"
    )
}

fn is_key(word: &str) -> bool {
    word.starts_with("arn:") && word.split(':').nth(2) == Some("kms")
}

/// The partition of an ARN; `aws` if it has none.
fn partition(resource: &str) -> &str {
    resource.strip_prefix("arn:").and_then(|rest| rest.split(':').next()).unwrap_or("aws")
}

/// The word that follows a marker.
fn after<'a>(words: &'a str, sign: &str) -> Option<&'a str> {
    let (_, rest) = words.split_once(sign)?;
    rest.split_whitespace().next().map(|word| word.trim_end_matches(['.', ',']))
}

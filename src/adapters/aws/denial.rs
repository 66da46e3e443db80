//! What a refusal for want of a right means: which policy has to change, and how.
//!
//! Law: what AWS's words name outranks what the call was, since a call may need rights on other things, such as a key.
//! Source: IAM User Guide, "Troubleshoot access denied error messages".

use super::owner::Owner;
use super::role::ASSUME;
use repoint_domain::permission::{Permission, needed};

/// What an encrypted resource needs, where AWS does not name it (SNS Developer Guide, "Key management"; DynamoDB
/// Developer Guide, "Encryption at rest usage notes").
const PUBLISH_TO_ENCRYPTED: &str = "`kms:GenerateDataKey*` and `kms:Decrypt`";
const READ_ENCRYPTED: &str = "`kms:Decrypt`";

/// A sort of policy that IAM evaluates.
struct Policy {
    /// As AWS's messages have it.
    name: &'static str,
    /// Which one it is.
    whose: &'static str,
    /// How its deny is lifted.
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
        lift: "remove the deny there",
    },
    Policy {
        name: "session policy",
        whose: "the session policy that the credentials were issued with",
        lift: "remove the deny where they are issued",
    },
    Policy {
        name: "VPC endpoint policy",
        whose: "the policy of the VPC endpoint that the call goes through",
        lift: "remove the deny there",
    },
    Policy {
        name: "resource-based policy",
        whose: "the policy of the resource itself",
        lift: "remove the deny there",
    },
    Policy {
        name: "identity-based policy",
        whose: "a policy of the role or user",
        lift: "remove the deny there",
    },
];

/// What to do about a refused call.
#[must_use]
pub fn hint(owner: &Owner, call: &str, resource: &str, words: &str) -> String {
    let partition = if owner.partition.is_empty() { partition(resource) } else { &owner.partition };
    let named =
        after(words, "not authorized to perform: ").filter(|action| !action.eq_ignore_ascii_case(call));
    let (action, permission) = match named {
        // Another right than that of the call itself.
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
            return format!(
                "{whose} denies `{action}` on `{on}`, and no allow elsewhere outweighs that: {lift}"
            );
        }
        if words.contains(&format!("no {name} allows")) && *name != "identity-based policy" {
            return format!(
                "allow `{action}` on `{on}` in {whose}, too: the role's own policy is not enough"
            );
        }
    }
    let role = owner.role.as_ref().map_or_else(String::new, |role| format!(" --role {role}"));
    match permission {
        Some(Permission { statement, resource }) if call == ASSUME => format!(
            "let the trust policy of `{resource}` name these credentials; where it asks for an `sts:ExternalId`, set the same \
             `external_id` beside `role_arn`; and allow the IAM action `{action}` on it (the statement `{statement}` of \
             `repoint iam{role}`)"
        ),
        Some(Permission { statement, resource }) => format!(
            "allow the IAM action `{action}` on `{resource}` (the statement `{statement}` of `repoint iam{role}`), or mend the \
             credentials"
        ),
        None => format!("allow the IAM action `{action}` on `{on}`, or mend the credentials"),
    }
}

/// What to do about a key; `state` is what it is or is not.
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
        "{key} that encrypts {what} {state}: allow {rights} on it in the key's own policy, and for a key of another account in \
         IAM, too; the right `{call}` is not what is missing"
    )
}

fn is_key(word: &str) -> bool {
    word.starts_with("arn:") && word.split(':').nth(2) == Some("kms")
}

/// The partition of an ARN; `aws` for what has none.
fn partition(resource: &str) -> &str {
    resource.strip_prefix("arn:").and_then(|rest| rest.split(':').next()).unwrap_or("aws")
}

/// The word that follows a sign.
fn after<'a>(words: &'a str, sign: &str) -> Option<&'a str> {
    let (_, rest) = words.split_once(sign)?;
    rest.split_whitespace().next().map(|word| word.trim_end_matches(['.', ',']))
}

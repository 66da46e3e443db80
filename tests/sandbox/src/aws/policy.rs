//! What a policy allows: as much of IAM's language as `repoint iam` uses.
//!
//! What no statement allows is refused. `ForAllValues` holds for a key that a call does not have, other conditions do not
//! (IAM User Guide, "Set operators for multivalued context keys").

use std::collections::BTreeMap;

use serde_json::Value;

/// What a call says of itself, by condition key.
pub type Says = BTreeMap<&'static str, Vec<String>>;

/// The policy of the one user.
#[derive(Clone, Debug)]
pub struct Policy {
    statements: Vec<Value>,
}

impl Policy {
    /// Reads a policy; `None` if it has no list of statements.
    #[must_use]
    pub fn new(policy: &Value) -> Option<Self> {
        Some(Self { statements: policy["Statement"].as_array()?.clone() })
    }

    pub(super) fn allows(&self, action: &str, resource: &str, says: &Says) -> bool {
        self.statements.iter().any(|statement| {
            statement["Effect"] == "Allow"
                && texts(&statement["Action"]).any(|allowed| allowed == action)
                && texts(&statement["Resource"]).any(|allowed| covers(allowed, resource))
                && hold(&statement["Condition"], says)
        })
    }
}

fn texts(list: &Value) -> impl Iterator<Item = &str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str)
}

/// An asterisk at the end stands for anything.
fn covers(allowed: &str, resource: &str) -> bool {
    match allowed.strip_suffix('*') {
        Some(start) => resource.starts_with(start),
        None => resource == allowed,
    }
}

fn hold(conditions: &Value, says: &Says) -> bool {
    let by_operator = conditions.as_object().into_iter().flatten();
    let mut single = by_operator.flat_map(|(operator, keys)| {
        keys.as_object().into_iter().flatten().map(move |(key, allowed)| (operator.as_str(), key, allowed))
    });
    single.all(|(operator, key, allowed)| {
        let said = says.get(key.as_str());
        let is_allowed = |value: &String| texts(allowed).any(|allowed| allowed == value);
        match operator {
            "ForAllValues:StringEquals" => said.is_none_or(|said| said.iter().all(is_allowed)),
            "ForAllValues:StringLike" => {
                let is_like = |value: &String| {
                    texts(allowed).any(|allowed| covers(&allowed.replace("${$}", "$"), value))
                };
                said.is_none_or(|said| said.iter().all(is_like))
            }
            "StringEquals" => said.is_some_and(|said| said.iter().all(is_allowed)),
            _ => false,
        }
    })
}

//! What is wrong with a cluster for a while, as it is stored: since when, and whether it was alerted.

use serde::{Deserialize, Serialize};

use super::kinds::ConditionKind;
use super::{Raw, Unknown};
use crate::values::cluster::SiteName;
use crate::values::timestamp::Timestamp;

/// Something that is wrong and lasts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Stored", into = "Stored")]
pub struct Condition {
    /// What.
    pub kind: ConditionKind,
    /// What it is about, by a name that no other condition of its kind has; absent where it is the whole cluster.
    pub subject: Option<String>,
    /// The endpoint that it is about, if any.
    pub endpoint: Option<String>,
    /// The site of the member that it is about, if the cluster spans several.
    pub site: Option<SiteName>,
    /// What it is called in an alert's subject line; empty where an older version has written it.
    pub title: String,
    /// What is wrong, as last seen.
    pub message: String,
    /// When it was first seen.
    pub since: Timestamp,
    /// When it was last alerted; absent while it was not.
    pub notified: Option<Timestamp>,
    /// What a newer version has written of it; its kind, too, if that is [`ConditionKind::Unrecognized`].
    pub unknown: Unknown,
}

/// A condition as it is stored: of any kind that a newer version may know.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Stored {
    kind: String,
    subject: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    endpoint: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    site: Option<SiteName>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    title: String,
    message: String,
    since: Timestamp,
    notified: Option<Timestamp>,
    #[serde(flatten)]
    unknown: Unknown,
}

/// Where the name of an unrecognized kind is kept.
const KIND: &str = "kind";

impl From<Stored> for Condition {
    fn from(stored: Stored) -> Self {
        let Stored { kind: name, subject, endpoint, site, title, message, since, notified, mut unknown } =
            stored;
        let kind = ConditionKind::parse(&name);
        if kind == ConditionKind::Unrecognized {
            unknown.insert(KIND.to_owned(), Raw::Text(name));
        }
        Self { kind, subject, endpoint, site, title, message, since, notified, unknown }
    }
}

impl From<Condition> for Stored {
    fn from(condition: Condition) -> Self {
        let Condition { kind, subject, endpoint, site, title, message, since, notified, mut unknown } =
            condition;
        let kind = match unknown.remove(KIND) {
            Some(Raw::Text(name)) => name,
            _ => kind.as_str().to_owned(),
        };
        Self { kind, subject, endpoint, site, title, message, since, notified, unknown }
    }
}

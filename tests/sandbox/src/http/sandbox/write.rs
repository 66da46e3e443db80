//! The writes that reached AWS, as they were asked for.
//!
//! Read from the request, not from its result; a write that was refused is reported too, with the code.

use std::fmt;

use roxmltree::{Document, Node};

use super::super::exchange::Request;
use crate::Millis;
use crate::aws::log::Ending;

/// One write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    /// When.
    pub at: Millis,
    /// The access key id that signed it.
    pub by: String,
    /// The `User-Agent`.
    pub agent: String,
    /// What was asked.
    pub action: Action,
    /// How it ended.
    pub ending: Ending,
}

/// What a write asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// `RegisterTargets`.
    Register {
        /// The group's ARN.
        group: String,
        /// Addresses or instances.
        targets: Vec<String>,
    },
    /// `DeregisterTargets`.
    Deregister {
        /// The group's ARN.
        group: String,
        /// Addresses or instances.
        targets: Vec<String>,
    },
    /// `ChangeResourceRecordSets`.
    Change {
        /// The zone's id.
        zone: String,
        /// In the order of the batch.
        changes: Vec<RecordWrite>,
    },
}

/// One change of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordWrite {
    /// `CREATE`, `DELETE` or `UPSERT`.
    pub action: String,
    /// The name.
    pub name: String,
    /// e.g. `A`.
    pub record_type: String,
    /// Empty for a simple record.
    pub set_identifier: String,
    /// What it points at.
    pub values: Vec<String>,
}

impl Write {
    /// Whether AWS did it, whatever its caller knows.
    #[must_use]
    pub fn is_done(&self) -> bool {
        matches!(self.ending, Ending::Done | Ending::AnswerLost(None))
    }
}

impl Action {
    /// What a request of that action asks for; `None` for one that writes neither targets nor records.
    pub(super) fn of(action: &str, request: &Request) -> Option<Self> {
        match action {
            "RegisterTargets" => {
                let (group, targets) = targets(&request.body);
                Some(Self::Register { group, targets })
            }
            "DeregisterTargets" => {
                let (group, targets) = targets(&request.body);
                Some(Self::Deregister { group, targets })
            }
            "ChangeResourceRecordSets" => {
                let zone = request.path.split('/').nth(3).unwrap_or_default().to_owned();
                Some(Self::Change { zone, changes: changes(&request.body) })
            }
            _ => None,
        }
    }

    /// The values that something points at from now on.
    #[must_use]
    pub fn points_at(&self) -> Vec<&str> {
        match self {
            Self::Register { targets, .. } => targets.iter().map(String::as_str).collect(),
            Self::Deregister { .. } => Vec::new(),
            Self::Change { changes, .. } => changes
                .iter()
                .filter(|change| change.action != "DELETE")
                .flat_map(|change| change.values.iter().map(String::as_str))
                .collect(),
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Register { targets, .. } => write!(f, "RegisterTargets {}", targets.join(" ")),
            Self::Deregister { targets, .. } => write!(f, "DeregisterTargets {}", targets.join(" ")),
            Self::Change { changes, .. } => {
                f.write_str("ChangeResourceRecordSets")?;
                for change in changes {
                    write!(f, " {} {}", change.action, change.values.join(","))?;
                }
                Ok(())
            }
        }
    }
}

/// The group and the ids of the targets, in the order in which they are sent.
fn targets(body: &[u8]) -> (String, Vec<String>) {
    let (mut group, mut ids) = (String::new(), Vec::new());
    for (name, value) in form_urlencoded::parse(body) {
        if name == "TargetGroupArn" {
            group = value.into_owned();
        } else if name.starts_with("Targets.member.") && name.ends_with(".Id") {
            ids.push(value.into_owned());
        }
    }
    (group, ids)
}

fn changes(body: &[u8]) -> Vec<RecordWrite> {
    let text = String::from_utf8_lossy(body);
    let Ok(document) = Document::parse(&text) else { return Vec::new() };
    let changes = document.descendants().filter(|node| is_named(*node, "Change"));
    changes
        .map(|change| RecordWrite {
            action: leaf(change, "Action"),
            name: leaf(change, "Name"),
            record_type: leaf(change, "Type"),
            set_identifier: leaf(change, "SetIdentifier"),
            values: leaves(change, "Value"),
        })
        .collect()
}

/// By the local name: what the namespace is does not matter here.
fn is_named(node: Node<'_, '_>, name: &str) -> bool {
    node.is_element() && node.tag_name().name() == name
}

fn leaves(node: Node<'_, '_>, name: &str) -> Vec<String> {
    let found = node.descendants().filter(|inner| is_named(*inner, name));
    found.filter_map(|inner| inner.text()).map(str::to_owned).collect()
}

fn leaf(node: Node<'_, '_>, name: &str) -> String {
    leaves(node, name).into_iter().next().unwrap_or_default()
}

/// The access key id in a signature.
pub(super) fn signer(request: &Request) -> String {
    let header = request.headers.get("authorization").map(String::as_str).unwrap_or_default();
    let credential = header.split("Credential=").nth(1).unwrap_or_default();
    credential.split('/').next().unwrap_or_default().to_owned()
}

//! An alert: a message for the person who is on call, and for programs.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::report::ClusterReport;
use crate::state::{Severity, clipped};
use crate::values::moves::MoveCause;

/// The most bytes of an attribute: what programs filter by is short.
const ATTRIBUTE_LIMIT: usize = 256;

/// One message.
#[derive(Clone, Debug, PartialEq)]
pub struct Alert {
    /// One line of ASCII, under 100 characters.
    pub subject: String,
    /// For the reader.
    pub text: String,
    /// For programs: it follows the text, as one line of JSON.
    pub document: Document,
    /// What stands before the report in the text.
    pub(super) intro: String,
}

/// The message for programs. Its first five fields are SNS message attributes as well, for filter policies.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Document {
    /// The cluster.
    pub cluster: String,
    /// `retargeted`, or the name of the condition.
    pub event: &'static str,
    /// `info`, `warning` or `critical`.
    pub severity: Severity,
    /// `triggered`, `reminder` or `resolved`.
    pub status: &'static str,
    /// The same for a condition's beginning, reminders and end.
    pub dedup_key: String,
    /// Why endpoints moved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<MoveCause>,
    /// The member or endpoint that a condition is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// How long a condition has lasted, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lasted_seconds: Option<u64>,
    /// What was left out of the report, which would have been too long for a message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left_out: Option<LeftOut>,
    /// The alert's heading in the runbook, as the packages install it.
    pub runbook: String,
    /// The pass that noticed.
    pub report: ClusterReport,
}

/// How much of a report is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// So many steps.
    pub steps: usize,
    /// So many holds.
    pub holds: usize,
    /// So many warnings.
    pub warnings: usize,
}

impl Document {
    /// The attributes of the message.
    #[must_use]
    pub fn attributes(&self) -> BTreeMap<String, String> {
        let mut attributes = BTreeMap::from([
            ("cluster", self.cluster.clone()),
            ("event", self.event.to_owned()),
            ("severity", self.severity.as_str().to_owned()),
            ("status", self.status.to_owned()),
            ("dedup_key", self.dedup_key.clone()),
        ]);
        attributes.extend(self.cause.map(|cause| ("cause", cause.as_str().to_owned())));
        let short = |value: String| clipped(&value, ATTRIBUTE_LIMIT);
        attributes.into_iter().map(|(name, value)| (name.to_owned(), short(value))).collect()
    }
}

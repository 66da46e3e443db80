//! An alert: a message for the person who is on call, and for programs.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::report::{self, ClusterReport};
use crate::state::{Severity, clipped};
use crate::values::moves::MoveCause;
use crate::values::timestamp::Timestamp;

/// The most bytes of an attribute: what programs filter by is short.
const ATTRIBUTE_LIMIT: usize = 256;
/// The event of a move.
pub(super) const RETARGETED: &str = "retargeted";
/// The status of a beginning.
pub(super) const TRIGGERED: &str = "triggered";
/// The status of an end.
pub(super) const RESOLVED: &str = "resolved";

/// One alert, of which each topic gets a message in its own format.
#[derive(Clone, Debug, PartialEq)]
pub struct Alert {
    /// One line of ASCII, under 100 characters.
    pub subject: String,
    /// What has happened, in one line.
    pub(super) headline: String,
    /// What there is to say beside it, in sentences; may be empty.
    pub(super) details: String,
    /// When the condition began; absent where it is about none.
    pub(super) since: Option<Timestamp>,
    /// When the alert was raised.
    pub(super) at: Timestamp,
    /// For programs.
    pub document: Document,
}

impl Alert {
    /// Whether it says that a condition has ended.
    #[must_use]
    pub fn is_end(&self) -> bool {
        self.document.status == RESOLVED
    }

    /// For the reader.
    #[must_use]
    pub fn text(&self) -> String {
        let Self { headline, details, document, .. } = self;
        let details = if details.is_empty() { String::new() } else { format!("{details}\n\n") };
        format!("{headline}.\n\n{details}Runbook: {}\n\n{}", document.runbook, document.report_text())
    }
}

/// The message for programs. Its first five fields are SNS message attributes as well, for filter policies.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Document {
    /// The cluster; absent in a test.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// `retargeted`, `test`, or the name of the condition.
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
    /// The process that has published a test.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The pass that noticed; absent in a test.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub report: Option<ClusterReport>,
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
    /// The report as text, and what was left out of it.
    pub(super) fn report_text(&self) -> String {
        let report = self.report.as_ref();
        let report =
            report.map_or_else(String::new, |report| report::text(report, &|_, word| word.to_owned()));
        let left_out = self.left_out.map_or_else(String::new, |left| {
            format!(
                "  ... {} more steps, {} more holds and {} more warnings left out; `repoint plan` shows how things stand\n",
                left.steps, left.holds, left.warnings
            )
        });
        format!("{report}{left_out}")
    }

    /// The attributes of the message.
    #[must_use]
    pub fn attributes(&self) -> BTreeMap<String, String> {
        let mut attributes = BTreeMap::from([
            ("event", self.event.to_owned()),
            ("severity", self.severity.as_str().to_owned()),
            ("status", self.status.to_owned()),
            ("dedup_key", self.dedup_key.clone()),
        ]);
        attributes.extend(self.cluster.clone().map(|cluster| ("cluster", cluster)));
        attributes.extend(self.cause.map(|cause| ("cause", cause.as_str().to_owned())));
        let short = |value: String| clipped(&value, ATTRIBUTE_LIMIT);
        attributes.into_iter().map(|(name, value)| (name.to_owned(), short(value))).collect()
    }
}

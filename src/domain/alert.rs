//! What SNS is told of a pass.
//!
//! Law: a message is first for the person it wakes, and then for programs: words, then one JSON document.

use std::collections::BTreeMap;

use super::report::{ClusterReport, Outcome, VerdictReport, text};
use super::verdict::HoldKind;

/// SNS takes subjects of fewer than 100 characters (Publish, `Subject`).
const SUBJECT_LIMIT: usize = 99;

/// One message.
#[derive(Clone, Debug, PartialEq)]
pub struct Alert {
    /// One line of ASCII, under 100 characters.
    pub subject: String,
    /// Words for people.
    pub text: String,
    /// The same for programs: it follows the words, as one line of JSON.
    pub report: ClusterReport,
    /// `cluster`, `event` and `severity`, for filter policies.
    pub attributes: BTreeMap<&'static str, String>,
}

/// The message for a pass; none for one that found everything as it should be.
#[must_use]
pub fn alert(report: &ClusterReport) -> Option<Alert> {
    let contested = matches!(report.verdict, VerdictReport::Hold { kind: HoldKind::Contested, .. });
    let (event, severity) = match report.outcome {
        Outcome::Planned => return None,
        Outcome::Converged if report.warnings.is_empty() => return None,
        Outcome::Converged => ("split_brain", "critical"),
        Outcome::Changed => ("retargeted", if report.warnings.is_empty() { "info" } else { "critical" }),
        Outcome::Held => ("held", if contested { "critical" } else { "warning" }),
        Outcome::Failed => ("failed", "critical"),
    };
    let attributes = [
        ("cluster", report.scope.to_string()),
        ("event", event.to_owned()),
        ("severity", severity.to_owned()),
    ];
    Some(Alert {
        subject: subject(&headline(report)),
        text: format!("{}.\n\n{}", headline(report), text(report, &|_, word| word.to_owned())),
        report: report.clone(),
        attributes: attributes.into_iter().collect(),
    })
}

fn headline(report: &ClusterReport) -> String {
    let scope = &report.scope;
    let primary = match &report.verdict {
        VerdictReport::Hold { kind, .. } => {
            return format!("{scope}: held, {}", kind.as_str().replace('_', " "));
        }
        VerdictReport::Primary(primary) => {
            primary.member.as_ref().map_or_else(|| "an unnamed member".to_owned(), ToString::to_string)
        }
    };
    match (report.outcome, &report.previous_primary) {
        (Outcome::Failed, _) => format!("{scope}: FAILED to point everything at the primary {primary}"),
        (Outcome::Held, _) => format!("{scope}: some endpoints cannot follow the primary {primary}"),
        (Outcome::Converged | Outcome::Planned, _) => {
            format!("{scope}: another member than {primary} claims to be primary")
        }
        (Outcome::Changed, Some(before)) if *before != primary => {
            format!("{scope}: the primary is now {primary}, before {before}")
        }
        (Outcome::Changed, _) => format!("{scope}: endpoints now point at the primary {primary}"),
    }
}

/// SNS wants ASCII without control characters, and the name of a cluster may be anything.
fn subject(headline: &str) -> String {
    let plain = |letter: char| if letter.is_ascii_graphic() || letter == ' ' { letter } else { '?' };
    format!("repoint: {headline}").chars().map(plain).take(SUBJECT_LIMIT).collect()
}

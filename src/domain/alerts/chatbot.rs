//! An alert as a custom notification of Amazon Q Developer in chat applications, which shows it in Slack or Teams.
//!
//! Source: "Custom notifications" in its Administrator Guide. What is in the topic and has another shape is dropped there.
//! The guide gives no lengths: the limits of title and description are those that were found by trying.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::alarm::unique;
use super::alert::{Alert, Document};
use super::cut::CUTS;
use crate::state::{Severity, clipped};

/// Most bytes of a title.
const TITLE_LIMIT: usize = 250;
/// Most bytes of a description, of which the report takes what is left.
const DESCRIPTION_LIMIT: usize = 8_000;
/// Most bytes of every other text, and most endpoints that are named.
const TEXT_LIMIT: usize = 255;
const MOST_RESOURCES: usize = 8;

/// The notification, as it is published.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Notification {
    version: &'static str,
    source: &'static str,
    content: Content,
    metadata: Metadata,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Content {
    text_type: &'static str,
    title: String,
    description: String,
    next_steps: Vec<String>,
    keywords: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    thread_id: String,
    summary: String,
    event_type: &'static str,
    related_resources: BTreeSet<String>,
    additional_context: BTreeMap<&'static str, String>,
}

impl Notification {
    /// How many bytes a description may have; each is tried until the whole message is short enough.
    pub const LIMITS: [usize; 4] = [DESCRIPTION_LIMIT, 4_000, 2_000, 1_000];

    /// The notification of an alert; its description has no more than so many bytes.
    #[must_use]
    pub fn of(alert: &Alert, most: usize) -> Self {
        let document = &alert.document;
        let short = |text: &str| clipped(text, TEXT_LIMIT);
        let status = format!(
            "`repoint status{}`",
            document.cluster.as_ref().map_or(String::new(), |name| format!(" --cluster {name}"))
        );
        let keywords = [document.event, document.severity.as_str(), document.status].map(str::to_owned);
        let context = [
            ("severity", Some(document.severity.as_str().to_owned())),
            ("status", Some(document.status.to_owned())),
            ("dedup_key", Some(short(&document.dedup_key))),
            ("cause", document.cause.map(|cause| cause.as_str().to_owned())),
            ("lasted_seconds", document.lasted_seconds.map(|seconds| seconds.to_string())),
            ("runbook", Some(document.runbook.clone())),
        ];
        Self {
            version: "1.0",
            source: "custom",
            content: Content {
                text_type: "client-markdown",
                title: clipped(&format!("{} {}", sign(alert), alert.headline), TITLE_LIMIT),
                description: description(alert, most),
                next_steps: vec![
                    format!("Runbook: `{}`", document.runbook),
                    short(&format!("How it stands now: {status}")),
                ],
                keywords: document.cluster.iter().map(|name| short(name)).chain(keywords).collect(),
            },
            metadata: Metadata {
                thread_id: unique(&thread(alert), TEXT_LIMIT),
                summary: short(&alert.headline),
                event_type: document.event,
                related_resources: resources(alert),
                additional_context: context
                    .into_iter()
                    .filter_map(|(name, value)| Some((name, value?)))
                    .collect(),
            },
        }
    }
}

/// What a channel shows at a glance; the words say the same.
fn sign(alert: &Alert) -> &'static str {
    match alert.document.severity {
        _ if alert.is_end() => "✅",
        Severity::Critical => "🔴",
        Severity::Warning => "🟠",
        Severity::Info => "🔵",
    }
}

/// A condition's beginning, reminders and end are one thread, and the next time that it begins is another one. All moves
/// to one timeline are one.
fn thread(alert: &Alert) -> String {
    let key = &alert.document.dedup_key;
    alert.since.map_or_else(|| key.clone(), |since| format!("{key} {}Z", since.utc()))
}

/// Sentences, then the report or as much of it as there is room for.
fn description(alert: &Alert, most: usize) -> String {
    let document = &alert.document;
    // A fence in it would begin or end a block.
    let unfenced = |text: &str| text.replace("```", "'''");
    let details = unfenced(&clipped(&alert.details, most / 2));
    let details = if details.is_empty() { details } else { format!("{details}\n\n") };
    let before = format!("{details}Severity {}, {}.", document.severity.as_str(), document.status);
    if document.report.is_none() {
        return before;
    }
    let (begin, end) = ("\n\n```\n", "\n```");
    let left = most.saturating_sub(before.len() + begin.len() + end.len());
    let report = |document: &Document| unfenced(document.report_text().trim_end());
    let whole = report(document);
    let cuts = CUTS.iter().map(|others| report(&alert.cut_to(*others).document));
    let fits = std::iter::once(whole.clone()).chain(cuts).find(|report| report.len() <= left);
    format!("{before}{begin}{}{end}", fits.unwrap_or_else(|| clipped(&whole, left)))
}

/// The endpoints that it is about.
fn resources(alert: &Alert) -> BTreeSet<String> {
    let report = alert.document.report.as_ref();
    let steps = report.into_iter().flat_map(|report| &report.steps).map(|step| &step.endpoint);
    let holds = report.into_iter().flat_map(|report| &report.holds);
    let holds = holds.filter_map(|hold| hold.endpoint.as_ref());
    let mut resources = BTreeSet::new();
    for endpoint in steps.chain(holds) {
        if resources.len() < MOST_RESOURCES {
            resources.insert(clipped(&endpoint.to_string(), TEXT_LIMIT));
        }
    }
    resources
}

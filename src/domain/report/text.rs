//! The report of a cluster as an operator reads it: aligned, short, the verdict first.

use std::fmt::Write;

use super::{ClusterReport, HoldReport, Outcome, Reason, StepReport, StepResult, VerdictReport};
use crate::values::arn::{GroupArn, ListenerArn};
use crate::values::endpoint::Endpoint;

/// How a piece of text is meant; a terminal may colour it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// What a reader looks for first.
    Strong,
    /// As it should be.
    Good,
    /// Left alone, or yet to come.
    Notice,
    /// Failed.
    Bad,
    /// Details.
    Faint,
}

/// The report in plain words; `paint` may add colour, and must not change the visible width.
#[must_use]
pub fn text(report: &ClusterReport, paint: &dyn Fn(Tone, &str) -> String) -> String {
    let mut text = String::new();
    let tone = match report.outcome {
        Outcome::Converged | Outcome::Changed => Tone::Good,
        Outcome::Planned | Outcome::Held => Tone::Notice,
        Outcome::Failed => Tone::Bad,
    };
    let _ = writeln!(
        text,
        "{}  {}  {}",
        paint(Tone::Strong, report.name.as_str()),
        paint(tone, report.outcome.as_str()),
        paint(Tone::Faint, &format!("{} ms", report.duration_ms)),
    );
    if let VerdictReport::Primary(primary) = &report.verdict {
        let name = primary.label().unwrap_or_else(|| "unnamed".to_owned());
        let address = match (&primary.host, primary.port) {
            (Some(host), Some(port)) => format!("{host}:{port}"),
            _ => "address unknown".to_owned(),
        };
        let previous =
            report.previous_primary.as_ref().map_or(String::new(), |name| format!(", before: {name}"));
        let cause = report.cause.map_or(String::new(), |cause| format!("  ({})", cause.as_str()));
        let _ = writeln!(
            text,
            "  primary  {}  {address}  timeline {}{previous}{cause}",
            paint(Tone::Strong, &name),
            primary.timeline
        );
    }
    if let VerdictReport::Hold { message, .. } = &report.verdict
        && !report.holds.iter().any(|hold| matches!(hold.reason, Reason::Verdict(_)))
    {
        let _ = writeln!(text, "  {message}");
    }
    steps(&mut text, &report.steps, paint);
    for hold in &report.holds {
        write_hold(&mut text, hold, paint);
    }
    for alert in &report.alerts {
        let _ = writeln!(text, "  {}  {alert}", paint(Tone::Faint, "alert  "));
    }
    for warning in &report.warnings {
        let _ = writeln!(text, "  {}  {warning}", paint(Tone::Bad, "warning"));
    }
    text
}

fn steps(text: &mut String, steps: &[StepReport], paint: &dyn Fn(Tone, &str) -> String) {
    let width = steps.iter().map(|step| step.summary().chars().count()).max().unwrap_or(0);
    for step in steps {
        let (tone, word) = match step.result {
            StepResult::Planned => (Tone::Notice, "would"),
            StepResult::Done => (Tone::Good, "done"),
            StepResult::Failed => (Tone::Bad, "failed"),
            StepResult::Skipped => (Tone::Notice, "skipped"),
        };
        let at = step
            .at_ms
            .map(|ms| (ms, step.insync_at_ms.map_or(String::new(), |ms| format!(", insync at {ms} ms"))))
            .map_or(String::new(), |(ms, insync)| {
                format!("  {}", paint(Tone::Faint, &format!("at {ms} ms{insync}")))
            });
        let _ = writeln!(
            text,
            "  {}  {:width$}  {}{at}",
            paint(tone, &format!("{word:7}")),
            step.summary(),
            describe(&step.endpoint)
        );
        for line in [&step.error, &step.hint].into_iter().flatten() {
            let _ = writeln!(text, "           {line}");
        }
    }
}

/// The endpoint as an operator knows it.
#[must_use]
pub fn describe(endpoint: &Endpoint) -> String {
    match endpoint {
        Endpoint::Group(arn) => format!("target group {} ({})", arn.name(), arn.region()),
        Endpoint::Listener(arn) => format!("listener {} ({})", arn.name(), arn.region()),
        Endpoint::Record(key) => format!("record {key}"),
        Endpoint::Backend(key) => format!("HAProxy backend {key}"),
    }
}

/// The same for an endpoint whose name is text, such as in the history.
#[must_use]
pub fn describe_name(endpoint: &str) -> String {
    let group = GroupArn::parse(endpoint).map(Endpoint::Group).ok();
    let known = group.or_else(|| ListenerArn::parse(endpoint).map(Endpoint::Listener).ok());
    known.map_or_else(|| endpoint.to_owned(), |known| describe(&known))
}

fn write_hold(text: &mut String, hold: &HoldReport, paint: &dyn Fn(Tone, &str) -> String) {
    let place = hold.endpoint.as_ref().map_or(String::new(), |endpoint| format!("{}: ", describe(endpoint)));
    let _ = writeln!(text, "  {}  {place}{}", paint(Tone::Notice, "held   "), hold.message);
    if let Some(hint) = &hold.hint {
        let _ = writeln!(text, "           {hint}");
    }
}

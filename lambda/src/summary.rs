//! Summaries of what failed or was held, for messages to operators.

use repoint_domain::report::{ClusterReport, Outcome, Report, StepResult, describe};

/// Every cluster with this outcome, with the reasons and hints; `None` if there is none.
pub fn sentences(report: &Report, outcome: Outcome) -> Option<String> {
    let clusters = report.clusters.iter().filter(|cluster| cluster.outcome == outcome);
    let all: Vec<String> = clusters
        .map(|cluster| format!("{} {}: {}", cluster.name, outcome.as_str(), reasons(cluster).join("; ")))
        .collect();
    (!all.is_empty()).then(|| all.join("\n"))
}

/// Every cluster whose changes the state store blocks; `None` if there is none.
pub fn blocked(report: &Report) -> Option<String> {
    let clusters = report.clusters.iter().filter(|cluster| cluster.is_blocked_by_state());
    notified(clusters.map(|cluster| format!("{} held: {}", cluster.name, reasons(cluster).join("; "))))
}

/// Every cluster with an unpublished alert; `None` if there is none.
pub fn unnotified(report: &Report) -> Option<String> {
    let clusters = report.clusters.iter().filter(|cluster| cluster.is_unnotified);
    notified(clusters.map(|cluster| format!("{}: {}", cluster.name, cluster.warnings.join("; "))))
}

fn notified(stories: impl Iterator<Item = String>) -> Option<String> {
    let all: Vec<String> = stories.collect();
    (!all.is_empty()).then(|| all.join("\n"))
}

/// Why a cluster is not as it should be.
pub fn reasons(cluster: &ClusterReport) -> Vec<String> {
    let steps = cluster.steps.iter().filter_map(|step| {
        let place = describe(&step.endpoint);
        match step.result {
            StepResult::Failed => {
                let error = step.error.as_deref().unwrap_or("for an unknown reason");
                Some(with_hint(
                    format!("could not {} in {place}: {error}", step.summary()),
                    step.hint.as_deref(),
                ))
            }
            StepResult::Skipped => {
                Some(format!("skipped: {} in {place}, because an earlier step failed", step.summary()))
            }
            StepResult::Planned | StepResult::Done => None,
        }
    });
    let holds = cluster.holds.iter().map(|hold| {
        let place =
            hold.endpoint.as_ref().map_or(String::new(), |endpoint| format!("{}: ", describe(endpoint)));
        with_hint(format!("{place}{}", hold.message), hold.hint.as_deref())
    });
    steps.chain(holds).collect()
}

/// A message with its hint.
pub fn with_hint(message: String, hint: Option<&str>) -> String {
    match hint {
        Some(hint) => format!("{message} (hint: {hint})"),
        None => message,
    }
}

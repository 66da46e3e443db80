//! What went wrong, for the person who is woken by it.

use repoint_domain::report::{ClusterReport, Outcome, Report, StepResult, describe};

/// Every cluster that ended so, and why: one sentence each, with what helps. `None` if none did.
pub fn sentences(report: &Report, outcome: Outcome) -> Option<String> {
    let clusters = report.clusters.iter().filter(|cluster| cluster.outcome == outcome);
    let all: Vec<String> = clusters
        .map(|cluster| format!("{} {}: {}", cluster.name, outcome.as_str(), reasons(cluster).join("; ")))
        .collect();
    (!all.is_empty()).then(|| all.join("\n"))
}

/// Every cluster whose changes state blocks. `None` if there is none.
pub fn blocked(report: &Report) -> Option<String> {
    let clusters = report.clusters.iter().filter(|cluster| cluster.is_blocked_by_state());
    notified(clusters.map(|cluster| format!("{} held: {}", cluster.name, reasons(cluster).join("; "))))
}

/// Every cluster of which something could not be told. `None` if there is none.
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
                Some(format!("did not {} in {place}, since a step before it failed", step.summary()))
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

/// What went wrong, and what helps.
pub fn with_hint(message: String, hint: Option<&str>) -> String {
    match hint {
        Some(hint) => format!("{message} (hint: {hint})"),
        None => message,
    }
}

//! The runbook has a section for each alert, under the name that the alert has (invariant 11).

use std::collections::BTreeSet;

use repoint_domain::state::ConditionKind;

const RUNBOOK: &str = include_str!("../../infra/guide/runbook.md");
/// What is alerted without being a condition: a move, and the test of the way to the reader.
const OTHERS: [(&str, &str); 2] = [("retargeted", "info"), ("test", "info")];
/// What each section answers.
const QUESTIONS: [&str; 4] =
    ["**What it means.**", "**What to look at.**", "**What to do", "**When to escalate.**"];

/// Name and severity of every alert.
fn alerts() -> BTreeSet<(&'static str, &'static str)> {
    let conditions = ConditionKind::ALL.into_iter().map(|kind| (kind.as_str(), kind.severity().as_str()));
    conditions.chain(OTHERS).collect()
}

/// Heading and text of each section that is headed by one word.
fn sections() -> Vec<(&'static str, &'static str)> {
    let sections = RUNBOOK.split("\n## ").skip(1).filter_map(|section| section.split_once('\n'));
    sections.filter(|(heading, _)| !heading.contains(' ')).collect()
}

#[test]
fn each_alert_has_its_heading_and_no_heading_is_stale() {
    let headings: Vec<&str> = sections().into_iter().map(|(heading, _)| heading).collect();
    let mut sorted = headings.clone();
    sorted.sort_unstable();
    let names: Vec<&str> = alerts().into_iter().map(|(name, _)| name).collect();
    assert_eq!(sorted, names, "the headings of infra/guide/runbook.md");
}

#[test]
fn each_section_has_its_severity_and_answers_the_four_questions_in_order() {
    let alerts = alerts();
    for (heading, text) in sections() {
        let severity = alerts.iter().find(|(name, _)| *name == heading).map_or("", |(_, severity)| severity);
        assert!(text.trim_start().starts_with(&format!("Severity: {severity}.")), "{heading}: {severity}");
        let row = format!("| [`{heading}`](#{heading}) | {severity} |");
        assert!(RUNBOOK.contains(&row), "the list of alerts has no row `{row}`");
        let places =
            QUESTIONS.map(|question| text.find(question).unwrap_or_else(|| panic!("{heading}: {question}")));
        assert!(places.is_sorted(), "{heading}: {QUESTIONS:?} in another order");
    }
}

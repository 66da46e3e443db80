//! `infra/prometheus`: promtool holds what the rules do (`.ci/run style`); here is what they name.

use std::sync::LazyLock;

use regex::Regex;

use super::queries::check;

const RULES: &str = include_str!("../../../infra/prometheus/repoint.rules.yml");
const TESTS: &str = include_str!("../../../infra/prometheus/repoint.rules.test.yml");
const EXAMPLE: &str = include_str!("../../../infra/prometheus/prometheus.yml");
const MONITORING: &str = include_str!("../../../infra/guide/monitoring.md");
const RUNBOOK: &str = include_str!("../../../infra/guide/runbook.md");
/// Where the packages install the guide.
const GUIDE: &str = "/usr/share/doc/repoint/infra/guide/";

/// Name and text of each rule.
fn rules() -> Vec<(&'static str, &'static str)> {
    RULES.split("\n      - alert: ").skip(1).map(|rule| rule.split_once('\n').unwrap()).collect()
}

/// The value of a key on one line, without the quotes that YAML may need.
fn value<'a>(text: &'a str, key: &str) -> &'a str {
    let line = text.lines().find_map(|line| line.trim_start().strip_prefix(key)?.strip_prefix(": "));
    line.unwrap_or_else(|| panic!("no {key}: {text}")).trim_matches('"')
}

/// The expression: on its line, or indented below it.
fn expression(rule: &str) -> String {
    let (_, rest) = rule.split_once("        expr: ").unwrap();
    let (line, below) = rest.split_once('\n').unwrap();
    if line != "|" {
        return line.to_owned();
    }
    below.lines().take_while(|line| line.starts_with("          ")).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_rules_are_these_sixteen_and_each_has_a_test_of_its_own() {
    let names: Vec<&str> = rules().into_iter().map(|(name, _)| name).collect();
    let expected = [
        "Down",
        "Absent",
        "NotLooking",
        "PassesFailing",
        "CronStale",
        "NoPrimary",
        "ConditionCritical",
        "ConditionWarning",
        "EndpointOutOfSync",
        "Flapping",
        "ReplicaLag",
        "ReplicaLagUnknown",
        "PatroniDisagrees",
        "Throttled",
        "AlertsUndelivered",
        "ConfigReloadFailed",
    ];
    assert_eq!(names, expected.map(|name| format!("Repoint{name}")));
    for name in names {
        assert_eq!(TESTS.matches(&format!("  - name: {name} fires")).count(), 1, "{name}");
        assert!(
            TESTS.contains(&format!("ALERTS{{alertname=\"{name}\""))
                || TESTS.contains(&format!("alertname: {name}\n"))
        );
    }
}

static SHOWN: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\$labels\.(\w+)").unwrap());

#[test]
fn each_rule_asks_for_what_exists_and_leads_to_a_heading() {
    for (name, rule) in rules() {
        let shown: Vec<String> = SHOWN.captures_iter(rule).map(|found| found[1].to_owned()).collect();
        check(&expression(rule), &shown);
        assert!(["critical", "warning"].contains(&value(rule, "severity")), "{name}");
        for text in ["summary", "description"] {
            assert!(value(rule, text).len() > 20, "{name}: {text}");
        }
        let link = value(rule, "runbook").strip_prefix(GUIDE).unwrap_or_else(|| panic!("{name}: runbook"));
        match link.split_once('#').unwrap() {
            // The heading is that of the condition; tests/it/runbook.rs holds that each has one.
            ("runbook.md", "{{ $labels.condition }}") => {}
            ("runbook.md", heading) => assert!(RUNBOOK.contains(&format!("\n## {heading}\n")), "{link}"),
            ("monitoring.md", heading) => {
                assert_eq!(heading, name.to_lowercase());
                assert!(MONITORING.contains(&format!("\n### {name}\n")), "{link}");
            }
            (file, _) => panic!("{name}: {file}"),
        }
    }
}

/// The rules know the daemons by the name of their job.
#[test]
fn the_example_has_the_job_of_the_rules() {
    assert!(RULES.contains("{job=\"repoint\"}") && EXAMPLE.contains("- job_name: repoint\n"));
    assert!(EXAMPLE.contains("repoint.rules.yml"));
}

//! `infra/grafana`: the rules of grafana/dashboard-linter (its `docs/rules`), which is not run here, and what the queries
//! name.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use regex::Regex;
use serde_json::{Value, json};

use super::queries::{check, is_counter, selectors};

const FILES: [&str; 2] = ["fleet", "cluster"];
/// The data source that the reader chooses.
const DATASOURCE: &str = "$datasource";

fn dashboard(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("infra/grafana/{name}.json"));
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_else(|| panic!("no {key}: {value:#}"))
}

/// The panels that show something.
fn panels(dashboard: &Value) -> Vec<&Value> {
    let all = dashboard["panels"].as_array().unwrap();
    all.iter().filter(|panel| text(panel, "type") != "row").collect()
}

fn variable<'a>(dashboard: &'a Value, name: &str) -> &'a Value {
    let all = dashboard["templating"]["list"].as_array().unwrap();
    all.iter().find(|variable| variable["name"] == name).unwrap_or_else(|| panic!("no variable {name}"))
}

#[test]
fn each_dashboard_can_be_imported_and_leads_to_the_other() {
    let mut ids = BTreeSet::new();
    for (name, other) in [("fleet", "cluster"), ("cluster", "fleet")] {
        let dashboard = dashboard(name);
        assert_eq!((&dashboard["id"], &dashboard["schemaVersion"]), (&Value::Null, &json!(42)));
        assert_eq!(dashboard["uid"], format!("repoint-{name}"));
        assert_eq!(dashboard["editable"], false);
        assert!(dashboard["__inputs"].is_null() && !text(&dashboard, "description").is_empty());
        assert_eq!(dashboard["links"][0]["url"], format!("/d/repoint-{other}"));
        for panel in dashboard["panels"].as_array().unwrap() {
            assert!(
                ids.insert((name, panel["id"].as_u64().unwrap())),
                "{name}: an id occurs twice: {panel:#}"
            );
        }
    }
}

#[test]
fn the_reader_chooses_the_data_source_the_jobs_and_the_instances() {
    for dashboard in FILES.map(dashboard) {
        let datasource = variable(&dashboard, "datasource");
        let kind = (text(datasource, "type"), text(datasource, "query"), text(datasource, "label"));
        assert_eq!(kind, ("datasource", "prometheus", "Data source"));
        for (name, label) in [("job", "Job"), ("instance", "Instance")] {
            let variable = variable(&dashboard, name);
            assert_eq!((text(variable, "type"), text(variable, "label")), ("query", label));
            assert_eq!((&variable["multi"], &variable["includeAll"]), (&json!(true), &json!(true)));
            assert_eq!(text(variable, "allValue"), ".+");
        }
        for variable in dashboard["templating"]["list"].as_array().unwrap() {
            if variable["type"] == "query" {
                assert_eq!(variable["datasource"]["uid"], DATASOURCE);
                assert_eq!(variable["refresh"], 2, "when the time range changes: {variable:#}");
                let query = text(variable, "definition");
                assert_eq!(query, text(&variable["query"], "query"));
                let label = query.trim_end_matches(')').rsplit(", ").next().unwrap();
                check(query, &[label.to_owned()]);
            }
        }
    }
}

#[test]
fn each_panel_says_what_it_shows_in_which_unit() {
    for dashboard in FILES.map(dashboard) {
        let mut titles = BTreeSet::new();
        for panel in panels(&dashboard) {
            let title = text(panel, "title");
            assert!(titles.insert(title), "{title} occurs twice");
            assert!(text(panel, "description").ends_with('.'), "{title}");
            assert!(!text(&panel["fieldConfig"]["defaults"], "unit").is_empty(), "{title}");
            assert_eq!(panel["datasource"]["uid"], DATASOURCE, "{title}");
            assert!(!panel["targets"].as_array().unwrap().is_empty(), "{title}");
        }
    }
}

static LEGEND: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\{\{(\w+)\}\}").unwrap());
static RANGE: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\[([^\]]*)\]").unwrap());

#[test]
fn each_query_asks_for_what_exists_in_the_chosen_jobs_and_instances() {
    for name in FILES {
        let dashboard = dashboard(name);
        let targets = panels(&dashboard).into_iter().flat_map(|panel| panel["targets"].as_array().unwrap());
        for target in targets {
            let expression = text(target, "expr");
            assert_eq!(target["datasource"]["uid"], DATASOURCE, "{expression}");
            let legend = LEGEND.captures_iter(text(target, "legendFormat"));
            check(expression, &legend.map(|found| found[1].to_owned()).collect::<Vec<_>>());
            for selector in selectors(expression) {
                let has = |matcher: &str| selector.matchers.iter().any(|one| one == matcher);
                assert!(has("job=~\"$job\"") && has("instance=~\"$instance\""), "{expression}");
                assert!(
                    name == "fleet" || has("scope=\"$scope\"") && has("entry=~\"$entry\""),
                    "{expression}"
                );
                let before = &expression[..selector.at];
                let is_rate = before.ends_with("rate(") || before.ends_with("increase(");
                assert_eq!(is_rate, is_counter(&selector.metric), "{expression}");
            }
            for range in RANGE.captures_iter(expression) {
                assert_eq!(&range[1], "$__rate_interval", "{expression}");
            }
        }
    }
}

/// What each view is for.
#[test]
fn the_views_show_what_they_are_for() {
    let shown = |name: &str| -> String {
        panels(&dashboard(name)).iter().map(|panel| panel["targets"].to_string()).collect()
    };
    let (fleet, cluster) = (shown("fleet"), shown("cluster"));
    for metric in [
        "cluster_has_primary",
        "endpoint_in_sync",
        "cluster_condition",
        "cluster_last_retarget",
        "passes_total",
        "aws_requests_total",
    ] {
        assert!(fleet.contains(metric), "{metric}");
    }
    for metric in ["cluster_info", "member_up", "member_lag_bytes", "endpoint_in_sync", "cluster_condition"] {
        assert!(cluster.contains(metric), "{metric}");
    }
}

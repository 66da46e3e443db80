//! `PromQL`, as far as these tests read it: which metrics an expression selects, and which labels it names.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use regex::Regex;

/// What a scrape adds.
const OF_THE_TARGET: [&str; 2] = ["job", "instance"];

/// The metrics of others, with the labels that are used here: Prometheus's own, `node_exporter`'s and Patroni's.
const OF_OTHERS: [(&str, &str); 3] =
    [("up", ""), ("node_textfile_mtime_seconds", "file"), ("patroni_primary", "scope name")];

/// The metrics with their types and labels; that `/metrics` has these is shown elsewhere.
const MONITORING: &str = include_str!("../../../infra/guide/monitoring.md");

/// Name, type and labels of each metric in the guide's tables.
fn metrics() -> impl Iterator<Item = (&'static str, &'static str, Vec<&'static str>)> {
    MONITORING.lines().filter(|line| line.starts_with("| `repoint_")).map(|line| {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let mut labels: Vec<&str> = cells[3]
            .split(',')
            .map(|label| label.trim().trim_matches('`'))
            .filter(|label| *label != "\u{2013}")
            .collect();
        // Where entries share a scope, and where a cluster spans sites.
        labels.extend(labels.contains(&"scope").then_some("entry"));
        labels.extend(labels.contains(&"name").then_some("site"));
        (cells[1].trim_matches('`'), cells[2], labels)
    })
}

/// The labels of each series that can be selected.
pub fn series() -> BTreeMap<String, BTreeSet<&'static str>> {
    let mut all = BTreeMap::new();
    let mut add = |name: String, labels: &[&'static str], more: Option<&'static str>| {
        all.insert(name, labels.iter().copied().chain(OF_THE_TARGET).chain(more).collect());
    };
    for (name, labels) in OF_OTHERS {
        add(name.to_owned(), &labels.split_whitespace().collect::<Vec<_>>(), None);
    }
    for (name, kind, labels) in metrics() {
        if kind == "histogram" {
            add(format!("{name}_bucket"), &labels, Some("le"));
            add(format!("{name}_sum"), &labels, None);
            add(format!("{name}_count"), &labels, None);
        } else {
            add(name.to_owned(), &labels, None);
        }
    }
    all
}

/// Whether a series only rises, so that its value alone says nothing.
pub fn is_counter(series: &str) -> bool {
    ["_total", "_bucket", "_sum", "_count"].iter().any(|end| series.ends_with(end))
}

/// A selector of an expression.
#[derive(Debug)]
pub struct Selector {
    pub metric: String,
    /// The label matchers, such as `job=~"$job"`.
    pub matchers: Vec<String>,
    /// Where it begins in the expression.
    pub at: usize,
}

static SELECTOR: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\b(up|(?:repoint|patroni|node)_\w+)\s*(?:\{([^}]*)\})?").unwrap());
static MATCHER: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r#"(\w+)\s*(?:=~|!~|!=|=)\s*"[^"]*""#).unwrap());
static GROUPING: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)").unwrap()
});

/// The selectors of an expression.
pub fn selectors(expression: &str) -> Vec<Selector> {
    let selector = |found: regex::Captures| {
        let matchers = found.get(2).map_or("", |matchers| matchers.as_str());
        Selector {
            metric: found[1].to_owned(),
            matchers: MATCHER.find_iter(matchers).map(|found| found.as_str().to_owned()).collect(),
            at: found.get(0).unwrap().start(),
        }
    };
    SELECTOR.captures_iter(expression).map(selector).collect()
}

/// Fails unless each metric of the expression exists, and has each label that the expression or `shown` names.
#[track_caller]
pub fn check(expression: &str, shown: &[String]) {
    let known = series();
    let mut all: BTreeSet<&str> = BTreeSet::new();
    let found = selectors(expression);
    assert!(!found.is_empty(), "no metric: {expression}");
    for Selector { metric, matchers, .. } in found {
        let labels = known.get(&metric).unwrap_or_else(|| panic!("there is no {metric}: {expression}"));
        for matcher in matchers {
            let label = &MATCHER.captures(&matcher).unwrap()[1];
            assert!(labels.contains(label), "{metric} has no label {label}: {expression}");
        }
        all.extend(labels);
    }
    let grouped = GROUPING
        .captures_iter(expression)
        .flat_map(|found| found[1].split(',').map(|label| label.trim().to_owned()).collect::<Vec<_>>());
    for label in grouped.chain(shown.iter().cloned()) {
        assert!(all.contains(label.as_str()), "no metric has the label {label}: {expression}");
    }
}

#[test]
fn an_unknown_metric_or_label_is_found() {
    for wrong in [
        "repoint_cluster_paussed > 0",
        "repoint_clusters{scope=\"a\"}",
        "max by (name) (repoint_cluster_paused)",
    ] {
        assert!(std::panic::catch_unwind(|| check(wrong, &[])).is_err(), "{wrong}");
    }
    check("max by (scope) (rate(repoint_retargets_total{cause=~\"failover|x\"}[5m]))", &["scope".to_owned()]);
}

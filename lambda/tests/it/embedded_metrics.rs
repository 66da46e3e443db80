//! The line `pass ended` carries metrics for CloudWatch, which takes them only if the line keeps its rules.

use std::collections::BTreeMap;

use repoint::adapters::clock::SystemClock;
use repoint::ports::Clock;
use serde_json::Value;

use super::support::bootstrap::Bootstrap;
use super::support::site::Site;

/// The units of `MetricDatum` in the API reference of CloudWatch.
const UNITS: [&str; 27] = [
    "Seconds",
    "Microseconds",
    "Milliseconds",
    "Bytes",
    "Kilobytes",
    "Megabytes",
    "Gigabytes",
    "Terabytes",
    "Bits",
    "Kilobits",
    "Megabits",
    "Gigabits",
    "Terabits",
    "Percent",
    "Count",
    "Bytes/Second",
    "Kilobytes/Second",
    "Megabytes/Second",
    "Gigabytes/Second",
    "Terabytes/Second",
    "Bits/Second",
    "Kilobits/Second",
    "Megabits/Second",
    "Gigabits/Second",
    "Terabits/Second",
    "Count/Second",
    "None",
];

fn keys(object: &Value) -> Vec<&str> {
    object.as_object().unwrap_or_else(|| panic!("no object: {object}")).keys().map(String::as_str).collect()
}

fn name(value: &Value) -> &str {
    let name = value.as_str().unwrap_or_else(|| panic!("no name: {value}"));
    assert!(!name.trim().is_empty() && name.len() <= 1024, "{name:?}");
    name
}

/// What CloudWatch takes out of a line, by the CloudWatch User Guide, "Specification: Embedded metric format": each metric
/// with its unit and value.
#[track_caller]
fn extracted(line: &Value) -> BTreeMap<&str, (&str, f64)> {
    // The largest log event.
    assert!(line.to_string().len() < 1024 * 1024);
    let metadata = &line["_aws"];
    assert_eq!(keys(metadata), ["Timestamp", "CloudWatchMetrics"]);
    let now = SystemClock.now().0;
    let age = now
        .checked_sub(metadata["Timestamp"].as_u64().unwrap())
        .expect("a time in the past, in milliseconds");
    assert!(age < 10 * 60 * 1000, "{age} ms");
    let [directive] = metadata["CloudWatchMetrics"].as_array().unwrap().as_slice() else {
        panic!("not one directive: {line:#}")
    };
    assert_eq!(keys(directive), ["Namespace", "Dimensions", "Metrics"]);
    assert_eq!(name(&directive["Namespace"]), "repoint");
    for set in directive["Dimensions"].as_array().unwrap() {
        let set = set.as_array().unwrap();
        assert!(set.len() <= 30);
        for dimension in set {
            name(&line[name(dimension)]);
        }
    }
    let metrics = directive["Metrics"].as_array().unwrap();
    assert!((1..=100).contains(&metrics.len()));
    let metric = |metric| {
        assert_eq!(keys(metric), ["Name", "Unit"]);
        let (name, unit) = (name(&metric["Name"]), metric["Unit"].as_str().unwrap());
        assert!(UNITS.contains(&unit), "{unit}");
        (
            name,
            (unit, line[name].as_f64().unwrap_or_else(|| panic!("no value of {name} at the root: {line:#}"))),
        )
    };
    let all: BTreeMap<_, _> = metrics.iter().map(metric).collect();
    assert_eq!(all.len(), metrics.len(), "a name occurs twice: {line:#}");
    all
}

/// The line of the one pass of each invocation, in their order.
fn passes(log: &[Value]) -> Vec<&Value> {
    log.iter().filter(|line| line["message"] == "pass ended").collect()
}

#[tokio::test]
async fn each_pass_that_may_write_has_its_metrics() {
    let site = Site::start();
    let function = site.function().await;
    function.invoke("{}").await.good();
    site.switch_over().await;
    function.invoke("{}").await.good();
    site.switch_over().await;
    function.invoke(r#"{"dry_run": true}"#).await.good();
    site.deny("route53:ChangeResourceRecordSets");
    function.invoke("{}").await.bad();
    site.lose_every_member();
    function.invoke("{}").await.good();
    let (_, log) = function.stopped().await;

    let [converged, changed, dry_run, failed, held] = passes(&log)[..] else { panic!("{log:#?}") };
    let counts = |line| {
        let all = extracted(line);
        let of = |name: &str| {
            assert_eq!(all[name].0, "Count", "{name}");
            all[name].1.to_string()
        };
        ["Clusters", "Held", "Failed", "Changed", "NoPrimary", "ConditionsCritical"].map(of).join(" ")
    };
    assert_eq!(counts(converged), "1 0 0 0 0 0");
    assert_eq!(counts(changed), "1 0 0 1 0 0");
    assert_eq!(counts(failed), "1 0 1 0 0 1", "apply_failed is critical: {failed:#}");
    // What the lost members cannot show is not over.
    assert_eq!(counts(held), "1 1 0 0 1 1");
    assert!(dry_run["_aws"].is_null() && dry_run["Clusters"].is_null(), "{dry_run:#}");

    for line in [converged, changed, failed, held] {
        assert_eq!(extracted(line)["PassDuration"], ("Milliseconds", line["duration_ms"].as_f64().unwrap()));
        assert_eq!((&line["FunctionName"], &line["cluster.name"]), (&"repoint".into(), &"batman".into()));
    }
    assert_eq!(extracted(converged).len(), 7, "nothing was moved: {converged:#}");
    let (unit, delay) = extracted(changed)["RetargetDelay"];
    let last =
        log.iter().filter(|line| line["requestId"] == "request-2").filter_map(|line| line["at_ms"].as_f64());
    assert_eq!((unit, delay), ("Milliseconds", last.reduce(f64::max).unwrap()));
}

#[tokio::test]
async fn a_log_that_begins_at_warn_keeps_the_metrics_unless_its_filter_leaves_them_out() {
    let site = Site::start();
    let text = site.configuration();
    for (filter, level) in [
        (("AWS_LAMBDA_LOG_LEVEL", "WARN"), Some("WARN")),
        (("REPOINT_LOG", "warn"), Some("WARN")),
        (("REPOINT_LOG", "info"), Some("INFO")),
        (("REPOINT_LOG", "warn,bootstrap::logs=error"), None),
    ] {
        let function = Bootstrap::ready(&[("REPOINT_CONFIG_INLINE", &text), filter]).await;
        function.invoke("{}").await.good();
        let (_, log) = function.stopped().await;
        let levels: Vec<_> = passes(&log).iter().map(|line| line["level"].as_str().unwrap()).collect();
        assert_eq!(levels, level.into_iter().collect::<Vec<_>>(), "{filter:?}: {log:#?}");
        assert!(passes(&log).iter().all(|line| extracted(line)["Clusters"] == ("Count", 1.0)));
    }
}

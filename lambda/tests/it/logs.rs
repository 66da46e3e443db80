//! The log is JSON, and each line of an invocation says of which.

use std::fs::OpenOptions;
use std::process::Stdio;

use serde_json::Value;

use super::support::bootstrap::Bootstrap;
use super::support::site::{Site, cluster, event};

/// The lines of one invocation.
fn of<'a>(log: &'a [Value], id: &str) -> Vec<&'a Value> {
    log.iter().filter(|line| line["requestId"] == id).collect()
}

#[tokio::test]
async fn each_line_of_an_invocation_carries_its_id() {
    let site = Site::start();
    let function = site.function().await;
    function.invoke(&event("sqs")).await.good();
    site.switch_over().await;
    site.deny("route53:ChangeResourceRecordSets");
    function.invoke("{}").await.bad();
    function.invoke(&event("s3")).await.bad();
    let (_, log) = function.stopped().await;

    let summary = |line: &&&Value| line["message"] == "pass ended";
    let first = of(&log, "request-1");
    let line = first.iter().find(summary).unwrap_or_else(|| panic!("{log:#?}"));
    assert_eq!(
        (&line["level"], &line["cluster.name"], &line["outcome"]),
        (&"INFO".into(), &"batman".into(), &"converged".into())
    );
    assert_eq!((&line["verdict"], &line["steps"]), (&"primary".into(), &0.into()));
    assert!(line["duration_ms"].is_u64() && line["timestamp"].is_string(), "{line:#}");
    assert!(first.iter().any(|line| line["trigger"] == "sqs"), "{first:#?}");

    let second = of(&log, "request-2");
    let line = second.iter().find(summary).unwrap_or_else(|| panic!("{log:#?}"));
    assert_eq!((&line["level"], &line["outcome"]), (&"ERROR".into(), &"failed".into()));
    assert!(
        line["why"].as_str().unwrap().contains("allow the IAM action `route53:ChangeResourceRecordSets`"),
        "{line:#}"
    );

    let third = of(&log, "request-3");
    assert!(
        third.iter().any(|line| line["message"].as_str().unwrap().starts_with("UnknownEvent: ")),
        "{third:#?}"
    );

    // The start and the end belong to none.
    let others: Vec<&str> = log
        .iter()
        .filter(|line| line["requestId"].is_null())
        .map(|line| line["message"].as_str().unwrap())
        .collect();
    assert_eq!(others, ["started", "shut down"]);
}

/// Lambda throws the report of an asynchronous invocation away.
#[tokio::test]
async fn each_step_of_a_pass_is_in_the_log() {
    let site = Site::start();
    let function = site.function().await;
    function.invoke("{}").await.good();
    let new = site.switch_over().await;
    let report = function.invoke(&event("sns_callback")).await.good();
    site.switch_over().await;
    site.deny("elasticloadbalancing:RegisterTargets");
    function.invoke("{}").await.bad();
    let (_, log) = function.stopped().await;

    let steps = |id: &str| -> Vec<Value> {
        let steps = of(&log, id).into_iter().filter(|line| line["message"] == "step");
        steps.cloned().collect()
    };
    let notified = steps("request-2");
    let reported = cluster(&report)["steps"].as_array().unwrap();
    assert_eq!(notified.len(), reported.len(), "{notified:#?}");
    for (line, step) in notified.iter().zip(reported) {
        let said = ["action", "endpoint", "result", "at_ms"];
        assert!(said.iter().all(|key| line[key] == step[key]), "{line:#} {step:#}");
        assert_eq!(
            (&line["level"], &line["cluster.name"], &line["result"]),
            (&"INFO".into(), &"batman".into(), &"done".into())
        );
        assert_eq!((&line["cause"], &line["previous_primary"]), (&"switchover".into(), &"pg1".into()));
        let (from, to) = (&line["from"], &line["to"]);
        match line["action"].as_str().unwrap() {
            "register_target" => assert_eq!((from, to), (&Value::Null, &step["target"])),
            "deregister_target" => assert_eq!((from, to), (&step["target"], &Value::Null)),
            _ => assert_eq!((from, to), (&step["replaces"], &step["target"])),
        }
    }
    let summary = of(&log, "request-2").into_iter().find(|line| line["message"] == "pass ended").unwrap();
    assert_eq!((&summary["primary"], &summary["previous_primary"]), (&new.into(), &"pg1".into()));
    assert_eq!(summary["cause"], "switchover");

    let refused = steps("request-3");
    let failed = refused.iter().find(|line| line["result"] == "failed").unwrap();
    assert_eq!(failed["level"], "ERROR");
    assert!(failed["error"].as_str().unwrap().contains("RegisterTargets"), "{failed:#}");
    assert!(failed["hint"].is_string(), "{failed:#}");
    let skipped = refused.iter().find(|line| line["result"] == "skipped").unwrap();
    assert_eq!(skipped["level"], "WARN");
}

#[tokio::test]
async fn a_level_leaves_out_lines_and_no_ids() {
    let site = Site::start();
    let text = site.configuration();
    for (name, value) in [("AWS_LAMBDA_LOG_LEVEL", "ERROR"), ("REPOINT_LOG", "error")] {
        let function = Bootstrap::ready(&[("REPOINT_CONFIG_INLINE", &text), (name, value)]).await;
        function.invoke(&event("sns_alarm")).await.good();
        function.invoke(&event("s3")).await.bad();
        let (_, log) = function.stopped().await;
        assert_eq!((log.len(), of(&log, "request-2").len()), (1, 1), "{name}: {log:#?}");
    }
}

/// A stream that takes nothing.
fn full() -> Stdio {
    OpenOptions::new().write(true).open("/dev/full").unwrap().into()
}

#[tokio::test]
async fn it_works_whatever_its_log_goes_to() {
    let site = Site::start();
    let text = site.configuration();
    let variables = [("REPOINT_CONFIG_INLINE", text.as_str()), ("REPOINT_LOG", "debug")];
    let function = Bootstrap::ready_on(&variables, [full(), full()]).await;
    site.switch_over().await;
    assert_eq!(cluster(&function.invoke("{}").await.good())["outcome"], "changed");
    assert!(site.is_right());
    // Its end is not asked for: the runtime itself prints to stderr then, and panics. Lambda kills it anyway.
}

#[tokio::test]
async fn an_invalid_filter_is_reported_and_silences_nothing() {
    let site = Site::start();
    let text = site.configuration();
    let function = Bootstrap::ready(&[("REPOINT_CONFIG_INLINE", &text), ("REPOINT_LOG", "verbose")]).await;
    function.invoke("{}").await.good();
    let (_, log) = function.stopped().await;
    let warning = log.first().unwrap();
    assert_eq!(warning["level"], "WARN", "{log:#?}");
    assert!(
        warning["message"].as_str().unwrap().contains("REPOINT_LOG: `verbose` is not a log level"),
        "{log:#?}"
    );
    assert!(log.iter().any(|line| line["message"] == "pass ended"), "{log:#?}");
}

#[tokio::test]
async fn a_level_is_understood_by_its_common_names() {
    let site = Site::start();
    let text = site.configuration();
    let function = Bootstrap::ready(&[("REPOINT_CONFIG_INLINE", &text), ("REPOINT_LOG", "Warning")]).await;
    function.invoke("{}").await.good();
    function.invoke(&event("s3")).await.bad();
    let (_, log) = function.stopped().await;
    assert!(log.iter().all(|line| matches!(line["level"].as_str(), Some("WARN" | "ERROR"))), "{log:#?}");
    assert!(!log.is_empty());
}

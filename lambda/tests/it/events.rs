//! Each kind of event means "look now", and only the direct form chooses.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::support::bootstrap::Bootstrap;
use super::support::site::{Site, cluster, event};

/// The report in the answer to an HTTP request.
#[track_caller]
fn page(answer: &Value) -> (u64, Value) {
    assert_eq!(answer["headers"]["content-type"], "application/json", "{answer:#}");
    let body = answer["body"].as_str().unwrap();
    (answer["statusCode"].as_u64().unwrap(), serde_json::from_str(body).unwrap())
}

/// A Function URL's request with that body.
fn post(body: &str) -> String {
    let mut request: Value = serde_json::from_str(&event("function_url_post")).unwrap();
    request["body"] = body.into();
    request.to_string()
}

#[tokio::test]
async fn every_kind_of_event_moves_what_has_to_move() {
    let site = Site::start();
    let function = site.function().await;
    let batch = json!({"batchItemFailures": []});
    for kind in [
        "scheduled_rule",
        "scheduler",
        "ec2_state_change",
        "auto_scaling_launch",
        "auto_scaling_terminate",
        "sns_callback",
        // What it says is not read: it names another cluster, and wants nothing changed.
        "sns_alarm",
        "sqs",
        "function_url_post",
        "direct",
    ] {
        let primary = site.switch_over().await;
        assert!(!site.is_right(), "{kind}: nothing has to move");
        let answer = function.invoke(&event(kind)).await.good();
        assert!(site.is_right(), "{kind}: {answer:#}");
        let report = match kind {
            "sqs" => {
                assert_eq!(answer, batch);
                continue;
            }
            "function_url_post" => {
                let (status, report) = page(&answer);
                assert_eq!(status, 200);
                report
            }
            _ => answer,
        };
        assert_eq!(cluster(&report)["outcome"], "changed", "{kind}: {report:#}");
        assert_eq!(cluster(&report)["verdict"]["member"], primary, "{kind}");
    }
    let again = function.invoke("{}").await.good();
    assert_eq!(cluster(&again)["outcome"], "converged", "{again:#}");
    assert_eq!(function.invoke(&event("sqs")).await.good(), batch);
}

#[tokio::test]
async fn a_dry_run_changes_nothing() {
    let site = Site::start();
    let function = site.function().await;
    site.switch_over().await;
    let report = function.invoke(&event("direct_dry_run")).await.good();
    assert_eq!(
        (report["dry_run"].clone(), cluster(&report)["outcome"].clone()),
        (true.into(), "planned".into())
    );
    let (status, report) = page(&function.invoke(&post(r#"{"dry_run": true}"#)).await.good());
    assert_eq!((status, cluster(&report)["outcome"].clone()), (200, "planned".into()));
    let (status, report) = page(&function.invoke(&event("function_url_get")).await.good());
    assert_eq!((status, report["dry_run"].clone()), (200, true.into()));
    assert_eq!(cluster(&report)["outcome"], "planned");
    let mut get: Value = serde_json::from_str(&event("function_url_get")).unwrap();
    get["body"] = r#"{"dry_run": false}"#.into();
    let (status, report) = page(&function.invoke(&get.to_string()).await.good());
    assert_eq!((status, report["dry_run"].clone()), (200, true.into()));
    assert_eq!((site.writes(), site.is_right()), (0, false));
    let state = site.asked().iter().filter(|action| *action == "PutItem").count();
    assert_eq!((state, site.sandbox.with(|site| site.messages().len())), (0, 0));
}

#[tokio::test]
async fn an_event_that_is_none_of_ours_is_named() {
    let site = Site::start();
    let function = site.function().await;
    let mut notified = String::new();
    for event in [
        event("s3").as_str(),
        r#"{"Records": []}"#,
        r#"{"Records": [{"eventSource": "aws:sqs", "messageId": "1"}, {"eventSource": "aws:s3"}]}"#,
        r#"{"detail-type": "EC2 Spot Instance Interruption Warning", "source": "aws.ec2", "detail": {}}"#,
        r#"{"version": "1.0", "httpMethod": "GET", "path": "/", "requestContext": {"stage": "prod"}}"#,
        r#"{"clusters": ["batman"]}"#,
        r#"{"cluster": "batman"}"#,
        r#"{"cluster": []}"#,
        r#"{"cluster": ["batman"], "dryrun": true}"#,
        r#"{"dry_run": "yes"}"#,
        r#"{"test_alert": true, "cluster": ["batman"]}"#,
        r#""batman""#,
        "null",
    ] {
        let (kind, message) = function.invoke(event).await.bad();
        assert_eq!(kind, "UnknownEvent", "{event}: {message}");
        let (why, expected) = message.split_once("; expected ").expect("what was expected");
        assert!(expected.contains(r#"{"cluster": ["batman"], "dry_run": true}"#), "{message}");
        notified.push_str(why);
        notified.push('\n');
    }
    insta::assert_snapshot!(notified, @r#"
    unknown event: it has records of aws:s3
    unknown event: its `Records` are empty
    unknown event: it has records of aws:sqs, aws:s3
    unknown event: it is `EC2 Spot Instance Interruption Warning` of `aws.ec2`
    unknown event: its keys are version, httpMethod, path, requestContext
    unknown event: its keys are clusters
    invalid request: invalid type: string "batman", expected a sequence
    invalid request: `cluster` is an empty list; omit it for all clusters
    invalid request: unknown field `dryrun`, expected `cluster` or `dry_run`
    invalid request: invalid type: string "yes", expected a boolean
    unknown event: its keys are test_alert, cluster
    unknown event: it is not a JSON object
    unknown event: it is not a JSON object
    "#);
    let (_, message) = function.invoke("[]").await.bad();
    insta::assert_snapshot!(message, @r#"unknown event: it is not a JSON object; expected a schedule of EventBridge or of EventBridge Scheduler, an EC2 instance state change, an Auto Scaling lifecycle event, SNS or SQS records, a Function URL request (payload 2.0), the direct form, {"cluster": ["batman"], "dry_run": true}, or {"test_alert": true}"#);
    let checks = site.asked().iter().filter(|action| *action == "DescribeTargetHealth").count();
    assert_eq!(checks, 1, "only the start checked");
}

#[tokio::test]
async fn a_cluster_that_is_not_configured_is_named_with_those_that_are() {
    let site = Site::start();
    let function = site.function().await;
    let answer = function.invoke(r#"{"cluster": ["batman", "robin"]}"#).await;
    let (kind, message) = answer.bad();
    assert_eq!(kind, "UnknownCluster");
    insta::assert_snapshot!(message, @"no cluster is called `robin`; the configuration has batman");
    assert_eq!(site.writes(), 0);
}

#[tokio::test]
async fn a_test_alert_is_published_and_nothing_is_checked() {
    let site = Site::start();
    let function = site.function().await;
    site.switch_over().await;
    let checks = |site: &Site| site.asked().iter().filter(|action| *action == "DescribeTargetHealth").count();
    let before = checks(&site);
    let answer = function.invoke(&event("test_alert")).await.good();
    assert_eq!(answer["test_alert"], "published", "{answer:#}");
    assert_eq!((site.writes(), checks(&site)), (0, before));
    assert_eq!(site.sandbox.with(|site| site.messages().len()), 1);

    site.deny("sns:Publish");
    let (kind, message) = function.invoke(&event("test_alert")).await.bad();
    assert_eq!(kind, "AlertFailed");
    assert!(message.contains("statement `PublishAlerts` of `repoint iam`"), "{message}");
}

#[tokio::test]
async fn a_function_url_answers_in_http() {
    let site = Site::start();
    let function = site.function().await;
    let function = &function;
    let asked = |request: String| async move { page(&function.invoke(&request).await.good()) };

    let (status, report) = asked(post("")).await;
    assert_eq!((status, &cluster(&report)["outcome"]), (200, &"converged".into()));
    // As `curl -d` sends it, whose content type is that of a form.
    let mut form: Value = serde_json::from_str(&post("eyJjbHVzdGVyIjogWyJiYXRtYW4iXX0=")).unwrap();
    form["isBase64Encoded"] = true.into();
    assert_eq!(asked(form.to_string()).await.0, 200);

    let mut query: Value = serde_json::from_str(&event("function_url_get")).unwrap();
    query["rawQueryString"] = "dry_run=true".into();
    let mut notified = String::new();
    for request in [
        post("look"),
        post(r#"["batman"]"#),
        post(r#"{"dry-run": true}"#),
        query.to_string(),
        post(r#"{"cluster": ["robin"]}"#),
    ] {
        let (status, body) = asked(request).await;
        let error = &body["error"];
        let text = |key: &str| error[key].as_str().unwrap();
        writeln!(notified, "{status} {}: {}", text("type"), text("message")).unwrap();
    }
    insta::assert_snapshot!(notified, @r#"
    400 UnknownEvent: the body is not JSON: expected value at line 1 column 1; expected an empty body, or {"cluster": ["batman"], "dry_run": true}
    400 UnknownEvent: invalid request: it is not a JSON object; expected {"cluster": ["batman"], "dry_run": true}
    400 UnknownEvent: invalid request: unknown field `dry-run`, expected `cluster` or `dry_run`; expected {"cluster": ["batman"], "dry_run": true}
    400 UnknownEvent: the query `dry_run=true` is not supported: put the request into the body, {"cluster": ["batman"], "dry_run": true}
    404 UnknownCluster: no cluster is called `robin`; the configuration has batman
    "#);
}

/// A Function URL with `AuthType` `NONE`, an HTTP API with another authorizer, and methods that mean nothing.
#[tokio::test]
async fn a_caller_that_iam_has_not_authorised_is_refused() {
    let site = Site::start();
    let function = site.function().await;
    site.switch_over().await;
    let before = site.asked().len();
    let changed = |change: fn(&mut Value)| {
        let mut request: Value = serde_json::from_str(&event("function_url_post")).unwrap();
        change(&mut request["requestContext"]);
        request.to_string()
    };
    let requests = [
        changed(|context| drop(context.as_object_mut().unwrap().remove("authorizer"))),
        changed(|context| context["authorizer"] = json!({"iam": null})),
        changed(|context| context["authorizer"] = json!({"jwt": {"claims": {}}})),
        changed(|context| context["http"]["method"] = "PUT".into()),
        changed(|context| context["http"]["method"] = "HEAD".into()),
    ];
    let mut notified = String::new();
    for request in &requests {
        let answer = function.invoke(request).await.good();
        let (status, body) = page(&answer);
        let text = |key: &str| body["error"][key].as_str().unwrap();
        writeln!(notified, "{status} {} {}: {}", answer["headers"]["allow"], text("type"), text("message"))
            .unwrap();
    }
    insta::assert_snapshot!(notified, @r#"
    403 null Forbidden: the caller is not authorised by IAM, so no cluster was checked: set the Function URL's AuthType to AWS_IAM, and sign the request (Signature Version 4)
    403 null Forbidden: the caller is not authorised by IAM, so no cluster was checked: set the Function URL's AuthType to AWS_IAM, and sign the request (Signature Version 4)
    403 null Forbidden: the caller is not authorised by IAM, so no cluster was checked: set the Function URL's AuthType to AWS_IAM, and sign the request (Signature Version 4)
    405 "GET, POST" MethodNotAllowed: the method `PUT` is not allowed: use GET for a dry run, POST for a pass
    405 "GET, POST" MethodNotAllowed: the method `HEAD` is not allowed: use GET for a dry run, POST for a pass
    "#);
    assert_eq!((site.asked().len(), site.writes()), (before, 0));
    let (_, log) = function.stopped().await;
    let refused = |line: &&Value| line["message"].as_str().unwrap().starts_with("Forbidden: ");
    assert_eq!(log.iter().filter(refused).count(), 3, "{log:#?}");
}

/// The message of a callback selects the entries of its scope. Anything else means all of them.
#[tokio::test]
async fn a_callback_selects_the_entries_of_its_scope() {
    let site = Site::start();
    let batman = site.configuration();
    let (head, entry) = batman.split_once("[[cluster]]").unwrap();
    let group = site.sandbox.with(|site| site.resources.foreign_group.clone());
    let members = entry.lines().find(|line| line.starts_with("members")).unwrap();
    let other = |scope: &str, name: &str| {
        format!(
            "\n[[cluster]]\nname = {name:?}\nscope = {scope:?}\n{members}\n[[cluster.target_group]]\narn = {group:?}\n"
        )
    };
    let text = format!("{head}[[cluster]]{entry}{}", other("robin", "robin"));
    let function = Bootstrap::ready(&[("REPOINT_CONFIG_INLINE", &text)]).await;
    let function = &function;
    let checked_clusters = |event: String| async move {
        let report = function.invoke(&event).await.good();
        let clusters = report["clusters"].as_array().unwrap();
        clusters.iter().map(|cluster| cluster["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let sns = |messages: &[&str]| {
        let record = |message: &&str| json!({"EventSource": "aws:sns", "Sns": {"Message": message}});
        json!({"Records": messages.iter().map(record).collect::<Vec<_>>()}).to_string()
    };
    let trigger = |scope: &str| json!({"repoint": "look", "cluster": scope}).to_string();

    assert_eq!(checked_clusters(sns(&[&trigger("batman")])).await, ["batman"]);
    assert_eq!(checked_clusters(sns(&[&trigger("robin")])).await, ["robin"]);
    assert_eq!(checked_clusters(sns(&[&trigger("robin"), &trigger("batman")])).await, ["batman", "robin"]);
    let all = ["batman", "robin"];
    assert_eq!(checked_clusters(sns(&[&trigger("joker")])).await, all);
    assert_eq!(checked_clusters(sns(&[&trigger("robin"), "Test message."])).await, all);
    assert_eq!(checked_clusters(sns(&[r#"{"repoint": "sleep", "cluster": "robin"}"#])).await, all);
    assert_eq!(checked_clusters(event("sns_alarm")).await, all);
    assert_eq!(checked_clusters(event("scheduled_rule")).await, all);

    // A queue in front: as it was published, and in the envelope of SNS.
    let before = function.lines().len();
    let envelope = json!({"Type": "Notification", "Message": trigger("robin")}).to_string();
    let record = |body: &str| json!({"eventSource": "aws:sqs", "messageId": "1", "body": body});
    let batch = json!({"Records": [record(&trigger("robin")), record(&envelope)]});
    function.invoke(&batch.to_string()).await.good();
    let passes: Vec<String> =
        function.lines().split_off(before).into_iter().filter(|line| line.contains("pass ended")).collect();
    assert!(passes.len() == 1 && passes[0].contains("robin"), "{passes:#?}");
}

#[tokio::test]
async fn as_many_at_once_as_the_platform_sends() {
    let site = Site::start();
    let path = site.file("repoint.toml", &site.configuration());
    let variables = [("REPOINT_CONFIG", path.to_str().unwrap()), ("AWS_LAMBDA_MAX_CONCURRENCY", "3")];
    let function = Bootstrap::ready(&variables).await;
    function.api.ready(3).await;
    site.switch_over().await;
    let sns = event("sns_callback");
    let (first, second, third) =
        tokio::join!(function.invoke("{}"), function.invoke("{}"), function.invoke(&sns));
    let outcomes: Vec<Value> =
        [first, second, third].map(|answer| cluster(&answer.good())["outcome"].clone()).to_vec();
    assert!(outcomes.contains(&"changed".into()), "{outcomes:?}");
    assert!(site.is_right());
}

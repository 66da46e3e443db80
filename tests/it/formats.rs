//! The formats of alerts: each against the schema that its receivers document, within its size, and as the guide shows it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use repoint::runtime::notify::message::{message, messages};
use repoint_domain::alerts::{Alert, AlertTopic, Event, Format, Phase};
use repoint_domain::plan::TargetStep;
use repoint_domain::report::{ClusterReport, Outcome, PrimaryReport, StepReport, VerdictReport};
use repoint_domain::state::{
    Condition, ConditionKind, MOST_MESSAGE_BYTES, OutboxMessage, Severity, State, Unknown,
};
use repoint_domain::values::arn::{GroupArn, TopicArn};
use repoint_domain::values::cluster::{EntryName, MemberName, Scope, SystemId, Timeline};
use repoint_domain::values::endpoint::Endpoint;
use repoint_domain::values::moves::{Move, MoveCause};
use repoint_domain::values::target::Target;
use repoint_domain::values::timestamp::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::support::command::Repoint;
use crate::support::http::{Reply, Request, Server};
use crate::support::site::{aws, group, patroni, refused};

/// A custom notification, as Amazon Q Developer's Administrator Guide describes it ("Custom notifications", "Parameter
/// details"); what it does not describe is refused.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Notification {
    version: String,
    source: String,
    #[serde(rename = "id")]
    _id: Option<String>,
    content: Content,
    metadata: Metadata,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Content {
    text_type: String,
    title: String,
    description: String,
    next_steps: Vec<String>,
    keywords: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Metadata {
    thread_id: String,
    summary: String,
    event_type: String,
    related_resources: Vec<String>,
    additional_context: BTreeMap<String, String>,
}

/// An alarm's notification, as `CloudWatch` sends it through SNS (aws-lambda-go, `cloudwatch-alarm-sns-payload-single-metric.json`);
/// these are all required.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct Alarm {
    #[serde(rename = "AlarmName")]
    name: String,
    #[serde(rename = "AlarmDescription")]
    description: String,
    #[serde(rename = "AWSAccountId")]
    account: String,
    new_state_value: String,
    new_state_reason: String,
    state_change_time: String,
    region: String,
    #[serde(rename = "AlarmArn")]
    arn: String,
    old_state_value: String,
    trigger: Trigger,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct Trigger {
    metric_name: String,
    namespace: String,
    #[serde(rename = "StatisticType")]
    _statistic_type: String,
    #[serde(rename = "Statistic")]
    _statistic: String,
    #[serde(rename = "Unit")]
    _unit: Option<String>,
    dimensions: Vec<Dimension>,
    #[serde(rename = "Period")]
    _period: u32,
    #[serde(rename = "EvaluationPeriods")]
    _evaluation_periods: u32,
    comparison_operator: String,
    #[serde(rename = "Threshold")]
    _threshold: f64,
    #[serde(rename = "TreatMissingData")]
    _treat_missing_data: String,
    #[serde(rename = "EvaluateLowSampleCountPercentile")]
    _evaluate_low_sample_count_percentile: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Dimension {
    name: String,
    value: String,
}

fn topic(format: Format) -> AlertTopic {
    let arn = TopicArn::parse(&format!("arn:aws:sns:eu-west-1:123456789012:{format}")).unwrap();
    AlertTopic { arn, format, min_severity: Severity::Info }
}

/// A pass in which `count` groups failed, with a text of `length` characters for each that JSON has to escape.
fn report(count: usize, length: usize) -> ClusterReport {
    let step = |number: usize| {
        let arn = format!(
            "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/pg-{number}/057ddce98af07a33"
        );
        let target = Target { id: "10.0.1.12".to_owned(), port: 5432 };
        let register = TargetStep::Register(target);
        let mut step = StepReport::of_target(Endpoint::Group(GroupArn::parse(&arn).unwrap()), &register);
        step.error = Some("\u{1}\"```ö\n".repeat(length / 7));
        step
    };
    ClusterReport {
        scope: Scope::new("batman"),
        name: EntryName::new("batman"),
        outcome: Outcome::Failed,
        verdict: VerdictReport::Primary(PrimaryReport {
            site: None,
            kind: "primary",
            member: Some(MemberName::new("pg2")),
            host: Some("10.0.1.12".to_owned()),
            port: Some(5432),
            timeline: Timeline(4),
            system_id: SystemId::new("7710341171024913225"),
        }),
        cause: Some(MoveCause::Failover),
        previous_primary: Some("pg1".to_owned()),
        steps: (0..count).map(step).collect(),
        holds: Vec::new(),
        warnings: Vec::new(),
        is_unnotified: false,
        alerts: Vec::new(),
        duration_ms: 47,
        api_calls: BTreeMap::new(),
        status: None,
    }
}

fn condition(subject: &str, message: &str) -> Condition {
    Condition {
        kind: ConditionKind::ApplyFailed,
        subject: Some(subject.to_owned()),
        endpoint: None,
        site: None,
        title: format!("FAILED to change {subject}"),
        message: message.to_owned(),
        since: Timestamp(1_764_415_241_123),
        notified: None,
        unknown: Unknown::new(),
    }
}

fn of_condition(report: &ClusterReport, condition: &Condition, phase: Phase) -> Alert {
    let now = Timestamp(condition.since.0 + 61_000);
    Alert::of(&Event::Condition { condition: condition.clone(), phase }, report, now)
}

/// Every shape of alert, over reports and names of every length.
fn alerts() -> Vec<Alert> {
    let mut alerts = vec![Alert::test("a process", Timestamp(0))];
    for (count, length) in [(1, 70), (30, 1_400), (300, 7_000)] {
        for name in ["batman", &"böse\n\"".repeat(60), &"\u{1}".repeat(6_000)] {
            let report = ClusterReport { name: EntryName::new(name), ..report(count, length) };
            let moves =
                Move { cause: MoveCause::Failover, previous: Some(name.to_owned()), previous_site: None };
            let left = report.steps.iter().map(|step| step.endpoint.clone()).collect();
            alerts.push(Alert::of(&Event::Moved { moves, left }, &report, Timestamp(5)));
            let condition = condition(name, &"\u{1}".repeat(length));
            for phase in [Phase::Began, Phase::Lasts, Phase::Ended] {
                alerts.push(of_condition(&report, &condition, phase));
            }
        }
    }
    alerts
}

/// SNS: `Publish`, `Subject`.
fn is_valid_subject(subject: &str) -> bool {
    let is_plain = subject.chars().all(|one| one == ' ' || one.is_ascii_graphic());
    is_plain && subject.len() < 100 && subject.starts_with(|one: char| one.is_ascii_graphic())
}

#[test]
fn each_message_fits_its_schema_and_its_size() {
    for alert in alerts() {
        for format in Format::ALL {
            let topic = topic(format);
            for bytes in [0, 8 * 1024, usize::MAX] {
                let OutboxMessage { subject, body, attributes, .. } = message(&alert, &topic, bytes);
                assert!(is_valid_subject(&subject), "{subject}");
                assert!(body.len() <= MOST_MESSAGE_BYTES, "{format}: {} bytes", body.len());
                let of_attributes: usize =
                    attributes.iter().map(|(name, value)| name.len() + value.len() + 6).sum();
                assert!(body.len() + of_attributes < 256 * 1024);
                match format {
                    Format::Text => is_a_document(&alert, body.trim_end().lines().last().unwrap()),
                    Format::Json => is_a_document(&alert, &body),
                    Format::Chatbot => is_a_notification(&alert, &body),
                    Format::Cloudwatch if alert.document.event == "retargeted" => {}
                    Format::Cloudwatch => is_an_alarm(&alert, &subject, &body),
                }
            }
        }
    }
}

fn is_a_document(alert: &Alert, json: &str) {
    let document: Value = serde_json::from_str(json).unwrap();
    assert_eq!(document["event"], alert.document.event);
    assert_eq!(document["status"], alert.document.status);
    assert!(document["dedup_key"].is_string());
}

fn is_a_notification(alert: &Alert, body: &str) {
    let Notification { version, source, content, metadata, .. } = serde_json::from_str(body).unwrap();
    assert_eq!((version.as_str(), source.as_str()), ("1.0", "custom"));
    assert_eq!(content.text_type, "client-markdown");
    assert!((1..=250).contains(&content.title.len()) && (1..=8_000).contains(&content.description.len()));
    assert_eq!(content.description.matches("```").count() % 2, 0, "{}", content.description);
    assert!(content.next_steps[0].contains(&alert.document.runbook));
    let short = [&metadata.thread_id, &metadata.summary].into_iter().chain(&metadata.related_resources);
    let short = short.chain(&content.next_steps).chain(&content.keywords);
    assert!(short.chain(metadata.additional_context.values()).all(|text| text.len() <= 255));
    assert!(metadata.related_resources.len() <= 8);
    assert_eq!(metadata.event_type, alert.document.event);
    assert_eq!(metadata.additional_context["severity"], alert.document.severity.as_str());
}

fn is_an_alarm(alert: &Alert, subject: &str, body: &str) {
    let alarm: Alarm = serde_json::from_str(body).unwrap();
    let states = (alarm.old_state_value.as_str(), alarm.new_state_value.as_str());
    let expected = match alert.document.status {
        "triggered" => ("OK", "ALARM"),
        "reminder" => ("ALARM", "ALARM"),
        _ => ("ALARM", "OK"),
    };
    assert_eq!(states, expected);
    assert!(subject.starts_with(&format!("{}: ", alarm.new_state_value)), "{subject}");
    // PutMetricAlarm, and the alarm's history.
    assert!((1..=255).contains(&alarm.name.len()) && alarm.description.len() <= 1024);
    assert!((1..=1023).contains(&alarm.new_state_reason.len()));
    assert!(alarm.description.contains(&alert.document.runbook));
    assert!(alarm.description.contains("no such alarm exists in CloudWatch"));
    assert_eq!((alarm.account.as_str(), alarm.region.as_str()), ("123456789012", "eu-west-1"));
    assert_eq!(alarm.arn, format!("arn:aws:cloudwatch:eu-west-1:123456789012:alarm:{}", alarm.name));
    let time = regex::Regex::new(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+0000$").unwrap();
    assert!(time.is_match(&alarm.state_change_time), "{}", alarm.state_change_time);
    let Trigger { metric_name, namespace, dimensions, comparison_operator, .. } = alarm.trigger;
    assert_eq!((metric_name.as_str(), namespace.as_str()), (alert.document.event, "repoint"));
    assert!(comparison_operator.starts_with("GreaterThan"));
    assert!(
        dimensions.iter().any(|it| it.name == "severity" && it.value == alert.document.severity.as_str())
    );
    assert!(dimensions.iter().all(|it| it.value.len() <= 255));
}

/// Receivers tell incidents and threads apart by these alone.
#[test]
fn a_condition_keeps_its_alarm_and_its_thread_and_shares_them_with_no_other() {
    let keys = |subject: &str, phase, later: u64| {
        let mut condition = condition(subject, "for a reason");
        condition.since.0 += later;
        let alert = of_condition(&report(1, 70), &condition, phase);
        let of = |format| -> Value {
            serde_json::from_str(&message(&alert, &topic(format), usize::MAX).body).unwrap()
        };
        let (alarm, notification) = (of(Format::Cloudwatch), of(Format::Chatbot));
        [alarm["AlarmName"].clone(), notification["metadata"]["threadId"].clone()]
    };
    let (long, other) = (format!("{}1", "x".repeat(400)), format!("{}2", "x".repeat(400)));
    for subject in ["pg1", &long] {
        let [alarm, thread] = keys(subject, Phase::Began, 0);
        assert_eq!(keys(subject, Phase::Ended, 0), [alarm.clone(), thread.clone()]);
        let [same, new] = keys(subject, Phase::Began, 3_600_000);
        assert!(same == alarm && new != thread, "{same} {new}");
    }
    assert_eq!(keys("pg1", Phase::Began, 0)[0], "batman/apply_failed/pg1");
    assert_eq!(keys("pg1", Phase::Began, 0)[1], "batman/apply_failed/pg1 2025-11-29T11:20:41.123Z");
    let [one, two] = [keys(&long, Phase::Began, 0), keys(&other, Phase::Began, 0)];
    assert!(one[0] != two[0] && one[1] != two[1], "{one:?} {two:?}");
}

/// What a pass leaves in the outbox for many topics fits there, and no topic loses its part to another one.
#[test]
fn the_messages_of_a_pass_are_shared_out_between_topics() {
    let topics = Format::ALL.map(topic);
    let alerts: Vec<Alert> = (0..5)
        .map(|number| {
            of_condition(&report(30, 1_400), &condition(&number.to_string(), "denied"), Phase::Began)
        })
        .collect();
    let mut state = State::default();
    for message in messages(&alerts, &topics, |index| format!("batman-7-{index}"), "me", Timestamp(0)) {
        state.post(message);
    }
    assert_eq!(state.outbox.len(), 20);
    let ids: BTreeSet<_> = state.outbox.iter().map(|message| &message.id).collect();
    assert_eq!(ids.len(), 20);
}

const FOUR: [&str; 4] = ["text", "chatbot", "cloudwatch", "json"];

/// A configuration with a topic for each format.
fn four_topics(members: &[Server], aws: &str) -> Repoint {
    let members: Vec<String> = members.iter().map(Server::url).collect();
    let topics: String = FOUR
        .map(|format| {
            format!("[[alerts.topic]]\narn = \"arn:aws:sns:us-east-1:123456789012:db-{format}\"\nformat = \"{format}\"\n")
        })
        .concat();
    Repoint::new(format!(
        "[aws]\nregion = \"us-east-1\"\nendpoint_url = \"{aws}\"\n{topics}[[cluster]]\nscope = \"batman\"\n\
         members = {members:?}\n{}",
        group()
    ))
}

/// What was published, by the name of the topic.
fn published(aws: &Server) -> Vec<(String, String, String)> {
    let publish = |request: &Request| {
        let form: BTreeMap<String, String> =
            url::form_urlencoded::parse(request.body.as_bytes()).into_owned().collect();
        let topic = form["TopicArn"].rsplit('-').next().unwrap().to_owned();
        (topic, form["Subject"].clone(), form["Message"].clone())
    };
    aws.requests().iter().filter(|request| request.action() == "Publish").map(publish).collect()
}

fn deny_registering(request: &Request) -> Option<Reply> {
    (request.action() == "RegisterTargets").then(|| refused(403, "AccessDenied", "User is not authorized"))
}

/// Without what differs from run to run.
fn settled(text: &str) -> String {
    let mut text = text.to_owned();
    for (pattern, with) in [
        (r"\d+ ms", "41 ms"),
        (r#""(at_ms|duration_ms)": ?\d+"#, "\"$1\":41"),
        (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}", "2026-11-29T11:20:41.123"),
    ] {
        text = regex::Regex::new(pattern).unwrap().replace_all(&text, with).into_owned();
    }
    text
}

/// The samples of the guide, one a format: a subject in bold, then a block.
#[tokio::test]
async fn the_samples_of_the_guide_are_what_is_published() {
    let (members, aws) = (patroni().await, aws(deny_registering).await);
    let ran = four_topics(&members, &aws.url()).run(&["run"]).await;
    assert_eq!(ran.code, 1, "{ran}");
    let published = published(&aws);
    assert_eq!(published.len(), 4, "{published:?}");

    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/infra/guide/alerts.md");
    let guide = std::fs::read_to_string(path).unwrap();
    let sample = |format: &str| {
        let pattern = format!(
            r"(?s)### `{format}`\n.*?\n\*\*Subject:\*\* `([^`\n]+)`\n+```[a-z]+\n(.*?)\n```\n(?:\n|$)"
        );
        let found = regex::Regex::new(&pattern).unwrap().captures(&guide);
        found.map(|found| (found[1].to_owned(), found[2].to_owned()))
    };
    for (format, subject, body) in published {
        let body = settled(&body);
        // Documents are broken into lines in the guide.
        let is_same = |sample: &str| match format.as_str() {
            "text" => {
                let (words, json) = body.trim_end().rsplit_once('\n').unwrap();
                let (shown, document) = sample.split_once("\n{").unwrap_or((sample, ""));
                shown == words && parsed(&format!("{{{document}")) == parsed(json)
            }
            _ => parsed(sample) == parsed(&body),
        };
        let sample = sample(&format);
        let is_shown =
            sample.as_ref().is_some_and(|(title, sample)| *title == subject && is_same(&settled(sample)));
        let shown = serde_json::from_str::<Value>(&body).map_or(body.clone(), |it| format!("{it:#}"));
        assert!(is_shown, "the guide has {sample:?}, and the {format} message is\n{subject}\n{shown}");
    }
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| json!(format!("{error}: {text}")))
}

/// Invariant 12 for each topic: the others have theirs once, and the one that has refused gets it by the next run.
#[tokio::test]
async fn a_topic_that_refuses_neither_delays_nor_repeats_what_others_get() {
    let refuses = Arc::new(AtomicBool::new(true));
    let still = refuses.clone();
    let aws = aws(move |request| match request.action().as_str() {
        "Publish" if request.body.contains("db-chatbot") && still.load(Ordering::Relaxed) => {
            Some(refused(404, "NotFound", "Topic does not exist"))
        }
        _ => deny_registering(request),
    });
    let (members, aws) = (patroni().await, aws.await);
    let repoint = four_topics(&members, &aws.url());
    let first = repoint.run(&["run"]).await;
    let said =
        "an alert was not published: sns:Publish on arn:aws:sns:us-east-1:123456789012:db-chatbot: NotFound";
    assert!(first.code == 1 && first.stdout.matches("an alert was not published").count() == 1, "{first}");
    assert!(first.stdout.contains(said), "{first}");

    refuses.store(false, Ordering::Relaxed);
    let again = repoint.run(&["run"]).await;
    assert!(!again.stdout.contains("an alert was not published"), "{again}");
    drop(repoint.run(&["run"]).await);
    let mut topics: Vec<String> = published(&aws).into_iter().map(|(topic, ..)| topic).collect();
    topics.sort();
    assert_eq!(topics, ["chatbot", "chatbot", "cloudwatch", "json", "text"]);
}

#[tokio::test]
async fn a_topic_gets_what_it_takes() {
    let (members, aws) = (patroni().await, aws(|_| None).await);
    let repoint = four_topics(&members, &aws.url());
    let ran = repoint.run(&["run"]).await;
    assert!(ran.code == 0 && ran.stdout.contains("changed"), "{ran}");
    let mut topics: Vec<String> = published(&aws).into_iter().map(|(topic, ..)| topic).collect();
    topics.sort();
    assert_eq!(topics, ["chatbot", "json", "text"], "a move has no end, so no alarm is made of it");

    let of = |severity: Severity| AlertTopic { min_severity: severity, ..topic(Format::Text) };
    let alert = |kind| {
        let condition = Condition { kind, ..condition("pg1", "down") };
        [Phase::Began, Phase::Ended].map(|phase| of_condition(&report(0, 0), &condition, phase))
    };
    let warning = alert(ConditionKind::MemberUnreachable);
    assert!(warning.iter().all(|alert| of(Severity::Warning).takes(alert)), "its end, too");
    assert!(!warning.iter().any(|alert| of(Severity::Critical).takes(alert)));
    assert!(alert(ConditionKind::NoPrimary).iter().all(|alert| of(Severity::Critical).takes(alert)));
}

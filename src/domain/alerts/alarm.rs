//! An alert in the shape of a `CloudWatch` alarm's notification, which `PagerDuty`, JSM, incident.io and Grafana accept.
//!
//! Sources: `Using Amazon CloudWatch alarms` (User Guide), the `CloudWatch` sample event of aws-lambda-go, and the limits of
//! `PutMetricAlarm`. No such alarm exists in `CloudWatch`, and its description says so.

use serde::Serialize;

use super::alert::{Alert, TRIGGERED};
use crate::state::clipped;
use crate::values::arn::TopicArn;

/// The longest name, and the longest value of a dimension that is worth having.
const NAME_LIMIT: usize = 255;
/// The longest description.
const DESCRIPTION_LIMIT: usize = 1024;
/// The longest reason.
const REASON_LIMIT: usize = 1023;

/// The notification, as it is published.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Alarm {
    #[serde(rename = "AlarmName")]
    name: String,
    #[serde(rename = "AlarmDescription")]
    description: String,
    #[serde(rename = "AWSAccountId")]
    account: String,
    new_state_value: &'static str,
    new_state_reason: String,
    state_change_time: String,
    region: String,
    #[serde(rename = "AlarmArn")]
    arn: String,
    old_state_value: &'static str,
    trigger: Trigger,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Trigger {
    metric_name: &'static str,
    namespace: &'static str,
    statistic_type: &'static str,
    statistic: &'static str,
    unit: Option<&'static str>,
    dimensions: Vec<Dimension>,
    period: u32,
    evaluation_periods: u32,
    comparison_operator: &'static str,
    threshold: u32,
    treat_missing_data: &'static str,
    evaluate_low_sample_count_percentile: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Dimension {
    value: String,
    name: &'static str,
}

impl Alarm {
    /// The alarm of an alert, as if it were one of the topic's account and Region.
    #[must_use]
    pub fn of(alert: &Alert, topic: &TopicArn) -> Self {
        let document = &alert.document;
        let name = unique(&document.dedup_key, NAME_LIMIT);
        let severity = document.severity.as_str();
        let description = format!(
            "Severity: {severity}. Runbook: {}. Published by repoint; no such alarm exists in CloudWatch.",
            document.runbook
        );
        let reason = if alert.details.is_empty() {
            alert.headline.clone()
        } else {
            format!("{}. {}", alert.headline, alert.details)
        };
        let dimension = |name, value: &str| Dimension { value: clipped(value, NAME_LIMIT), name };
        let cluster = document.cluster.as_ref().map(|cluster| dimension("cluster", cluster));
        let subject = document.subject.as_ref().map(|subject| dimension("subject", subject));
        Self {
            arn: format!(
                "arn:{}:cloudwatch:{}:{}:alarm:{name}",
                topic.partition(),
                topic.region(),
                topic.account()
            ),
            name,
            description: clipped(&description, DESCRIPTION_LIMIT),
            account: topic.account().to_owned(),
            new_state_value: if alert.is_end() { "OK" } else { "ALARM" },
            new_state_reason: clipped(&reason, REASON_LIMIT),
            state_change_time: format!("{}+0000", alert.at.utc()),
            region: topic.region().to_owned(),
            old_state_value: if document.status == TRIGGERED { "OK" } else { "ALARM" },
            trigger: Trigger {
                metric_name: document.event,
                namespace: "repoint",
                statistic_type: "Statistic",
                statistic: "MAXIMUM",
                unit: None,
                dimensions: cluster
                    .into_iter()
                    .chain([dimension("severity", severity)])
                    .chain(subject)
                    .collect(),
                period: 60,
                evaluation_periods: 1,
                comparison_operator: "GreaterThanOrEqualToThreshold",
                threshold: 1,
                treat_missing_data: "notBreaching",
                evaluate_low_sample_count_percentile: "",
            },
        }
    }

    /// The subject of its message: `ALARM: ` or `OK: `, from which receivers know what it is, and what the alert says.
    #[must_use]
    pub fn subject(&self, alert: &Alert) -> String {
        format!("{}: {}", self.new_state_value, alert.subject).chars().take(99).collect()
    }
}

/// The same, or as much of it as there is room for and a number that texts with another end do not share (FNV-1a, 64 bit).
pub(super) fn unique(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    format!("{} {hash:016x}", clipped(text, most - 17))
}

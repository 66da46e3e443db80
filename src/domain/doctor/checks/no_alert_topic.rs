//! Whether anything is alerted.

use crate::doctor::check::{Check, Judge, Judgement, Severity, fine, wrong};
use crate::doctor::facts::Facts;

pub const CHECK: Check = Check {
    id: "no_alert_topic",
    severity: Severity::Info,
    title: "No alert topic is configured",
    why: "A failover, an endpoint that cannot follow it, a second primary: they stand in logs and metrics alone.",
    link: "https://docs.aws.amazon.com/sns/latest/dg/sns-create-topic.html",
    judge: Judge::Setup(judge),
};

fn judge(facts: &Facts) -> Judgement {
    if !facts.configured.alert_topics.is_empty() {
        return fine();
    }
    wrong(
        "[alerts] has no topic",
        "aws sns create-topic --name repoint-alerts; then in the configuration: [[alerts.topic]] arn = its ARN",
    )
}

//! One topic for alerts and for callbacks.

use crate::doctor::check::{Check, Judge, Judgement, Severity, fine, wrong};
use crate::doctor::subject::Topic;

pub const CHECK: Check = Check {
    id: "alerts_call_function",
    severity: Severity::Warning,
    title: "Alerts and callbacks share a topic",
    why: "Each alert then calls the Lambda, which checks every cluster once more, just when AWS's request limits are needed. Subscribers that \
          get alerts also get a message for each callback.",
    link: "https://docs.aws.amazon.com/sns/latest/dg/sns-lambda-as-subscriber.html",
    judge: Judge::Topic(judge),
};

fn judge(topic: &Topic<'_>) -> Judgement {
    if !(topic.is_of_alerts() && topic.is_callback()) {
        return fine();
    }
    wrong(
        format!("{} is the sns_topic_arn of [callback], and a topic of [alerts]", topic.arn),
        "aws sns create-topic --name repoint-alerts; then in [[alerts.topic]]: arn = its ARN",
    )
}

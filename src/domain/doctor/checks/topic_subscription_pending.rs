//! Subscriptions of alert topics that were never confirmed.

use crate::doctor::check::{Check, Judge, Judgement, Severity, fine, wrong};
use crate::doctor::subject::Topic;

pub const CHECK: Check = Check {
    id: "topic_subscription_pending",
    severity: Severity::Warning,
    title: "A subscription of an alert topic is not confirmed",
    why: "Its owner expects alerts and gets none until the subscription is confirmed. SNS deletes it after some days without that.",
    link: "https://docs.aws.amazon.com/sns/latest/dg/sns-create-subscribe-endpoint-to-topic.html",
    judge: Judge::Topic(judge),
};

fn judge(topic: &Topic<'_>) -> Judgement {
    if !topic.is_of_alerts() {
        return fine();
    }
    let attributes = topic.attributes()?;
    let pending = attributes.number("SubscriptionsPending").unwrap_or(0);
    // Without a confirmed one, that is the finding.
    if pending == 0 || attributes.number("SubscriptionsConfirmed").unwrap_or(0) == 0 {
        return fine();
    }
    wrong(
        format!("SubscriptionsPending is {pending} for {}", topic.arn),
        format!(
            "open the link in SNS's mail, or send it again: aws sns subscribe --topic-arn {} --protocol email \
             --notification-endpoint ADDRESS",
            topic.arn
        ),
    )
}

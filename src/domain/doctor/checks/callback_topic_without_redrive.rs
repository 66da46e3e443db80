//! Where callbacks go that the Lambda does not get.

use crate::doctor::check::{Check, Judge, Judgement, Severity, Wrong, fine};
use crate::doctor::subject::Topic;

pub const CHECK: Check = Check {
    id: "callback_topic_without_redrive",
    severity: Severity::Warning,
    title: "Callbacks that cannot be delivered leave no trace",
    why: "SNS discards what it cannot deliver: at once if the function is gone or does not allow the call. A queue for undelivered \
          messages shows that, and an alarm on its length is the only one that does.",
    link: "https://docs.aws.amazon.com/sns/latest/dg/sns-dead-letter-queues.html",
    judge: Judge::Topic(judge),
};

fn judge(topic: &Topic<'_>) -> Judgement {
    if !topic.is_callback() {
        return fine();
    }
    let mut wrong = Vec::new();
    for subscription in topic.calls()? {
        let attributes = match &subscription.attributes {
            Ok(attributes) => attributes,
            Err(failure) => return Err(failure.into()),
        };
        if attributes.get("RedrivePolicy").is_none_or(str::is_empty) {
            wrong.push(Wrong::new(
                format!("the subscription of {} has no RedrivePolicy", subscription.endpoint),
                format!(
                    "aws sns set-subscription-attributes --subscription-arn {} --attribute-name RedrivePolicy --attribute-value \
                     '{{\"deadLetterTargetArn\": \"QUEUE_ARN\"}}'",
                    subscription.arn
                ),
            ));
        }
    }
    Ok(wrong)
}

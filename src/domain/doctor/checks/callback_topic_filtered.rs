//! Filters between the callbacks' topic and the Lambda.

use crate::doctor::check::{Check, Judge, Judgement, Severity, fine, unknown, wrong};
use crate::doctor::subject::Topic;

pub const CHECK: Check = Check {
    id: "callback_topic_filtered",
    severity: Severity::Critical,
    title: "A filter keeps callbacks from the Lambda",
    why: "SNS delivers only messages that have every attribute of the filter policy, and a callback's message has the attribute \
          event alone. What does not fit is dropped without an error, and endpoints wait for the next schedule.",
    link: "https://docs.aws.amazon.com/sns/latest/dg/sns-message-filtering.html",
    judge: Judge::Topic(judge),
};

/// A policy that lets every callback through, without white space.
const RIGHT: &str = r#"{"event":["look"]}"#;

fn judge(topic: &Topic<'_>) -> Judgement {
    if !topic.is_callback() {
        return fine();
    }
    let mut filtered = None;
    for subscription in topic.calls()? {
        let attributes = match &subscription.attributes {
            Ok(attributes) => attributes,
            Err(failure) => return Err(failure.into()),
        };
        let policy: String = attributes.get("FilterPolicy").unwrap_or_default().split_whitespace().collect();
        if ["", "{}", RIGHT].contains(&policy.as_str()) {
            return fine();
        }
        let scope = attributes.get("FilterPolicyScope").unwrap_or("MessageAttributes");
        filtered.get_or_insert((subscription, policy, scope));
    }
    let Some((subscription, policy, scope)) = filtered else { return fine() };
    // What asks for an attribute that no callback has, lets none through, unless it asks for its absence.
    if scope == "MessageAttributes" && !policy.contains(r#""event""#) && !policy.contains(r#""exists""#) {
        return wrong(
            format!("FilterPolicy is {policy} for the subscription of {}", subscription.endpoint),
            format!(
                "aws sns set-subscription-attributes --subscription-arn {} --attribute-name FilterPolicy --attribute-value '{{}}'",
                subscription.arn
            ),
        );
    }
    unknown(format!(
        "the subscription of {} has the FilterPolicy {policy} on {scope}: whether it lets callbacks through is not judged; without \
         a filter, or with {RIGHT}, it does",
        subscription.endpoint
    ))
}

//! What the callbacks' topic calls.

use crate::doctor::check::{Check, Judge, Judgement, Severity, fine, unknown, wrong};
use crate::doctor::subject::{Function, Topic, functions};
use crate::values::function::FunctionName;

pub const CHECK: Check = Check {
    id: "callback_topic_without_function",
    severity: Severity::Critical,
    title: "The callbacks' topic does not call the Lambda",
    why: "Patroni's callbacks publish to it after a failover, and nothing happens: endpoints stay at the former primary until the \
          next schedule, or for ever where there is none.",
    link: "https://docs.aws.amazon.com/sns/latest/dg/sns-lambda-as-subscriber.html",
    judge: Judge::Topic(judge),
};

fn judge(topic: &Topic<'_>) -> Judgement {
    if !topic.is_callback() || !topic.calls()?.is_empty() {
        return fine();
    }
    let arn = topic.arn;
    let subscriptions = topic.subscriptions()?;
    if subscriptions.iter().any(|its| its.protocol == "sqs") {
        return unknown(format!(
            "{arn} delivers to a queue: whether the Lambda has that as its event source was not read"
        ));
    }
    let configured = topic.facts.configured.function.as_ref();
    let is_it = |its: &Function<'_>| configured.is_none_or(|name| its.name.name() == name.name());
    let read = functions(topic.facts).find(is_it);
    let read = read.and_then(|its| Some(its.configuration().ok()?.arn.as_str()));
    let function = read.or(configured.map(FunctionName::as_str)).unwrap_or("FUNCTION");
    let of_lambda = || subscriptions.iter().filter(|its| its.protocol == "lambda");
    let pending = of_lambda().find(|its| !its.arn.starts_with("arn:"));
    let others: Vec<&str> = of_lambda().map(|its| its.endpoint.as_str()).collect();
    let found = if let Some(pending) = pending {
        format!("the subscription of {} to {arn} is not confirmed", pending.endpoint)
    } else if others.is_empty() {
        format!("{arn} has no subscription that calls a function")
    } else {
        format!("{arn} calls {}, and not {function}", others.join(", "))
    };
    wrong(
        found,
        format!(
            "aws lambda add-permission --function-name {function} --statement-id callbacks --action lambda:InvokeFunction \
             --principal sns.amazonaws.com --source-arn {arn}; then aws sns subscribe --topic-arn {arn} --protocol lambda \
             --notification-endpoint {function}"
        ),
    )
}

//! Where failed invocations go.

use crate::doctor::check::{Check, Judge, Judgement, NotChecked, Severity, fine, unknown, wrong};
use crate::doctor::subject::Function;
use crate::values::function::FunctionName;

pub const CHECK: Check = Check {
    id: "function_without_failure_destination",
    severity: Severity::Warning,
    title: "Failed invocations of the Lambda leave no trace",
    why: "Schedules and topics invoke it asynchronously. Lambda tries a failed invocation again and then discards it. With a \
          destination for failures, an alarm on its queue shows that passes fail, even if the function cannot alert.",
    link: "https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html",
    judge: Judge::Function(judge),
};

fn judge(function: &Function<'_>) -> Judgement {
    match &function.its.on_failure {
        Ok(Some(_)) => fine(),
        Ok(None) if !is_called(function) => unknown(format!(
            "nothing that was read calls {0} without an alias or a version, and each has a destination of its own; set function = \
             \"{0}:ALIAS\" in [lambda]",
            function.name.name()
        )),
        Ok(None) => {
            let qualifier = function.name.qualifier();
            let qualifier = qualifier.map_or(String::new(), |qualifier| format!(" --qualifier {qualifier}"));
            wrong(
                "OnFailure has no destination",
                format!(
                    "aws lambda put-function-event-invoke-config --function-name {}{qualifier} --maximum-event-age-in-seconds 300 \
                     --maximum-retry-attempts 1 --destination-config '{{\"OnFailure\": {{\"Destination\": \"QUEUE_ARN\"}}}}'",
                    function.name.name()
                ),
            )
        }
        Err(failure) => Err(NotChecked::from(failure)),
    }
}

/// Whether it is known that this version or alias is called, or the function without one.
fn is_called(function: &Function<'_>) -> bool {
    let facts = function.facts;
    let name = function.name.name();
    let is_it = |called: &str| {
        FunctionName::parse(called).is_ok_and(|called| (called.name(), called.qualifier()) == (name, None))
    };
    let subscriptions = facts.topics.values().filter_map(|topic| topic.subscriptions.as_ref()?.as_ref().ok());
    let mut endpoints = subscriptions.flatten().map(|subscription| subscription.endpoint.as_str());
    let schedules = facts.schedules.iter().filter_map(|read| read.as_ref().ok()).flatten();
    let mut targets = schedules.map(|schedule| schedule.target.as_str());
    function.name.qualifier().is_some() || endpoints.any(is_it) || targets.any(is_it)
}

//! Whether the Lambda can be invoked.

use crate::doctor::check::{Check, Judge, Judgement, Severity, Wrong, fine};
use crate::doctor::subject::Function;

pub const CHECK: Check = Check {
    id: "function_not_active",
    severity: Severity::Critical,
    title: "The Lambda is not active",
    why: "A function that failed cannot be invoked. One that is inactive was not invoked for weeks, and its next invocation fails \
          while Lambda makes its network interfaces again. After an update that failed the old code or configuration runs on.",
    link: "https://docs.aws.amazon.com/lambda/latest/dg/functions-states.html",
    judge: Judge::Function(judge),
};

fn judge(function: &Function<'_>) -> Judgement {
    let its = function.configuration()?;
    let name = function.name;
    let cause = format!(
        "change what aws lambda get-function-configuration --function-name {name} --query '[StateReason, LastUpdateStatusReason]' names"
    );
    Ok(match (its.state.as_str(), its.last_update.as_str()) {
        ("Failed", _) => vec![Wrong::new("State is Failed", cause)],
        ("Inactive", _) => vec![
            Wrong::new(
                "State is Inactive",
                format!(
                    "aws lambda invoke --function-name {name} --cli-binary-format raw-in-base64-out --payload '{{\"dry_run\": true}}' \
                     answer.json"
                ),
            )
            .with(Severity::Warning),
        ],
        (_, "Failed") => vec![Wrong::new("LastUpdateStatus is Failed", cause).with(Severity::Warning)],
        _ => return fine(),
    })
}

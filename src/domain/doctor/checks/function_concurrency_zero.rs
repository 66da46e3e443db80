//! A Lambda that may not run.

use crate::doctor::check::{Check, Judge, Judgement, NotChecked, Severity, fine, wrong};
use crate::doctor::subject::Function;

pub const CHECK: Check = Check {
    id: "function_concurrency_zero",
    severity: Severity::Critical,
    title: "The Lambda is switched off by its reserved concurrency",
    why: "With a reserved concurrency of 0 every invocation is throttled: no schedule and no callback starts a pass.",
    link: "https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html",
    judge: Judge::Function(judge),
};

fn judge(function: &Function<'_>) -> Judgement {
    match &function.its.reserved_concurrency {
        Ok(Some(0)) => wrong(
            "ReservedConcurrentExecutions is 0",
            format!("aws lambda delete-function-concurrency --function-name {}", function.name.name()),
        ),
        Ok(_) => fine(),
        Err(failure) => Err(NotChecked::from(failure)),
    }
}

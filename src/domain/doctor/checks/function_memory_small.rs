//! The processor share of the Lambda, which follows its memory.

use crate::doctor::check::{Check, Judge, Judgement, Severity, fine, wrong};
use crate::doctor::subject::Function;

pub const CHECK: Check = Check {
    id: "function_memory_small",
    severity: Severity::Warning,
    title: "The function's memory is small, and with it its processor share",
    why: "Lambda gives a function processor time in proportion. With 128 MB a cold start and its first pass take about twice as long as \
          with 512 MB, and a failover may wait for both.",
    link: "https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html",
    judge: Judge::Function(judge),
};

/// MB.
const LEAST: u32 = 512;

fn judge(function: &Function<'_>) -> Judgement {
    let memory_mb = function.configuration()?.memory_mb;
    if memory_mb >= LEAST {
        return fine();
    }
    wrong(format!("MemorySize is {memory_mb} MB"), function.change(&format!("--memory-size {LEAST}")))
}

//! How often the Lambda is called without a trigger.

use super::schedules::{called, is_enabled};
use crate::doctor::check::{Check, Judge, Judgement, Severity, fine, wrong};
use crate::doctor::facts::Facts;
use crate::doctor::facts::function::Requested;
use crate::doctor::subject::known;

pub const CHECK: Check = Check {
    id: "schedule_slow",
    severity: Severity::Info,
    title: "The schedules call the Lambda seldom",
    why: "A failover whose callback is lost is followed by the next scheduled pass. Alerts that a condition begins or ends wait for \
          it, too.",
    link: "https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html",
    judge: Judge::Setup(judge),
};

/// Minutes.
const MOST: u64 = 5;

fn judge(facts: &Facts) -> Judgement {
    let Some(read) = &facts.schedules else { return fine() };
    let schedules = called(facts, known(Some(read))?);
    let passes = schedules.into_iter().filter(|schedule| {
        is_enabled(schedule) && matches!(schedule.requests, Requested::Pass { is_dry_run: false, .. })
    });
    // Beside one whose rhythm is not a rate, the others may be rare.
    let rates: Option<Vec<_>> =
        passes.map(|schedule| Some((minutes(&schedule.expression)?, schedule))).collect();
    match rates.unwrap_or_default().into_iter().min_by_key(|(minutes, _)| *minutes) {
        Some((minutes, schedule)) if minutes > MOST => wrong(
            format!("ScheduleExpression is {} for the schedule {}", schedule.expression, schedule.name),
            format!("ScheduleExpression = rate(1 minutes) of the schedule {}", schedule.name),
        ),
        _ => fine(),
    }
}

/// The minutes of `rate(5 minutes)`.
fn minutes(expression: &str) -> Option<u64> {
    let (number, unit) = expression.strip_prefix("rate(")?.strip_suffix(')')?.split_once(' ')?;
    let unit = match unit.trim().trim_end_matches('s') {
        "minute" => 1,
        "hour" => 60,
        "day" => 24 * 60,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(unit)
}

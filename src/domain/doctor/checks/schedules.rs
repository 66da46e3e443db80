//! What the checks of schedules share.

use crate::doctor::facts::Facts;
use crate::doctor::facts::function::Schedule;
use crate::spec::Spec;

/// Those that call the configured function, or any function where none is configured.
pub(super) fn called<'a>(facts: &Facts, schedules: &'a [Schedule]) -> Vec<&'a Schedule> {
    schedules.iter().filter(|schedule| facts.configured.is_function(&schedule.target)).collect()
}

/// Whether it makes calls.
pub(super) fn is_enabled(schedule: &Schedule) -> bool {
    schedule.state == "ENABLED"
}

/// Whether it calls an API of AWS (EventBridge Scheduler User Guide, "Universal targets"): then its input says what.
pub(super) fn is_by_api(schedule: &Schedule) -> bool {
    schedule.target.contains(":aws-sdk:")
}

/// Whether an event that names a cluster so is about that entry, as the Lambda has it.
pub(super) fn is_called(spec: &Spec, called: &str) -> bool {
    spec.name.as_str() == called || spec.has_scope(called)
}

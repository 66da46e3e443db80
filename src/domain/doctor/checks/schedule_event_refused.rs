//! Events of schedules that the Lambda refuses.

use super::schedules::{called, is_called, is_enabled};
use crate::doctor::check::{Check, Judge, Judgement, Severity, Wrong, fine};
use crate::doctor::facts::Facts;
use crate::doctor::facts::function::Requested;
use crate::doctor::subject::known;

pub const CHECK: Check = Check {
    id: "schedule_event_refused",
    severity: Severity::Warning,
    title: "The Lambda refuses the event of a schedule",
    why: "An event of an unknown kind, or one that names a cluster that is not configured, is refused as a whole: no cluster of it is \
          checked, and every invocation fails.",
    link: "https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-targets-templated.html",
    judge: Judge::Setup(judge),
};

fn judge(facts: &Facts) -> Judgement {
    let Some(read) = &facts.schedules else { return fine() };
    let mut wrong = Vec::new();
    for schedule in called(facts, known(Some(read))?).into_iter().filter(|schedule| is_enabled(schedule)) {
        let name = &schedule.name;
        let found = match &schedule.requests {
            Requested::Unknown(event) => format!("the schedule {name} sends {event}"),
            Requested::TestAlert => continue,
            Requested::Pass { clusters, .. } => {
                let is_unknown =
                    |called: &&str| !facts.clusters.iter().any(|cluster| is_called(&cluster.spec, called));
                let unknown: Vec<&str> = clusters.iter().map(String::as_str).filter(is_unknown).collect();
                if unknown.is_empty() {
                    continue;
                }
                format!("the schedule {name} names {}, and no cluster is called that", unknown.join(", "))
            }
        };
        wrong.push(Wrong::new(
            found,
            format!("Input = {{\"cluster\": [\"NAME\"]}} of the schedule {name}, or {{}} for all clusters"),
        ));
    }
    Ok(wrong)
}

//! Whether a schedule calls the Lambda for each cluster.

use super::schedules::{called, is_by_api, is_called, is_enabled};
use crate::doctor::check::{Check, Judge, Judgement, Severity, fine, unknown, wrong};
use crate::doctor::facts::Facts;
use crate::doctor::facts::function::Requested;
use crate::doctor::subject::known;

pub const CHECK: Check = Check {
    id: "schedule_missing",
    severity: Severity::Warning,
    title: "No schedule calls the Lambda for a cluster",
    why: "A callback that is lost, a node that dies before it calls, an endpoint that is edited by hand: only the next scheduled pass \
          repairs that. Without a schedule nothing does until the next failover.",
    link: "https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-schedule-state.html",
    judge: Judge::Setup(judge),
};

fn judge(facts: &Facts) -> Judgement {
    let Some(read) = &facts.schedules else { return fine() };
    let schedules = known(Some(read))?;
    let ours = called(facts, schedules);
    let is_served = |spec: &crate::spec::Spec| {
        ours.iter().filter(|schedule| is_enabled(schedule)).any(|schedule| match &schedule.requests {
            Requested::Pass { is_dry_run: true, .. } | Requested::TestAlert | Requested::Unknown(_) => false,
            Requested::Pass { clusters, .. } => {
                clusters.is_empty() || clusters.iter().any(|called| is_called(spec, called))
            }
        })
    };
    let without: Vec<&str> = facts
        .clusters
        .iter()
        .filter(|cluster| !is_served(&cluster.spec))
        .map(|cluster| cluster.name().as_str())
        .collect();
    if without.is_empty() {
        return fine();
    }
    let group = facts.configured.schedule_group.as_deref().unwrap_or("default");
    if let Some(by_api) = schedules.iter().find(|schedule| is_enabled(schedule) && is_by_api(schedule)) {
        return unknown(format!(
            "the schedule {} calls an API of AWS: whether that invokes the Lambda was not read",
            by_api.name
        ));
    }
    let others: Vec<String> = schedules
        .iter()
        .map(|schedule| match &schedule.requests {
            _ if !is_enabled(schedule) => format!("{} is {}", schedule.name, schedule.state),
            _ if !ours.iter().any(|its| its.name == schedule.name) => {
                format!("{} calls {}", schedule.name, schedule.target)
            }
            Requested::Pass { is_dry_run: true, .. } => format!("{} makes dry runs", schedule.name),
            Requested::Pass { clusters, .. } => format!("{} names {}", schedule.name, clusters.join(", ")),
            Requested::TestAlert => format!("{} publishes a test alert", schedule.name),
            Requested::Unknown(_) => format!("{} sends an event that the Lambda refuses", schedule.name),
        })
        .collect();
    let found = if others.is_empty() { "it is empty".to_owned() } else { others.join("; ") };
    let disabled = ours.iter().find(|schedule| !is_enabled(schedule));
    wrong(
        format!("no schedule of the group {group} is for {}: {found}", without.join(", ")),
        disabled.map_or_else(
            || {
                format!(
                    "aws scheduler create-schedule --group-name {group} --name every-minute --schedule-expression 'rate(1 minutes)' \
                     --flexible-time-window Mode=OFF --target Arn=FUNCTION_ARN,RoleArn=ROLE_ARN"
                )
            },
            |schedule| {
                format!(
                    "aws scheduler update-schedule --group-name {group} --name {} --state ENABLED with the other settings as they are \
                     (with infra/terraform: triggers_enabled = true)",
                    schedule.name
                )
            },
        ),
    )
}

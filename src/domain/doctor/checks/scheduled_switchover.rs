//! A switchover that will come by itself.

use crate::doctor::check::{Check, Judge, Judgement, Severity, fine, wrong};
use crate::doctor::subject::Site;

pub const CHECK: Check = Check {
    id: "scheduled_switchover",
    severity: Severity::Info,
    title: "A switchover is scheduled",
    why: "Patroni will move the primary at that time without a further question; endpoints follow, and connections break.",
    link: "https://patroni.readthedocs.io/en/latest/rest_api.html",
    judge: Judge::Site(judge),
};

fn judge(site: &Site<'_>) -> Judgement {
    let Some(switchover) = &site.view()?.scheduled_switchover else { return fine() };
    wrong(
        format!("scheduled_switchover: {switchover}"),
        format!("unless it is meant: patronictl flush {} switchover", site.spec.scope),
    )
}

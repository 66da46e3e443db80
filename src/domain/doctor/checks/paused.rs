//! Maintenance mode.

use crate::doctor::check::{Check, Judge, Judgement, Severity, fine, wrong};
use crate::doctor::subject::Site;

pub const CHECK: Check = Check {
    id: "paused",
    severity: Severity::Warning,
    title: "Patroni is in maintenance mode",
    why: "While a cluster is paused Patroni promotes nothing by itself: if the primary is lost, writes stay down until an operator acts.",
    link: "https://patroni.readthedocs.io/en/latest/pause.html",
    judge: Judge::Site(judge),
};

fn judge(site: &Site<'_>) -> Judgement {
    // What a pass has read; where it has read nothing, so has doctor.
    site.view()?;
    let answers = site.members().filter_map(|member| member.answer());
    let mut paused = answers.map(|answer| {
        answer.view.as_ref().is_ok_and(|view| view.paused)
            || answer.status.as_ref().is_ok_and(|status| status.paused)
    });
    if !paused.any(|is_paused| is_paused) {
        return fine();
    }
    wrong("pause is true", format!("patronictl resume {}", site.spec.scope))
}

//! Promotions in quick succession.

use crate::doctor::check::{Check, Judge, Judgement, Severity, fine, wrong};
use crate::doctor::subject::{Site, known};
use crate::values::units::time;

pub const CHECK: Check = Check {
    id: "flapping",
    severity: Severity::Warning,
    title: "The primary changes often",
    why: "Each change breaks every connection and costs seconds of writes. Many in a day mean a cause that returns: a short `ttl`, a slow \
          DCS, a host that starves.",
    link: "https://patroni.readthedocs.io/en/latest/rest_api.html",
    judge: Judge::Site(judge),
};

const DAY_MS: u64 = 24 * 60 * 60 * 1000;
const MOST: usize = 3;

fn judge(site: &Site<'_>) -> Judgement {
    let histories = || site.members().filter_map(|member| member.its.history.as_ref());
    let history = known(histories().find(|history| history.is_ok()).or_else(|| histories().next()))?;
    let now = site.cluster.facts.at;
    let recent = history.iter().filter_map(|end| end.at).filter(|at| now.since(at.0) <= DAY_MS);
    let recent: Vec<String> = recent.map(time).collect();
    if recent.len() <= MOST {
        return fine();
    }
    wrong(
        format!("{} promotions within 24 h (UTC): {}", recent.len(), recent.join(", ")),
        "journalctl -u patroni --since -24h on the members has the reason of each; a DCS that is slow for a while needs a larger \
         retry_timeout, and ttl = loop_wait + 2 × retry_timeout",
    )
}

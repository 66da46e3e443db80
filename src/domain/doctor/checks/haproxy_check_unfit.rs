//! What HAProxy itself takes for the primary.

use super::haproxy::cfg;
use crate::doctor::check::{Check, Judge, Judgement, Severity, Wrong, fine};
use crate::doctor::facts::Facts;
use crate::plan::is_of_primary;
use crate::spec::{BackendStrategy, GroupRole};

pub const CHECK: Check = Check {
    id: "haproxy_check_unfit",
    severity: Severity::Critical,
    title: "HAProxy's own check finds replicas good",
    why: "repoint closes every server but the primary's, and a check that every member passes opens them again a moment later. \
          Without the daemon writes are spread over replicas.",
    link: "https://docs.haproxy.org/3.0/configuration.html#4-option%20httpchk",
    judge: Judge::Setup(judge),
};

fn judge(facts: &Facts) -> Judgement {
    let Some((path, cfg)) = cfg(facts)? else { return fine() };
    let backends = facts.clusters.iter().flat_map(|cluster| &cluster.spec.backends);
    let writers = backends.filter(|backend| {
        matches!(backend.strategy, BackendStrategy::Warm { .. }) && backend.role == GroupRole::Writer
    });
    let bad = writers.filter_map(|backend| {
        let name = backend.key.backend.as_str();
        let checked = cfg.sections.get(name)?.check_path.as_deref();
        (!checked.is_some_and(is_of_primary)).then_some((name, checked))
    });
    Ok(bad
        .map(|(name, checked)| {
            let found = match checked {
                Some(checked) => format!("backend {name} checks {checked}"),
                None => format!("backend {name} has no httpchk"),
            };
            Wrong::new(found, format!("in backend {name} of {path}: option httpchk OPTIONS /primary"))
        })
        .collect())
}

//! Where the one server of an exclusive backend leads just after a reload.

use super::haproxy::cfg;
use crate::doctor::check::{Check, Judge, Judgement, Severity, Wrong, fine};
use crate::doctor::facts::Facts;
use crate::spec::BackendStrategy;

pub const CHECK: Check = Check {
    id: "haproxy_forgets_address",
    severity: Severity::Warning,
    title: "After a reload HAProxy sends writes where the server was configured to be",
    why: "From the state file a new worker takes that the server is ready, and its port. It takes the address only where the \
          configuration has a name: else connections go to the configured address until repoint has seen the reload.",
    link: "https://docs.haproxy.org/3.0/configuration.html#init-addr",
    judge: Judge::Setup(judge),
};

fn judge(facts: &Facts) -> Judgement {
    let Some((path, cfg)) = cfg(facts)? else { return fine() };
    let backends = facts.clusters.iter().flat_map(|cluster| &cluster.spec.backends);
    let bad = backends.filter_map(|backend| {
        let BackendStrategy::Exclusive { server } = &backend.strategy else { return None };
        let section = cfg.sections.get(backend.key.backend.as_str())?;
        (section.loads_state && section.forgets_address.contains(server)).then_some((backend, server))
    });
    Ok(bad
        .map(|(backend, server)| {
            Wrong::new(
                format!("server {server} of backend {} has a fixed address", backend.key.backend),
                format!(
                    "in {path}: server {server} primary.invalid:5432 disabled init-addr last,192.0.2.1; and restart HAProxy"
                ),
            )
        })
        .collect())
}

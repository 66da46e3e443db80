//! What checks of HAProxy have in common.

use crate::doctor::check::NotChecked;
use crate::doctor::facts::Facts;
use crate::doctor::facts::node::{HaproxyCfg, HaproxySection};
use crate::spec::BackendStrategy;

/// HAProxy's configuration on this machine, where one is configured.
pub(super) fn cfg(facts: &Facts) -> Result<Option<(&str, &HaproxyCfg)>, NotChecked> {
    match facts.node.as_ref().and_then(|node| node.haproxy.as_ref()) {
        Some((path, Ok(cfg))) => Ok(Some((path, cfg))),
        Some((_, Err(failure))) => Err(failure.into()),
        None => Ok(None),
    }
}

/// The sections of warm backends: the server of another one has no check.
pub(super) fn backends<'a>(
    facts: &'a Facts,
    cfg: &'a HaproxyCfg,
) -> impl Iterator<Item = (&'a str, &'a HaproxySection)> {
    let configured = facts.clusters.iter().flat_map(|cluster| &cluster.spec.backends);
    let warm = configured.filter(|backend| matches!(backend.strategy, BackendStrategy::Warm { .. }));
    warm.filter_map(|backend| {
        let name = backend.key.backend.as_str();
        Some((name, cfg.sections.get(name)?))
    })
}

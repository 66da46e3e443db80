//! `discovery_failed`: members are not discovered any more.

use crate::alerts::findings::Findings;
use crate::observed::Observed;
use crate::spec::Spec;
use crate::state::ConditionKind;

/// Detects it by what discovery says of each site. One that has not answered yet says nothing (invariant 2).
pub(super) fn detect(spec: &Spec, observed: &Observed, found: &mut Findings) {
    let mut failures = Vec::new();
    let mut is_unknown = false;
    for site in spec.sites.iter().filter(|site| site.discover.is_some()) {
        match observed.discovered.get(&site.name) {
            Some(Ok(_)) => {}
            Some(Err(failure)) => {
                let of = site.name.as_ref().map_or(String::new(), |name| format!("{name}: "));
                failures.push(format!("{of}{}", failure.explained()));
            }
            None => is_unknown = true,
        }
    }
    if !failures.is_empty() {
        found.add(ConditionKind::DiscoveryFailed, None, &failures.join("; "));
    } else if is_unknown {
        found.unknown.push(ConditionKind::DiscoveryFailed);
    }
}

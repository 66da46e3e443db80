//! Whether the endpoints on this machine are as they should be.
//!
//! A reload makes HAProxy forget what it was sent, and to ask it takes less than a millisecond, so it is asked as often
//! as Patroni. What is seen here only sets off a pass (invariant 1).

use futures::FutureExt as _;
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::ports::Ports;
use crate::runtime::endpoints::{Hosts, Lookups, read};
use repoint_domain::decide::verdict::verdict;
use repoint_domain::observed::Observed;
use repoint_domain::plan::plan;
use repoint_domain::spec::Spec;
use repoint_domain::spec::part::parts;
use repoint_domain::state::State;

/// Whether a pass would change a backend of HAProxy, given what members have just said. Without the state that may be
/// wrong, and then the pass changes nothing.
pub async fn has_drifted(spec: &Spec, members: Observed, ports: &Ports, until: Instant) -> bool {
    if spec.backends.is_empty() {
        return false;
    }
    let spec = spec.of_backends();
    let mut observed = members;
    let state = State::default();
    let verdict = verdict(&spec, &observed, &state);
    let (hosts, known) = oneshot::channel();
    drop(hosts.send(Hosts::of(&observed.sites, None, &verdict)));
    let (known, lookups) = (known.shared(), Lookups::default());
    for part in parts(&spec) {
        observed.add(read(&part, ports, until, known.clone(), &lookups).await);
    }
    !plan(&spec, &observed, &verdict, &state, ports.clock.now()).is_empty()
}

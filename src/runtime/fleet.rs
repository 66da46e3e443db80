//! One pass over each of many clusters.
//!
//! A cluster that has another primary than its endpoints follow goes first, however many there are and wherever it stands in
//! the configuration; no cluster waits for another one's timeouts. All that is decided here is when a cluster's turn is.

use std::time::Duration;

use futures::future::{BoxFuture, OptionFuture, join_all};
use tokio::sync::{Semaphore, watch as channel};
use tokio::time::{Instant, timeout, timeout_at};

use super::load_state::load_state;
use super::members::Members;
use crate::ports::Ports;
use repoint_domain::decide::snapshot::Snapshot;
use repoint_domain::rates::{Urgency, reads};
use repoint_domain::spec::Spec;

/// How long the passes that only audit leave the machine to the others. Asking every member needs no request to AWS and takes
/// less, unless many members hang.
const HEAD_START: Duration = Duration::from_secs(1);
/// So few clusters begin at the same time, and are not asked first which of them has failed over.
pub const FEW: usize = 16;
/// How many states are loaded at the same time: from a table, each takes a connection.
const LOADS_AT_ONCE: usize = 32;

/// Asks every cluster which member leads it, and makes a pass over each in its turn: first those that have failed over, then
/// the others, in random order, so that none is always the last. A `pass` is given what the members have said, and returns
/// what is still to be waited for after it has ended, which holds up no other. Returns what comes of that, in the order of
/// `specs`; `None` for a cluster whose turn had not come by `until`.
pub async fn fleet<'a, T: Send + 'a>(
    specs: &[&'a Spec],
    ports: &(impl Fn() -> Ports + Sync),
    limit: Duration,
    until: Option<Instant>,
    pass: &(impl Fn(&'a Spec, Ports, Members) -> BoxFuture<'a, BoxFuture<'a, T>> + Sync),
) -> Vec<Option<T>> {
    // How many have not been asked yet, or have failed over.
    let ahead = &channel::Sender::new(specs.len());
    let loads = &Semaphore::new(LOADS_AT_ONCE);
    let count = specs.len();
    // What has failed over is known once all have been asked, and then nothing has to be left for it.
    let limits = ports().calls;
    limits.expect_failovers(true);
    let went_ahead = &|| {
        ahead.send_modify(|ahead| *ahead -= 1);
        if *ahead.borrow() == 0 {
            limits.expect_failovers(false);
        }
    };
    let one = |spec: &'a Spec| async move {
        let (ports, mut members) = (ports(), Members::default());
        let urgency = match count {
            ..=FEW => Urgency::Failover,
            _ => urgency(spec, &ports, loads, Instant::now() + limit, &mut members).await,
        };
        let is_behind = urgency == Urgency::Audit;
        if is_behind {
            went_ahead();
            drop(timeout(HEAD_START, ahead.subscribe().wait_for(|ahead| *ahead == 0)).await);
        }
        let (calls, reads) = (ports.calls.clone(), reads(spec));
        let admitted = calls.admit(urgency, &reads);
        let is_admitted = if let Some(until) = until {
            timeout_at(until, admitted).await.is_ok()
        } else {
            admitted.await;
            true
        };
        let rest = if is_admitted { Some(pass(spec, ports, members).await) } else { None };
        calls.release();
        if !is_behind {
            went_ahead();
        }
        OptionFuture::from(rest).await
    };
    let mut order: Vec<usize> = (0..specs.len()).collect();
    fastrand::shuffle(&mut order);
    let results = join_all(order.iter().map(|index| one(specs[*index]))).await;
    let mut results: Vec<_> = order.into_iter().zip(results).collect();
    results.sort_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
}

/// Whether the primary that members name is another one than the state's.
async fn urgency(
    spec: &Spec,
    ports: &Ports,
    loads: &Semaphore,
    deadline: Instant,
    members: &mut Members,
) -> Urgency {
    members.ask(spec, &ports.members, Duration::ZERO, deadline);
    let loaded = {
        let _permit = loads.acquire().await;
        load_state(spec, ports, deadline).await
    };
    if let Ok(state) = &loaded {
        members.add_known(spec, state);
    }
    members.settle(spec, &ports.members, deadline).await;
    // Without the state, it is not known to have failed over.
    loaded.map_or(Urgency::Audit, |state| Snapshot::of(spec, members.sites(spec)).urgency(&state))
}

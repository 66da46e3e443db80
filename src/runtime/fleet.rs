//! One pass over each of many clusters.
//!
//! Laws: whoever has another primary than its endpoints follow goes first, however many there are and wherever it stands
//! in the configuration; no cluster waits for another one's timeouts. It never decides anything about a cluster but when
//! its turn is.

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

/// How long those who only make sure leave the machine to the others. Asking every member costs AWS nothing and takes
/// less, unless many hang.
const HEAD_START: Duration = Duration::from_secs(1);
/// So few begin at the same time whatever is known of them, and are passed over without being asked first.
const FEW: usize = 16;
/// How many memories are asked for at the same time: in a table, each takes a connection.
const RECALLED_AT_ONCE: usize = 32;

/// Asks every cluster who leads it, and passes over each in its turn: those that have failed over, and then the others,
/// in no particular order, so that none is always the last. A `pass`, which is given what
/// the members have said, leaves what is still to be waited for when it has ended, which keeps nobody back; what comes of that, in the order of `intents`. `None` for whose turn had not come by
/// `until`.
pub async fn fleet<'a, T: Send + 'a>(
    intents: &[&'a Spec],
    ports: &(impl Fn() -> Ports + Sync),
    limit: Duration,
    until: Option<Instant>,
    pass: &(impl Fn(&'a Spec, Ports, Members) -> BoxFuture<'a, BoxFuture<'a, T>> + Sync),
) -> Vec<Option<T>> {
    // How many have not looked yet, or have to be followed.
    let ahead = &channel::Sender::new(intents.len());
    let recalls = &Semaphore::new(RECALLED_AT_ONCE);
    let count = intents.len();
    let one = |spec: &'a Spec| async move {
        let (ports, mut members) = (ports(), Members::default());
        let urgency = match count {
            ..=FEW => Urgency::Failover,
            _ => urgency(spec, &ports, recalls, Instant::now() + limit, &mut members).await,
        };
        let is_behind = urgency == Urgency::Audit;
        if is_behind {
            ahead.send_modify(|ahead| *ahead -= 1);
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
            ahead.send_modify(|ahead| *ahead -= 1);
        }
        OptionFuture::from(rest).await
    };
    let mut order: Vec<usize> = (0..intents.len()).collect();
    fastrand::shuffle(&mut order);
    let results = join_all(order.iter().map(|index| one(intents[*index]))).await;
    let mut results: Vec<_> = order.into_iter().zip(results).collect();
    results.sort_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
}

/// Whether the primary that members name is another one than the one that is remembered.
async fn urgency(
    spec: &Spec,
    ports: &Ports,
    recalls: &Semaphore,
    deadline: Instant,
    members: &mut Members,
) -> Urgency {
    members.ask(spec, ports, Duration::ZERO, deadline);
    let loaded = {
        let _permit = recalls.acquire().await;
        load_state(spec, ports, deadline).await
    };
    if let Ok(state) = &loaded {
        members.remember(spec, state);
    }
    members.settle(spec, ports, deadline).await;
    // Without memory, it is not known to be behind.
    loaded.map_or(Urgency::Audit, |state| Snapshot::of(spec, members.sites(spec)).urgency(&state))
}

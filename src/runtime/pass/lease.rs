//! The lease of one attempt: taken before its first write, and only on evidence that is fresh.

use super::Pass;
use crate::limits::LeaseGuard;
use crate::runtime::commit::{ACT_WITHIN, Commit, commit};
use crate::runtime::deadline::reads_until;
use crate::runtime::members::{FRESH_FOR, Members};
use crate::runtime::observe::Observing;
use repoint_domain::decide::snapshot::Snapshot;
use repoint_domain::report::PassHold;
use repoint_domain::values::failure::Failure;
use repoint_domain::values::moves::Move;
use repoint_domain::values::primary::Primary;

/// A lease that is held.
pub struct Held {
    pub guard: LeaseGuard,
    /// The revision of the commit; absent where the state store is unavailable and not required.
    pub revision: Option<u64>,
}

/// Why an attempt takes on no more.
pub enum Stop {
    /// Nothing may be written now.
    Held(PassHold),
    /// What it rests on is out of date.
    OutOfDate,
}

/// Takes the lease for `primary`. Members whose answers are old are asked again first (invariant 4).
pub async fn acquire(
    pass: Pass<'_>,
    observing: &mut Observing,
    primary: &Primary,
    moves: Option<&Move>,
    members: &mut Members,
) -> Result<Held, Stop> {
    let Pass { spec, ports, span, .. } = pass;
    if !members.are_fresh(FRESH_FOR) {
        let until = reads_until(span.deadline);
        members.ask(spec, &ports.members, FRESH_FOR, until);
        members.settle(spec, &ports.members, until).await;
        if !Snapshot::of(spec, members.sites(spec)).agrees(&observing.snapshot) {
            return Err(Stop::OutOfDate);
        }
    }
    let known = match &observing.state {
        Ok(state) => state.clone(),
        Err(failure) => return without_state(pass, failure.clone()),
    };
    match commit(spec, &known, primary, moves, ports, span.deadline).await {
        Commit::Granted(guard, committed) => {
            let revision = Some(committed.revision);
            observing.state = Ok(*committed);
            Ok(Held { guard, revision })
        }
        Commit::Conflict => Err(Stop::OutOfDate),
        Commit::Unavailable(failure) => without_state(pass, failure),
    }
}

/// Whether a pass may write without the state is configured.
fn without_state(pass: Pass<'_>, failure: Failure) -> Result<Held, Stop> {
    if pass.settings.needs_state {
        return Err(Stop::Held(PassHold::StateUnavailable(failure)));
    }
    Ok(Held { guard: LeaseGuard::new(&pass.ports.clock, ACT_WITHIN), revision: None })
}

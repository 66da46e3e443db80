//! When a condition begins, is alerted, and ends.
//!
//! Invariant 12, alert once: a condition is alerted when it has lasted as long as its grace, again at the configured
//! interval, and when it has ended, if its beginning was alerted.

use super::detect::own_subject;
use super::event::{Event, Phase};
use super::outcome::PassOutcome;
use super::subject::Subject;
use crate::state::{Alerted, Condition, ConditionKind, State};
use crate::values::timestamp::Timestamp;

/// How long the note of another entry that this state is not its own is kept, so that it is not alerted each time.
const OTHERS_KEPT_FOR_MS: u64 = 24 * 60 * 60 * 1000;

/// When conditions are alerted. All in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// How long a condition that often ends by itself must last.
    pub grace_ms: u64,
    /// How long a contested cluster must last.
    pub contested_grace_ms: u64,
    /// How long a replica must be too far behind, or no member be able to take over.
    pub replica_grace_ms: u64,
    /// How long Patroni must be paused.
    pub paused_grace_ms: u64,
    /// How often an alert is repeated; never if unset.
    pub reminder_ms: Option<u64>,
    /// From where on something is wrong.
    pub limits: Limits,
}

/// From where on something is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How far a replica may be behind, in bytes of WAL, received or replayed.
    pub replica_lag_bytes: u64,
    /// Patroni's `maximum_lag_on_failover`: how far a member may be behind that is to take over, in bytes.
    pub failover_lag_bytes: u64,
    /// So many changes of the primary are flapping,
    pub flapping_changes: u32,
    /// within so many milliseconds.
    pub flapping_ms: u64,
}

impl Limits {
    /// Four WAL segments, so that a replica that replays segment by segment from an archive is within the limit; Patroni's own
    /// default for a failover; and no more than a switchover to another member and back.
    pub const DEFAULT: Self = Self {
        replica_lag_bytes: 64 * 1024 * 1024,
        failover_lag_bytes: 1024 * 1024,
        flapping_changes: 3,
        flapping_ms: 30 * 60 * 1000,
    };
}

impl Rules {
    /// How long a condition of that kind must last until it is alerted, in milliseconds.
    #[must_use]
    pub fn grace_of(&self, kind: ConditionKind) -> u64 {
        match kind.alerted() {
            Alerted::AtOnce => 0,
            Alerted::AfterGrace => self.grace_ms,
            Alerted::AfterContestedGrace => self.contested_grace_ms,
            Alerted::AfterReplicaGrace => self.replica_grace_ms,
            Alerted::AfterPausedGrace => self.paused_grace_ms,
        }
    }
}

/// The conditions that are open after a pass, in their order.
pub(super) fn conditions(
    state: &State,
    pass: &PassOutcome,
    rules: &Rules,
    now: Timestamp,
    events: &mut Vec<Event>,
) -> Vec<Condition> {
    let mut open = Vec::new();
    for known in &state.conditions {
        match pass.findings.of(known) {
            Some(finding) => open.push(finding.renewed(known)),
            None if is_of_another_entry(known, pass) => {
                // That entry refreshes nothing here, and may have a state of its own by now.
                let is_kept = now.since(known.since) < OTHERS_KEPT_FOR_MS;
                open.extend(is_kept.then(|| known.clone()));
            }
            None if !pass.findings.knows(known) => open.push(known.clone()),
            None if known.notified.is_some() => {
                events.push(Event::Condition { condition: known.clone(), phase: Phase::Ended });
            }
            None => {}
        }
    }
    for finding in &pass.findings.present {
        if !open.iter().any(|known| finding.is(known)) {
            open.push(finding.begun(now));
        }
    }
    open.sort_by(|a, b| (a.kind, &a.subject).cmp(&(b.kind, &b.subject)));
    for condition in open.iter_mut().filter(|condition| is_ours_to_alert(condition, pass)) {
        count_from(condition, now);
        let phase = match condition.notified {
            // The version that knows it alerts it.
            _ if condition.kind == ConditionKind::Unrecognized => continue,
            None if now.since(condition.since) >= rules.grace_of(condition.kind) => Phase::Began,
            Some(notified) if rules.reminder_ms.is_some_and(|interval| now.since(notified) >= interval) => {
                Phase::Lasts
            }
            _ => continue,
        };
        condition.notified = Some(now);
        events.push(Event::Condition { condition: condition.clone(), phase });
    }
    open
}

/// Whether it was put there by an entry that this state is not kept for.
fn is_of_another_entry(condition: &Condition, pass: &PassOutcome) -> bool {
    condition.kind == ConditionKind::StateOfOtherEndpoints
        && condition.subject != own_subject(pass.spec).as_ref().map(Subject::name)
}

/// Whether this entry alerts the condition: in the state of another entry, only that the state is another's.
fn is_ours_to_alert(condition: &Condition, pass: &PassOutcome) -> bool {
    let is_of_others = condition.kind == ConditionKind::StateOfOtherEndpoints;
    !is_of_another_entry(condition, pass) && (is_of_others || !pass.findings.is_of_others)
}

/// A time ahead of `now` was written by a clock that was ahead, or the own clock was set back. It counts from now, so that
/// no alert is later than by one grace, or one reminder.
fn count_from(condition: &mut Condition, now: Timestamp) {
    if condition.since.is_ahead_of(now) {
        condition.since = now;
    }
    if condition.notified.is_some_and(|notified| notified.is_ahead_of(now)) {
        condition.notified = Some(now);
    }
}

//! After a pass: the state that it leaves behind, and the alerts.
//!
//! Invariant 12, alert once: an alert is put into the outbox of the state by the same save that records why, and is
//! published by the process that saved it: one message for each topic that takes it. A message that could not be published
//! stays in the outbox for a later pass. Only a crash between publishing and saving can send a message twice, and no message
//! is lost.

pub mod message;
mod outbox;
mod publish;

use std::collections::BTreeSet;

use futures::future::join3;
use tokio::time::Instant;

use self::message::messages;
use self::outbox::with_claims;
use self::publish::{End, Ends, publish};
use super::deadline::Cut;
use super::history::{Stored, due, keep, log, store};
use super::save::update;
use super::settings::Settings;
use crate::ports::Ports;
use crate::unsaved::Past;
use repoint_domain::alerts::{Alert, Event, Loaded, PassOutcome, Phase, Rules, next_state};
use repoint_domain::history::{self, HistoryEvent};
use repoint_domain::observed::Read;
use repoint_domain::report::{ClusterReport, HoldReport, PassHold, PassHoldKind, Reason, outcome};
use repoint_domain::spec::Spec;
use repoint_domain::state::{Condition, OutboxMessage, Severity, State};
use repoint_domain::values::failure::Failure;
use repoint_domain::values::timestamp::Timestamp;

/// Updates the state by the pass, and publishes what is new. A failing store or topic is a warning in the report. Each part
/// has time of its own, so that time is left to react when one of them fails. What is to be published is left to a later pass
/// once the rest is cut off.
pub async fn notify(
    pass: &PassOutcome<'_>,
    report: &ClusterReport,
    state: Read<State>,
    settings: &Settings,
    ports: &Ports,
    cut: &Cut,
) -> Notified {
    let (began, ended) = (Instant::now(), ports.clock.now());
    let by_fifth = |fifth: u32| began + settings.notify_within * fifth / 5;
    let spec = pass.spec;
    let mut notified = Notified::default();
    let earlier = ports.unsaved.of(&spec.name);
    let pending = earlier.as_ref().map_or_else(Vec::new, |earlier| earlier.known().outbox);
    let has_past = earlier.is_some();
    let alone = Alone { report, rules: &settings.alerts, has_past, pending, ports, until: by_fifth(4), cut };
    let Ok(state) = state else {
        let base = earlier.as_ref().map(Past::known).unwrap_or_default();
        notified.without_state(pass, base, alone).await;
        return notified;
    };
    let and_notified = |state: &State| {
        let known = earlier.as_ref().map_or_else(|| state.clone(), |earlier| earlier.and_notified(state));
        // Messages in another entry's state are for that entry's topics.
        if state.is_of_others(spec) { State { outbox: state.outbox.clone(), ..known } } else { known }
    };
    let before = and_notified(&state);
    let (mut alerts, mut recorded, mut dropped) = (Vec::new(), Vec::new(), Vec::new());
    let saved = update(spec, state, ports, by_fifth(2), |state| {
        recorded = Vec::new();
        let now = ports.clock.now();
        let known = and_notified(state);
        let (updated, events) = next_state(&known, pass, &settings.alerts, now);
        alerts = alerts_of(&events, report, now);
        let is_new = known != *state;
        let updated =
            updated.or_else(|| is_new.then(|| State { revision: state.revision + 1, ..known.clone() }));
        let mut next = if state.is_of_others(spec) {
            updated?
        } else {
            with_claims(state, updated, ports, now, &mut dropped)?
        };
        recorded = history::of_pass(&events, report, &known, next.revision, [ended, now]);
        keep(&mut next, &recorded, now);
        let id = |index| Event::id(&spec.name, next.revision, index);
        for message in messages(&alerts, &ports.alert_topics, id, &ports.identity, now) {
            next.post(message);
        }
        Some(next)
    });
    match saved.await {
        Ok(state) => {
            ports.unsaved.saved(&spec.name, &state);
            notified.alerts.extend(alerts.into_iter().map(|alert| alert.subject));
            notified.is_stored = true;
            notified.warnings.extend(dropped);
            log(&recorded);
            let until = [by_fifth(4), by_fifth(5)];
            notified.publish_outbox(spec, state, &recorded, settings.needs_state, ports, (cut, until)).await;
        }
        Err(failure) => {
            let mut findings = pass.findings.clone();
            if settings.needs_state {
                findings = findings.and_unsaved(&failure);
            }
            let pass = PassOutcome { findings: &findings, ..pass.clone() };
            notified.unsaved("the next pass may send its alerts again", failure, settings.needs_state);
            notified.without_state(&pass, before, alone).await;
        }
    }
    notified
}

fn alerts_of(events: &[Event], report: &ClusterReport, now: Timestamp) -> Vec<Alert> {
    events.iter().map(|event| Alert::of(event, report, now)).collect()
}

/// What publishing without the state store needs.
struct Alone<'a> {
    report: &'a ClusterReport,
    rules: &'a Rules,
    /// Whether this process has passed over the cluster before.
    has_past: bool,
    /// What this process could not publish without the state store before.
    pending: Vec<OutboxMessage>,
    ports: &'a Ports,
    until: Instant,
    cut: &'a Cut,
}

/// What became of the alerts of a pass.
#[derive(Debug, Default)]
pub struct Notified {
    /// The subjects of the alerts.
    pub alerts: Vec<String>,
    /// What went wrong.
    pub warnings: Vec<String>,
    /// The state after the pass; of what could not be saved, the conditions.
    pub state: State,
    /// Whether that is the stored state.
    pub is_stored: bool,
    /// An alert was not published, or the state was not saved although it is required.
    is_unnotified: bool,
    /// The state was not saved, although it is required.
    hold: Option<PassHold>,
}

impl Notified {
    fn unsaved(&mut self, consequence: &str, failure: Failure, needs_state: bool) {
        self.warnings.push(format!("the state was not saved, so {consequence}: {failure}"));
        if needs_state {
            self.is_unnotified = true;
            self.hold = Some(PassHold::StateUnavailable(failure));
        }
    }

    /// Nothing can be recorded outside this process: neither how long a condition has lasted, nor what was alerted. A process
    /// that has passed over this cluster before goes by what it knows. One that has not, such as each run of cron, alerts
    /// what is critical at once: silence would be worse than a second message. So does one whose changes are blocked.
    async fn without_state(&mut self, pass: &PassOutcome<'_>, base: State, alone: Alone<'_>) {
        let Alone { report, rules, has_past, pending, ports, until, cut } = alone;
        let base = State { conditions: base.conditions, primary: base.primary, ..State::default() };
        let is_blocked = pass.moves.is_some() && pass.holds.iter().any(is_unavailable);
        let at_once = Rules { grace_ms: 0, contested_grace_ms: 0, ..*rules };
        let rules = if has_past && !is_blocked { rules } else { &at_once };
        let pass = PassOutcome {
            loaded: Loaded::from(&base),
            committed: pass.committed.filter(|_| !pass.steps.is_empty()),
            ..pass.clone()
        };
        let now = ports.clock.now();
        let (updated, mut events) = next_state(&base, &pass, rules, now);
        let mut next = updated.unwrap_or_else(|| base.clone());
        if rules == &at_once {
            // What is not critical can wait until it is known how long it has lasted.
            let may_wait = |condition: &Condition| condition.kind.severity() != Severity::Critical;
            events.retain(|event| match event {
                Event::Condition { condition, phase } => *phase == Phase::Ended || !may_wait(condition),
                Event::Moved { .. } => true,
            });
            take_back(&mut next.conditions, &base.conditions, may_wait);
        }
        let alerts = alerts_of(&events, report, now);
        let id = |index| Event::id(&pass.spec.name, now.0, index);
        let mut waiting = pending;
        waiting.extend(messages(&alerts, &ports.alert_topics, id, &ports.identity, now));
        self.alerts.extend(alerts.into_iter().map(|alert| alert.subject));
        let (sender, mut ends) = Ends::channel();
        publish(&waiting, ports, until, cut, sender).await;
        let ended = self.ended(ends.next().await, ports);
        // The next pass of this process publishes them, with or without the state store.
        waiting.retain(|message| !ended.published.contains(&message.id));
        for message in &mut waiting {
            message.claimed_by = String::new();
        }
        let next = State { outbox: waiting, ..next }.bounded();
        ports.unsaved.alone(&pass.spec.name, &next);
        self.state = next;
    }

    /// Publishes every message that this process has claimed, stores the events of the history meanwhile, and takes both out of
    /// the state.
    async fn publish_outbox(
        &mut self,
        spec: &Spec,
        state: State,
        recorded: &[HistoryEvent],
        needs_state: bool,
        ports: &Ports,
        (cut, [publish_until, save_until]): (&Cut, [Instant; 2]),
    ) {
        let is_ours = |message: &&OutboxMessage| message.claimed_by == ports.identity;
        let claimed: Vec<OutboxMessage> = state.outbox.iter().filter(is_ours).cloned().collect();
        let due = due(spec, &state, recorded, ports.clock.now());
        let (sender, mut ends) = Ends::channel();
        let saving = async {
            let (mut state, mut all, mut unsaved) = (state, Ended::default(), None);
            loop {
                let next = ends.next().await;
                if next.is_empty() {
                    self.state = state;
                    // Events alone are stored again by a later pass, which makes no difference.
                    break unsaved.filter(|_| all.concerns_messages());
                }
                all.extend(self.ended(next, ports));
                let saved = update(spec, state.clone(), ports, save_until, |state| {
                    let mut next = State { revision: state.revision + 1, ..state.clone() };
                    next.outbox.retain(|message| !all.published.contains(&message.id));
                    for message in next.outbox.iter_mut().filter(|message| all.failed.contains(&message.id)) {
                        message.claimed_by = String::new();
                    }
                    next.pending_events.retain(|event| !all.stored.contains(&event.number));
                    let is_new = next.outbox != state.outbox || next.pending_events != state.pending_events;
                    is_new.then_some(next)
                });
                match saved.await {
                    Ok(saved) => (state, unsaved) = (saved, None),
                    Err(failure) => unsaved = Some(failure),
                }
            }
        };
        let publishing = publish(&claimed, ports, publish_until, cut, sender.clone());
        let storing = async move {
            let stored = store(spec, due, ports, publish_until, cut).await;
            // Its receiver is there until all of this has ended.
            drop(sender.send(End::Stored(stored)));
        };
        // Each on its own: a store that hangs must not delay what a topic gets.
        let ((), (), unsaved) = join3(publishing, storing, saving).await;
        if let Some(failure) = unsaved {
            self.unsaved("a message may be sent twice", failure, needs_state);
        }
    }

    /// Notes what became of messages and events.
    fn ended(&mut self, ends: Vec<End>, ports: &Ports) -> Ended {
        let mut ended = Ended::default();
        for end in ends {
            match end {
                End::Stored(Stored { numbers, warning }) => {
                    ended.stored.extend(numbers);
                    self.warnings.extend(warning);
                }
                End::Published(id, Ok(())) => {
                    ports.calls.alert(true);
                    ended.published.insert(id);
                }
                End::Published(id, Err(failure)) => {
                    ports.calls.alert(false);
                    ended.failed.insert(id);
                    self.unpublished(&failure);
                }
            }
        }
        ended
    }

    fn unpublished(&mut self, failure: &Failure) {
        let hint = failure.hint.clone().unwrap_or_else(|| {
            "check the topic's ARN in `[alerts]` and the route to SNS in its Region (from a VPC: NAT or an interface \
             endpoint) with `repoint test-alert`"
                .to_owned()
        });
        self.is_unnotified = true;
        self.warnings.push(format!("an alert was not published: {failure} ({hint})"));
    }
}

/// The ids of messages of which it is known what became of them, and the numbers of the events that are stored.
#[derive(Default)]
struct Ended {
    published: BTreeSet<String>,
    failed: BTreeSet<String>,
    stored: BTreeSet<u64>,
}

impl Ended {
    fn extend(&mut self, other: Self) {
        self.published.extend(other.published);
        self.failed.extend(other.failed);
        self.stored.extend(other.stored);
    }

    fn concerns_messages(&self) -> bool {
        !self.published.is_empty() || !self.failed.is_empty()
    }
}

fn is_unavailable(hold: &HoldReport) -> bool {
    hold.reason == Reason::Pass(PassHoldKind::StateUnavailable)
}

/// What was alerted of conditions goes back to what it was.
fn take_back(conditions: &mut [Condition], before: &[Condition], which: impl Fn(&Condition) -> bool) {
    for condition in conditions.iter_mut().filter(|condition| which(condition)) {
        let same = before.iter().find(|one| one.kind == condition.kind && one.subject == condition.subject);
        condition.notified = same.and_then(|before| before.notified);
    }
}

/// Puts what became of the alerts into the report.
pub fn add(report: &mut ClusterReport, notified: Notified) {
    report.alerts = notified.alerts;
    report.is_unnotified = notified.is_unnotified;
    report.warnings.extend(notified.warnings);
    let is_new = !report.holds.iter().any(is_unavailable);
    if let Some(hold) = notified.hold.filter(|_| is_new) {
        report.holds.push(hold.report());
        report.outcome = outcome(false, &report.steps, &report.holds);
    }
}

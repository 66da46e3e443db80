//! After the writes: what the pass leaves in memory, and what people are told.
//!
//! Law: alert once (12). An alert is put into memory's outbox by the same save that records why, and is published by
//! whoever saved it. What could not be published stays there for a later pass; what was published is taken out. Only a
//! crash between the two can send a message twice, and none is lost.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;
use tokio::time::{Instant, timeout_at};

use super::deadline::too_late;
use super::pass::Settings;
use super::save::update;
use crate::ports::Ports;
use crate::unsaved::Past;
use repoint_domain::alerts::{Alert, CUTS};
use repoint_domain::observed::Read;
use repoint_domain::report::{ClusterReport, HoldReport, PassHold, PassHoldKind, Reason, outcome};
use repoint_domain::spec::Spec;
use repoint_domain::state::update::{Loaded, PassOutcome, Rules, next_state};
use repoint_domain::state::{Condition, MOST_LETTER_BYTES, OutboxMessage, State, clipped};
use repoint_domain::values::failure::Failure;
use repoint_domain::values::timestamp::Timestamp;

/// Whoever claimed a letter that long ago has failed to publish it.
const CLAIMED_FOR_MS: u64 = 60 * 1000;
/// The longest that one message may take, so that a topic that hangs leaves time to note that down.
const PUBLISH_WITHIN: Duration = Duration::from_secs(3);
/// What all messages of one pass may take together, in bytes: the outbox has room for older ones beside them.
const ROOM: usize = 96 * 1024;
/// The least that is left to each.
const LEAST_ROOM: usize = 3 * 1024;

/// Folds the pass into memory and publishes what is new. A failing store or topic is said in the report. Each part has
/// time of its own: what is done when one fails must not find that all of it is gone.
pub async fn notify(
    spec: &Spec,
    pass: &PassOutcome<'_>,
    state: Read<State>,
    settings: &Settings,
    ports: &Ports,
) -> Notified {
    let began = Instant::now();
    let by_fifth = |fifth: u32| began + settings.notify_within * fifth / 5;
    let rules = &settings.alerts;
    let mut notified = Notified::default();
    let known_alone = ports.unsaved.of(&spec.name);
    let Ok(state) = state else {
        let base = known_alone.as_ref().map(Past::known).unwrap_or_default();
        notified.without_state(spec, pass, base, known_alone.is_some(), rules, ports, by_fifth(4)).await;
        return notified;
    };
    let and_notified =
        |state: &State| known_alone.as_ref().map_or_else(|| state.clone(), |alone| alone.and_notified(state));
    let before = and_notified(&state);
    let mut alerts = Vec::new();
    let saved = update(spec, state, ports, by_fifth(2), |state| {
        let now = ports.clock.now();
        let known = and_notified(state);
        let (folded, new) = next_state(&known, pass, rules, now);
        alerts.clone_from(&new);
        let is_new = known != *state;
        let folded = folded.or_else(|| is_new.then(|| State { revision: state.revision + 1, ..known }));
        // Letters in another entry's state are for its own topic.
        let mut next =
            if state.is_of_others(spec) { folded? } else { with_claims(state, folded, ports, now)? };
        if ports.topic.is_some() {
            for (index, alert) in new.iter().enumerate() {
                let id = format!("{}-{}-{index}", spec.name, next.revision);
                next.post(message(alert, &id, room(new.len()), ports, now));
            }
        }
        Some(next)
    });
    match saved.await {
        Ok(state) => {
            ports.unsaved.saved(&spec.name, &state);
            notified.alerts.extend(alerts.into_iter().map(|alert| alert.subject));
            let until = [by_fifth(4), by_fifth(5)];
            notified.publish_outbox(spec, state, settings.needs_state, ports, until).await;
        }
        Err(failure) => {
            let mut findings = pass.findings.clone();
            if settings.needs_state {
                findings = findings.and_unsaved(&failure);
            }
            let pass = PassOutcome { findings: &findings, ..pass.clone() };
            notified.unsaved("so the next pass may tell this again", failure, settings.needs_state);
            notified
                .without_state(spec, &pass, before, known_alone.is_some(), rules, ports, by_fifth(4))
                .await;
        }
    }
    notified
}

/// What telling came to.
#[derive(Debug, Default)]
pub struct Notified {
    /// The subjects of the alerts.
    pub alerts: Vec<String>,
    /// What went wrong.
    pub warnings: Vec<String>,
    /// An alert was not published, or memory was not saved although it is required.
    is_unnotified: bool,
    /// Memory was not saved, although it is required.
    hold: Option<PassHold>,
}

impl Notified {
    fn unsaved(&mut self, so_what: &str, failure: Failure, needs_state: bool) {
        self.warnings.push(format!("memory was not saved, {so_what}: {failure}"));
        if needs_state {
            self.is_unnotified = true;
            self.hold = Some(PassHold::StateUnavailable(failure));
        }
    }

    /// Nothing can be noted down but in this process: neither how long anything has lasted, nor what was told. A process
    /// that has passed over this cluster before goes by what it knows. One that has not, such as each run of cron, tells
    /// what is critical at once: silence would be worse than a second message. So does one whose changes are blocked.
    #[expect(clippy::too_many_arguments, reason = "it has what telling has")]
    async fn without_state(
        &mut self,
        spec: &Spec,
        pass: &PassOutcome<'_>,
        base: State,
        has_past: bool,
        rules: &Rules,
        ports: &Ports,
        until: Instant,
    ) {
        let base = State { conditions: base.conditions, primary: base.primary, ..State::default() };
        let is_blocked = pass.moves.is_some() && pass.report.holds.iter().any(is_unavailable);
        let at_once = Rules { grace_ms: 0, contested_grace_ms: 0, ..*rules };
        let rules = if has_past && !is_blocked { rules } else { &at_once };
        let pass = PassOutcome {
            loaded: Loaded::from(&base),
            committed: pass.committed.filter(|_| !pass.report.steps.is_empty()),
            ..pass.clone()
        };
        let now = ports.clock.now();
        let (folded, mut alerts) = next_state(&base, &pass, rules, now);
        let mut next = folded.unwrap_or_else(|| base.clone());
        if rules == &at_once {
            // What is no more than a warning can wait until its time is known.
            alerts.retain(|alert| alert.document.severity != "warning");
            untell(&mut next.conditions, &base.conditions, |condition| {
                condition.kind.severity() == "warning"
            });
        }
        let mut is_published = true;
        for (index, alert) in alerts.iter().enumerate() {
            let id = format!("{}-{}-{index}", spec.name, now.0);
            let message = message(alert, &id, room(alerts.len()), ports, now);
            is_published &= self.publish(&message, ports, until).await;
            self.alerts.push(alert.subject.clone());
        }
        if !is_published {
            untell(&mut next.conditions, &base.conditions, |_| true);
        }
        ports.unsaved.alone(&spec.name, &next);
    }

    /// Publishes every letter that is claimed by us, and takes it out of memory.
    async fn publish_outbox(
        &mut self,
        spec: &Spec,
        state: State,
        needs_state: bool,
        ports: &Ports,
        [publish_until, save_until]: [Instant; 2],
    ) {
        let mut published = Vec::new();
        let mut failed = Vec::new();
        for message in state.outbox.iter().filter(|message| message.claimed_by == ports.identity) {
            if self.publish(message, ports, publish_until).await {
                published.push(message.id.clone());
            } else {
                failed.push(message.id.clone());
            }
        }
        let saved = update(spec, state, ports, save_until, |state| {
            let mut next = State { revision: state.revision + 1, ..state.clone() };
            next.outbox.retain(|message| !published.contains(&message.id));
            for message in next.outbox.iter_mut().filter(|message| failed.contains(&message.id)) {
                message.claimed_by = String::new();
            }
            (next.outbox != state.outbox).then_some(next)
        });
        if let Err(failure) = saved.await {
            self.unsaved("so a message may come twice", failure, needs_state);
        }
    }

    async fn publish(&mut self, message: &OutboxMessage, ports: &Ports, until: Instant) -> bool {
        let Some(topic) = &ports.topic else { return true };
        let result = timeout_at(until.min(Instant::now() + PUBLISH_WITHIN), topic.publish(message)).await;
        match result.unwrap_or_else(|_| Err(too_late("sns:Publish", &"the topic"))) {
            Ok(()) => true,
            Err(failure) => {
                let hint = failure.hint.clone().unwrap_or_else(|| {
                    "check `[alerts] sns_topic_arn`, and the way to SNS (from a VPC: NAT or an interface endpoint), with \
                     `repoint test-alert`"
                        .to_owned()
                });
                self.is_unnotified = true;
                self.warnings.push(format!("an alert was not published: {failure} ({hint})"));
                false
            }
        }
    }
}

fn is_unavailable(hold: &HoldReport) -> bool {
    hold.reason == Reason::Pass(PassHoldKind::StateUnavailable)
}

/// What was told of conditions goes back to what it was.
fn untell(conditions: &mut [Condition], before: &[Condition], which: impl Fn(&Condition) -> bool) {
    for condition in conditions.iter_mut().filter(|condition| which(condition)) {
        let same = before.iter().find(|one| one.kind == condition.kind && one.subject == condition.subject);
        condition.notified = same.and_then(|before| before.notified);
    }
}

/// How many bytes each of so many messages may have.
fn room(messages: usize) -> usize {
    (ROOM / messages.max(1)).clamp(LEAST_ROOM, MOST_LETTER_BYTES)
}

/// The next memory, in which letters that nobody publishes any more are ours. `None` if there is nothing to save.
fn with_claims(state: &State, folded: Option<State>, ports: &Ports, now: Timestamp) -> Option<State> {
    let is_free = |message: &OutboxMessage| {
        message.claimed_by.is_empty() || now.is_past(message.claimed_at, CLAIMED_FOR_MS)
    };
    let claims = ports.topic.is_some() && state.outbox.iter().any(is_free);
    if folded.is_none() && !claims {
        return None;
    }
    let mut next = folded.unwrap_or_else(|| State { revision: state.revision + 1, ..state.clone() });
    if claims {
        for message in next.outbox.iter_mut().filter(|message| is_free(message)) {
            message.claimed_by.clone_from(&ports.identity);
            message.claimed_at = now;
        }
    }
    Some(next)
}

fn message(alert: &Alert, id: &str, room: usize, ports: &Ports, now: Timestamp) -> OutboxMessage {
    OutboxMessage {
        id: id.to_owned(),
        subject: alert.subject.clone(),
        body: body(alert, room),
        attributes: alert.document.attributes(),
        claimed_by: ports.identity.clone(),
        claimed_at: now,
    }
}

/// Words, and then the JSON document on the last line; cut until both fit.
fn body(alert: &Alert, room: usize) -> String {
    let whole = |alert: &Alert| {
        let json = serde_json::to_string(&alert.document);
        let json = json.unwrap_or_else(|error| json!({ "error": error.to_string() }).to_string());
        format!("{}\n{json}\n", alert.text)
    };
    let uncut = whole(alert);
    if uncut.len() <= room {
        return uncut;
    }
    let mut cut = CUTS.iter().map(|others| whole(&alert.cut_to(*others)));
    let last = |body: &String| body.len() <= room;
    let fits = cut.find(last).unwrap_or_else(|| whole(&alert.cut_to(0)));
    if fits.len() <= MOST_LETTER_BYTES {
        return fits;
    }
    // Only names can be so long.
    let document: BTreeMap<String, String> = alert.document.attributes();
    let words = clipped(&alert.text, LEAST_ROOM);
    format!("{words}\n{}\n", json!(document))
}

/// Puts what telling came to into the report.
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

//! After the writes: what the pass leaves in memory, and what people are told.
//!
//! Law: alert once (12). An alert is put into memory's outbox by the same save that records why, and is published by
//! whoever saved it. What could not be published stays there for a later pass; what was published is taken out. Only a
//! crash between the two can send a message twice, and none is lost.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;
use tokio::time::{Instant, timeout_at};

use super::commit::update;
use super::observe::too_late;
use super::pass::Settings;
use crate::ports::{Past, Ports};
use repoint_domain::alerts::{Alert, CUTS};
use repoint_domain::observed::Read;
use repoint_domain::report::{ClusterReport, HoldReport, PassHold, PassHoldKind, Reason, outcome};
use repoint_domain::spec::Intent;
use repoint_domain::state::fold::{Ended, Remembered, Rules, fold};
use repoint_domain::state::{Condition, Letter, MOST_LETTER_BYTES, Memory, Timestamp, clipped};
use repoint_domain::values::failure::Failure;

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
pub async fn tell(
    intent: &Intent,
    pass: &Ended<'_>,
    memory: Read<Memory>,
    settings: &Settings,
    ports: &Ports,
) -> Told {
    let began = Instant::now();
    let by_fifth = |fifth: u32| began + settings.tell_within * fifth / 5;
    let rules = &settings.alerts;
    let mut told = Told::default();
    let known_alone = ports.unsaved.of(&intent.name);
    let Ok(memory) = memory else {
        let base = known_alone.as_ref().map(Past::known).unwrap_or_default();
        told.without_memory(intent, pass, base, known_alone.is_some(), rules, ports, by_fifth(4)).await;
        return told;
    };
    let and_told =
        |memory: &Memory| known_alone.as_ref().map_or_else(|| memory.clone(), |alone| alone.and_told(memory));
    let before = and_told(&memory);
    let mut alerts = Vec::new();
    let saved = update(intent, memory, ports, by_fifth(2), |memory| {
        let now = ports.clock.now();
        let known = and_told(memory);
        let (folded, new) = fold(&known, pass, rules, now);
        alerts.clone_from(&new);
        let is_new = known != *memory;
        let folded = folded.or_else(|| is_new.then(|| Memory { revision: memory.revision + 1, ..known }));
        // Letters in another entry's state are for its own topic.
        let mut next =
            if memory.is_of_others(intent) { folded? } else { with_claims(memory, folded, ports, now)? };
        if ports.topic.is_some() {
            for (index, alert) in new.iter().enumerate() {
                let id = format!("{}-{}-{index}", intent.name, next.revision);
                next.post(letter(alert, &id, room(new.len()), ports, now));
            }
        }
        Some(next)
    });
    match saved.await {
        Ok(memory) => {
            ports.unsaved.saved(&intent.name, &memory);
            told.alerts.extend(alerts.into_iter().map(|alert| alert.subject));
            let until = [by_fifth(4), by_fifth(5)];
            told.publish_outbox(intent, memory, settings.needs_memory, ports, until).await;
        }
        Err(failure) => {
            let mut findings = pass.findings.clone();
            if settings.needs_memory {
                findings = findings.and_unsaved(&failure);
            }
            let pass = Ended { findings: &findings, ..pass.clone() };
            told.unsaved("so the next pass may tell this again", failure, settings.needs_memory);
            told.without_memory(intent, &pass, before, known_alone.is_some(), rules, ports, by_fifth(4))
                .await;
        }
    }
    told
}

/// What telling came to.
#[derive(Debug, Default)]
pub struct Told {
    /// The subjects of the alerts.
    pub alerts: Vec<String>,
    /// What went wrong.
    pub warnings: Vec<String>,
    /// An alert was not published, or memory was not saved although it is required.
    is_untold: bool,
    /// Memory was not saved, although it is required.
    hold: Option<PassHold>,
}

impl Told {
    fn unsaved(&mut self, so_what: &str, failure: Failure, needs_memory: bool) {
        self.warnings.push(format!("memory was not saved, {so_what}: {failure}"));
        if needs_memory {
            self.is_untold = true;
            self.hold = Some(PassHold::MemoryUnavailable(failure));
        }
    }

    /// Nothing can be noted down but in this process: neither how long anything has lasted, nor what was told. A process
    /// that has passed over this cluster before goes by what it knows. One that has not, such as each run of cron, tells
    /// what is critical at once: silence would be worse than a second message. So does one whose changes are blocked.
    #[expect(clippy::too_many_arguments, reason = "it has what telling has")]
    async fn without_memory(
        &mut self,
        intent: &Intent,
        pass: &Ended<'_>,
        base: Memory,
        has_past: bool,
        rules: &Rules,
        ports: &Ports,
        until: Instant,
    ) {
        let base = Memory { conditions: base.conditions, primary: base.primary, ..Memory::default() };
        let is_blocked = pass.retarget.is_some() && pass.report.holds.iter().any(is_unavailable);
        let at_once = Rules { grace_ms: 0, contested_grace_ms: 0, ..*rules };
        let rules = if has_past && !is_blocked { rules } else { &at_once };
        let pass = Ended {
            remembered: Remembered::from(&base),
            committed: pass.committed.filter(|_| !pass.report.steps.is_empty()),
            ..pass.clone()
        };
        let now = ports.clock.now();
        let (folded, mut alerts) = fold(&base, &pass, rules, now);
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
            let id = format!("{}-{}-{index}", intent.name, now.0);
            let letter = letter(alert, &id, room(alerts.len()), ports, now);
            is_published &= self.publish(&letter, ports, until).await;
            self.alerts.push(alert.subject.clone());
        }
        if !is_published {
            untell(&mut next.conditions, &base.conditions, |_| true);
        }
        ports.unsaved.alone(&intent.name, &next);
    }

    /// Publishes every letter that is claimed by us, and takes it out of memory.
    async fn publish_outbox(
        &mut self,
        intent: &Intent,
        memory: Memory,
        needs_memory: bool,
        ports: &Ports,
        [publish_until, save_until]: [Instant; 2],
    ) {
        let mut published = Vec::new();
        let mut failed = Vec::new();
        for letter in memory.outbox.iter().filter(|letter| letter.claimed_by == ports.identity) {
            if self.publish(letter, ports, publish_until).await {
                published.push(letter.id.clone());
            } else {
                failed.push(letter.id.clone());
            }
        }
        let saved = update(intent, memory, ports, save_until, |memory| {
            let mut next = Memory { revision: memory.revision + 1, ..memory.clone() };
            next.outbox.retain(|letter| !published.contains(&letter.id));
            for letter in next.outbox.iter_mut().filter(|letter| failed.contains(&letter.id)) {
                letter.claimed_by = String::new();
            }
            (next.outbox != memory.outbox).then_some(next)
        });
        if let Err(failure) = saved.await {
            self.unsaved("so a message may come twice", failure, needs_memory);
        }
    }

    async fn publish(&mut self, letter: &Letter, ports: &Ports, until: Instant) -> bool {
        let Some(topic) = &ports.topic else { return true };
        let result = timeout_at(until.min(Instant::now() + PUBLISH_WITHIN), topic.publish(letter)).await;
        match result.unwrap_or_else(|_| Err(too_late("sns:Publish", &"the topic"))) {
            Ok(()) => true,
            Err(failure) => {
                let hint = failure.hint.clone().unwrap_or_else(|| {
                    "check `[alerts] sns_topic_arn`, and the way to SNS (from a VPC: NAT or an interface endpoint), with \
                     `repoint test-alert`"
                        .to_owned()
                });
                self.is_untold = true;
                self.warnings.push(format!("an alert was not published: {failure} ({hint})"));
                false
            }
        }
    }
}

fn is_unavailable(hold: &HoldReport) -> bool {
    hold.reason == Reason::Pass(PassHoldKind::MemoryUnavailable)
}

/// What was told of conditions goes back to what it was.
fn untell(conditions: &mut [Condition], before: &[Condition], which: impl Fn(&Condition) -> bool) {
    for condition in conditions.iter_mut().filter(|condition| which(condition)) {
        let same = before.iter().find(|one| one.kind == condition.kind && one.subject == condition.subject);
        condition.told = same.and_then(|before| before.told);
    }
}

/// How many bytes each of so many messages may have.
fn room(messages: usize) -> usize {
    (ROOM / messages.max(1)).clamp(LEAST_ROOM, MOST_LETTER_BYTES)
}

/// The next memory, in which letters that nobody publishes any more are ours. `None` if there is nothing to save.
fn with_claims(memory: &Memory, folded: Option<Memory>, ports: &Ports, now: Timestamp) -> Option<Memory> {
    let is_free =
        |letter: &Letter| letter.claimed_by.is_empty() || now.is_past(letter.claimed_at, CLAIMED_FOR_MS);
    let claims = ports.topic.is_some() && memory.outbox.iter().any(is_free);
    if folded.is_none() && !claims {
        return None;
    }
    let mut next = folded.unwrap_or_else(|| Memory { revision: memory.revision + 1, ..memory.clone() });
    if claims {
        for letter in next.outbox.iter_mut().filter(|letter| is_free(letter)) {
            letter.claimed_by.clone_from(&ports.identity);
            letter.claimed_at = now;
        }
    }
    Some(next)
}

fn letter(alert: &Alert, id: &str, room: usize, ports: &Ports, now: Timestamp) -> Letter {
    Letter {
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
pub fn add(report: &mut ClusterReport, told: Told) {
    report.alerts = told.alerts;
    report.is_untold = told.is_untold;
    report.warnings.extend(told.warnings);
    let is_new = !report.holds.iter().any(is_unavailable);
    if let Some(hold) = told.hold.filter(|_| is_new) {
        report.holds.push(hold.report());
        report.outcome = outcome(false, &report.steps, &report.holds);
    }
}

//! After the writes: what the pass leaves in memory, and what people are told.
//!
//! Law: alert once (12). An alert is put into memory's outbox by the same save that records why, and is published by
//! whoever saved it. What could not be published stays there for a later pass; what was published is taken out. Only a
//! crash between the two can send a message twice, and none is lost.

use tokio::time::{Instant, timeout_at};

use super::commit::update;
use super::observe::too_late;
use super::pass::Settings;
use crate::domain::alert::Alert;
use crate::domain::intent::Intent;
use crate::domain::memory::fold::{Ended, Rules, fold};
use crate::domain::memory::{Letter, Memory, Timestamp};
use crate::domain::report::ClusterReport;
use crate::domain::world::Read;
use crate::ports::Ports;

/// Whoever claimed a letter that long ago has failed to publish it.
const CLAIMED_FOR_MS: u64 = 60 * 1000;

/// Folds the pass into memory and publishes what is new. A failing store or topic is said in the report's warnings.
pub async fn tell(
    intent: &Intent,
    pass: &Ended<'_>,
    memory: Read<Memory>,
    settings: &Settings,
    ports: &Ports,
) -> Told {
    let (rules, deadline) = (&settings.alerts, Instant::now() + settings.tell_within);
    let mut told = Told::default();
    let Ok(memory) = memory else {
        told.without_memory(intent, pass, &Memory::default(), rules, ports, deadline).await;
        return told;
    };
    let before = memory.clone();
    let mut alerts = Vec::new();
    let saved = update(intent, memory, ports, deadline, |memory| {
        let now = ports.clock.now();
        let (folded, new) = fold(memory, pass, rules, now);
        alerts.clone_from(&new);
        // Letters in another entry's state are for its own topic.
        let mut next =
            if memory.is_of_others(intent) { folded? } else { with_claims(memory, folded, ports, now)? };
        if ports.topic.is_some() {
            for (index, alert) in new.iter().enumerate() {
                next.post(letter(alert, &format!("{}-{}-{index}", intent.name, next.revision), ports, now));
            }
        }
        Some(next)
    });
    match saved.await {
        Ok(memory) => {
            told.alerts.extend(alerts.into_iter().map(|alert| alert.subject));
            told.publish_outbox(intent, memory, ports, deadline).await;
        }
        Err(failure) => {
            told.warnings
                .push(format!("memory was not saved, so the next pass may tell this again: {failure}"));
            told.without_memory(intent, pass, &before, rules, ports, deadline).await;
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
}

impl Told {
    fn warn(&mut self, warning: String) {
        self.warnings.push(warning);
    }

    /// Nothing can be noted down: neither how long anything has lasted, nor what people were told. Where writes are at
    /// stake, silence would be worse than a second message, or an early one.
    async fn without_memory(
        &mut self,
        intent: &Intent,
        pass: &Ended<'_>,
        memory: &Memory,
        rules: &Rules,
        ports: &Ports,
        deadline: Instant,
    ) {
        let at_once = Rules { grace_ms: 0, contested_grace_ms: 0, ..*rules };
        let (_, mut alerts) = fold(memory, pass, &at_once, ports.clock.now());
        alerts.retain(|alert| alert.document.severity != "warning");
        self.publish_unsaved(&alerts, intent, ports, deadline).await;
    }

    async fn publish_unsaved(&mut self, alerts: &[Alert], intent: &Intent, ports: &Ports, deadline: Instant) {
        let now = ports.clock.now();
        for (index, alert) in alerts.iter().enumerate() {
            let id = format!("{}-{}-{index}", intent.name, now.0);
            self.publish(&letter(alert, &id, ports, now), ports, deadline).await;
            self.alerts.push(alert.subject.clone());
        }
    }

    /// Publishes every letter that is claimed by us, and takes it out of memory.
    async fn publish_outbox(&mut self, intent: &Intent, memory: Memory, ports: &Ports, deadline: Instant) {
        let mut published = Vec::new();
        let mut failed = Vec::new();
        for letter in memory.outbox.iter().filter(|letter| letter.claimed_by == ports.identity) {
            if self.publish(letter, ports, deadline).await {
                published.push(letter.id.clone());
            } else {
                failed.push(letter.id.clone());
            }
        }
        let saved = update(intent, memory, ports, deadline, |memory| {
            let mut next = Memory { revision: memory.revision + 1, ..memory.clone() };
            next.outbox.retain(|letter| !published.contains(&letter.id));
            for letter in next.outbox.iter_mut().filter(|letter| failed.contains(&letter.id)) {
                letter.claimed_by = String::new();
            }
            (next.outbox != memory.outbox).then_some(next)
        });
        if let Err(failure) = saved.await {
            self.warn(format!("memory was not saved, so a message may come twice: {failure}"));
        }
    }

    async fn publish(&mut self, letter: &Letter, ports: &Ports, deadline: Instant) -> bool {
        let Some(topic) = &ports.topic else { return true };
        let result = timeout_at(deadline, topic.publish(letter)).await;
        match result.unwrap_or_else(|_| Err(too_late("sns:Publish", &"the topic"))) {
            Ok(()) => true,
            Err(failure) => {
                let hint = failure.hint().map_or(String::new(), |hint| format!(" ({hint})"));
                self.warn(format!("an alert was not published: {failure}{hint}"));
                false
            }
        }
    }
}

/// The next memory, in which letters that nobody publishes any more are ours. `None` if there is nothing to save.
fn with_claims(memory: &Memory, folded: Option<Memory>, ports: &Ports, now: Timestamp) -> Option<Memory> {
    let is_free =
        |letter: &Letter| letter.claimed_by.is_empty() || now.since(letter.claimed_at) > CLAIMED_FOR_MS;
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

fn letter(alert: &Alert, id: &str, ports: &Ports, now: Timestamp) -> Letter {
    let json =
        serde_json::to_string(&alert.document).unwrap_or_else(|error| format!("{{\"error\":\"{error}\"}}"));
    Letter {
        id: id.to_owned(),
        subject: alert.subject.clone(),
        body: format!("{}\n{json}\n", alert.text),
        attributes: alert.document.attributes(),
        claimed_by: ports.identity.clone(),
        claimed_at: now,
    }
}

/// Puts what telling came to into the report.
pub fn add(report: &mut ClusterReport, told: Told) {
    report.alerts = told.alerts;
    report.is_untold = !told.warnings.is_empty();
    report.warnings.extend(told.warnings);
}

//! Alerts that could not be published.

use crate::doctor::check::{Check, Judge, Judgement, Severity, fine, wrong};
use crate::doctor::subject::{Cluster, known};
use crate::state::OutboxMessage;
use crate::values::units::duration;

pub const CHECK: Check = Check {
    id: "outbox_waiting",
    severity: Severity::Warning,
    title: "Alerts wait in the state",
    why: "A topic has refused them, or no process publishes them any more. What will be alerted next waits behind the same fault, and \
          messages that are too many or too old are dropped.",
    link: "https://docs.aws.amazon.com/sns/latest/api/API_Publish.html",
    judge: Judge::Cluster(judge),
};

/// A process that has claimed a message publishes it within that time, or has failed.
const CLAIMED_FOR_MS: u64 = 60 * 1000;

fn judge(cluster: &Cluster<'_>) -> Judgement {
    let now = cluster.facts.at;
    let waits = |message: &&OutboxMessage| {
        message.claimed_by.is_empty() || now.is_past(message.claimed_at, CLAIMED_FOR_MS)
    };
    let waiting: Vec<&OutboxMessage> = known(Some(&cluster.its.state))?.outbox.iter().filter(waits).collect();
    let Some(first) = waiting.iter().min_by_key(|message| message.claimed_at) else { return fine() };
    let first_topic = cluster.facts.configured.alert_topics.first().map(ToString::to_string);
    let topic = first.topic.clone().or(first_topic);
    let to = topic.as_ref().map_or_else(|| "no topic".to_owned(), Clone::clone);
    wrong(
        format!(
            "{} in the state of {}; the one that was tried longest ago, {} before, is \"{}\" to {to}",
            if waiting.len() == 1 { "1 message".to_owned() } else { format!("{} messages", waiting.len()) },
            cluster.spec().name,
            duration(now.since(first.claimed_at)),
            first.subject
        ),
        topic.map_or_else(
            || "set arn of an [[alerts.topic]]".to_owned(),
            |topic| format!("repoint test-alert --topic {topic}, which prints why it is refused"),
        ),
    )
}

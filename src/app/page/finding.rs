//! What is wrong with a cluster, in the order of how much it matters.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use maud::{Markup, html};

use super::Cluster;
use repoint_domain::decide::verdict::HoldKind;
use repoint_domain::report::status::Standing;
use repoint_domain::report::{Outcome, VerdictReport, describe};
use repoint_domain::state::Severity;

/// How much a finding matters; a greater one matters more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// As it should be.
    Ok,
    /// Worth knowing, and no trouble.
    Note,
    /// Not known yet.
    Unknown,
    /// Something has to be done within the working day.
    Warning,
    /// Writes may be lost, or cannot get through.
    Critical,
}

impl Level {
    /// For the style sheet.
    pub fn class(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Note => "note",
            Self::Unknown => "unknown",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }

    /// Whether a cluster with it is in trouble.
    pub fn is_trouble(self) -> bool {
        self >= Self::Unknown
    }
}

impl From<Severity> for Level {
    fn from(severity: Severity) -> Self {
        match severity {
            Severity::Info => Self::Note,
            Severity::Warning => Self::Warning,
            Severity::Critical => Self::Critical,
        }
    }
}

/// Something to know about a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How much it matters.
    pub level: Level,
    /// In a few words.
    pub words: String,
    /// In a sentence.
    pub message: Option<String>,
}

/// The words with the colour of their level.
pub fn badge(level: Level, words: &str) -> Markup {
    html! { span class={ "badge " (level.class()) } { (words) } }
}

/// All findings, the worst first; never empty.
pub fn findings(cluster: &Cluster) -> Vec<Finding> {
    let Cluster { status, .. } = cluster;
    let mut found = Vec::new();
    let mut add = |level, words: &str, message: Option<String>| {
        found.push(Finding { level, words: words.to_owned(), message });
    };
    if cluster.is_stuck {
        let why = "no check of it has begun for too long, or every check panics: see the daemon's log";
        add(Level::Critical, "not watched", Some(why.to_owned()));
    }
    if cluster.checked_at.is_none() {
        add(Level::Unknown, "not checked yet", None);
        return found;
    }
    // First, since they say since when.
    for condition in status.conditions.iter().filter(|condition| condition.outlasts_grace) {
        let words = condition.kind.as_str().replace('_', " ");
        // Most messages begin with what they are about.
        let about = condition.subject.as_ref().filter(|subject| !condition.message.contains(&***subject));
        let about = about.map_or(String::new(), |subject| format!("{subject}: "));
        add(condition.kind.severity().into(), &words, Some(format!("{about}{}", condition.message)));
    }
    if let Some(error) = &status.state_error {
        add(Level::Critical, "state unavailable", Some(error.clone()));
    }
    match &status.verdict {
        VerdictReport::Primary(_) => {
            for endpoint in &status.endpoints {
                let words = match endpoint.standing {
                    Standing::Right | Standing::Idle => continue,
                    Standing::Differs => "endpoint differs",
                    Standing::Held => "endpoint held",
                };
                let why = endpoint.message.as_ref().map_or(String::new(), |why| format!(": {why}"));
                add(Level::Warning, words, Some(format!("{}{why}", describe(&endpoint.endpoint))));
            }
        }
        VerdictReport::Hold { kind, message } => {
            let level = if *kind == HoldKind::StandbyCluster { Level::Note } else { Level::Critical };
            add(level, &kind.as_str().replace('_', " "), Some(message.clone()));
        }
    }
    if cluster.outcome == Some(Outcome::Failed) {
        add(Level::Critical, "pass failed", cluster.trouble.clone());
    }
    if status.is_paused {
        add(Level::Note, "paused", Some("Patroni is in maintenance mode and elects no leader".to_owned()));
    }
    // What a condition says need not be said twice.
    let mut seen = BTreeSet::new();
    found.retain(|finding| seen.insert(finding.words.clone()));
    if found.is_empty() {
        found.push(Finding { level: Level::Ok, words: "ok".to_owned(), message: None });
    }
    found.sort_by_key(|finding| Reverse(finding.level));
    found
}

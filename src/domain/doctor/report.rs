//! What doctor reports.

use std::collections::BTreeSet;

use serde::Serialize;

use super::check::Severity;
use crate::report::VERSION;
use crate::values::cluster::EntryName;
use crate::values::timestamp::Timestamp;
use crate::values::utc::Utc;

/// Everything that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DoctorReport {
    /// When, by this machine's clock.
    pub at: Timestamp,
    /// The clusters that were examined.
    pub clusters: Vec<EntryName>,
    /// How many checks there are.
    pub checks: usize,
    /// How often one of them was asked about something.
    pub judged: usize,
    /// What is wrong, the worst first.
    pub findings: Vec<Finding>,
    /// What could not be read, and so was not checked.
    pub not_checked: Vec<Gap>,
    /// What is wrong and was to be ignored.
    pub ignored: Vec<Ignored>,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The check.
    pub id: &'static str,
    /// How much it matters.
    pub severity: Severity,
    /// What is wrong.
    pub title: &'static str,
    /// The clusters that it concerns; none: the whole configuration.
    pub clusters: Vec<EntryName>,
    /// What it is about, in words.
    pub subject: String,
    /// What it is about: an ARN, a URL, a record.
    pub resource: String,
    /// What was read.
    pub found: String,
    /// Why it hurts.
    pub why: &'static str,
    /// What to do.
    pub remedy: String,
    /// Where that is documented.
    pub link: &'static str,
}

/// Something that could not be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Gap {
    /// The checks that need it.
    pub ids: BTreeSet<&'static str>,
    /// The clusters that it concerns; none: the whole configuration.
    pub clusters: Vec<EntryName>,
    /// The call and its resource, or what the check is about.
    pub call: String,
    /// Why.
    pub message: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// A finding that was to be ignored.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Ignored {
    /// The check.
    pub id: &'static str,
    /// The cluster; none: the whole configuration.
    pub cluster: Option<EntryName>,
    /// What it is about, in words.
    pub subject: String,
    /// What was read.
    pub found: String,
    /// Why it is ignored, as configured.
    pub reason: String,
}

/// Findings to ignore: `[[doctor.ignore]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ignore {
    /// The check.
    pub id: String,
    /// Only for this cluster.
    pub cluster: Option<EntryName>,
    /// Only for this resource: an ARN, a URL, a record.
    pub resource: Option<String>,
    /// Why.
    pub reason: String,
}

impl Ignore {
    /// Whether it is about that.
    #[must_use]
    pub fn covers(&self, id: &str, cluster: Option<&EntryName>, resource: &str) -> bool {
        self.id == id
            && self.cluster.as_ref().is_none_or(|its| Some(its) == cluster)
            && self.resource.as_ref().is_none_or(|its| its == resource)
    }
}

impl DoctorReport {
    /// The findings of that severity.
    pub fn of_severity(&self, severity: Severity) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(move |finding| finding.severity == severity)
    }

    /// How many they are.
    #[must_use]
    pub fn count(&self, severity: Severity) -> usize {
        self.of_severity(severity).count()
    }

    /// Whether nothing critical was found.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.count(Severity::Critical) == 0
    }

    /// What is wrong with one cluster, the worst first; what it shares with one before it in the report is listed there.
    pub fn of_cluster<'a>(&'a self, cluster: &'a EntryName) -> impl Iterator<Item = &'a Finding> {
        self.findings.iter().filter(move |finding| finding.clusters.first() == Some(cluster))
    }

    /// What is wrong with the configuration as a whole.
    pub fn of_setup(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| finding.clusters.is_empty())
    }
}

#[derive(Serialize)]
struct Counts {
    critical: usize,
    warning: usize,
    info: usize,
    not_checked: usize,
    ignored: usize,
}

#[derive(Serialize)]
struct Document<'a> {
    version: u32,
    at: Utc,
    clusters: &'a [EntryName],
    checks: usize,
    judged: usize,
    counts: Counts,
    findings: &'a [Finding],
    not_checked: &'a [Gap],
    ignored: &'a [Ignored],
}

impl Serialize for DoctorReport {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Document {
            version: VERSION,
            at: Utc(self.at),
            clusters: &self.clusters,
            checks: self.checks,
            judged: self.judged,
            counts: Counts {
                critical: self.count(Severity::Critical),
                warning: self.count(Severity::Warning),
                info: self.count(Severity::Info),
                not_checked: self.not_checked.len(),
                ignored: self.ignored.len(),
            },
            findings: &self.findings,
            not_checked: &self.not_checked,
            ignored: &self.ignored,
        }
        .serialize(serializer)
    }
}

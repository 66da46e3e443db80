//! What one pass can say of conditions.

use super::subject::Subject;
use crate::state::{
    Condition, ConditionKind, MOST_SENTENCE_BYTES, MOST_SUBJECT_BYTES, SurplusTarget, Unknown, clipped,
};
use crate::values::cluster::SiteName;
use crate::values::endpoint::Endpoint;
use crate::values::failure::Failure;
use crate::values::timestamp::Timestamp;

/// Something that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    /// What.
    pub kind: ConditionKind,
    /// What it is about; absent where it is the whole cluster.
    pub subject: Option<Subject>,
    /// What is wrong, in a sentence.
    message: String,
}

impl Finding {
    /// Whether it is that condition, which an earlier pass has found.
    pub fn is(&self, known: &Condition) -> bool {
        self.kind == known.kind && self.subject.as_ref().map(Subject::name) == known.subject
    }

    /// The condition that begins with it.
    pub fn begun(&self, since: Timestamp) -> Condition {
        let subject = self.subject.as_ref();
        let title = subject.map_or_else(|| self.kind.title().to_owned(), |subject| subject.title(self.kind));
        Condition {
            kind: self.kind,
            subject: subject.map(Subject::name),
            endpoint: subject.and_then(Subject::endpoint).map(ToString::to_string),
            site: subject.and_then(Subject::site).cloned(),
            title: clipped(&title, MOST_SUBJECT_BYTES),
            message: self.message.clone(),
            since,
            notified: None,
            unknown: Unknown::new(),
        }
    }

    /// A known condition as it is now.
    pub fn renewed(&self, known: &Condition) -> Condition {
        Condition { notified: known.notified, unknown: known.unknown.clone(), ..self.begun(known.since) }
    }
}

/// What is wrong, and what a pass could not tell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// What is wrong.
    pub(super) present: Vec<Finding>,
    /// Kinds of which this pass could not tell anything.
    pub(super) unknown: Vec<ConditionKind>,
    /// Members by name, of which it could not tell whether the condition is still there.
    pub(super) unknown_subjects: Vec<(ConditionKind, String)>,
    /// Sites of which it could not tell that.
    pub(super) unknown_sites: Vec<(ConditionKind, Option<SiteName>)>,
    /// The sites of whose members it could not tell.
    pub(super) unreachable: Vec<Option<SiteName>>,
    /// The state is of other endpoints, so that nothing else is said of it.
    pub(super) is_of_others: bool,
    /// The endpoints that are held, of which it could not tell which members are left out.
    pub(super) held: Vec<Endpoint>,
    /// The endpoints that were left alone, of which it could not tell anything.
    pub(super) left_alone: Vec<Endpoint>,
}

impl Findings {
    /// Adds what is wrong.
    pub(super) fn add(&mut self, kind: ConditionKind, subject: Option<Subject>, message: &str) {
        self.present.push(Finding { kind, subject, message: clipped(message, MOST_SENTENCE_BYTES) });
    }

    /// What is wrong now of a condition that an earlier pass has found.
    pub(super) fn of(&self, known: &Condition) -> Option<&Finding> {
        self.present.iter().find(|finding| finding.is(known))
    }

    /// Whether the pass could tell if that condition has ended.
    pub(super) fn knows(&self, known: &Condition) -> bool {
        let endpoint = known.endpoint.as_deref();
        let is_of_member = matches!(known.kind, ConditionKind::MemberUnreachable | ConditionKind::ReplicaLag);
        let is_silent = is_of_member && self.unreachable.contains(&known.site);
        let may_be_held = matches!(known.kind, ConditionKind::MemberUnplaced | ConditionKind::ApplyFailed);
        let is_held = may_be_held && has(&self.held, endpoint);
        let subject = known.subject.as_deref();
        let mut unknown_subjects =
            self.unknown_subjects.iter().map(|(kind, name)| (kind, Some(name.as_str())));
        let mut unknown_sites =
            self.unknown_sites.iter().map(|(kind, site)| (kind, site.as_ref().map(SiteName::as_str)));
        let is_unknown = unknown_subjects.any(|unknown| unknown == (&known.kind, subject))
            || unknown_sites.any(|unknown| unknown == (&known.kind, subject));
        known.kind != ConditionKind::Unrecognized
            && self.knows_kind(known.kind, endpoint)
            && !is_silent
            && !is_held
            && !is_unknown
    }

    /// Whether the pass could tell if that target still belongs to no member.
    pub(super) fn knows_surplus(&self, known: &SurplusTarget) -> bool {
        self.knows_kind(ConditionKind::TargetSurplus, Some(&known.group))
    }

    fn knows_kind(&self, kind: ConditionKind, endpoint: Option<&str>) -> bool {
        !self.is_of_others && !self.unknown.contains(&kind) && !has(&self.left_alone, endpoint)
    }

    /// The targets of warm groups that belong to no member, as far as the pass could tell.
    pub(super) fn surplus(&self, now: Timestamp) -> impl Iterator<Item = SurplusTarget> {
        self.present.iter().filter_map(move |finding| match &finding.subject {
            Some(Subject::TargetOf(group, target)) if finding.kind == ConditionKind::TargetSurplus => {
                Some(SurplusTarget { group: group.to_string(), target: target.clone(), since: now })
            }
            _ => None,
        })
    }

    /// The same, and that the state could not be saved.
    #[must_use]
    pub fn and_unsaved(mut self, failure: &Failure) -> Self {
        if !self.present.iter().any(|finding| finding.kind == ConditionKind::StateUnavailable) {
            self.add(ConditionKind::StateUnavailable, None, &failure.to_string());
        }
        self
    }
}

fn has(endpoints: &[Endpoint], name: Option<&str>) -> bool {
    name.is_some_and(|name| endpoints.iter().any(|endpoint| endpoint.to_string() == name))
}

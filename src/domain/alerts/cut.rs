//! A message that is short enough.
//!
//! Invariant 10 (bounded): a pass over thirty endpoints that are all denied has thirty alerts, each with the report of thirty
//! failures: what is not about the alert itself is left out first, and how much that was is said.

use super::alert::{Alert, Document, LeftOut};
use crate::report::{ClusterReport, VerdictReport};
use crate::state::clipped;
use crate::values::endpoint::Endpoint;

/// The most bytes of one sentence in a report that has to be cut.
const SENTENCE: usize = 500;
/// The most that are kept even if all are about the alert's own endpoint.
const MOST_OWN: usize = 4;
/// So many steps, holds and warnings that are not about the alert's own endpoint are kept, from one cut to the next.
pub const CUTS: [usize; 6] = [32, 16, 8, 4, 1, 0];

impl Alert {
    /// The same, with its report cut to so many steps, holds and warnings that are not about its own endpoint, and with
    /// short sentences.
    #[must_use]
    pub fn cut_to(&self, others: usize) -> Self {
        let about = self.document.subject.as_deref();
        let clipped_about = about.map(|about| clipped(about, SENTENCE));
        let document = Document {
            subject: clipped_about,
            dedup_key: clipped(&self.document.dedup_key, SENTENCE),
            ..self.document.clone()
        };
        let shorter = Self {
            headline: clipped(&self.headline, SENTENCE),
            details: clipped(&self.details, 3 * SENTENCE),
            document,
            ..self.clone()
        };
        let Some(report) = &self.document.report else { return shorter };
        let is_own = |endpoint: &Endpoint| about.is_some_and(|about| about == endpoint.to_string());
        let mut short = report.clone();
        short.steps = cut(&report.steps, others, |step| is_own(&step.endpoint));
        short.holds = cut(&report.holds, others, |hold| hold.endpoint.as_ref().is_some_and(is_own));
        short.warnings = cut(&report.warnings, others, |_| false);
        let left_out = LeftOut {
            steps: report.steps.len() - short.steps.len(),
            holds: report.holds.len() - short.holds.len(),
            warnings: report.warnings.len() - short.warnings.len(),
        };
        shorten(&mut short);
        let is_cut = left_out.steps + left_out.holds + left_out.warnings > 0;
        let left_out = is_cut.then_some(left_out);
        Self { document: Document { report: Some(short), left_out, ..shorter.document }, ..shorter }
    }
}

/// Those that matter, and so many others, in their order.
fn cut<T: Clone>(all: &[T], others: usize, is_own: impl Fn(&T) -> bool) -> Vec<T> {
    let (mut own, mut other) = (MOST_OWN, others);
    let kept = all.iter().filter(|one| {
        let left = if is_own(one) { &mut own } else { &mut other };
        let is_kept = *left > 0;
        *left = left.saturating_sub(1);
        is_kept
    });
    kept.cloned().collect()
}

fn shorten(report: &mut ClusterReport) {
    for step in &mut report.steps {
        step.target = clipped(&step.target, SENTENCE);
        for words in [&mut step.replaces, &mut step.error, &mut step.hint].into_iter().flatten() {
            *words = clipped(words, SENTENCE);
        }
    }
    for hold in &mut report.holds {
        hold.message = clipped(&hold.message, SENTENCE);
        hold.hint = hold.hint.as_deref().map(|hint| clipped(hint, SENTENCE));
    }
    for warning in &mut report.warnings {
        *warning = clipped(warning, SENTENCE);
    }
    if let Some(previous) = &mut report.previous_primary {
        *previous = clipped(previous, SENTENCE);
    }
    match &mut report.verdict {
        VerdictReport::Primary(primary) => {
            primary.host = primary.host.as_deref().map(|host| clipped(host, SENTENCE));
        }
        VerdictReport::Hold { message, .. } => *message = clipped(message, SENTENCE),
    }
}

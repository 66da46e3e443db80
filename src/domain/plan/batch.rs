//! Which changes of record sets are sent in one batch.
//!
//! The changes of one sender stay together as long as they fit. A refused batch is split so that the changes that Route 53
//! accepts are made soon.

use std::ops::Range;

use crate::values::failure::{Failure, Kind};
use crate::values::record::{Answer, RecordChange, RecordSet};

/// The most `ResourceRecord` elements and characters of values in one batch (Route 53 Developer Guide, "Quotas").
const MOST_RECORDS: usize = 1_000;
const MOST_CHARACTERS: usize = 32_000;

/// A change that waits for its batch, and its sender.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingChange {
    /// Which of the senders.
    pub sender: usize,
    /// Which of that sender's changes.
    pub number: usize,
    /// The change.
    pub change: RecordChange,
}

/// As few batches as Route 53 allows, in the order of the changes.
#[must_use]
pub fn batches(pending: &[PendingChange]) -> Vec<Vec<PendingChange>> {
    let mut batches: Vec<Vec<PendingChange>> = Vec::new();
    let mut used = Size::default();
    for group in pending.chunk_by(|a, b| a.sender == b.sender) {
        let whole = group.iter().map(|pending| Size::of(&pending.change)).fold(Size::default(), Size::and);
        let pieces = if whole.fits() { vec![group] } else { group.chunks(1).collect() };
        for piece in pieces {
            let size = piece.iter().map(|pending| Size::of(&pending.change)).fold(Size::default(), Size::and);
            match batches.last_mut() {
                Some(batch) if used.and(size).fits() => {
                    batch.extend(piece.iter().cloned());
                    used = used.and(size);
                }
                _ => {
                    batches.push(piece.to_vec());
                    used = size;
                }
            }
        }
    }
    batches
}

/// What a batch holds.
#[derive(Clone, Copy, Debug, Default)]
struct Size {
    records: usize,
    characters: usize,
}

impl Size {
    fn of(change: &RecordChange) -> Self {
        let sets = change.before.iter().chain([&change.after]);
        sets.map(Self::of_set).fold(Self::default(), Self::and)
    }

    fn of_set(set: &RecordSet) -> Self {
        match &set.answer {
            Answer::Values { values, .. } => {
                Self { records: values.len(), characters: values.iter().map(String::len).sum() }
            }
            // Whether Route 53 counts it is not said.
            Answer::Alias(alias) => Self { records: 1, characters: alias.dns_name.len() },
        }
    }

    fn and(self, other: Self) -> Self {
        Self { records: self.records + other.records, characters: self.characters + other.characters }
    }

    fn fits(self) -> bool {
        self.records <= MOST_RECORDS && self.characters <= MOST_CHARACTERS
    }
}

/// Whether a batch was refused for what is in it, so that a part of it may be taken.
#[must_use]
pub fn is_refusal(failure: &Failure) -> bool {
    matches!(failure.kind, Kind::Conflict | Kind::Invalid)
}

/// Splits several refused changes in two batches to be sent again: first those that the refusal does not name, then those
/// that it names; or halves, where it names all or none.
#[must_use]
pub fn bisect(mut refused: Vec<(PendingChange, Failure)>) -> [Vec<PendingChange>; 2] {
    let is_named = |(pending, failure): &(PendingChange, Failure)| {
        failure.message.contains(pending.change.after.key.place.name.as_str())
    };
    let named = refused.iter().filter(|refused| is_named(refused)).count();
    let (rest, suspects): (Vec<_>, Vec<_>) = if (1..refused.len()).contains(&named) {
        refused.into_iter().partition(|refused| !is_named(refused))
    } else {
        let later = refused.split_off(middle(&refused));
        (refused, later)
    };
    [rest, suspects].map(|half| half.into_iter().map(|(pending, _)| pending).collect())
}

/// Near the middle, and between two senders if there are two.
fn middle(refused: &[(PendingChange, Failure)]) -> usize {
    let within: Range<usize> = 1..refused.len();
    let half = refused.len() / 2;
    let borders = within.filter(|at| refused[at - 1].0.sender != refused[*at].0.sender);
    borders.min_by_key(|at| at.abs_diff(half)).unwrap_or(half)
}

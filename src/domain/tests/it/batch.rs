//! Which changes travel together, and how a refused batch is parted.

use std::collections::BTreeSet;

use proptest::prelude::*;
use repoint_domain::plan::batch::{PendingChange, batches, bisect, is_refusal};
use repoint_domain::values::failure::{Failure, Kind};
use repoint_domain::values::record::{Answer, RecordChange, RecordName, RecordType};

use crate::support::evidence::{record, record_spec};

/// A change of a record with so many values of so many letters.
fn change(name: &str, values: usize, messages: usize) -> RecordChange {
    let mut wanted = record_spec(RecordType::A);
    wanted.key.place.name = RecordName::new(name);
    let value = "1".repeat(messages);
    RecordChange { before: None, after: record(&wanted, &vec![value.as_str(); values]) }
}

fn pending(sender: usize, number: usize, change: RecordChange) -> PendingChange {
    PendingChange { sender, number, change }
}

fn refusal(kind: Kind, message: &str) -> Failure {
    let (call, resource) = ("route53:ChangeResourceRecordSets".to_owned(), "Z1".to_owned());
    Failure::new(kind, call, resource, message)
}

fn senders(batch: &[PendingChange]) -> Vec<usize> {
    batch.iter().map(|pending| pending.sender).collect()
}

#[test]
fn what_fits_is_one_batch() {
    let changes = (0..1000).map(|sender| pending(sender, 0, change(&format!("n{sender}.example.com"), 1, 1)));
    assert_eq!(batches(&changes.collect::<Vec<_>>()).len(), 1);
    assert_eq!(batches(&[]).len(), 0);
}

/// What is deleted counts as well as what is created.
#[test]
fn a_swap_counts_twice() {
    let swap = |sender| {
        let change = change(&format!("n{sender}.example.com"), 1, 1);
        pending(sender, 0, RecordChange { before: Some(change.after.clone()), ..change })
    };
    let sizes =
        |count| batches(&(0..count).map(swap).collect::<Vec<_>>()).iter().map(Vec::len).collect::<Vec<_>>();
    assert_eq!(sizes(500), [500]);
    assert_eq!(sizes(501), [500, 1]);
}

#[test]
fn characters_count_too() {
    let long = |sender| pending(sender, 0, change(&format!("n{sender}.example.com"), 1, 16_000));
    assert_eq!(
        batches(&(0..3).map(long).collect::<Vec<_>>()).iter().map(Vec::len).collect::<Vec<_>>(),
        [2, 1]
    );
}

#[test]
fn what_one_sender_changes_stays_together_while_it_can() {
    let many =
        |sender, count| (0..count).map(move |number| pending(sender, number, change("a.example.com", 1, 1)));
    let found = batches(&many(0, 600).chain(many(1, 600)).collect::<Vec<_>>());
    assert_eq!(found.iter().map(Vec::len).collect::<Vec<_>>(), [600, 600]);
    let alone = batches(&many(0, 1001).collect::<Vec<_>>());
    assert_eq!(alone.iter().map(Vec::len).collect::<Vec<_>>(), [1000, 1]);
}

#[test]
fn a_change_that_the_refusal_names_is_sent_after_the_others() {
    let names = ["a.example.com", "b.example.com", "c.example.com"];
    let words = "Tried to delete resource record set [name='b.example.com.', type='A'] but it was not found";
    let refused = (0..)
        .zip(names)
        .map(|(sender, name)| (pending(sender, 0, change(name, 1, 1)), refusal(Kind::Conflict, words)));
    let [rest, suspects] = bisect(refused.collect());
    assert_eq!((senders(&rest), senders(&suspects)), (vec![0, 2], vec![1]));
}

#[test]
fn where_no_change_is_named_a_batch_is_halved_between_two_senders() {
    let of = [0, 0, 0, 1, 2, 2];
    let refused = of.map(|sender| {
        (pending(sender, 0, change(&format!("n{sender}.example.com"), 1, 1)), refusal(Kind::Invalid, "no"))
    });
    let [first, then] = bisect(refused.into());
    assert_eq!((senders(&first), senders(&then)), (vec![0, 0, 0], vec![1, 2, 2]));
}

/// A zone that is not there, a rate that is used up, an answer that did not come: a part would fare no better.
#[test]
fn only_what_is_refused_for_its_content_is_parted() {
    for (kind, is) in [
        (Kind::Conflict, true),
        (Kind::Invalid, true),
        (Kind::NotFound, false),
        (Kind::Throttled, false),
        (Kind::Denied, false),
        (Kind::Unavailable, false),
    ] {
        assert_eq!(is_refusal(&refusal(kind, "no")), is, "{kind:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// Nothing is lost, nothing goes twice, the order stays, and no batch is too large.
    #[test]
    fn every_pending_change_is_in_one_batch(sizes in prop::collection::vec((0_usize..5, 1_usize..400, 0_usize..80), 0..60)) {
        let mut changes: Vec<PendingChange> = Vec::new();
        for (number, (sender, values, messages)) in sizes.into_iter().enumerate() {
            changes.push(pending(sender, number, change(&format!("n{number}.example.com"), values, messages)));
        }
        changes.sort_by_key(|pending| pending.sender);
        let found = batches(&changes);
        prop_assert_eq!(found.concat(), changes);
        for batch in found {
            let values: Vec<String> = batch.iter().flat_map(|pending| match &pending.change.after.answer {
                Answer::Values { values, .. } => values.clone(),
                Answer::Alias(_) => Vec::new(),
            }).collect();
            prop_assert!(values.len() <= 1000);
            prop_assert!(values.iter().map(String::len).sum::<usize>() <= 32_000);
        }
    }

    /// Both parts have something, and together they are what was refused.
    #[test]
    fn a_refused_batch_falls_into_two_parts(of in prop::collection::vec((0_usize..4, 0_usize..6), 2..40), named in prop::collection::btree_set(0_usize..6, 0..6)) {
        let words: String = named.iter().map(|name| format!("[name='n{name}.example.com.']")).collect();
        let mut refused: Vec<_> = of.into_iter().enumerate().map(|(number, (sender, name))| {
            (pending(sender, number, change(&format!("n{name}.example.com"), 1, 1)), refusal(Kind::Conflict, &words))
        }).collect();
        refused.sort_by_key(|(pending, _)| pending.sender);
        let before: BTreeSet<usize> = refused.iter().map(|(pending, _)| pending.number).collect();
        let [first, then] = bisect(refused);
        prop_assert!(!first.is_empty() && !then.is_empty());
        let after: Vec<usize> = first.iter().chain(&then).map(|pending| pending.number).collect();
        prop_assert_eq!(after.len(), before.len());
        prop_assert_eq!(after.into_iter().collect::<BTreeSet<_>>(), before);
    }
}

//! The real adapters against the sandbox's wires: compare-and-swap in Route 53 and in DynamoDB, and Patroni's REST API,
//! which must tell the same as the sandbox's other door.

mod alias;
mod listeners;
mod transports;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use repoint::adapters::clock::SystemClock;
use repoint::adapters::route53::Route53;
use repoint::adapters::state_dynamodb::StateTable;
use repoint::limits::{Calls, LeaseGuard};
use repoint::ports::{Clock, Store, Zones};
use repoint_domain::state::{Lease, OutboxMessage, State};
use repoint_domain::values::cluster::{EntryName, SystemId, Timeline};
use repoint_domain::values::failure::{Failure, Kind};
use repoint_domain::values::record::{
    Answer, RecordChange, RecordName, RecordPlace, RecordSet, RecordType, ZoneId,
};
use repoint_domain::values::table::TableName;
use repoint_domain::values::timestamp::Timestamp;
use repoint_sandbox::aws::Account;
use repoint_sandbox::aws::route53::batch::{Change, ChangeAction};
use repoint_sandbox::aws::route53::record;

use crate::support::sandbox::Aws;

const NAME: &str = "db.example.com";

/// A zone in which [`NAME`] has `value`; an empty one is no record.
struct Zone {
    aws: Aws,
    id: String,
    adapter: Route53,
}

impl Zone {
    async fn new(wraps: bool, value: &str) -> Self {
        let mut account = Account::default();
        account.settings.wrap_invalid_change_batch = wraps;
        let id = account.create_hosted_zone(0, "example.com").unwrap();
        let aws = Aws::start(account).await;
        let client = aws_sdk_route53::Client::new(&aws.config().await);
        let zone = Self { aws, id, adapter: Route53::new(client, Calls::default()) };
        if !value.is_empty() {
            zone.edit(ChangeAction::Create, value);
        }
        zone
    }

    /// Somebody else's edit.
    fn edit(&self, action: ChangeAction, value: &str) {
        let change = Change { action, set: record::RecordSet::simple(NAME, "A", 5, &[value]) };
        self.aws.account().change_resource_record_sets(0, &self.id, &[change]).unwrap();
    }

    fn zone_id(&self) -> ZoneId {
        ZoneId::new(self.id.rsplit('/').next().unwrap())
    }

    fn place(&self) -> RecordPlace {
        RecordPlace { zone: self.zone_id(), name: RecordName::new(NAME), record_type: RecordType::A }
    }

    async fn read(&self) -> Vec<RecordSet> {
        let place = self.place();
        let mut found = self.adapter.read(&self.zone_id(), &BTreeSet::from([place.clone()])).await.unwrap();
        found.remove(&place).unwrap()
    }

    /// Replaces what was read, or nothing, by `value`.
    async fn swap(&self, before: Option<RecordSet>, value: &str) -> Result<(), Failure> {
        let answer = Answer::Values { ttl_seconds: 5, values: vec![value.to_owned()] };
        let after = match &before {
            Some(before) => RecordSet { answer, ..before.clone() },
            None => RecordSet { answer, ..crate::support::evidence::record(&self.spec(), &[]) },
        };
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let guard = LeaseGuard::new(&clock, Duration::from_mins(1));
        self.adapter
            .change(&self.zone_id(), &[RecordChange { before, after }], &guard)
            .await
            .remove(0)
            .map(drop)
    }

    fn spec(&self) -> repoint_domain::spec::RecordSpec {
        let mut spec = crate::support::evidence::record_spec(RecordType::A);
        spec.key.place = self.place();
        spec
    }

    async fn values(&self) -> Vec<String> {
        let sets = self.read().await;
        let values = sets.into_iter().flat_map(|set| match set.answer {
            Answer::Values { values, .. } => values,
            Answer::Alias(alias) => vec![alias.to_string()],
        });
        values.collect()
    }
}

#[tokio::test]
async fn an_undisturbed_swap_is_done() {
    let zone = Zone::new(false, "10.0.0.1").await;
    let before = zone.read().await.pop();
    zone.swap(before, "10.0.0.2").await.unwrap();
    assert_eq!(zone.values().await, ["10.0.0.2"]);
}

#[tokio::test]
async fn a_lost_swap_is_a_conflict_in_either_shape_of_the_error() {
    for wraps in [false, true] {
        // Another value, another record's absence, a record where there was none.
        type Edit = fn(&Zone);
        let edits: [(&str, Edit, &str, &[&str]); 3] = [
            (
                "10.0.0.1",
                |zone| zone.edit(ChangeAction::Upsert, "10.0.0.9"),
                "do not match the current values",
                &["10.0.0.9"],
            ),
            ("10.0.0.1", |zone| zone.edit(ChangeAction::Delete, "10.0.0.1"), "it was not found", &[]),
            ("", |zone| zone.edit(ChangeAction::Create, "10.0.0.9"), "it already exists", &["10.0.0.9"]),
        ];
        for (value, edit, found, left) in edits {
            let zone = Zone::new(wraps, value).await;
            let before = zone.read().await.pop();
            assert_eq!(before.is_some(), !value.is_empty());
            edit(&zone);
            let failure = zone.swap(before, "10.0.0.2").await.unwrap_err();
            assert_eq!(failure.kind, Kind::Conflict, "wrapped {wraps}: {failure}");
            assert_eq!(failure.call, "route53:ChangeResourceRecordSets");
            let message = failure.to_string();
            for word in ["InvalidChangeBatch", NAME, found] {
                assert!(message.contains(word), "wrapped {wraps}: no `{word}` in `{message}`");
            }
            assert!(!message.contains(['<', '>']), "wrapped {wraps}: {message}");
            assert_eq!(zone.values().await, left, "somebody else's edit stands");
        }
    }
}

#[tokio::test]
async fn a_batch_that_makes_no_sense_is_no_conflict_in_either_shape() {
    for wraps in [false, true] {
        let zone = Zone::new(wraps, "10.0.0.1").await;
        let before = zone.read().await.pop();
        let failure = zone.swap(before, "not an address").await.unwrap_err();
        assert_eq!(failure.kind, Kind::Invalid, "wrapped {wraps}: {failure}");
        assert!(failure.message.contains("InvalidChangeBatch"), "wrapped {wraps}: {failure}");
    }
}

// DynamoDB.

const TABLE: &str = "repoint";

async fn table() -> (Aws, StateTable) {
    let mut account = Account::default();
    account.create_table(0, TABLE, "scope").unwrap();
    let aws = Aws::start(account).await;
    let client = aws_sdk_dynamodb::Client::new(&aws.config().await);
    let table = StateTable::new(client, TableName::parse(TABLE).unwrap(), Calls::default());
    (aws, table)
}

/// With something in every sort of field, and letters that JSON and the wire have to escape.
fn state(revision: u64) -> State {
    State {
        revision,
        highest_timeline: Some(Timeline(7)),
        system_id: Some(SystemId::new("7710341171024913225")),
        lease: Some(Lease {
            by: "höst \"a\" <process 1>".to_owned(),
            revision,
            timeline: Timeline(7),
            since: Timestamp(1_767_225_600_000),
            moves: None,
        }),
        outbox: vec![OutboxMessage {
            id: "batman-1-0".to_owned(),
            topic: None,
            subject: "[repoint] a & b".to_owned(),
            body: "one\ntwo \u{1F512}\n{\"json\":\"\\\\\"}\n".to_owned(),
            attributes: [("event".to_owned(), "retargeted".to_owned())].into(),
            claimed_by: String::new(),
            claimed_at: Timestamp(0),
        }],
        ..State::default()
    }
}

#[tokio::test]
async fn the_state_is_loaded_as_it_was_saved() {
    let (_aws, table) = table().await;
    let (scope, other) = (EntryName::new("batman"), EntryName::new("robin"));
    assert_eq!(table.load(&scope).await.unwrap(), State::default(), "nothing was saved yet");
    for revision in 1..=3 {
        table.save(&scope, &state(revision)).await.unwrap();
        assert_eq!(table.load(&scope).await.unwrap(), state(revision));
    }
    assert_eq!(table.load(&other).await.unwrap(), State::default(), "each cluster has its own");
}

#[tokio::test]
async fn only_the_revision_just_before_is_replaced() {
    let (_aws, table) = table().await;
    let scope = EntryName::new("batman");
    let conflict = async |revision| {
        let failure = table.save(&scope, &state(revision)).await.unwrap_err();
        assert_eq!(failure.kind, Kind::Conflict, "{failure}");
        assert!(failure.message.contains("ConditionalCheckFailedException"), "{failure}");
    };
    conflict(2).await;
    table.save(&scope, &state(1)).await.unwrap();
    conflict(1).await;
    table.save(&scope, &state(2)).await.unwrap();
    conflict(2).await;
    conflict(4).await;
    assert_eq!(table.load(&scope).await.unwrap(), state(2));
}

#[tokio::test]
async fn of_two_saves_at_once_one_wins() {
    let (_aws, table) = table().await;
    let scope = EntryName::new("batman");
    for revision in 1..=20 {
        let (one, two) = (state(revision), state(revision));
        let saved = tokio::join!(table.save(&scope, &one), table.save(&scope, &two));
        let lost = [saved.0, saved.1].into_iter().filter_map(Result::err).map(|failure| failure.kind);
        assert_eq!(lost.collect::<Vec<_>>(), [Kind::Conflict], "revision {revision}");
    }
}

#[tokio::test]
async fn a_table_that_is_not_there_is_not_found() {
    let (aws, _) = table().await;
    let client = aws_sdk_dynamodb::Client::new(&aws.config().await);
    let missing = StateTable::new(client, TableName::parse("other").unwrap(), Calls::default());
    let scope = EntryName::new("batman");
    assert_eq!(missing.load(&scope).await.unwrap_err().kind, Kind::NotFound);
    assert_eq!(missing.save(&scope, &state(1)).await.unwrap_err().kind, Kind::NotFound);
}

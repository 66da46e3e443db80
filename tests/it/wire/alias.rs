//! Aliases over the wire: what is read is written back as it was, and Route 53 knows a target in one spelling.

use std::sync::Arc;
use std::time::Duration;

use repoint::adapters::clock::SystemClock;
use repoint::limits::LeaseGuard;
use repoint::ports::{Clock, Zones};
use repoint_domain::values::failure::{Failure, Kind};
use repoint_domain::values::record::{Alias, Answer, Failover, RecordChange, RecordSet, Routing, ZoneId};
use repoint_sandbox::aws::route53::batch::{Change, ChangeAction};
use repoint_sandbox::aws::route53::record;

use super::{NAME, Zone};

/// The zone of the Network Load Balancers of a Region.
const BALANCERS: &str = "Z26RNL4JYFTOTI";
const HERE: &str = "dualstack.pg-0123456789abcdef.elb.us-east-1.amazonaws.com.";
const THERE: &str = "dualstack.pg-fedcba9876543210.elb.us-west-2.amazonaws.com.";

fn alias(name: &str, evaluate_target_health: bool) -> Alias {
    Alias { zone: ZoneId::new(BALANCERS), dns_name: name.to_owned(), evaluate_target_health }
}

/// What stands in the zone before.
fn stored(name: &str, evaluate_target_health: bool) -> record::RecordSet {
    let alias = record::Alias { zone: BALANCERS.to_owned(), name: name.to_owned(), evaluate_target_health };
    record::RecordSet { answer: record::Answer::Alias(alias), ..record::RecordSet::simple(NAME, "A", 0, &[]) }
}

async fn zone(sets: Vec<record::RecordSet>) -> Zone {
    let zone = Zone::new(false, "").await;
    let changes: Vec<Change> =
        sets.into_iter().map(|set| Change { action: ChangeAction::Create, set }).collect();
    zone.aws.account().change_resource_record_sets(0, &zone.id, &changes).unwrap();
    zone
}

async fn change(zone: &Zone, before: RecordSet, after: RecordSet) -> Result<(), Failure> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let guard = LeaseGuard::new(&clock, Duration::from_mins(1));
    let change = RecordChange { before: Some(before), after };
    zone.adapter.change(&zone.zone_id(), &[change], &guard).await.remove(0).map(drop)
}

#[tokio::test]
async fn an_alias_is_read_whole_and_swapped_for_another() {
    let zone = zone(vec![stored(HERE, false)]).await;
    let before = zone.read().await.pop().unwrap();
    assert_eq!(before.answer, Answer::Alias(alias(HERE, false)));
    let after = RecordSet { answer: Answer::Alias(alias(THERE, true)), ..before.clone() };
    change(&zone, before.clone(), after.clone()).await.unwrap();
    assert_eq!(zone.read().await, std::slice::from_ref(&after));
    let late = change(&zone, before, after).await.unwrap_err();
    assert_eq!(late.kind, Kind::Conflict, "{late}");
}

#[tokio::test]
async fn an_alias_is_swapped_in_whatever_spelling_it_was_given() {
    let zone = zone(vec![stored(HERE, true)]).await;
    let read = zone.read().await.pop().unwrap();
    let shouted = alias(HERE.trim_end_matches('.').to_uppercase().as_str(), true);
    let before = RecordSet { answer: Answer::Alias(shouted), ..read.clone() };
    assert!(before.answer.is_same(&read.answer, read.key.place.record_type));
    let after = RecordSet { answer: Answer::Alias(alias(THERE, true)), ..read };
    change(&zone, before, after.clone()).await.unwrap();
    assert_eq!(zone.read().await, [after]);
}

#[tokio::test]
async fn a_failover_alias_keeps_its_end_its_check_and_its_identifier() {
    let ends = [(record::Failover::Primary, "one", HERE), (record::Failover::Secondary, "two", THERE)];
    let pair = ends.map(|(end, identifier, name)| stored(name, true).as_failover(end, identifier, None));
    let zone = zone(pair.to_vec()).await;
    let check = zone.aws.account().create_health_check(0).unwrap();
    let before = zone.read().await;
    let of = |end| before.iter().find(|set| set.routing == Routing::Failover(end)).unwrap().clone();
    let (primary, secondary) = (of(Failover::Primary), of(Failover::Secondary));
    let checked = RecordSet { health_check_id: Some(check), ..primary.clone() };
    change(&zone, primary, checked.clone()).await.unwrap();
    let mut read = zone.read().await;
    read.sort_by(|a, b| a.key.cmp(&b.key));
    assert_eq!(read, [checked.clone(), secondary]);
    let blind = RecordSet { answer: Answer::Alias(alias(HERE, false)), ..checked.clone() };
    let refused = change(&zone, checked, blind).await.unwrap_err();
    assert_eq!(refused.kind, Kind::Invalid, "{refused}");
    assert!(refused.message.contains("EvaluateTargetHealth"), "{refused}");
}

/// Case and the last dot do not tell names apart; `dualstack.` does, and so do the zone and the watching of health.
#[test]
fn two_spellings_of_a_target_are_one_and_two_targets_are_two() {
    let here = alias(HERE, true);
    for same in [
        "DualStack.PG-0123456789ABCDEF.elb.us-east-1.amazonaws.com",
        "dualstack.pg\\0550123456789abcdef.elb.us-east-1.amazonaws.com.",
    ] {
        assert!(here.is_same(&alias(same, true)), "{same}");
    }
    let bare = HERE.trim_start_matches("dualstack.");
    for other in [
        alias(bare, true),
        alias(THERE, true),
        alias(HERE, false),
        Alias { zone: ZoneId::new("Z1"), ..here.clone() },
    ] {
        assert!(!here.is_same(&other), "{other:?}");
    }
}

//! The auditor: it lets every plan of the planner through, and none that was tampered with.

mod tampering;
mod weights;

use std::cell::RefCell;
use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use repoint_domain::decide::verdict::{Hold, Verdict};
use repoint_domain::observed::Observed;
use repoint_domain::plan::Plan;
use repoint_domain::spec::{RecordSpec, Spec};
use repoint_domain::state::State;
use repoint_domain::values::cluster::{SystemId, Timeline};
use repoint_domain::values::record::{Failover, RecordSet, RecordType};

use crate::support::cases::{READERS, case, led_case, reader_case, warm_case, weighted_case};
use crate::support::evidence::{
    GROUP, SYSTEM, arn, failover_spec, group_spec, healthy, ip_group, record, record_spec, records, spec,
};
use tampering::{ALL, Attempt, OTHER_GROUP, Tampering};

const CASES: u32 = 4000;
/// Each tampering must have been tried at least so often, or the property holds for nothing.
const TRIED_AT_LEAST: u32 = 20;

fn config() -> ProptestConfig {
    ProptestConfig { cases: CASES, failure_persistence: None, ..ProptestConfig::default() }
}

#[test]
fn every_plan_of_the_planner_passes() {
    let moving = RefCell::new(0_u32);
    let property = |given| {
        let attempt = Attempt::honest(given);
        *moving.borrow_mut() += u32::from(!attempt.plan.is_empty());
        prop_assert_eq!(attempt.audit().map(|checked| checked.plan().clone()), Ok(attempt.plan));
        Ok(())
    };
    TestRunner::new(config())
        .run(&prop_oneof![case(), led_case(), reader_case(), warm_case(), weighted_case()], property)
        .unwrap();
    assert!(*moving.borrow() > CASES / 4, "only {} plans moved anything", moving.borrow());
}

#[test]
fn no_plan_that_was_tampered_with_passes() {
    let tried: RefCell<BTreeMap<Tampering, u32>> = RefCell::default();
    let strategy = (prop_oneof![1 => case(), 9 => led_case()], any::<usize>());
    let property = |(given, seed)| {
        let honest = Attempt::honest(given);
        for tampering in ALL {
            let mut attempt = honest.clone();
            if let Some(expected) = tampering.tamper(&mut attempt, seed) {
                *tried.borrow_mut().entry(tampering).or_default() += 1;
                prop_assert_eq!(attempt.audit(), Err(expected), "{:?}", tampering);
            }
        }
        Ok(())
    };
    TestRunner::new(config()).run(&strategy, property).unwrap();
    let tried = tried.into_inner();
    let rare: Vec<_> = ALL.iter().filter(|by| tried.get(by).copied().unwrap_or(0) < TRIED_AT_LEAST).collect();
    assert!(rare.is_empty(), "hardly tried: {rare:?} of {tried:?}");
}

/// pg2 leads; the group and both ends of the pair still follow pg1.
fn after_a_failover() -> Attempt {
    let (first, second) = (failover_spec(Failover::Primary), failover_spec(Failover::Secondary));
    let with_check =
        |set: RecordSet, check: &str| RecordSet { health_check_id: Some(check.to_owned()), ..set };
    let sets = [
        with_check(record(&first, &["10.0.1.11"]), "check-1"),
        with_check(record(&second, &["10.0.1.12"]), "check-2"),
    ];
    let observed = Observed {
        groups: BTreeMap::from([(arn(GROUP), Ok(ip_group(&[("10.0.1.11", "healthy")])))]),
        records: records(sets),
        ..healthy(2, 4)
    };
    let spec = Spec { groups: vec![group_spec()], records: vec![first, second], ..spec() };
    let state = State {
        highest_timeline: Some(Timeline(3)),
        system_id: Some(SystemId::new(SYSTEM)),
        ..State::default()
    };
    Attempt::honest((spec, observed, state))
}

/// The same, but the secondary record is missing.
fn before_the_second_record() -> Attempt {
    let Attempt { spec, mut observed, state, .. } = after_a_failover();
    let place = spec.records[0].key.place.clone();
    observed.records.get_mut(&place).unwrap().as_mut().unwrap().pop();
    Attempt::honest((spec, observed, state))
}

/// The same with a record of readers.
fn with_readers() -> Attempt {
    let Attempt { spec, mut observed, state, .. } = after_a_failover();
    let wanted = RecordSpec { points_to: READERS, ..record_spec(RecordType::A) };
    observed.records = records([record(&wanted, &["10.0.1.12"])]);
    Attempt::honest((Spec { records: vec![wanted], ..spec }, observed, state))
}

#[test]
fn each_tampering_is_refused_with_a_reason() {
    let mut lines = Vec::new();
    for tampering in ALL {
        let bases = [after_a_failover(), before_the_second_record(), with_readers()];
        let mut tried = bases.into_iter().flat_map(|base| (0..2).map(move |seed| (base.clone(), seed)));
        let found = tried.find_map(|(mut attempt, seed)| {
            assert!(attempt.audit().is_ok());
            let expected = tampering.tamper(&mut attempt, seed)?;
            Some((attempt, expected))
        });
        let (attempt, expected) = found.unwrap_or_else(|| panic!("{tampering:?} has no example"));
        let refusal = attempt.audit().expect_err("it was tampered with");
        assert_eq!(refusal, expected, "{tampering:?}");
        lines.push(format!("{tampering:?}: {refusal}"));
    }
    insta::assert_snapshot!(lines.join("\n").replace(GROUP, "GROUP").replace(OTHER_GROUP, "OTHER_GROUP"), @"
    ActWithoutPrimary: it moves endpoints although no primary is known (invariant 3)
    GoBackInTime: it goes back to timeline 4, and timeline 5 was applied before (invariant 4)
    FollowAnotherSystem: it follows system 7710341171024913225, and this cluster is system 2 (invariant 4)
    FollowWhatIsNotPinned: it follows system 7710341171024913225, and this cluster is system 2 (invariant 4)
    EmptyTheGroup: it deregisters 10.0.1.11:5432 from GROUP before the primary is registered there (invariant 6)
    DeregisterFirst: it deregisters 10.0.1.11:5432 from GROUP before the primary is registered there (invariant 6)
    DeregisterThePrimary: it deregisters 10.0.1.12:5432, which belongs there, from GROUP (invariant 6)
    DeregisterWhatIsNotThere: it changes GROUP twice, or does not change it (invariant 8)
    DeregisterTwice: it changes GROUP twice, or does not change it (invariant 8)
    RegisterAnotherNode: it points GROUP at 10.0.1.11:5432, where the member that it follows is not (invariant 3)
    RegisterAnotherPort: it points GROUP at 10.0.1.12:1, where the member that it follows is not (invariant 3)
    RegisterTwice: it changes GROUP twice, or does not change it (invariant 8)
    TouchAnotherGroup: it touches OTHER_GROUP, which is not configured for this cluster (invariant 7)
    TouchAnUnreadGroup: it changes GROUP, which could not be read (invariant 2)
    TouchAGroupTwice: it changes GROUP twice, or does not change it (invariant 8)
    TouchAnotherName: it touches Z1/theirs.example.com/A/primary, which is not configured for this cluster (invariant 7)
    TouchAnotherIdentifier: it touches Z1/writer.db.example.com/A/theirs, which is not configured for this cluster (invariant 7)
    TouchAnotherZone: it touches Z1/writer.db.example.com/A/primary, which is not configured for this cluster (invariant 7)
    TouchAnUnreadRecord: it changes Z1/writer.db.example.com/A/primary, which could not be read (invariant 2)
    TouchAnUnseenRecord: it changes Z1/writer.db.example.com/A/primary, which could not be read (invariant 2)
    TouchARecordTwice: it changes Z1/writer.db.example.com/A/primary twice, or does not change it (invariant 8)
    ChangeNothing: it changes Z1/writer.db.example.com/A/primary twice, or does not change it (invariant 8)
    OverwriteAnEdit: it replaces Z1/writer.db.example.com/A/primary although it has changed since it was read, or drops a part of it that repoint does not manage (invariant 7)
    CreateWhatIsThere: it replaces Z1/writer.db.example.com/A/primary although it has changed since it was read, or drops a part of it that repoint does not manage (invariant 7)
    ReplaceWhatIsNotThere: it replaces Z1/writer.db.example.com/A/secondary although it has changed since it was read, or drops a part of it that repoint does not manage (invariant 7)
    ChangeTheHealthCheck: it replaces Z1/writer.db.example.com/A/primary although it has changed since it was read, or drops a part of it that repoint does not manage (invariant 7)
    ChangeTheTtl: it replaces Z1/writer.db.example.com/A/primary although it has changed since it was read, or drops a part of it that repoint does not manage (invariant 7)
    ChangeTheRouting: it replaces Z1/writer.db.example.com/A/primary although it has changed since it was read, or drops a part of it that repoint does not manage (invariant 7)
    MakeAnAlias: it replaces Z1/writer.db.example.com/A/primary although it has changed since it was read, or drops a part of it that repoint does not manage (invariant 7)
    TakeAllValues: it leaves Z1/writer.db.example.com/A/primary empty (invariant 5)
    GiveAnEmptyValue: it leaves Z1/writer.db.example.com/A/primary empty (invariant 5)
    PointThePrimarysRecordAtAStandby: it points Z1/writer.db.example.com/A/primary at 10.0.1.13, where the member that it follows is not (invariant 3)
    PointThePrimarysRecordAtAStranger: it points Z1/writer.db.example.com/A/primary at 10.0.1.99, where the member that it follows is not (invariant 3)
    PointTheStandbysRecordAtThePrimary: it points Z1/writer.db.example.com/A/secondary at 10.0.1.12, where the member that it follows is not (invariant 3)
    PointTheStandbysRecordAtAStranger: it points Z1/writer.db.example.com/A/secondary at 10.0.1.99, where the member that it follows is not (invariant 3)
    PointTheReadersRecordAtAStranger: it points Z1/writer.db.example.com/A at 10.0.1.99, where the member that it follows is not (invariant 3)
    PointTheReadersRecordAtALaggard: it points Z1/writer.db.example.com/A at 10.0.1.11, where the member that it follows is not (invariant 3)
    ");
}

/// The auditor judges what would be written. A plan that writes nothing is never refused, whoever leads.
#[test]
fn an_empty_plan_passes_whatever_is_remembered() {
    let mut attempt = after_a_failover();
    attempt.plan = Plan::default();
    attempt.state.highest_timeline = Some(Timeline(9));
    assert!(attempt.audit().is_ok());
    attempt.verdict = Verdict::Hold(Hold::NoPrimary { denied_by: None });
    assert!(attempt.audit().is_ok());
}

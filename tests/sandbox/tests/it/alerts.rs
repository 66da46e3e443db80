//! The messages of a run with one known fault and two reconcilers: none twice.

use repoint_sandbox::Millis;
use repoint_sandbox::patroni::{DcsOutage, MemberId, Silence};
use repoint_sandbox::simulation::{Ending, Event, Fault, Scenario, Side, run};

const PG1: MemberId = MemberId(0);
const PG2: MemberId = MemberId(1);
const PG3: MemberId = MemberId(2);
const SECOND: Millis = 1_000;

fn home(fault: Fault) -> Event {
    Event::In(Side::Home, fault)
}

/// The messages of a run in which only these things happen, one a line, by the second.
fn received(events: &[(Millis, Event)]) -> String {
    let some = Scenario::new(1);
    let shape =
        repoint_sandbox::transport::Shape { is_filled: true, ..repoint_sandbox::transport::Shape::default() };
    let settings = repoint_sandbox::patroni::Settings {
        version: repoint_sandbox::patroni::Version::V4_1,
        failsafe_mode: false,
        promotion_time: SECOND,
        ..some.settings.clone()
    };
    let events = events.iter().map(|(at, event)| (at * SECOND, *event)).collect();
    let run = run(
        &Scenario { members: 3, reconcilers: 2, shape, needs_state: true, settings, events, ..some },
        false,
    );
    assert!(matches!(run.ending, Ending::Passed(_)), "{:?}", run.ending);
    let lines: Vec<String> = run
        .messages
        .iter()
        .map(|(at, subject)| {
            format!("{:>3} s  {}", at / SECOND, subject.trim_start_matches("repoint: batman: "))
        })
        .collect();
    let mut once = lines.clone();
    once.sort();
    once.dedup();
    assert_eq!(once.len(), lines.len(), "a message was published twice: {lines:#?}");
    lines.join("\n")
}

#[test]
fn no_primary_for_a_while_then_recovery() {
    let notified = received(&[(10, home(Fault::DcsDown(DcsOutage::Closes))), (55, home(Fault::DcsUp))]);
    insta::assert_snapshot!(notified, @"
    27 s  no primary, for 10 s now
    56 s  resolved after 38 s: no primary
    ");
}

#[test]
fn no_primary_within_the_grace() {
    let notified = received(&[(10, home(Fault::CrashPostgres(PG1)))]);
    insta::assert_snapshot!(notified, @"");
}

#[test]
fn a_crash_of_the_primary() {
    let notified =
        received(&[(10, home(Fault::Crash(PG1, Silence::Refused))), (55, home(Fault::Start(PG1)))]);
    insta::assert_snapshot!(notified, @"
    21 s  failover from pg1 to pg2
    21 s  member pg1 does not answer, for 10 s now
    54 s  still member pg1 does not answer, for 43 s now
    55 s  resolved after 44 s: member pg1 does not answer
    ");
}

#[test]
fn a_flapping_primary() {
    let notified = received(&[
        (10, home(Fault::Switchover(PG2))),
        (21, home(Fault::Switchover(PG1))),
        (33, home(Fault::Switchover(PG3))),
        (45, home(Fault::Switchover(PG2))),
    ]);
    insta::assert_snapshot!(notified, @"
     12 s  switchover from pg1 to pg2
     23 s  switchover from pg2 to pg1
     35 s  switchover from pg1 to pg3
     35 s  FLAPPING, the primary changes again and again
     47 s  switchover from pg3 to pg2
     66 s  still FLAPPING, the primary changes again and again, for 31 s now
    198 s  still FLAPPING, the primary changes again and again, for 2 min 42 s now
    ");
}

#[test]
fn a_contested_cluster() {
    let notified = received(&[(10, home(Fault::ForceSplitBrain(PG2)))]);
    insta::assert_snapshot!(notified, @"
    11 s  CONTESTED, two members may be taking writes
    20 s  resolved after 9 s: CONTESTED, two members may be taking writes
    ");
}

#[test]
fn an_old_primary_that_still_claims_the_role() {
    // It claims the role for one loop of Patroni, in which a daemon has to ask it.
    let thawed_at = |at| received(&[(10, home(Fault::Freeze(PG1))), (at, home(Fault::Thaw(PG1)))]);
    let notified = (40..60).map(thawed_at).find(|notified| notified.contains("SPLIT BRAIN")).unwrap();
    insta::assert_snapshot!(notified, @"
    21 s  failover from pg1 to pg2
    23 s  member pg1 does not answer, for 10 s now
    40 s  resolved after 27 s: member pg1 does not answer
    40 s  SPLIT BRAIN, pg1 also claims to be primary
    45 s  resolved after 4 s: SPLIT BRAIN, pg1 also claims to be primary
    ");
}

#[test]
fn repeated_apply_failures() {
    let notified = received(&[
        (9, Event::Deny("elasticloadbalancing:RegisterTargets")),
        (10, home(Fault::Switchover(PG2))),
        (50, Event::Allow),
    ]);
    insta::assert_snapshot!(notified, @"
    12 s  switchover from pg1 to pg2, 1 not moved
    12 s  FAILED to change writers-by-ip
    25 s  endpoints FAIL to follow in every pass, for 12 s now
    43 s  still FAILED to change writers-by-ip, for 30 s now
    50 s  endpoints that were held follow the primary pg2 now
    50 s  resolved after 38 s: FAILED to change writers-by-ip
    50 s  resolved after 37 s: endpoints FAIL to follow in every pass
    ");
}

#[test]
fn external_edits() {
    let notified =
        received(&[(10, Event::EditGroup { member: PG2, register: true }), (30, Event::EditRecord(PG3))]);
    insta::assert_snapshot!(notified, @"
    11 s  external change reverted: pg2 -> pg1
    31 s  external change reverted: pg3 -> pg1
    ");
}

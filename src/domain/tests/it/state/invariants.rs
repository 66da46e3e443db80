//! Invariant 12 as properties: whatever comes after what, and at whatever time.

use std::cell::Cell;
use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::TestRunner;
use repoint_domain::alerts::Rules;
use repoint_domain::decide::verdict::{Verdict, verdict};
use repoint_domain::observed::Observed;

use super::{contested, leaderless, unreadable, without};
use crate::support::cases::members;
use crate::support::evidence::{answer, healthy, observed, primary, replica, view};
use crate::support::history::{History, RULES, healthy_target};

/// One pass of a story.
#[derive(Clone, Debug)]
struct Scene {
    /// Seconds since the one before; clocks are set back, too.
    after: i64,
    members: Observed,
    is_refused: bool,
    /// Somebody points the group at that member first.
    meddled: Option<u8>,
    /// It decides by the state of so many passes ago, and comes too late to write.
    late_by: Option<usize>,
}

/// Members that answer anything at all, and clusters as they are seen on a bad day.
fn any_observed() -> impl Strategy<Value = Observed> {
    let split = observed([
        answer(1, primary(3), Ok(view(1, 3))),
        answer(2, primary(4), Ok(view(2, 4))),
        answer(3, replica(4), Ok(view(2, 4))),
    ]);
    let typical = [
        healthy(1, 3),
        healthy(1, 3),
        healthy(2, 4),
        healthy(3, 5),
        leaderless(3),
        leaderless(4),
        contested(3),
        contested(5),
        unreadable(),
        without(3, 1, 3),
        without(1, 2, 4),
        split,
    ];
    let random = members()
        .prop_map(|members| Observed { sites: BTreeMap::from([(None, members)]), ..Observed::default() });
    prop_oneof![3 => select(typical.to_vec()), 1 => random]
}

fn scene() -> impl Strategy<Value = Scene> {
    let after = prop_oneof![8 => 0_i64..100, 1 => -50_i64..0, 1 => 100_i64..5000];
    let late = option::weighted(0.1, 1_usize..4);
    (after, any_observed(), prop::bool::weighted(0.2), option::weighted(0.1, 1_u8..9), late).prop_map(
        |(after, members, is_refused, meddled, late_by)| Scene {
            after,
            members,
            is_refused,
            meddled,
            late_by,
        },
    )
}

fn rules() -> impl Strategy<Value = Rules> {
    (select(vec![0, 60_000]), select(vec![0, 30_000]), option::of(select(vec![120_000, 600_000]))).prop_map(
        |(grace_ms, contested_grace_ms, reminder_ms)| Rules {
            grace_ms,
            contested_grace_ms,
            replica_grace_ms: 2 * grace_ms,
            paused_grace_ms: 3 * grace_ms,
            reminder_ms,
            ..RULES
        },
    )
}

fn config() -> ProptestConfig {
    ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() }
}

/// What the alerts said of a condition.
#[derive(Default)]
struct Known {
    is_open: bool,
    last_alerted: i64,
    /// The earliest time from which the next reminder may count.
    counts_from: i64,
}

#[test]
fn invariant_12_alert_once() {
    let (triggered, reminded, resolved) = (Cell::new(0), Cell::new(0), Cell::new(0));
    let count = |cell: &Cell<u32>| cell.set(cell.get() + 1);
    let property = |(rules, scenes): (Rules, Vec<Scene>)| {
        let mut history = History { rules, ..History::with_group_at(1) };
        let mut states = Vec::new();
        let mut known: BTreeMap<String, Known> = BTreeMap::new();
        let mut now = 0;
        for scene in scenes {
            now += scene.after;
            history.is_refused = scene.is_refused;
            if let Some(number) = scene.meddled {
                history.group = vec![healthy_target(number)];
            }
            let highest = history.state.highest_timeline;
            states.push(history.state.clone());
            let then = scene.late_by.and_then(|passes| states.iter().rev().nth(passes));
            // After a clock was set back, a pass may count from its own time what was alerted later than that; one that
            // comes too late for the state does not.
            for condition in known.values_mut().filter(|condition| condition.last_alerted > now + 60) {
                condition.counts_from = condition.counts_from.min(now);
            }
            let made = match then {
                Some(then) => history.make_too_late(&scene.members, then),
                None => history.make(now, &scene.members),
            };
            history.update(now, &made);
            prop_assert!(history.state.highest_timeline >= highest);
            prop_assert!(history.state.lease.is_none());

            for (_, alert) in history.notified.drain(..) {
                let document = &alert.document;
                if document.event == "retargeted" {
                    prop_assert!(matches!(made.verdict, Verdict::Primary(_)));
                    continue;
                }
                let condition = known.entry(document.dedup_key.clone()).or_default();
                match document.status {
                    "triggered" => {
                        prop_assert!(!condition.is_open, "{} triggered twice", document.dedup_key);
                        *condition = Known { is_open: true, last_alerted: now, counts_from: now };
                        count(&triggered);
                    }
                    "reminder" => {
                        let since = (now - condition.counts_from) * 1000;
                        prop_assert!(condition.is_open, "{} reminded of nothing", document.dedup_key);
                        let interval = rules.reminder_ms.map(|ms| i64::try_from(ms).unwrap());
                        prop_assert!(interval.is_some_and(|ms| since >= ms), "{since} ms");
                        *condition = Known { is_open: true, last_alerted: now, counts_from: now };
                        count(&reminded);
                    }
                    "resolved" => {
                        prop_assert!(condition.is_open, "{} resolved, not alerted", document.dedup_key);
                        condition.is_open = false;
                        count(&resolved);
                    }
                    other => prop_assert!(false, "{}", other),
                }
            }
            // The conditions whose last alert says that they are open are those that the state has as alerted.
            let open = known.values().filter(|known| known.is_open).count();
            let notified = history.state.conditions.iter().filter(|open| open.notified.is_some()).count();
            prop_assert_eq!(open, notified);
        }
        Ok(())
    };
    TestRunner::new(config()).run(&(rules(), vec(scene(), 1..25)), property).unwrap();
    let counts = [triggered.get(), reminded.get(), resolved.get()];
    assert!(counts.iter().all(|count| *count > 100), "{counts:?}");
}

/// Once a pass has done its work, the next one over the same world changes no state and sends no alert.
#[test]
fn an_unchanged_observation_changes_no_state_and_sends_no_alert() {
    let property = |(rules, scenes, last): (Rules, Vec<Scene>, Observed)| {
        let mut history = History { rules, ..History::with_group_at(1) };
        let mut now = 0;
        for scene in scenes {
            now += scene.after.abs();
            history.is_refused = scene.is_refused;
            history.pass(now, &scene.members);
        }
        history.is_refused = false;
        history.pass(now, &last);
        history.pass(now, &last);
        let made = history.make(now, &last);
        let (before, notified) = (history.state.clone(), history.notified.len());
        prop_assert!(!history.update(now, &made), "{:#?}\n{:#?}", before, history.state);
        prop_assert_eq!(history.notified.len(), notified);
        Ok(())
    };
    TestRunner::new(config()).run(&(rules(), vec(scene(), 0..6), any_observed()), property).unwrap();
}

/// State makes repoint more careful, never less: the primary it names without state is the only one it may name with it.
#[test]
fn the_state_never_names_a_primary() {
    let property = |(scenes, last): (Vec<Scene>, Observed)| {
        let mut history = History::with_group_at(1);
        for scene in &scenes {
            history.pass(0, &scene.members);
        }
        let with_state = verdict(&history.spec, &last, &history.state);
        if let Verdict::Primary(chosen) = with_state {
            let without_state = verdict(&history.spec, &last, &repoint_domain::state::State::default());
            let named = match &without_state {
                Verdict::Primary(primary) => {
                    primary.member == chosen.member && primary.timeline == chosen.timeline
                }
                // Strangers that contest are left out once it is known that they are strangers.
                Verdict::Hold(_) => history.state.system_id.as_ref() == Some(&chosen.system_id),
            };
            prop_assert!(named, "{:?} although {:?}", chosen, without_state);
        }
        Ok(())
    };
    TestRunner::new(config()).run(&(vec(scene(), 0..6), any_observed()), property).unwrap();
}

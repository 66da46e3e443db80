//! A healthy cluster gives no alert of these conditions, whatever it does in a day's work.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use repoint_domain::observed::{Observed, Wal};
use repoint_domain::values::cluster::PostgresState;

use super::{MIB, list, settled, status};
use crate::support::evidence::healthy;

/// What happens, and for how many minutes.
#[derive(Clone, Debug)]
enum Work {
    /// Writes: what the replicas have yet to receive and to replay, and what is listed, which is 10 s old.
    Writes { minutes: i64, behind: u64, listed: u64 },
    /// A replica is restarted, or its machine.
    Restart { minutes: i64, number: u8 },
    /// A new replica is copied by a base backup, and then catches up.
    BaseBackup { minutes: i64, number: u8, catches_up: i64 },
    /// An operator moves the primary.
    Switchover,
    /// An operator pauses Patroni for a while.
    Pause { minutes: i64 },
}

fn work() -> impl Strategy<Value = Work> {
    let number = 1_u8..3;
    prop_oneof![
        4 => (1_i64..30, 0..48 * MIB, 0..4096 * MIB)
            .prop_map(|(minutes, behind, listed)| Work::Writes { minutes, behind, listed }),
        2 => (0_i64..4, number.clone()).prop_map(|(minutes, number)| Work::Restart { minutes, number }),
        1 => (1_i64..120, number, 0_i64..4)
            .prop_map(|(minutes, number, catches_up)| Work::BaseBackup { minutes, number, catches_up }),
        1 => Just(Work::Switchover),
        1 => (1_i64..50).prop_map(|minutes| Work::Pause { minutes }),
    ]
}

/// Positions that fit.
fn with_positions(mut observed: Observed, leader: u8, behind: u64, listed: u64) -> Observed {
    let written = 1 << 40;
    for number in 1..=3 {
        let at = Some(written - behind);
        let wal = if number == leader {
            Wal { written: Some(written), ..Wal::default() }
        } else {
            Wal { received: Some(written), replayed: at, ..Wal::default() }
        };
        status(&mut observed, number, |own| own.wal = wal);
        if number != leader {
            list(&mut observed, number, |entry| entry.lag_bytes = Some(listed));
        }
    }
    observed
}

#[test]
fn a_days_work_gives_no_alert() {
    let property = |(work, minutes_apart): (Vec<Work>, i64)| {
        let mut history = settled();
        let (mut minute, mut leader, mut timeline) = (60_i64, 1_u8, 3_u32);
        for work in work {
            // A replica is never the only one, and never the leader.
            let other = |number: u8| 1 + (leader - 1 + number) % 3;
            let calm = || with_positions(healthy(leader, timeline), leader, 0, 0);
            let mut stages: Vec<(i64, Observed)> = Vec::new();
            match work {
                Work::Writes { minutes, behind, listed } => {
                    stages.push((minutes, with_positions(calm(), leader, behind, listed)));
                }
                Work::Restart { minutes, number } => {
                    let mut observed = calm();
                    status(&mut observed, other(number), |own| {
                        (own.state, own.wal) = (PostgresState::from("starting"), Wal::default());
                    });
                    stages.push((minutes, observed.clone()));
                }
                Work::BaseBackup { minutes, number, catches_up } => {
                    let number = other(number);
                    let mut copied = calm();
                    status(&mut copied, number, |own| {
                        (own.state, own.wal) = (PostgresState::from("creating replica"), Wal::default());
                        (own.timeline, own.system_id) = (None, None);
                    });
                    list(&mut copied, number, |entry| {
                        (entry.state, entry.lag_bytes) = (PostgresState::from("creating replica"), None);
                    });
                    stages.push((minutes, copied));
                    let mut late = calm();
                    status(&mut late, number, |own| {
                        let at = Some((1 << 40) - 2048 * MIB);
                        own.wal = Wal { received: at, replayed: at, ..Wal::default() };
                    });
                    stages.push((catches_up, late));
                }
                Work::Switchover => {
                    (leader, timeline) = (1 + leader % 3, timeline + 1);
                    let calm = with_positions(healthy(leader, timeline), leader, 0, 0);
                    stages.push((16, calm));
                }
                Work::Pause { minutes } => {
                    let mut observed = calm();
                    (1..=3).for_each(|number| status(&mut observed, number, |own| own.paused = true));
                    stages.push((minutes, observed));
                }
            }
            stages.push((1 + minutes_apart, with_positions(healthy(leader, timeline), leader, 0, 0)));
            for (minutes, observed) in stages {
                let end = minute + minutes;
                while minute < end {
                    history.pass(60 * minute, &observed);
                    minute += minutes_apart.min(end - minute);
                }
            }
        }
        let lines: Vec<String> = history
            .notified
            .iter()
            .filter(|(_, alert)| alert.document.event != "retargeted")
            .map(|(second, alert)| format!("at {second} s: {}", alert.subject))
            .collect();
        prop_assert_eq!(lines, Vec::<String>::new());
        Ok(())
    };
    let config = ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() };
    TestRunner::new(config).run(&(vec(work(), 1..12), 1_i64..5), property).unwrap();
}

/// The property can fail.
#[test]
fn a_day_with_trouble_gives_alerts() {
    let mut history = settled();
    let behind = with_positions(healthy(1, 3), 1, 2048 * MIB, 0);
    for minute in 1..10 {
        history.pass(60 * minute, &behind);
    }
    assert!(history.lines().contains("lags"));
}

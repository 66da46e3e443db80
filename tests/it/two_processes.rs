//! Two crons at one cluster, stopped and resumed at any moment while its primary fails over.
//!
//! A process that is stopped between its commit and its writes knows nothing of the time that went by. The others wait
//! for it only so long. What must never come of it: an endpoint that goes back to a member of an older timeline, or a
//! group without a target. This is checked on what reached AWS.
//!
//! One gap is known: a write is checked just before it is sent, and a process can be stopped between the two. What then
//! leaves it when it goes on is counted and told, and must be rare among stops that are aimed at just that time.
//!
//! What happens is drawn from a seed; when it happens is the machines' affair. With `REPOINT_TEST_FAILOVERS=50`, and
//! `REPOINT_TEST_SEED`, there is more of it, and other things.

#![expect(clippy::print_stderr, reason = "figures are for who watches")]

mod check;
mod cron;
mod figures;
mod site;
mod stop;

use std::time::Duration;

use futures::future::join_all;
use repoint_sandbox::Millis;
use repoint_sandbox::patroni::rest::Silence;
use tokio::time::{Instant, timeout_at};

use self::check::Violation;
use self::cron::{Cron, Notified};
use self::figures::{Figures, sent_late};
use self::site::{Site, State};

/// Failovers in all, if the environment does not want more.
const FAILOVERS: usize = 8;
/// Worlds at the same time: most of the time is spent in waiting for those that are stopped.
const WORLDS: usize = 4;
/// The longest that a round may take: two stops, one after the other, and both waits for a commit.
const PATIENCE: Duration = Duration::from_secs(90);
/// A failover takes a quarter of a second.
const PROMOTED_WITHIN: Duration = Duration::from_secs(20);

#[expect(clippy::disallowed_methods, reason = "a long run is asked for in the environment")]
fn asked(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_goes_back_whenever_a_process_is_stopped() {
    let failovers =
        asked("REPOINT_TEST_FAILOVERS").map_or(FAILOVERS, |count| usize::try_from(count).unwrap());
    let seed = asked("REPOINT_TEST_SEED").unwrap_or(1);
    let began = Instant::now();
    let worlds = (0..WORLDS).map(|index| {
        let share = failovers / WORLDS + usize::from(index < failovers % WORLDS);
        let state = if index % 2 == 0 { State::File } else { State::Table };
        observed(seed * 1000 + index as u64, state, share)
    });
    let worlds = join_all(worlds).await;
    let mut all = Figures::default();
    let mut broken = String::new();
    for (figures, violations) in worlds {
        all += figures;
        broken += &violations;
    }
    eprintln!("seed {seed}, {:.0} s: {all}", began.elapsed().as_secs_f64());
    assert!(broken.is_empty(), "seed {seed}:\n{broken}");
    assert!(all.is_fenced(), "{all}");
    // A second failover may lead back to where the endpoints point.
    assert!(all.failovers >= failovers && all.stops > 0 && all.writes > 0, "{all}");
}

/// A cluster and an account of their own, and two crons; how it went, and what should not have been.
async fn observed(seed: u64, state: State, failovers: usize) -> (Figures, String) {
    let mut rng = fastrand::Rng::with_seed(seed);
    let site = Site::start(state);
    let (notify, mut notified) = tokio::sync::mpsc::unbounded_channel();
    let crons = ["a", "b"].map(|name| Cron::start(name, rng.fork(), site.clone(), notify.clone()));
    let mut count = 0;
    while count < failovers {
        for cron in &crons {
            cron.allow_a_stop();
        }
        count += 1;
        let mut promoted = site.fail_over(Silence::Refused).await;
        // Once more while one is stopped that has leave to write: what it knows is then out of date.
        let mut again = count < failovers;
        let mut is_right = [false; 2];
        let until = Instant::now() + PATIENCE;
        while is_right != [true; 2] {
            let news = timeout_at(until, notified.recv()).await;
            let Ok(Some(news)) = news else {
                panic!("world {seed}: no end of a round within {PATIENCE:?}\n{}", site.history(&crons));
            };
            match news {
                Notified::Stopped { has_leave: true } if again => {
                    again = false;
                    count += 1;
                    promoted = site.fail_over(Silence::Refused).await;
                    is_right = [false; 2];
                }
                Notified::Stopped { .. } => {}
                Notified::PassOutcome { cron, began, code } => {
                    let index = usize::from(cron == "b");
                    is_right[index] |= code == 0 && began >= promoted && site.is_right();
                }
            }
        }
    }
    let mut passes = Vec::new();
    let mut stops = Vec::new();
    for cron in crons {
        let (count, stopped) = cron.end().await;
        passes.push(count);
        stops.extend(stopped);
    }
    let violations = check::violations(&site.promotions(), &site.beginning(), &site.writes());
    let (mut figures, late) = Figures::of(count, passes.iter().sum(), &stops, &site);
    for late in late {
        eprintln!("world {seed}: {late}");
    }
    let is_checked = |violation: &Violation| {
        let own = stops.iter().filter(|stop| stop.by == violation.by);
        own.flat_map(|stop| sent_late(stop, &site)).any(|at| at == violation.at)
    };
    let (in_the_gap, others): (Vec<_>, Vec<_>) = violations.into_iter().partition(is_checked);
    for violation in &in_the_gap {
        eprintln!("world {seed}: checked before it was stopped, and sent after: {}", violation.how);
    }
    figures.broken = in_the_gap.len();
    let mut notified = String::new();
    if !others.is_empty() {
        let list: Vec<String> = others.into_iter().map(|violation| violation.how).collect();
        notified = format!("world {seed}:\n{}\n{}\n", list.join("\n"), site.history_of(&stops));
    }
    (figures, notified)
}

/// In the sandbox's time.
type Moment = Millis;

//! Many runs, on all cores.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use super::invariants::Violation;
use super::run::{Ending, Figures, run};
use super::scenario::Scenario;

/// Runs the scenarios of these seeds until an invariant is violated; the lowest seed that was found to violate one, and how.
#[must_use]
pub fn runs(seeds: Range<u64>, scenario: fn(u64) -> Scenario) -> (Figures, Option<(u64, Violation)>) {
    let next = AtomicU64::new(seeds.start);
    let worker = || {
        let mut figures = Figures::default();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end {
                return (figures, None);
            }
            match run(&scenario(seed), false).ending {
                Ending::Passed(more) => figures = figures + more,
                Ending::Failed(violation) => {
                    next.store(seeds.end, Ordering::Relaxed);
                    return (figures, Some((seed, violation)));
                }
            }
        }
    };
    let cores = thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let done: Vec<_> = thread::scope(|scope| {
        let workers: Vec<_> = (0..cores).map(|_| scope.spawn(worker)).collect();
        workers.into_iter().filter_map(|worker| worker.join().ok()).collect()
    });
    let sum = done.iter().fold(Figures::default(), |sum, (figures, _)| sum + *figures);
    (sum, done.into_iter().filter_map(|(_, bad)| bad).min_by_key(|(seed, _)| *seed))
}

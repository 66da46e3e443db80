//! Runs by the thousand; `simulate` makes more of them, and prints the event log of one.

use std::env;

use repoint_sandbox::simulation::{Ending, Scenario, run, runs};

/// How many seeds by default; `REPOINT_TEST_RUNS` sets more or fewer.
const RUNS: u64 = 4_000;

#[test]
#[expect(clippy::disallowed_methods, reason = "a test may be asked for more")]
fn every_run_keeps_the_invariants_and_converges() {
    let asked = env::var("REPOINT_TEST_RUNS").ok().and_then(|count| count.parse().ok());
    let (sum, bad) = runs(0..asked.unwrap_or(RUNS), Scenario::new);
    if let Some((seed, violation)) = bad {
        panic!(
            "{sum}, then: {violation}\nreproduce it, at its shortest: target/debug/simulate --seed {seed} (`cargo programs` builds it)"
        );
    }
}

/// A seed always gives the same run: otherwise a failure could not be reproduced.
#[test]
fn a_seed_gives_one_run() {
    for seed in 0..40 {
        let scenario = Scenario::new(seed);
        let (one, other) = (run(&scenario, true), run(&scenario, true));
        assert_eq!(one.event_log, other.event_log, "seed {seed}");
        assert!(matches!(one.ending, Ending::Passed(_)), "seed {seed}: {:?}", one.ending);
    }
}

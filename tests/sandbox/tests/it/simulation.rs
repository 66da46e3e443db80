//! Nights by the thousand; see `simulate` for more of them, and for one of them with its story.

use std::env;

use repoint_sandbox::simulation::{Ending, Scenario, run, runs};

/// How many nights an ordinary run spends; `REPOINT_TEST_RUNS` asks for more or fewer.
const RUNS: u64 = 20_000;

#[test]
#[expect(clippy::disallowed_methods, reason = "a test may be asked for more")]
fn every_run_keeps_the_invariants_and_converges() {
    let asked = env::var("REPOINT_TEST_RUNS").ok().and_then(|count| count.parse().ok());
    let (sum, bad) = runs(0..asked.unwrap_or(RUNS));
    if let Some((seed, violation)) = bad {
        panic!(
            "{sum}, then: {violation}\nagain, and at its shortest: cargo run -p repoint-sandbox --bin simulate -- --seed {seed}"
        );
    }
}

/// A night is the same however often it is spent: otherwise a bad one could not be had again.
#[test]
fn a_seed_gives_one_run() {
    for seed in 0..40 {
        let scenario = Scenario::new(seed);
        let (one, other) = (run(&scenario, true), run(&scenario, true));
        assert_eq!(one.event_log, other.event_log, "seed {seed}");
        assert!(matches!(one.ending, Ending::Passed(_)), "seed {seed}: {:?}", one.ending);
    }
}

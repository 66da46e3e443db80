//! Nights by the thousand; see `simulate` for more of them, and for one of them with its story.

use std::env;

use repoint_sandbox::simulation::{Ending, Scenario, nights, spend};

/// How many nights an ordinary run spends; `REPOINT_TEST_NIGHTS` asks for more or fewer.
const NIGHTS: u64 = 20_000;

#[test]
#[expect(clippy::disallowed_methods, reason = "a test may be asked for more")]
fn the_laws_hold_and_the_morning_finds_all_as_it_should_be() {
    let asked = env::var("REPOINT_TEST_NIGHTS").ok().and_then(|count| count.parse().ok());
    let (sum, bad) = nights(0..asked.unwrap_or(NIGHTS));
    if let Some((seed, broken)) = bad {
        panic!(
            "{sum}, then: {broken}\nagain, and at its shortest: cargo run -p repoint-sandbox --bin simulate -- --seed {seed}"
        );
    }
}

/// A night is the same however often it is spent: otherwise a bad one could not be had again.
#[test]
fn a_seed_is_one_night() {
    for seed in 0..40 {
        let scenario = Scenario::new(seed);
        let (one, other) = (spend(&scenario, true), spend(&scenario, true));
        assert_eq!(one.journal, other.journal, "seed {seed}");
        assert!(matches!(one.ending, Ending::Well(_)), "seed {seed}: {:?}", one.ending);
    }
}

//! Nights by the thousand; see `simulate --help` for more of them, and for one of them with its story.

use repoint_sandbox::simulation::{Ending, Scenario, spend};

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

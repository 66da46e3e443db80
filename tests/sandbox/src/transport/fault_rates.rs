//! Faults between a reconciler and the world.

use crate::Millis;

/// Chances in a thousand, for each call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FaultRates {
    /// The request is lost.
    pub lost_request: u32,
    /// The answer is lost.
    pub lost_answer: u32,
    /// The way there or back takes long.
    pub slow: u32,
    /// The caller is stopped for seconds before it sends (SIGSTOP, a frozen Lambda, a paused machine).
    pub stopped: u32,
    /// The caller dies.
    pub crash: u32,
    /// AWS refuses for a while (throttling, HTTP 500).
    pub refused: u32,
}

impl FaultRates {
    /// Nothing goes wrong.
    pub const NONE: Self =
        Self { lost_request: 0, lost_answer: 0, slow: 0, stopped: 0, crash: 0, refused: 0 };
}

/// How long a request or an answer is under way.
pub(super) fn delay(rng: &mut fastrand::Rng, slow: bool) -> Millis {
    if slow { rng.u64(100..2500) } else { rng.u64(1..30) }
}

/// Whether something with that chance in a thousand happens.
pub(super) fn occurs(rng: &mut fastrand::Rng, chance: u32) -> bool {
    chance > 0 && rng.u32(0..1000) < chance
}

//! What limits a pass: AWS's request rates, the open files for members, and the lease.
//!
//! Each request to AWS has its token before it is sent (invariant 10), and each write asks whether the lease is still held
//! (invariant 4).

mod asked;
mod calls;
mod clock;
mod lease_guard;
mod rate_limiter;

pub use asked::Asked;
pub use calls::Calls;
pub use clock::Clock;
pub use lease_guard::LeaseGuard;
pub use rate_limiter::RateLimiter;

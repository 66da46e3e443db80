//! The real `bootstrap` between a Runtime API and the sandbox's AWS and Patroni, all on loopback.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test stops where it cannot go on"
)]

mod deadline;
mod embedded_metrics;
mod events;
mod failures;
mod logs;
mod start;
mod support;
mod warmth;

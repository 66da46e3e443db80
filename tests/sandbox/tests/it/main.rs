//! The sandbox itself: does the simulated world behave as the real one is known to?

#![expect(clippy::panic, clippy::unwrap_used, reason = "a test stops where it cannot go on")]

mod alerts;
mod aws;
mod demo;
mod door;
mod http;
mod independent;
mod insync;
mod line;
mod panics;
mod pass;
mod patroni;
mod simulation;
mod two_writers;
mod watch;
mod weighted;

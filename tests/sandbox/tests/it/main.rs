//! The sandbox itself: does the simulated world behave as the real one is known to?

#![expect(clippy::panic, clippy::unwrap_used, reason = "a test stops where it cannot go on")]

mod alerts;
mod aws;
mod conditions;
mod demo;
mod http;
mod independent;
mod insync;
mod link;
mod news;
mod opening;
mod panics;
mod pass;
mod patroni;
mod simulation;
mod steady;
mod topics;
mod transport;
mod two_writers;
mod watch;
mod weighted;

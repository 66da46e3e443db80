//! A simulated world for `repoint`: Patroni clusters and an AWS account, in simulated time.
//!
//! The models, [`patroni`] and [`aws`], read no clock, make no choice by chance and do no I/O: the same calls at the same
//! times give the same world. It has two transports. [`transport`] has `repoint`'s own ports, in one thread, for the
//! [`simulation`], which drives reconcilers through seeded runs and checks the invariants after every step. [`http`] serves the
//! real wire on loopback, for the real binary, the demo and benchmarks.

pub mod aws;
pub mod http;
pub mod patroni;
pub mod simulation;
pub mod transport;

/// Milliseconds since the simulated world began. Always passed in, never read from a clock.
pub type Millis = u64;

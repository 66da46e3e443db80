//! The HTTP door: the vocabulary, a loopback server, the faults that a network adds, a whole world behind sockets, and many
//! clusters.
//!
//! Law: nothing but [`door`] and [`fleet`] know what a request means.

pub mod exchange;
pub mod faults;
pub mod fleet;
pub mod sandbox;
pub mod server;

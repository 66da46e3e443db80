//! The HTTP transport: the vocabulary, a loopback server, the faults that a network adds, a whole world behind sockets, and many
//! clusters.
//!
//! Nothing but [`sandbox`] and [`fleet`] know what a request means.

pub mod exchange;
pub mod faults;
pub mod fleet;
pub mod sandbox;
pub mod server;

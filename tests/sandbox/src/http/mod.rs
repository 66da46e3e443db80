//! The HTTP door: the vocabulary, a loopback server, the faults that a network adds, and a whole world behind sockets.
//!
//! Law: nothing but [`door`] knows what a request means.

pub mod door;
pub mod exchange;
pub mod faults;
pub mod server;

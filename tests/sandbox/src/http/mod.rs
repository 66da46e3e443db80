//! The HTTP door: the vocabulary, a loopback server, and the faults that a network adds.
//!
//! Law: nothing here knows what a request means.

pub mod exchange;
pub mod faults;
pub mod server;

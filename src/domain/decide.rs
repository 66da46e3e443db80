//! Who is the primary, who may be read from, and what that moves.

pub mod readers;
pub mod snapshot;
pub mod standby;
pub mod verdict;

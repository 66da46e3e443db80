//! Who is the primary, and which members may be read from.

pub mod lag;
pub mod readers;
pub mod seeds;
pub mod snapshot;
pub mod standby;
pub mod steady;
pub mod verdict;

//! Plain values: names, ARNs, addresses, record sets, failures.

pub mod arn;
pub mod assume;
pub mod cluster;
pub mod endpoint;
pub mod failure;
pub mod host;
pub mod listener;
pub mod partition;
pub mod record;
pub mod text;

//! Plain values: names, ARNs, addresses, record sets, failures.

pub mod arn;
pub mod assume;
pub mod cidr;
pub mod cluster;
pub mod endpoint;
pub mod event;
pub mod failure;
pub mod function;
pub mod haproxy;
pub mod host;
pub mod listener;
pub mod moves;
pub mod partition;
pub mod primary;
pub mod record;
pub mod table;
pub mod target;
pub mod text;
pub mod timestamp;
pub mod units;
pub mod utc;

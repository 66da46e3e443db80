//! What repoint knows and thinks: facts, decisions, plans and reports as plain values.
//!
//! Law: everything here is pure and synchronous. It may use `std`, `serde` and `thiserror`; it must never read a
//! clock, the environment, a file or the network, and it must never log: the [`report`] is the log.

pub mod alert;
pub mod arn;
pub mod assume;
pub mod audit;
pub mod batch;
pub mod budget;
pub mod cluster;
pub mod endpoint;
pub mod failure;
pub mod health_check;
pub mod host;
pub mod intent;
pub mod listener;
pub mod memory;
pub mod part;
pub mod partition;
pub mod permission;
pub mod plan;
pub mod readers;
pub mod record;
pub mod report;
pub mod retarget;
pub mod sight;
pub mod standby;
pub mod text;
pub mod verdict;
pub mod witness;
pub mod world;

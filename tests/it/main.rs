//! The hermetic tests: no network beyond loopback, no tool beyond the binary itself.
//!
//! `law_*` are the properties of the design's laws; the other files take one part of the crate each.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test stops where it cannot go on"
)]
#![expect(clippy::format_collect, reason = "answers of a few lines are easiest read as they are written")]

mod accounts;
mod audit;
mod aws;
mod batch;
mod budget;
mod commands;
mod configuration;
mod faces;
mod identity;
mod infra;
mod laws;
mod layers;
mod log_filter;
mod memory;
mod memory_commands;
mod networks;
mod output;
mod patroni;
mod permit;
mod plan;
mod readers;
mod single_flight;
mod sites;
mod state_file;
mod state_table;
mod status;
mod support;
mod tell;
mod tls;
mod together;
mod two_processes;
mod verdict;
mod warm;
mod weighted;
mod wire;
mod zone;

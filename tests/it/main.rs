//! The hermetic tests: no network beyond loopback, no tool beyond the binary itself.
//!
//! `invariant_*` are the properties of the design's invariants; the other files take one part of the crate each.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test stops where it cannot go on"
)]
#![expect(clippy::format_collect, reason = "answers of a few lines are easiest read as they are written")]

mod accounts;
mod aws;
mod commands;
mod configuration;
mod discovery;
#[cfg(feature = "drill")]
mod drill;
mod entry_points;
mod formats;
mod guide;
mod haproxy;
mod history;
mod identity;
mod infra;
mod layers;
mod lease_guard;
mod log_filter;
mod monitoring;
mod networks;
mod node;
mod output;
mod page;
mod patroni;
mod rate_limiter;
mod runbook;
mod single_flight;
mod sites;
mod state_commands;
mod state_file;
mod state_table;
mod support;
mod tls;
mod two_processes;
mod wire;
mod words;
mod zone;
mod zone_batcher;

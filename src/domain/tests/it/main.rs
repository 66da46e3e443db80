//! The decisions, over plain values: no network, no clock, no AWS SDK.
//!
//! `invariant_*` are the properties of the design's invariants; the other files take one part of the crate each.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test stops where it cannot go on"
)]
#![expect(clippy::format_collect, reason = "answers of a few lines are easiest read as they are written")]

mod audit;
mod backend;
mod batch;
mod clients;
mod conditions;
mod doctor;
mod drill;
mod event;
mod evidence;
mod function;
mod history;
mod identity;
mod invariants;
mod lag;
mod layers;
mod notify;
mod opening;
mod plan;
mod readers;
mod seeds;
mod sites;
mod state;
mod status;
mod steady;
mod support;
mod verdict;
mod warm;
mod weighted;

//! The decisions, over plain values: no network, no clock, no AWS SDK.
//!
//! `law_*` are the properties of the design's laws; the other files take one part of the crate each.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test stops where it cannot go on"
)]

mod audit;
mod batch;
mod identity;
mod laws;
mod layers;
mod memory;
mod plan;
mod readers;
mod sites;
mod status;
mod support;
mod tell;
mod verdict;
mod warm;
mod weighted;

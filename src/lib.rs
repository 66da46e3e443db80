//! `repoint` keeps the endpoints of PostgreSQL clusters run by Patroni pointing at the current primary: NLB target
//! groups and Route 53 records.
//!
//! # One pass
//!
//! ```text
//! observe   Patroni's members, target groups, records, instances   -> Observed, State   (failures are data)
//! decide    verdict: which member is the primary, and why          -> Verdict   (pure)
//!           plan: what differs from the configuration              -> Plan      (pure)
//!           audit: would this break an invariant?                  -> Checked   (pure)
//! commit    compare-and-swap of the state: "I act for timeline T"  -> a lease, or observe again
//! apply     the steps, open before close, while the lease is held  -> StepReports
//! notify    the report, the next state, the alerts                 -> pure; then saved and published once
//! ```
//!
//! What decides is pure and synchronous, and is a crate of its own, [`repoint_domain`]. What calls Patroni or AWS is thin and
//! decides nothing, and lives in [`adapters`] behind the [`ports`]. [`runtime`] brings the two together, [`config`] reads the
//! configuration, [`app`] wires it all, and [`cli`] and the crate `repoint-lambda` are the entry points.
//!
//! The direction is `main, cli, lambda -> app -> {runtime, adapters, config} -> ports -> {limits, unsaved} ->
//! repoint-domain`: nothing points back.

pub mod adapters;
pub mod app;
pub mod cli;
pub mod config;
pub mod limits;
pub mod ports;
pub mod runtime;
pub mod unsaved;

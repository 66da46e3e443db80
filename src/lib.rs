//! `repoint` keeps the endpoints of PostgreSQL clusters run by Patroni pointing at the current primary: NLB target
//! groups and Route 53 records.
//!
//! # One pass
//!
//! ```text
//! observe   Patroni's members, target groups, records, instances   -> World     (failures are data), Memory
//! decide    verdict: who is the primary, and why                   -> Verdict   (pure)
//!           plan: what differs from what is wanted                 -> Plan      (pure)
//!           audit: would this break a law?                         -> Checked   (pure)
//! commit    compare-and-swap of memory: "I act for timeline T"     -> Permit, or look again
//! apply     the steps, open before close, each by the permit       -> StepReports
//! tell      the report; fold: what to remember, what to tell       -> Memory, alerts (pure), published once
//! ```
//!
//! Everything that thinks is pure and synchronous, and is a crate of its own, [`repoint_domain`]; everything that talks is thin and does not
//! think, and lives in [`adapters`] behind the [`ports`]. [`runtime`] brings the two together, [`config`] says what is
//! wanted, [`app`] wires it all, and [`cli`] and the crate `repoint-lambda` are the faces.
//!
//! The direction is `main, cli, lambda -> app -> {runtime, adapters, config} -> ports -> repoint-domain`: nothing points back.

pub mod adapters;
pub mod app;
pub mod cli;
pub mod config;
pub mod limits;
pub mod ports;
pub mod runtime;
pub mod unsaved;

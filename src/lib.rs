//! `repoint` keeps the endpoints of PostgreSQL clusters run by Patroni pointing at the current primary: NLB target
//! groups and Route 53 records.
//!
//! A pass observes, decides, commits, applies and notifies; `src/README.md` describes it, with the numbered invariants.
//!
//! The decisions are pure and synchronous, and are a crate of their own, [`repoint_domain`]. All input and output is in
//! [`adapters`], behind the traits of [`ports`], and decides nothing. [`runtime`] makes the passes, [`config`] is what the
//! operator configures, [`permission`] is what IAM has to allow, [`app`] connects them, and [`cli`] and the crate
//! `repoint-lambda` are the entry points.
//!
//! `drill`, behind the feature of that name, rehearses a switchover with clients of its own.
//!
//! # Where is the primary?
//!
//! A program that wants to know asks [`app::MemberWatch`], as `src/examples/primary.rs` does. Nothing of AWS is asked:
//!
//! ```no_run
//! use repoint::{app::MemberWatch, config::{self, Environment}};
//! use repoint_domain::clients::Wanted;
//!
//! # async fn find() -> Result<(), Box<dyn std::error::Error>> {
//! let settings = config::load("/etc/repoint.toml".as_ref(), &Environment::default())?;
//! let mut members = MemberWatch::open(&settings, &settings.clusters[0]).await?;
//! let primary = members.find(Wanted::Primary).await.nodes?.first;
//! println!("{}", primary.address);
//! # Ok(())
//! # }
//! ```
//!
//! [`MemberWatch::find`](app::MemberWatch::find) asks again each time; [`Wanted`](repoint_domain::clients::Wanted) has the best
//! standby and the readers, too. Without a primary the error says why, in a sentence.
//!
//! # Layers
//!
//! Imports point one way: `main, cli, lambda -> drill -> app -> {runtime, adapters, config} -> ports -> {limits, unsaved} -> {counters,
//! permission} -> repoint-domain`.

pub mod adapters;
pub mod app;
pub mod cli;
pub mod config;
pub mod counters;
#[cfg(feature = "drill")]
pub mod drill;
pub mod limits;
pub mod permission;
pub mod ports;
pub mod runtime;
pub mod unsaved;

//! What is wrong with a set-up before the next failover shows it.
//!
//! [`facts`] is what was read. Each file of [`checks`] judges one thing of it, purely: its id, its severity, its words and its
//! judgement stand together. A new check is one file and one line in [`checks::CHECKS`]; its entry in the guide
//! (`infra/guide/doctor.md`) is written from it. [`report`] is what a reader gets.
//!
//! What could not be read is not checked, and never fine (invariant 2).

pub mod aliases;
pub mod check;
pub mod checks;
pub mod examine;
pub mod facts;
pub mod guide;
pub mod nodes;
pub mod remedy;
pub mod report;
pub mod routes;
pub mod security_groups;
pub mod subject;
pub mod text;

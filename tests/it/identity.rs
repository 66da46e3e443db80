//! A cluster is its configured entry and its system identifier, never its scope alone (invariant 14): the programs.

mod callbacks;
mod programs;
mod table;

//! Patroni clusters in simulated time, from the outside.

mod dcs;
mod faults;
mod invariants;
mod operator;
mod recorded;
mod rest;
mod support;

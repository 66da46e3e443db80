//! Patroni clusters in simulated time, from the outside.

mod dcs;
mod faults;
mod laws;
mod operator;
mod recorded;
mod rest;
mod support;

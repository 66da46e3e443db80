//! The sandbox itself: does the simulated world behave as the real one is known to?

mod aws;
mod demo;
mod door;
mod http;
mod patroni;
mod simulation;

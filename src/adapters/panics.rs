//! What is said of a panic.
//!
//! Law: it is a line of the log like any other, so it goes where they go, has their form, and ends and delays nothing. What
//! Rust does by itself is to write to stderr, and to wait for as long as that takes.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::panic::{self, PanicHookInfo};

use tracing::error;

/// From now on, a panic is logged. `RUST_BACKTRACE=1` adds where it came from.
pub fn log() {
    panic::set_hook(Box::new(log_one));
}

fn log_one(panic: &PanicHookInfo<'_>) {
    let message = panic.payload_as_str().unwrap_or("it has no message");
    let at = panic.location().map(ToString::to_string);
    let backtrace = Backtrace::capture();
    let backtrace = (backtrace.status() == BacktraceStatus::Captured).then(|| backtrace.to_string());
    error!(at, backtrace, "a panic, which is a fault of repoint; please report it: {message}");
}

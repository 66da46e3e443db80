//! Logging of panics.
//!
//! A panic is a log line like any other, so that it has the configured format and never blocks. Rust's default hook
//! writes to stderr and may block.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::panic::{self, PanicHookInfo};

use tracing::error;

/// Logs every panic from now on. `RUST_BACKTRACE=1` adds the backtrace.
pub fn log() {
    panic::set_hook(Box::new(log_one));
}

fn log_one(panic: &PanicHookInfo<'_>) {
    let message = panic.payload_as_str().unwrap_or("no message");
    let at = panic.location().map(ToString::to_string);
    let backtrace = Backtrace::capture();
    let backtrace = (backtrace.status() == BacktraceStatus::Captured).then(|| backtrace.to_string());
    error!(at, backtrace, "panic, which is a bug in repoint; please report it: {message}");
}

//! Output to the terminal, or to a file or pipe in its place.
//!
//! Only this file writes to stdout, and only `stderr.rs` to stderr. Neither panics. Output that cannot be printed makes
//! the exit status 1. A closed pipe (`repoint status | head`) does not: its reader has read what it needed, so the exit
//! status is that of the work.

use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;

use anstream::adapter::strip_str;
use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};
use serde::Serialize;

use super::stderr;
use repoint_domain::report::Tone;
use repoint_domain::values::text::shown;

/// Exit status 2: the command line or the configuration is wrong.
const USAGE: u8 = 2;

/// Prints what is wrong with the command line or the configuration.
pub fn usage_error(message: &str) -> ExitCode {
    say(message);
    ExitCode::from(USAGE)
}

/// Prints what failed although the command line and the configuration are right.
pub fn error(message: &str) -> ExitCode {
    say(message);
    ExitCode::FAILURE
}

/// Whether stderr gets colours: if it is a terminal or `CLICOLOR_FORCE` is set, and `NO_COLOR` is not set.
pub fn is_stderr_painted() -> bool {
    AutoStream::choice(&io::stderr()) != ColorChoice::Never
}

fn say(message: &str) {
    let error = if is_stderr_painted() { paint(Tone::Bad, "error") } else { "error".to_owned() };
    let line = format!("{error}: {}\n", shown(message));
    stderr::line(line.as_bytes());
}

/// Prints help or the version, or what is wrong with the command line.
pub fn instead_of_a_command(error: &clap::Error) -> ExitCode {
    let code = if error.use_stderr() { ExitCode::from(USAGE) } else { ExitCode::SUCCESS };
    match error.print() {
        Err(error) if code == ExitCode::SUCCESS => unprinted(&error, code),
        _ => code,
    }
}

/// Colours a text; they are removed again for `NO_COLOR` and for anything but a terminal.
pub fn paint(tone: Tone, text: &str) -> String {
    let style = match tone {
        Tone::Strong => Style::new().bold(),
        Tone::Good => AnsiColor::Green.on_default(),
        Tone::Notice => AnsiColor::Yellow.on_default(),
        Tone::Bad => AnsiColor::Red.on_default().bold(),
        Tone::Faint => Style::new().dimmed(),
    };
    format!("{style}{text}{style:#}")
}

/// Prints JSON; returns the exit status.
pub fn json(value: &impl Serialize, is_good: bool) -> ExitCode {
    match serde_json::to_string_pretty(value) {
        Ok(json) => text(&format!("{json}\n"), is_good),
        Err(failure) => error(&format!("the output cannot be written as JSON: {failure}")),
    }
}

/// Prints text, coloured for a terminal; returns the exit status.
pub fn text(text: &str, is_good: bool) -> ExitCode {
    printed(write(anstream::stdout().lock(), text.as_bytes()), is_good)
}

/// Prints a part of an output that goes on.
///
/// # Errors
/// The exit status, if nothing more can be printed.
pub fn part(text: &str, is_good: bool) -> Result<(), ExitCode> {
    write(anstream::stdout().lock(), text.as_bytes()).map_err(|error| unprinted(&error, exit(is_good)))
}

/// The same with the sequences that move the cursor, which [`part`] removes with the colours where `NO_COLOR` is set.
///
/// # Errors
/// The exit status, if nothing more can be printed.
pub fn screen(text: &str, is_good: bool) -> Result<(), ExitCode> {
    write(io::stdout().lock(), text.as_bytes()).map_err(|error| unprinted(&error, exit(is_good)))
}

/// The text as stdout shows it: without colours where there are to be none.
pub fn for_stdout(text: &str) -> String {
    match AutoStream::choice(&io::stdout()) {
        ColorChoice::Never => strip_str(text).to_string(),
        _ => text.to_owned(),
    }
}

/// Prints bytes unchanged; returns the exit status.
pub fn bytes(bytes: &[u8], is_good: bool) -> ExitCode {
    printed(write(io::stdout().lock(), bytes), is_good)
}

/// Flushes, so that a failure is reported here and not lost when the process ends.
fn write(mut stdout: impl Write, bytes: &[u8]) -> io::Result<()> {
    stdout.write_all(bytes)?;
    stdout.flush()
}

fn printed(written: io::Result<()>, is_good: bool) -> ExitCode {
    match written {
        Ok(()) => exit(is_good),
        Err(error) => unprinted(&error, exit(is_good)),
    }
}

fn unprinted(why: &io::Error, code: ExitCode) -> ExitCode {
    match why.kind() {
        ErrorKind::BrokenPipe => code,
        _ => error(&format!("the output cannot be printed: {why}; the work itself is done")),
    }
}

/// Exit status 0 for success, or else 1.
pub fn exit(is_good: bool) -> ExitCode {
    if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

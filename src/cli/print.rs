//! Writing to the terminal, or to what stands in for one.
//!
//! Law: this is the one place that writes to stdout, and the one that writes to stderr beside the log. Neither panics. An
//! answer that cannot be printed makes the exit status 1. A reader that has gone (`repoint status | head`) is none of that:
//! it has read what it wanted, so the exit status is that of the work, and nothing is said.

use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;

use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};
use serde::Serialize;

use crate::app::LogStream;
use repoint_domain::report::Tone;
use repoint_domain::values::text::shown;

/// Exit status 2: the command line or the configuration is wrong.
const USAGE: u8 = 2;

/// Says what is wrong with the command line or the configuration.
pub fn usage_error(message: &str) -> ExitCode {
    say(message);
    ExitCode::from(USAGE)
}

/// Says what went wrong although command line and configuration are right.
pub fn error(message: &str) -> ExitCode {
    say(message);
    ExitCode::FAILURE
}

/// Whether colours go to stderr: where it is a terminal, or `CLICOLOR_FORCE` is set, and `NO_COLOR` is not.
pub fn is_stderr_painted() -> bool {
    AutoStream::choice(&io::stderr()) != ColorChoice::Never
}

fn say(message: &str) {
    let error = if is_stderr_painted() { paint(Tone::Bad, "error") } else { "error".to_owned() };
    let line = format!("{error}: {}\n", shown(message));
    LogStream::stderr().line(line.as_bytes());
}

/// Prints help or the version, or says what is wrong with the command line.
pub fn instead_of_a_command(error: &clap::Error) -> ExitCode {
    let code = if error.use_stderr() { ExitCode::from(USAGE) } else { ExitCode::SUCCESS };
    match error.print() {
        Err(error) if code == ExitCode::SUCCESS => unprinted(&error, code),
        _ => code,
    }
}

/// Colours for a tone; what is no terminal, and `NO_COLOR`, take them out again.
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

/// Prints an answer for programs; the exit status.
pub fn json(value: &impl Serialize, is_good: bool) -> ExitCode {
    match serde_json::to_string_pretty(value) {
        Ok(json) => text(&format!("{json}\n"), is_good),
        Err(failure) => error(&format!("the answer cannot be written as JSON: {failure}")),
    }
}

/// Prints an answer for people, painted where it is a terminal; the exit status.
pub fn text(text: &str, is_good: bool) -> ExitCode {
    printed(write(anstream::stdout().lock(), text.as_bytes()), is_good)
}

/// Prints what has to stay as it is, byte by byte; the exit status.
pub fn bytes(bytes: &[u8], is_good: bool) -> ExitCode {
    printed(write(io::stdout().lock(), bytes), is_good)
}

/// Flushed, so that a failure is known here and not at the end of the process, where it would be nowhere.
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
        _ => {
            error(&format!("the answer cannot be printed: {why}; what it would tell of is done all the same"))
        }
    }
}

/// 0 if all is well, or else 1.
pub fn exit(is_good: bool) -> ExitCode {
    if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

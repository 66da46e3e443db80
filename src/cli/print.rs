//! Writing to the terminal, or to what stands in for one.

use std::process::ExitCode;

use anstyle::{AnsiColor, Style};
use serde::Serialize;

use crate::domain::report::Tone;

/// Exit status 2: the command line or the configuration is wrong.
const USAGE: u8 = 2;

/// Says what is wrong with the command line or the configuration.
pub fn usage_error(message: &str) -> ExitCode {
    let bold = AnsiColor::Red.on_default().bold();
    anstream::eprintln!("{bold}error{bold:#}: {message}");
    ExitCode::from(USAGE)
}

/// Says what went wrong although command line and configuration are right.
pub fn error(message: &str) -> ExitCode {
    let bold = AnsiColor::Red.on_default().bold();
    anstream::eprintln!("{bold}error{bold:#}: {message}");
    ExitCode::FAILURE
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

/// Prints an answer for programs.
pub fn json(value: &impl Serialize) {
    match serde_json::to_string_pretty(value) {
        Ok(json) => anstream::println!("{json}"),
        Err(error) => anstream::eprintln!("error: the answer cannot be written as JSON: {error}"),
    }
}

/// 0 if all is well, or else 1.
pub fn exit(is_good: bool) -> ExitCode {
    if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

//! `REPOINT_LOG`: how much is logged.
//!
//! Law: a filter that is misspelt never silences the log. The common spellings of levels are understood, and everything else
//! is refused.

use std::fmt;

use super::environment::Environment;
use super::problem::{ConfigError, Problem};

/// How much is logged; each level has those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// Nothing.
    Off,
    /// What has failed.
    Error,
    /// What needs attention.
    Warn,
    /// What was done.
    Info,
    /// Why it was done.
    Debug,
    /// Everything.
    Trace,
}

impl LogLevel {
    /// Reads a level by any of its common names, in upper or lower case.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name.trim().to_ascii_lowercase().as_str() {
            "off" | "none" => Self::Off,
            "error" | "err" | "fatal" | "critical" => Self::Error,
            "warn" | "warning" => Self::Warn,
            "info" | "notice" => Self::Info,
            "debug" => Self::Debug,
            "trace" => Self::Trace,
            _ => return None,
        })
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

/// A level for everything, and levels for parts of the program. Its text is a filter as `tracing_subscriber` reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFilter(Vec<(Option<String>, LogLevel)>);

impl LogFilter {
    /// That level for what repoint says, and errors alone for what the libraries say.
    #[must_use]
    pub fn ours(level: LogLevel) -> Self {
        Self(vec![(None, LogLevel::Error.min(level)), (Some("repoint".to_owned()), level)])
    }

    /// The filter of `REPOINT_LOG`, if that is set.
    ///
    /// # Errors
    /// If it is none.
    pub fn from_environment(environment: &Environment) -> Result<Option<Self>, ConfigError> {
        let Some((name, text)) = environment.get(&["REPOINT_LOG"]) else { return Ok(None) };
        Self::parse(text).map(Some).map_err(|message| Problem::of_variable(name, message).into())
    }

    /// Reads a level (`debug`), or a list with levels for targets (`error,repoint=debug`).
    ///
    /// # Errors
    /// Says which part is neither, and what would be.
    pub fn parse(text: &str) -> Result<Self, String> {
        text.split(',').map(directive).collect::<Result<_, _>>().map(Self)
    }

    /// The same, with no level above `most`.
    #[must_use]
    pub fn at_most(self, most: LogLevel) -> Self {
        Self(self.0.into_iter().map(|(target, level)| (target, level.min(most))).collect())
    }

    /// The same, and a level for one target more.
    #[must_use]
    pub fn and(mut self, target: &str, level: LogLevel) -> Self {
        self.0.push((Some(target.to_owned()), level));
        self
    }
}

impl fmt::Display for LogFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (target, level)) in self.0.iter().enumerate() {
            let comma = if index > 0 { "," } else { "" };
            let target = target.as_ref().map_or(String::new(), |target| format!("{target}="));
            write!(f, "{comma}{target}{}", level.as_str())?;
        }
        Ok(())
    }
}

fn directive(part: &str) -> Result<(Option<String>, LogLevel), String> {
    let (target, level) = match part.split_once('=') {
        Some((target, level)) => (Some(target.trim()), level),
        None => (None, part),
    };
    let is_target = |name: &str| {
        !name.is_empty()
            && name.chars().all(|one| one.is_ascii_alphanumeric() || matches!(one, '_' | '-' | ':' | '.'))
    };
    match LogLevel::parse(level) {
        Some(level) if target.is_none_or(is_target) => Ok((target.map(str::to_owned), level)),
        _ => Err(format!(
            "`{}` is no log level: it takes off, error, warn, info, debug or trace, or a list with levels for parts of the \
             program, such as `error,repoint=debug`",
            part.trim()
        )),
    }
}

//! `REPOINT_LOG`: the log level.
//!
//! A misspelt filter never silences the log: the common names of levels are accepted, and everything else is refused.

use std::fmt;

use super::environment::Environment;
use super::problem::{ConfigError, Problem};

/// How much is logged; each level includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// Nothing.
    Off,
    /// Failures.
    Error,
    /// What needs attention.
    Warn,
    /// Changes.
    Info,
    /// Reasons for changes.
    Debug,
    /// Everything.
    Trace,
}

impl LogLevel {
    /// Parses a level by any of its common names, in upper or lower case.
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

/// A level for everything, and levels for parts of the program. It prints as a filter for `tracing_subscriber`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFilter(Vec<(Option<String>, LogLevel)>);

impl LogFilter {
    /// That level for repoint, and only errors for libraries.
    #[must_use]
    pub fn ours(level: LogLevel) -> Self {
        Self(vec![(None, LogLevel::Error.min(level)), (Some("repoint".to_owned()), level)])
    }

    /// The filter of `REPOINT_LOG`, if it is set.
    ///
    /// # Errors
    /// If it is invalid.
    pub fn from_environment(environment: &Environment) -> Result<Option<Self>, ConfigError> {
        let Some((name, text)) = environment.get(&["REPOINT_LOG"]) else { return Ok(None) };
        Self::parse(text).map(Some).map_err(|message| Problem::of_variable(name, message).into())
    }

    /// Parses a level (`debug`), or a list with levels for targets (`error,repoint=debug`).
    ///
    /// # Errors
    /// Names the invalid part, and lists what is valid.
    pub fn parse(text: &str) -> Result<Self, String> {
        text.split(',').map(directive).collect::<Result<_, _>>().map(Self)
    }

    /// The same filter without levels above `most`.
    #[must_use]
    pub fn at_most(self, most: LogLevel) -> Self {
        Self(self.0.into_iter().map(|(target, level)| (target, level.min(most))).collect())
    }

    /// The same filter with a level for one more target.
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
            "`{}` is not a log level: use off, error, warn, info, debug or trace, or a list with levels for parts of the \
         program, such as `error,repoint=debug`",
            part.trim()
        )),
    }
}

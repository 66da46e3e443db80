//! Problems of a configuration, and their places.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::mask::{masked, masked_line};
use repoint_domain::values::text::shown;

/// A configuration that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// The problems, in the order of the file.
    pub problems: Vec<Problem>,
}

/// One problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file and line, or the environment variable.
    place: String,
    /// The key, if the problem is about one.
    key: Option<String>,
    message: String,
    /// The text of the line, without passwords.
    source: Option<(usize, String)>,
    hint: Option<String>,
}

impl From<Problem> for ConfigError {
    fn from(problem: Problem) -> Self {
        Self { problems: vec![problem] }
    }
}

impl std::error::Error for ConfigError {}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.place)?;
        if let Some(key) = &self.key {
            write!(f, "`{key}`: ")?;
        }
        f.write_str(&shown(&masked(&self.message)))?;
        if let Some((number, line)) = &self.source {
            write!(f, "\n  {number} | {}", shown(&line.replace('\t', " ")))?;
        }
        if let Some(hint) = &self.hint {
            write!(f, "\n  hint: {}", shown(&masked(hint)))?;
        }
        Ok(())
    }
}

impl Problem {
    /// A problem of the file as a whole.
    pub fn of_file(path: &Path, message: impl Into<String>) -> Self {
        Self {
            place: path.display().to_string(),
            key: None,
            message: message.into(),
            source: None,
            hint: None,
        }
    }

    /// A problem of a line of the file, counted from 1, that cannot be printed.
    pub fn of_line(path: &Path, line: usize, message: impl Into<String>) -> Self {
        Self::of_file(Path::new(&format!("{}:{line}", path.display())), message)
    }

    /// A problem of an environment variable.
    pub fn of_variable(name: &str, message: impl Into<String>) -> Self {
        Self {
            place: format!("environment variable {name}"),
            key: None,
            message: message.into(),
            source: None,
            hint: None,
        }
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// Whether a string of several lines begins or ends in a text.
fn has_long_quote(text: &str) -> bool {
    text.contains(r#"""""#) || text.contains("'''")
}

/// The text of a file with its lines.
#[derive(Clone, Debug)]
pub struct Source<'a> {
    path: PathBuf,
    text: &'a str,
    /// The start of each line, so that thousands of endpoints find their lines quickly.
    lines: Vec<usize>,
}

impl<'a> Source<'a> {
    /// The file at `path` with this text.
    pub fn new(path: &Path, text: &'a str) -> Self {
        let after = text.match_indices('\n').map(|(end, _)| end + 1);
        Self { path: path.to_owned(), text, lines: std::iter::once(0).chain(after).collect() }
    }

    /// The number of the line, from 1, in which a span begins.
    pub fn line(&self, span: &Range<usize>) -> usize {
        self.lines.partition_point(|begin| *begin <= span.start)
    }

    /// A problem of the text at a span.
    pub fn problem(&self, span: &Range<usize>, key: Option<&str>, message: impl Into<String>) -> Problem {
        let number = self.line(span);
        let begin = self.lines[number - 1];
        let line = self.text[begin..].lines().next().unwrap_or_default().trim_end();
        let (before, rest) = self.text.split_at(begin);
        let is_in_string = has_long_quote(before);
        let source = if rest.contains('@') && (is_in_string || has_long_quote(line)) {
            // A string of several lines, or what is taken for one: its lines may have a password whose `@` is in another.
            let opening = line.split_inclusive(['"', '\'']).next().unwrap_or_default();
            if is_in_string { String::new() } else { opening.to_owned() }
        } else {
            masked_line(line)
        };
        Problem {
            place: format!("{}:{number}", self.path.display()),
            key: key.map(str::to_owned),
            message: message.into(),
            source: (!source.is_empty()).then_some((number, source)),
            hint: None,
        }
    }

    /// The key on the line of a span: the text before its `=`, if it looks like a key.
    pub fn key_at(&self, span: &Range<usize>) -> Option<String> {
        let line = self.text[self.lines[self.line(span) - 1]..].lines().next()?;
        let (key, _) = line.split_once('=')?;
        let is_key = |one: char| one.is_ascii_alphanumeric() || matches!(one, '_' | '-' | '.');
        Some(key.trim()).filter(|key| key.chars().all(is_key)).map(str::to_owned)
    }
}

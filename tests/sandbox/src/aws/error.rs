//! How a call fails: AWS's code, its words, its HTTP status.
//!
//! Codes and texts are those of the service; a call whose result the caller cannot know has no code at all.

use std::fmt;

/// What AWS answered in place of a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AwsError {
    /// e.g. `TargetGroupNotFound`; empty if there was no answer.
    pub code: String,
    /// For a reader.
    pub message: String,
    /// HTTP status; 0 if there was no answer.
    pub status: u16,
}

impl AwsError {
    /// An error with status 400, as most are.
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into(), status: 400 }
    }

    /// The same with another HTTP status.
    #[must_use]
    pub fn with_status(self, status: u16) -> Self {
        Self { status, ..self }
    }

    /// Nothing came back: the request or its answer was lost.
    #[must_use]
    pub fn no_answer() -> Self {
        Self { code: String::new(), message: "no answer before the timeout".to_owned(), status: 0 }
    }

    /// Whether the caller cannot know what became of its request.
    #[must_use]
    pub fn is_no_answer(&self) -> bool {
        self.status == 0
    }
}

impl fmt::Display for AwsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_no_answer() {
            f.write_str(&self.message)
        } else {
            write!(f, "{}: {}", self.code, self.message)
        }
    }
}

impl std::error::Error for AwsError {}

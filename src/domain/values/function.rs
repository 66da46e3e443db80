//! What names a Lambda function.

use std::fmt;

use serde::Serialize;

/// Why a text does not name a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is not a function's name or ARN, for example repoint, repoint:live or {EXAMPLE}")]
pub struct NotAFunction;

const EXAMPLE: &str = "arn:aws:lambda:us-east-1:123456789012:function:repoint";

/// A function's name or ARN, either of them perhaps with an alias or a version: `repoint:live` (Lambda API,
/// `GetFunctionConfiguration`, `FunctionName`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct FunctionName(String);

impl FunctionName {
    /// Checks the form; whether there is such a function is AWS's to say.
    ///
    /// # Errors
    /// Says what it should look like.
    pub fn parse(text: &str) -> Result<Self, NotAFunction> {
        let is_name = |name: &str| {
            let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'$');
            !name.is_empty() && name.len() <= 128 && name.bytes().all(is_part)
        };
        let names = match text.split(':').collect::<Vec<_>>()[..] {
            ["arn", partition, "lambda", region, account, "function", ref names @ ..]
                if partition.starts_with("aws")
                    && is_name(region)
                    && account.len() == 12
                    && account.bytes().all(|byte| byte.is_ascii_digit()) =>
            {
                names.to_vec()
            }
            ref names => names.to_vec(),
        };
        match names[..] {
            [name] if is_name(name) => Ok(Self(text.to_owned())),
            [name, qualifier] if is_name(name) && is_name(qualifier) => Ok(Self(text.to_owned())),
            _ => Err(NotAFunction),
        }
    }

    /// As it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name alone.
    #[must_use]
    pub fn name(&self) -> &str {
        self.names().next().unwrap_or_default()
    }

    /// The alias or version.
    #[must_use]
    pub fn qualifier(&self) -> Option<&str> {
        self.names().nth(1)
    }

    /// As it was given, without an alias or a version.
    #[must_use]
    pub fn unqualified(&self) -> &str {
        match self.qualifier() {
            Some(qualifier) => &self.0[..self.0.len() - qualifier.len() - 1],
            None => &self.0,
        }
    }

    /// The Region of an ARN.
    #[must_use]
    pub fn region(&self) -> Option<&str> {
        self.part(3)
    }

    /// The partition of an ARN.
    #[must_use]
    pub fn partition(&self) -> Option<&str> {
        self.part(1)
    }

    /// The name, and the alias or version.
    fn names(&self) -> impl Iterator<Item = &str> {
        self.0.split(':').skip(if self.is_arn() { 6 } else { 0 })
    }

    fn part(&self, number: usize) -> Option<&str> {
        self.0.split(':').nth(number).filter(|_| self.is_arn())
    }

    fn is_arn(&self) -> bool {
        self.0.starts_with("arn:")
    }
}

impl fmt::Display for FunctionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

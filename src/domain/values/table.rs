//! What names a DynamoDB table.

use std::fmt;

use serde::Serialize;

/// Why a text does not name a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "it is not a table's name or ARN, for example repoint or arn:aws:dynamodb:us-east-1:123456789012:table/repoint"
)]
pub struct NotATable;

/// A table's name or ARN (DynamoDB API, `GetItem`, `TableName`). With an ARN it may be in another Region than the process.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct TableName(String);

impl TableName {
    /// Checks the form; whether there is such a table is AWS's to say.
    ///
    /// # Errors
    /// Says what it should look like.
    pub fn parse(text: &str) -> Result<Self, NotATable> {
        let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        let is_name = |name: &str| (3..=255).contains(&name.len()) && name.bytes().all(is_part);
        let name = match text.split(':').collect::<Vec<_>>()[..] {
            ["arn", partition, "dynamodb", region, account, resource]
                if partition.starts_with("aws")
                    && !region.is_empty()
                    && account.len() == 12
                    && account.bytes().all(|byte| byte.is_ascii_digit()) =>
            {
                resource.strip_prefix("table/").unwrap_or_default()
            }
            _ => text,
        };
        if is_name(name) { Ok(Self(text.to_owned())) } else { Err(NotATable) }
    }

    /// As it was given, which is as DynamoDB takes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The Region of an ARN.
    #[must_use]
    pub fn region(&self) -> Option<&str> {
        self.0.split(':').nth(3)
    }
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

//! Roles of IAM that are assumed for an endpoint's calls: an endpoint may be in another account than the process.

use serde::Serialize;

use crate::values::arn::RoleArn;

/// Checks an external id as STS does (STS API, `AssumeRole`, `ExternalId`).
///
/// # Errors
/// Says what it may have.
pub fn external_id(text: &str) -> Result<String, &'static str> {
    let is_fit = |byte: u8| byte.is_ascii_alphanumeric() || b"_+=,.@:/-".contains(&byte);
    if (2..=1224).contains(&text.len()) && text.bytes().all(is_fit) {
        Ok(text.to_owned())
    } else {
        Err("it must have 2 to 1,224 characters: letters, digits, at signs and _ + = , . : / -")
    }
}

/// A role, and what its trust policy may ask for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct AssumedRole {
    /// Which role.
    #[serde(rename = "role_arn")]
    pub arn: RoleArn,
    /// What the trust policy asks for as `sts:ExternalId`, if it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
}

//! Roles of IAM that are assumed for an endpoint's calls: an endpoint may be in another account than the process.

use serde::Serialize;

use crate::values::arn::{ArnError, arn};

arn! {
    /// The ARN of an IAM role, checked.
    RoleArn
}

impl RoleArn {
    const EXAMPLE: &str = "arn:aws:iam::123456789012:role/repoint-dns";

    /// Checks the form of the ARN; whether the role exists is for STS to say.
    ///
    /// # Errors
    /// Says what it should look like.
    pub fn parse(text: &str) -> Result<Self, ArnError> {
        let parts: Vec<&str> = text.splitn(6, ':').collect();
        let is_arn =
            text.len() <= LONGEST_ARN && !text.contains(|c: char| c.is_whitespace() || c.is_control());
        let ["arn", partition, service, region, account, resource] = parts[..] else {
            return Err(ArnError::NotAnArn(Self::EXAMPLE));
        };
        let is_account = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
        if !is_arn || !partition.starts_with("aws") {
            return Err(ArnError::NotAnArn(Self::EXAMPLE));
        }
        let has_name =
            resource.strip_prefix("role/").is_some_and(|path| !path.is_empty() && !path.ends_with('/'));
        if service == "iam" && region.is_empty() && is_account && has_name {
            Ok(Self(text.to_owned()))
        } else {
            Err(ArnError::Other("an IAM role", Self::EXAMPLE))
        }
    }
}

/// The longest ARN that `AssumeRole` takes (STS API, `AssumeRole`, `RoleArn`).
const LONGEST_ARN: usize = 2048;

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

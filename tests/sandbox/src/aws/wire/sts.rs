//! STS: the caller's identity, and roles to assume.

use std::time::{SystemTime, UNIX_EPOCH};

use super::super::Account;
use super::super::error::AwsError;
use super::super::iam::{Caller, Iam, SESSION_SECONDS};
use super::form::Form;
use super::time::{WORLD_BEGAN, iso};
use super::unknown_action;
use super::xml::Xml;

pub(super) const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

/// What an account answers alone.
pub(super) fn answer(account: &Account, form: &Form) -> Result<(&'static str, String), AwsError> {
    if form.get("Action") != Some("GetCallerIdentity") {
        return Err(unknown_action(form));
    }
    let mut xml = Xml::default();
    xml.leaf("Arn", account.user_arn());
    xml.leaf("UserId", "AKIAIOSFODNN7EXAMPLE");
    xml.leaf("Account", &account.id);
    Ok((NAMESPACE, xml.into_text()))
}

/// `AssumeRole`.
#[expect(
    clippy::disallowed_methods,
    reason = "a session ends by its client's clock, not by the simulated one"
)]
pub(super) fn assume(
    iam: &mut Iam,
    caller: &Caller,
    account: &Account,
    form: &Form,
) -> Result<(&'static str, String), AwsError> {
    let policy = if caller.is_session { caller.policy.as_ref() } else { account.policy.as_ref() };
    let arn = if caller.arn.is_empty() { account.user_arn() } else { caller.arn.clone() };
    let external_id = form.get("ExternalId");
    let session =
        iam.assume_role(&arn, policy, form.need("RoleArn")?, form.need("RoleSessionName")?, external_id)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let ends = iso(now.saturating_sub(WORLD_BEGAN) * 1000 + SESSION_SECONDS * 1000);
    let mut xml = Xml::default();
    xml.node("Credentials", |xml| {
        xml.leaf("AccessKeyId", &session.key);
        xml.leaf("SecretAccessKey", "secret");
        xml.leaf("SessionToken", format!("token-of-{}", session.key));
        xml.leaf("Expiration", ends);
    });
    xml.node("AssumedRoleUser", |xml| {
        xml.leaf("Arn", &session.arn);
        xml.leaf("AssumedRoleId", format!("AROAEXAMPLE:{}", session.key));
    });
    Ok((NAMESPACE, xml.into_text()))
}

//! STS: who am I.
//!
//! Law: there is one user, and every signature is good.

use super::super::Account;
use super::super::error::AwsError;
use super::form::Form;
use super::unknown_action;
use super::xml::Xml;

pub(super) const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

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

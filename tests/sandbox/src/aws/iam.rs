//! The identities of callers: access keys, roles and their sessions, over several accounts.
//!
//! Until a key is known, every signature is good, as if the caller were the first account's user. Else an unknown or
//! revoked key and a session that is over are refused with each service's own code, and a role is assumed only by a caller that its
//! trust policy names, with the external id that it asks for, and under a policy that allows it.
//! Sources: the STS API reference, `AssumeRole`; IAM API reference, "Common errors"; EC2 API, "Error codes"; DynamoDB
//! Developer Guide, "Error handling".

use std::collections::BTreeMap;

use super::error::AwsError;
use super::policy::{Policy, Says};

/// How long a session lasts, in seconds (`AssumeRole`, `DurationSeconds`).
pub const SESSION_SECONDS: u64 = 3600;

/// A role in an account.
#[derive(Clone, Debug)]
pub struct Role {
    /// The principal that its trust policy names: the ARN of a user, or `…:root` of an account.
    pub trusts: String,
    /// What the trust policy asks for as `sts:ExternalId`.
    pub external_id: Option<String>,
    /// What it allows; anything, if there is none.
    pub policy: Option<Policy>,
}

/// The caller of a call.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The ARN of the user or of the role's session; empty for the account's only user.
    pub arn: String,
    /// The account, by its id; empty for the first.
    pub account: String,
    /// What it may do; absent: what its account's policy says.
    pub policy: Option<Policy>,
    /// A session's role, of which everything is allowed that its policy does not rule out.
    pub is_session: bool,
}

/// A session of a role.
#[derive(Clone, Debug)]
pub struct Session {
    /// The access key id.
    pub key: String,
    /// The session's ARN.
    pub arn: String,
    role: String,
    is_over: bool,
}

/// Keys, roles and sessions.
#[derive(Clone, Debug, Default)]
pub struct Iam {
    /// The ARNs of users, by their access key ids.
    keys: BTreeMap<String, String>,
    /// Whether keys that are not known are refused.
    is_strict: bool,
    roles: BTreeMap<String, Role>,
    sessions: BTreeMap<String, Session>,
    issued: u64,
}

impl Iam {
    /// From now on this key is that user's, and keys that are not known are refused.
    pub fn add_key(&mut self, access_key_id: &str, user_arn: &str) {
        self.is_strict = true;
        self.keys.insert(access_key_id.to_owned(), user_arn.to_owned());
    }

    /// The key is not valid any more.
    pub fn revoke_key(&mut self, access_key_id: &str) {
        self.keys.remove(access_key_id);
    }

    /// A role, by its ARN.
    pub fn set_role(&mut self, arn: &str, role: Role) {
        self.roles.insert(arn.to_owned(), role);
    }

    /// A role, to be changed.
    pub fn role_mut(&mut self, arn: &str) -> Option<&mut Role> {
        self.roles.get_mut(arn)
    }

    /// Every session that was given out so far is over.
    pub fn end_sessions(&mut self) {
        self.sessions.values_mut().for_each(|session| session.is_over = true);
    }

    /// How many sessions were given out.
    #[must_use]
    pub fn issued(&self) -> u64 {
        self.issued
    }

    /// The caller that signs with that key.
    ///
    /// # Errors
    /// As the service says that the key is unknown, or the session over.
    pub fn caller(&self, access_key_id: &str, service: &str) -> Result<Caller, AwsError> {
        if let Some(session) = self.sessions.get(access_key_id) {
            if session.is_over {
                return Err(over(service));
            }
            let policy = self.roles.get(&session.role).and_then(|role| role.policy.clone());
            let (arn, account) = (session.arn.clone(), account_of(&session.role));
            return Ok(Caller { arn, account, policy, is_session: true });
        }
        if !self.is_strict {
            let (arn, account) = (String::new(), String::new());
            return Ok(Caller { arn, account, policy: None, is_session: false });
        }
        let arn = self.keys.get(access_key_id).ok_or_else(|| unknown(service))?;
        Ok(Caller { arn: arn.clone(), account: account_of(arn), policy: None, is_session: false })
    }

    /// `AssumeRole`; `policy` is that of the caller.
    ///
    /// # Errors
    /// `AccessDenied`, `ValidationError`.
    pub fn assume_role(
        &mut self,
        caller: &str,
        policy: Option<&Policy>,
        role_arn: &str,
        session_name: &str,
        external_id: Option<&str>,
    ) -> Result<Session, AwsError> {
        let is_fit = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
        if !(2..=64).contains(&session_name.len()) || !session_name.chars().all(is_fit) {
            let words = format!("Value '{session_name}' at 'roleSessionName' failed to satisfy constraint");
            return Err(AwsError::new("ValidationError", words));
        }
        let may = policy.is_none_or(|policy| policy.allows("sts:AssumeRole", role_arn, &Says::new()));
        let role = self.roles.get(role_arn);
        // STS says the same of a role that is not there.
        let trusts = role.is_some_and(|role| {
            let root = format!("arn:{}:iam::{}:root", partition_of(caller), account_of(caller));
            let is_named = role.trusts == caller || role.trusts == root;
            let is_same_partition = partition_of(caller) == partition_of(role_arn);
            let is_asked = role.external_id.as_deref().is_none_or(|asked| external_id == Some(asked));
            is_named && is_same_partition && is_asked
        });
        if !may || !trusts {
            let words = format!(
                "User: {caller} is not authorized to perform: sts:AssumeRole on resource: {role_arn}"
            );
            return Err(AwsError::new("AccessDenied", words).with_status(403));
        }
        self.issued += 1;
        let name = role_arn.rsplit('/').next().unwrap_or_default();
        let session = Session {
            key: format!("ASIASESSION{:09}", self.issued),
            arn: format!(
                "arn:{}:sts::{}:assumed-role/{name}/{session_name}",
                partition_of(role_arn),
                account_of(role_arn)
            ),
            role: role_arn.to_owned(),
            is_over: false,
        };
        self.sessions.insert(session.key.clone(), session.clone());
        Ok(session)
    }
}

fn account_of(arn: &str) -> String {
    arn.split(':').nth(4).unwrap_or_default().to_owned()
}

fn partition_of(arn: &str) -> &str {
    arn.split(':').nth(1).unwrap_or_default()
}

fn unknown(service: &str) -> AwsError {
    let words = "The security token included in the request is invalid.";
    match service {
        "dynamodb" => AwsError::new("UnrecognizedClientException", words),
        "ec2" => {
            let words = "AWS was not able to validate the provided access credentials";
            AwsError::new("AuthFailure", words).with_status(401)
        }
        _ => AwsError::new("InvalidClientTokenId", words).with_status(403),
    }
}

fn over(service: &str) -> AwsError {
    let words = "The security token included in the request is expired";
    match service {
        "dynamodb" => AwsError::new("ExpiredTokenException", words),
        "ec2" => AwsError::new("RequestExpired", "Request has expired."),
        _ => AwsError::new("ExpiredToken", words).with_status(403),
    }
}

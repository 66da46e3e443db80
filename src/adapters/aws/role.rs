//! Sessions of a role (STS API, `AssumeRole`).

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sdk_sts::Client;

use super::failure;
use repoint_domain::values::arn::RoleArn;
use repoint_domain::values::assume::AssumedRole;
use repoint_domain::values::failure::{Failure, Kind};

pub(super) const ASSUME: &str = "sts:AssumeRole";
/// The longest name of a session (STS API, `AssumeRole`, `RoleSessionName`).
const LONGEST_SESSION: usize = 64;

/// A role, and the client that assumes it.
#[derive(Clone, Debug)]
pub struct RoleSource {
    client: Client,
    role: AssumedRole,
    session: String,
}

impl RoleSource {
    /// Assumes the role with the client's credentials. The session names contain the host name.
    #[must_use]
    pub fn new(client: Client, role: AssumedRole) -> Self {
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        Self { client, role, session: session(&host) }
    }

    pub(super) fn arn(&self) -> &RoleArn {
        &self.role.arn
    }

    pub(super) async fn assume(&self) -> Result<Credentials, Failure> {
        let arn = self.arn().as_str();
        let answer = self
            .client
            .assume_role()
            .role_arn(arn)
            .role_session_name(&self.session)
            .set_external_id(self.role.external_id.clone())
            .send()
            .await
            .map_err(|error| failure(ASSUME, arn, &error))?;
        let session =
            answer.credentials.ok_or_else(|| self.failed(Kind::Invalid, "the answer has no credentials"))?;
        let expiry = SystemTime::try_from(session.expiration)
            .map_err(|_| self.failed(Kind::Invalid, "the session's expiry is not a date"))?;
        let credentials = Credentials::builder()
            .access_key_id(session.access_key_id)
            .secret_access_key(session.secret_access_key)
            .session_token(session.session_token)
            .expiry(expiry)
            .provider_name("repoint");
        Ok(credentials.build())
    }

    pub(super) fn too_late(&self, within: Duration) -> Failure {
        self.failed(Kind::Unavailable, &format!("no answer within {} s", within.as_secs()))
    }

    fn failed(&self, kind: Kind, message: &str) -> Failure {
        Failure::new(kind, ASSUME, self.arn().as_str(), message)
    }
}

/// A session name may contain letters, digits and `_+=,.@-`.
fn session(host: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "_+=,.@-".contains(c) { c } else { '-' };
    format!("repoint-{host}").chars().map(plain).take(LONGEST_SESSION).collect()
}

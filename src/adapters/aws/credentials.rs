//! Credentials that are replaced when AWS refuses them.
//!
//! One caller at a time loads credentials. They are used until shortly before they expire, or until AWS refuses them;
//! then they are loaded again from their source: keys that were rotated in a file, or the session of a role.
//! Invariant 10 (bounded): a load ends within [`LOAD_WITHIN`].

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{self, ProvideCredentials, SharedCredentialsProvider, future};
use tokio::time::{Instant, timeout};
use tracing::{info, warn};

use super::role::RoleSource;
use super::{causes, loader};
use repoint_domain::values::failure::Failure;

/// An instance's metadata service answers within milliseconds, and a `credential_process` within seconds.
const LOAD_WITHIN: Duration = Duration::from_secs(5);
/// How long before their expiry credentials are replaced.
const BEFORE_EXPIRY: Duration = Duration::from_mins(1);
/// How long reloaded credentials are kept if they are the same and AWS refuses them again: many calls may be refused
/// at the same time.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// Credentials from one source, shared by all clients that use them.
#[derive(Clone, Debug)]
pub struct Renewable(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    source: Source,
    /// Held by the caller that loads the credentials.
    turn: tokio::sync::Mutex<()>,
    kept: Mutex<Kept>,
}

/// The source of credentials.
#[derive(Debug)]
enum Source {
    /// The SDK's default chain of providers.
    Chain {
        region: Option<String>,
    },
    Role(RoleSource),
}

#[derive(Debug, Default)]
struct Kept {
    current: Option<Credentials>,
    /// The SDK's chain, with what it has read from files.
    chain: Option<SharedCredentialsProvider>,
    /// The access key id that AWS refused last, and when.
    refused: Option<(String, Instant)>,
    /// The error of the last load, and when it occurred.
    failed: Option<(Unloaded, Instant)>,
    /// AWS's last refusal of these credentials, unless a call has succeeded since.
    trouble: Option<String>,
}

/// Why there are no credentials.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Unloaded {
    /// What each provider of the SDK's chain reported.
    #[error("{0}")]
    Chain(String),
    /// The role could not be assumed.
    #[error(transparent)]
    Role(Failure),
}

impl Renewable {
    /// Credentials of the SDK's default chain; `first` is the provider that was found at the start.
    #[must_use]
    pub fn chain(region: Option<&str>, first: Option<SharedCredentialsProvider>) -> Self {
        let new = Self::from_source(Source::Chain { region: region.map(str::to_owned) });
        new.kept().chain = first;
        new
    }

    /// Credentials of a role's sessions.
    #[must_use]
    pub fn role(source: RoleSource) -> Self {
        Self::from_source(Source::Role(source))
    }

    fn from_source(source: Source) -> Self {
        let shared = Shared { source, turn: tokio::sync::Mutex::default(), kept: Mutex::default() };
        Self(Arc::new(shared))
    }

    /// AWS has refused a call with that access key: the next call loads the credentials again, unless that was done a
    /// moment ago.
    pub fn refused(&self, access_key_id: &str) {
        let mut kept = self.kept();
        if kept.current.as_ref().is_none_or(|current| current.access_key_id() != access_key_id) {
            // Another call was refused before this one.
            return;
        }
        let was_refused = |(key, at): &(String, Instant)| key == access_key_id && at.elapsed() < AGAIN_AFTER;
        if kept.refused.as_ref().is_some_and(was_refused) {
            return;
        }
        let refused = Some((access_key_id.to_owned(), Instant::now()));
        *kept = Kept { refused, trouble: kept.trouble.take(), ..Kept::default() };
        drop(kept);
        info!("AWS refused the credentials of {}; loading them again", self.describe());
    }

    /// AWS has refused a call again, with reloaded credentials.
    pub fn refused_again(&self, code: &str) {
        self.kept().trouble = Some(format!("AWS refused the credentials ({code})"));
    }

    /// AWS has accepted a call with these credentials.
    pub fn accepted(&self) {
        self.kept().trouble = None;
    }

    /// Why the last calls could not use the credentials.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        let kept = self.kept();
        let unloaded = || kept.failed.as_ref().map(|(failure, _)| format!("no credentials: {failure}"));
        kept.trouble.clone().or_else(unloaded)
    }

    /// The source of the credentials, for messages.
    #[must_use]
    pub fn describe(&self) -> String {
        match &self.0.source {
            Source::Chain { .. } => {
                self.kept().current.as_ref().map_or_else(|| "the default credentials chain".to_owned(), place)
            }
            Source::Role(role) => format!("the role {}", role.arn()),
        }
    }

    async fn load(&self) -> Result<Credentials, Unloaded> {
        match &self.0.source {
            Source::Role(role) => role.assume().await.map_err(Unloaded::Role),
            Source::Chain { region } => {
                let chain = self.kept().chain.clone();
                let chain = match chain {
                    Some(chain) => chain,
                    None => self.new_chain(region.as_deref()).await?,
                };
                chain.provide_credentials().await.map_err(|error| Unloaded::Chain(causes(&error)))
            }
        }
    }

    /// A new chain reads every file again.
    async fn new_chain(&self, region: Option<&str>) -> Result<SharedCredentialsProvider, Unloaded> {
        let chain = loader(region).load().await.credentials_provider();
        let chain = chain.ok_or_else(|| Unloaded::Chain("no credentials found".to_owned()))?;
        self.kept().chain = Some(chain.clone());
        Ok(chain)
    }

    /// The loaded credentials, unless they expire soon.
    #[expect(
        clippy::disallowed_methods,
        reason = "a session's expiry is a date, and the SDK provides no clock"
    )]
    fn current(&self, before_expiry: Duration) -> Option<Credentials> {
        let is_good = |current: &&Credentials| {
            current.expiry().is_none_or(|expiry| SystemTime::now() + before_expiry < expiry)
        };
        self.kept().current.as_ref().filter(is_good).cloned()
    }

    async fn provide(&self) -> Result<Credentials, Unloaded> {
        let asked = Instant::now();
        if let Some(current) = self.current(BEFORE_EXPIRY) {
            return Ok(current);
        }
        let _turn = self.0.turn.lock().await;
        if let Some(current) = self.current(BEFORE_EXPIRY) {
            return Ok(current);
        }
        if let Some((failure, _)) = self.kept().failed.clone().filter(|(_, at)| *at >= asked) {
            return Err(failure);
        }
        let loaded = timeout(LOAD_WITHIN, self.load()).await.unwrap_or_else(|_| Err(self.too_late()));
        let mut kept = self.kept();
        match loaded {
            Ok(credentials) => {
                kept.current = Some(credentials.clone());
                kept.failed = None;
                Ok(credentials)
            }
            Err(failure) => {
                // A file that was missing or half written is read again.
                kept.chain = None;
                kept.failed = Some((failure.clone(), Instant::now()));
                drop(kept);
                let current = self.current(Duration::ZERO).ok_or_else(|| failure.clone())?;
                warn!("the credentials of {} expire soon and cannot be renewed: {failure}", self.describe());
                Ok(current)
            }
        }
    }

    fn too_late(&self) -> Unloaded {
        match &self.0.source {
            Source::Chain { .. } => {
                Unloaded::Chain(format!("no credentials within {} s", LOAD_WITHIN.as_secs()))
            }
            Source::Role(role) => Unloaded::Role(role.too_late(LOAD_WITHIN)),
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        // Each change is a single assignment, so a panic leaves no partial change.
        self.0.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ProvideCredentials for Renewable {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async {
            let provided: provider::Result = self.provide().await.map_err(CredentialsError::provider_error);
            provided
        })
    }
}

/// The provider in whose credentials the SDK succeeded. The SDK shows its name only in its debug output.
#[expect(clippy::disallowed_methods, reason = "only for the message: the SDK reads these variables itself")]
fn place(credentials: &Credentials) -> String {
    let text = format!("{credentials:?}");
    let provider = text.split("provider_name: \"").nth(1).and_then(|rest| rest.split('"').next());
    match provider.unwrap_or_default() {
        "EnvironmentVariable" => {
            "the environment variables AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY".to_owned()
        }
        "ProfileFile" => {
            let profile = std::env::var("AWS_PROFILE").unwrap_or_else(|_| "default".to_owned());
            let file = std::env::var("AWS_SHARED_CREDENTIALS_FILE");
            let file = file.unwrap_or_else(|_| "~/.aws/credentials".to_owned());
            format!("the profile `{profile}` ({file})")
        }
        name if name.contains("IMDS") || name.contains("Imds") => "the instance's role".to_owned(),
        name if name.contains("Ecs") => "the container's role".to_owned(),
        "" => "the default credentials chain".to_owned(),
        other => format!("the credentials provider {other}"),
    }
}

//! Clients for AWS's services, all with the same credentials.

use aws_config::identity::IdentityCache;
use aws_config::{Region, SdkConfig};
use aws_credential_types::provider::SharedCredentialsProvider;

use super::credentials::Renewable;
use super::endpoint::with_endpoint;
use super::owner::Owner;
use super::renewal::Renewal;
use super::role::RoleSource;
use super::{in_region, loader, prompt};
use repoint_domain::values::assume::AssumedRole;
use repoint_domain::values::partition::{self, global_region};

/// How to reach AWS.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options<'a> {
    /// The Region; the default is what the SDK finds.
    pub region: Option<&'a str>,
    /// The endpoint of every service that has no endpoint of its own.
    pub endpoint_url: Option<&'a str>,
    /// The Region if neither `region` nor the SDK has one; the default is that of the partition's global services.
    pub usual_region: Option<&'a str>,
    /// The partition; the default is that of the Region.
    pub partition: Option<&'a str>,
    /// Whether the configuration assumes roles, so that there is more than one policy.
    pub has_roles: bool,
}

/// Access to AWS with the process's own credentials or with those of a role.
#[derive(Clone, Debug)]
pub struct Access {
    config: SdkConfig,
    credentials: Renewable,
    owner: Owner,
}

/// Makes a client that repeats a call with new credentials if AWS refused the old ones.
macro_rules! client {
    ($service:ident, $access:expr, $config:expr) => {{
        let renewal = Renewal::of(&$access.credentials, &$access.owner);
        let config = $service::config::Builder::from($config).interceptor(renewal.clone());
        $service::Client::from_conf(config.retry_classifier(renewal).build())
    }};
}

impl Access {
    /// Loads what the SDK finds. The options take precedence; an endpoint of one service takes precedence over the
    /// general one.
    pub async fn load(options: &Options<'_>) -> Self {
        let mut config = loader(options.region).load().await;
        if config.region().is_none() {
            let global = || global_region(options.partition.unwrap_or(partition::USUAL));
            let usual = options.usual_region.or_else(global).unwrap_or(GLOBAL_REGION);
            config = in_region(&config, usual);
        }
        if let Some(url) = options.endpoint_url {
            config = with_endpoint(config, url);
        }
        let of_region = || partition::of_region(config.region().map(Region::as_ref)?);
        let partition = options.partition.or_else(of_region).unwrap_or(partition::USUAL).to_owned();
        let role = options.has_roles.then(|| "self".to_owned());
        let credentials = Renewable::chain(options.region, config.credentials_provider());
        Self::new(config, credentials, Owner { partition, role, credentials: None })
    }

    fn new(config: SdkConfig, credentials: Renewable, owner: Owner) -> Self {
        let provider = SharedCredentialsProvider::new(credentials.clone());
        let config = config.into_builder().credentials_provider(provider);
        // The SDK's own cache would return credentials that AWS has refused.
        Self { config: config.identity_cache(IdentityCache::no_cache()).build(), credentials, owner }
    }

    /// Access under a role, which is assumed with these credentials when it is first needed.
    #[must_use]
    pub fn under(&self, role: &AssumedRole) -> Self {
        let config = self.config.clone().into_builder().timeout_config(prompt()).build();
        let sts = client!(aws_sdk_sts, self, &config);
        let sessions = Renewable::role(RoleSource::new(sts, role.clone()));
        let owner = Owner { role: Some(role.arn.to_string()), ..self.owner.clone() };
        Self::new(self.config.clone(), sessions, owner)
    }

    /// The configuration that all clients share.
    #[must_use]
    pub fn config(&self) -> &SdkConfig {
        &self.config
    }

    /// The Region of calls that have none of their own.
    #[must_use]
    pub fn region(&self) -> &str {
        self.config.region().map_or(GLOBAL_REGION, Region::as_ref)
    }

    /// Why the last calls could not use the credentials.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        self.credentials.trouble()
    }

    /// A client for Elastic Load Balancing in a Region.
    #[must_use]
    pub fn elbv2(&self, region: &str) -> aws_sdk_elasticloadbalancingv2::Client {
        client!(aws_sdk_elasticloadbalancingv2, self, &in_region(&self.config, region))
    }

    /// A client for EC2 in a Region.
    #[cfg(feature = "ec2")]
    #[must_use]
    pub fn ec2(&self, region: &str) -> aws_sdk_ec2::Client {
        client!(aws_sdk_ec2, self, &in_region(&self.config, region))
    }

    /// A client for Route 53, whose calls are signed for one Region of each partition.
    #[must_use]
    pub fn route53(&self) -> aws_sdk_route53::Client {
        let region = global_region(&self.owner.partition).map(|region| in_region(&self.config, region));
        client!(aws_sdk_route53, self, region.as_ref().unwrap_or(&self.config))
    }

    /// A client for SNS in a Region.
    #[must_use]
    pub fn sns(&self, region: &str) -> aws_sdk_sns::Client {
        client!(aws_sdk_sns, self, &in_region(&self.config, region))
    }

    /// A client for Lambda in a Region.
    #[cfg(feature = "doctor")]
    #[must_use]
    pub fn lambda(&self, region: &str) -> aws_sdk_lambda::Client {
        client!(aws_sdk_lambda, self, &in_region(&self.config, region))
    }

    /// A client for `EventBridge` Scheduler in a Region.
    #[cfg(feature = "doctor")]
    #[must_use]
    pub fn scheduler(&self, region: &str) -> aws_sdk_scheduler::Client {
        client!(aws_sdk_scheduler, self, &in_region(&self.config, region))
    }

    /// A client for the state table, with the timeouts of a commit; in the process's own Region unless another is given.
    #[must_use]
    pub fn dynamodb(&self, region: Option<&str>) -> aws_sdk_dynamodb::Client {
        let config = in_region(&self.config, region.unwrap_or_else(|| self.region()));
        let config = config.into_builder().timeout_config(prompt()).build();
        client!(aws_sdk_dynamodb, self, &config)
    }
}

/// The Region of an unknown partition.
pub const GLOBAL_REGION: &str = "us-east-1";

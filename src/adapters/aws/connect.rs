//! Opening a connection to a service ahead of the first call that needs it.

use aws_config::retry::RetryConfig;
use aws_sdk_route53::config::interceptors::BeforeTransmitInterceptorContextMut;
use aws_sdk_route53::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_route53::error::BoxError;

use super::prompt;

/// Takes the signature from a call. The service refuses it at once, whatever it asks for: no right is needed, nothing is read,
/// and none of the account's rate limits is spent. The connection stays open.
#[derive(Debug)]
struct Unsigned;

impl Intercept for Unsigned {
    fn name(&self) -> &'static str {
        "repoint only connects"
    }

    fn modify_before_transmit(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _runtime_components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let headers = context.request_mut().headers_mut();
        for name in ["authorization", "x-amz-security-token"] {
            headers.remove(name);
        }
        Ok(())
    }
}

/// Connects by a call of that service.
macro_rules! connect {
    ($service:ident, $call:expr) => {{
        let once =
            $service::config::Builder::new().timeout_config(prompt()).retry_config(RetryConfig::disabled());
        drop($call.customize().config_override(once).interceptor(Unsigned).send().await);
    }};
}

/// Connects to Elastic Load Balancing.
pub async fn elbv2(client: &aws_sdk_elasticloadbalancingv2::Client) {
    connect!(aws_sdk_elasticloadbalancingv2, client.describe_target_health());
}

/// Connects to Route 53.
pub async fn route53(client: &aws_sdk_route53::Client) {
    connect!(aws_sdk_route53, client.list_resource_record_sets().hosted_zone_id("Z"));
}

/// Connects to EC2.
#[cfg(feature = "ec2")]
pub async fn ec2(client: &aws_sdk_ec2::Client) {
    connect!(aws_sdk_ec2, client.describe_instances());
}

/// Connects to SNS.
pub async fn sns(client: &aws_sdk_sns::Client) {
    connect!(aws_sdk_sns, client.get_topic_attributes());
}

/// Connects to `DynamoDB`.
pub async fn dynamodb(client: &aws_sdk_dynamodb::Client, table: &str) {
    connect!(aws_sdk_dynamodb, client.get_item().table_name(table));
}

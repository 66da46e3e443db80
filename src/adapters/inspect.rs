//! What doctor reads of AWS beyond what passes read: the settings around the endpoints. Nothing is written or judged here.
//!
//! Each read is a fact of its own: a call that is refused, throttled or not answered is the failure of that fact alone
//! (invariant 2). Each request has its token before it is sent (invariant 10).

#![expect(
    clippy::redundant_closure_for_method_calls,
    reason = "the paths of the SDK's types are longer than what they say"
)]

/// Sends a request, once it has its token, and counts it.
macro_rules! send {
    ($inspect:expr, $key:expr, $action:expr, $resource:expr, $request:expr) => {{
        let key = $key;
        let _token = $inspect.calls.read(&key).await;
        $request
            .customize()
            .interceptor($crate::adapters::aws::Call::new(&$inspect.calls, $action).on(&key))
            .send()
            .await
            .map_err(|error| $crate::adapters::aws::failure($action, $resource, &error))
    }};
}

/// Sends a request again and again, until there is no next page, and collects what the pages list. The names are those of
/// the page's token in the request and in the answer, and of its list.
macro_rules! pages {
    ($inspect:expr, $key:expr, $action:expr, $resource:expr, $request:expr, $set:ident, $next:ident, $items:ident) => {{
        let mut items = Vec::new();
        let mut next: Option<String> = None;
        loop {
            let page = send!($inspect, $key, $action, $resource, $request.$set(next.clone()))?;
            items.extend(page.$items().iter().cloned());
            let following = page.$next().filter(|token| !token.is_empty()).map(str::to_owned);
            if following.is_none() {
                break items;
            }
            if following == next {
                return Err($crate::adapters::inspect::invalid(
                    $action,
                    $resource,
                    "a page that ends where it began",
                ));
            }
            next = following;
        }
    }};
}

mod dynamodb;
#[cfg(feature = "ec2")]
mod ec2;
mod elbv2;
mod lambda;
mod network;
mod route53;
mod scheduler;
mod sns;

use super::aws::Access;
use crate::limits::Calls;
pub use network::Wanted;
use repoint_domain::rates::RateKey;
use repoint_domain::values::failure::{Failure, Kind};

/// Reads in one Region, under one role or with the process's own credentials.
pub struct Inspect {
    region: String,
    calls: Calls,
    elbv2: aws_sdk_elasticloadbalancingv2::Client,
    #[cfg(feature = "ec2")]
    ec2: aws_sdk_ec2::Client,
    route53: aws_sdk_route53::Client,
    sns: aws_sdk_sns::Client,
    lambda: aws_sdk_lambda::Client,
    scheduler: aws_sdk_scheduler::Client,
    dynamodb: aws_sdk_dynamodb::Client,
}

impl Inspect {
    /// In this Region, with this access; counts requests in `calls`.
    #[must_use]
    pub fn new(access: &Access, region: &str, calls: Calls) -> Self {
        Self {
            region: region.to_owned(),
            calls,
            elbv2: access.elbv2(region),
            #[cfg(feature = "ec2")]
            ec2: access.ec2(region),
            route53: access.route53(),
            sns: access.sns(region),
            lambda: access.lambda(region),
            scheduler: access.scheduler(region),
            dynamodb: access.dynamodb(Some(region)),
        }
    }

    fn settings_key(&self) -> RateKey {
        RateKey::Settings(self.region.clone())
    }

    fn elb_key(&self) -> RateKey {
        RateKey::ElbRead(self.region.clone())
    }
}

/// What AWS has answered makes no sense.
fn invalid(action: &str, resource: &str, message: &str) -> Failure {
    Failure::new(Kind::Invalid, action, resource, message)
}

/// What AWS has not listed.
fn not_listed(action: &str, resource: &str) -> Failure {
    Failure::new(Kind::NotFound, action, resource, "the answer does not list it")
        .with_hint(super::aws::refusal::missing(resource))
}

/// A number of an answer; AWS sends none that is negative.
fn number(number: Option<i32>) -> u32 {
    number.and_then(|number| u32::try_from(number).ok()).unwrap_or_default()
}

/// A port of an answer.
fn port(port: Option<i32>) -> Option<u16> {
    port.and_then(|port| u16::try_from(port).ok())
}

/// A text of an answer.
fn text(text: Option<&str>) -> String {
    text.unwrap_or_default().to_owned()
}

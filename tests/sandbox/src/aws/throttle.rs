//! Token buckets per account, as AWS throttles its APIs.
//!
//! A refused call takes no token; a bucket refills by time alone.
//! Sources: ELB "API throttling" (40, +10/s for `Describe*`), Route 53 "Throttling" (50, +10/s for the account).

use std::collections::BTreeMap;

use super::error::AwsError;
use super::service::Service;
use crate::Millis;

/// Which calls share a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bucket {
    /// `Describe*` of Elastic Load Balancing.
    ElbRead,
    /// The calls of Elastic Load Balancing that change something.
    ElbWrite,
    /// All of Route 53.
    Route53,
    /// All of EC2.
    Ec2,
    /// All of SNS.
    Sns,
    /// All of DynamoDB.
    DynamoDb,
}

/// The size of a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Calls at once after a pause.
    pub burst: u32,
    /// Calls per second in the long run.
    pub per_second: u32,
}

#[derive(Clone, Copy, Debug)]
struct Level {
    rate: Rate,
    /// Thousandths of a token: one per millisecond for each call per second.
    milli_tokens: u64,
    at: Millis,
}

/// The account's buckets. A bucket that is not set never refuses.
#[derive(Clone, Debug)]
pub struct Throttle {
    levels: BTreeMap<Bucket, Level>,
}

impl Default for Throttle {
    fn default() -> Self {
        let mut throttle = Self::unlimited();
        throttle.set(Bucket::ElbRead, Some(Rate { burst: 40, per_second: 10 }));
        // AWS's table for these was not readable. Its own controller keeps to this for RegisterTargets and
        // DeregisterTargets together (aws-load-balancer-controller, `pkg/aws/throttle/defaults.go`).
        throttle.set(Bucket::ElbWrite, Some(Rate { burst: 20, per_second: 4 }));
        throttle.set(Bucket::Route53, Some(Rate { burst: 50, per_second: 10 }));
        throttle
    }
}

impl Throttle {
    /// An account that is never refused.
    #[must_use]
    pub fn unlimited() -> Self {
        Self { levels: BTreeMap::new() }
    }

    /// Sets a bucket, full; `None` takes the limit away.
    pub fn set(&mut self, bucket: Bucket, rate: Option<Rate>) {
        match rate {
            Some(rate) => {
                let milli_tokens = u64::from(rate.burst) * 1000;
                self.levels.insert(bucket, Level { rate, milli_tokens, at: 0 });
            }
            None => drop(self.levels.remove(&bucket)),
        }
    }

    /// Takes a token, or says no.
    pub fn take(&mut self, bucket: Bucket, now: Millis) -> bool {
        let Some(level) = self.levels.get_mut(&bucket) else { return true };
        let refill = now.saturating_sub(level.at).saturating_mul(u64::from(level.rate.per_second));
        level.at = level.at.max(now);
        level.milli_tokens = (level.milli_tokens + refill).min(u64::from(level.rate.burst) * 1000);
        let granted = level.milli_tokens >= 1000;
        if granted {
            level.milli_tokens -= 1000;
        }
        granted
    }
}

/// How each service words it.
pub(super) fn refusal(service: Service) -> AwsError {
    match service {
        Service::Route53 | Service::Sns => AwsError::new("Throttling", "Rate exceeded"),
        Service::Ec2 => AwsError::new("RequestLimitExceeded", "Request limit exceeded.").with_status(503),
        Service::Elbv2 | Service::DynamoDb => AwsError::new("ThrottlingException", "Rate exceeded"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn granted(throttle: &mut Throttle, now: Millis, calls: usize) -> usize {
        (0..calls).filter(|_| throttle.take(Bucket::Route53, now)).count()
    }

    #[test]
    fn a_burst_then_the_refill() {
        let mut throttle = Throttle::default();
        assert_eq!(granted(&mut throttle, 0, 60), 50);
        assert_eq!(granted(&mut throttle, 99, 5), 0, "a token takes 100 ms");
        assert_eq!(granted(&mut throttle, 100, 5), 1);
        assert_eq!(granted(&mut throttle, 1_100, 60), 10);
        assert_eq!(granted(&mut throttle, 1_000_000, 60), 50, "no more than the burst is saved");
    }

    #[test]
    fn buckets_are_separate_and_may_be_taken_away() {
        let mut throttle = Throttle::default();
        assert_eq!(granted(&mut throttle, 0, 60), 50);
        assert!(throttle.take(Bucket::ElbRead, 0));
        throttle.set(Bucket::Route53, None);
        assert_eq!(granted(&mut throttle, 0, 60), 60);
    }
}

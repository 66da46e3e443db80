//! The services, and what the model has to know about each operation.
//!
//! An operation is named as IAM names it (Service Authorization Reference).

use super::throttle::Bucket;

/// An AWS service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Service {
    /// Elastic Load Balancing, version 2.
    Elbv2,
    /// Route 53.
    Route53,
    /// EC2.
    Ec2,
    /// SNS.
    Sns,
    /// DynamoDB.
    DynamoDb,
}

/// An operation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Operation {
    pub(super) service: Service,
    pub(super) action: &'static str,
    pub(super) bucket: Bucket,
}

impl Operation {
    pub(super) const fn elb_read(action: &'static str) -> Self {
        Self { service: Service::Elbv2, action, bucket: Bucket::ElbRead }
    }

    pub(super) const fn elb_write(action: &'static str) -> Self {
        Self { service: Service::Elbv2, action, bucket: Bucket::ElbWrite }
    }

    pub(super) const fn route53(action: &'static str) -> Self {
        Self { service: Service::Route53, action, bucket: Bucket::Route53 }
    }

    pub(super) const fn ec2(action: &'static str) -> Self {
        Self { service: Service::Ec2, action, bucket: Bucket::Ec2 }
    }

    pub(super) const fn sns(action: &'static str) -> Self {
        Self { service: Service::Sns, action, bucket: Bucket::Sns }
    }

    pub(super) const fn dynamodb(action: &'static str) -> Self {
        Self { service: Service::DynamoDb, action, bucket: Bucket::DynamoDb }
    }
}

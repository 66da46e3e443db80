//! What IAM has to allow for a call: in which statement, and on which resource.
//!
//! One table for the policy that `repoint iam` prints ([`config`](crate::config)) and for the statement that a hint names
//! ([`adapters`](crate::adapters)). Source: Service Authorization Reference, "Actions" and "Resource types" of each service.

/// The IAM actions that repoint calls with its own credentials or with those of a role.
pub const ACTIONS: [&str; 13] = [
    "elasticloadbalancing:DescribeTargetHealth",
    "elasticloadbalancing:DescribeTargetGroups",
    "elasticloadbalancing:DescribeListeners",
    "elasticloadbalancing:RegisterTargets",
    "elasticloadbalancing:DeregisterTargets",
    "elasticloadbalancing:ModifyListener",
    "route53:ListResourceRecordSets",
    "route53:ChangeResourceRecordSets",
    "route53:GetChange",
    "ec2:DescribeInstances",
    "sns:Publish",
    "dynamodb:GetItem",
    "dynamodb:PutItem",
];

/// What a call needs to be allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permission {
    /// The `Sid` of the statement.
    pub statement: String,
    /// The resource that the action is allowed on; `*` for actions without resources.
    pub resource: String,
    /// Whether it is doctor alone that makes the call.
    pub is_for_doctor: bool,
}

/// What a call needs. `resource` is an ARN, or a hosted zone, optionally with a record; hosted zones have no ARN in the
/// configuration, so the partition is needed. `None` for a call that repoint never makes.
#[must_use]
pub fn needed(action: &str, resource: &str, partition: &str) -> Option<Permission> {
    let zone = || resource.split('/').next().unwrap_or_default();
    let zone_arn = || format!("arn:{partition}:route53:::hostedzone/{}", zone());
    if let Some((statement, resource)) = for_doctor(action, resource, partition, zone_arn) {
        return Some(Permission { statement: statement.to_owned(), resource, is_for_doctor: true });
    }
    let (statement, resource) = match action {
        "elasticloadbalancing:DescribeTargetHealth"
        | "elasticloadbalancing:DescribeTargetGroups"
        | "elasticloadbalancing:DescribeListeners" => ("ReadTargetGroups", "*".to_owned()),
        "ec2:DescribeInstances" => ("ReadInstances", "*".to_owned()),
        "elasticloadbalancing:RegisterTargets" | "elasticloadbalancing:DeregisterTargets" => {
            ("MoveTargets", resource.to_owned())
        }
        "elasticloadbalancing:ModifyListener" => ("MoveWeights", resource.to_owned()),
        "route53:ListResourceRecordSets" => ("ReadRecords", zone_arn()),
        "route53:ChangeResourceRecordSets" => {
            // The allowed changes differ between zones.
            let statement = format!("MoveRecords{}", zone());
            return Some(Permission { statement, resource: zone_arn(), is_for_doctor: false });
        }
        // The ARN of a change does not contain its zone.
        "route53:GetChange" => ("ReadRecordChanges", format!("arn:{partition}:route53:::change/*")),
        "sts:AssumeRole" => ("AssumeRoles", resource.to_owned()),
        "sns:Publish" => ("PublishAlerts", resource.to_owned()),
        "dynamodb:GetItem" | "dynamodb:PutItem" => ("ReadWriteState", resource.to_owned()),
        _ => return None,
    };
    Some(Permission { statement: statement.to_owned(), resource, is_for_doctor: false })
}

/// What only doctor calls, so that a policy for passes has none of it.
fn for_doctor(
    action: &str,
    resource: &str,
    partition: &str,
    zone_arn: impl Fn() -> String,
) -> Option<(&'static str, String)> {
    Some(match action {
        "elasticloadbalancing:DescribeTargetGroupAttributes"
        | "elasticloadbalancing:DescribeLoadBalancers"
        | "elasticloadbalancing:DescribeLoadBalancerAttributes"
        | "elasticloadbalancing:DescribeListenerAttributes" => ("ReadLoadBalancers", "*".to_owned()),
        "ec2:DescribeSecurityGroups"
        | "ec2:DescribeSubnets"
        | "ec2:DescribeRouteTables"
        | "ec2:DescribeVpcEndpoints" => ("ReadNetwork", "*".to_owned()),
        "route53:GetHostedZone" => ("ReadZones", zone_arn()),
        // A record set may have another health check than the configured one.
        "route53:GetHealthCheck" => ("ReadHealthChecks", format!("arn:{partition}:route53:::healthcheck/*")),
        "sns:GetTopicAttributes" | "sns:ListSubscriptionsByTopic" => ("ReadTopics", resource.to_owned()),
        "sns:GetSubscriptionAttributes" => ("ReadSubscriptions", "*".to_owned()),
        "lambda:GetFunctionConfiguration"
        | "lambda:GetFunctionConcurrency"
        | "lambda:GetFunctionEventInvokeConfig" => ("ReadFunction", resource.to_owned()),
        "scheduler:ListSchedules" => ("ListSchedules", "*".to_owned()),
        "scheduler:GetSchedule" => ("ReadSchedules", resource.to_owned()),
        "dynamodb:DescribeTable" => ("ReadTable", resource.to_owned()),
        _ => return None,
    })
}

//! What IAM has to allow for a call: in which statement, and on which resource.
//!
//! Law: one table for the policy that `repoint iam` prints and for what a refusal says is missing.
//! Source: Service Authorization Reference, "Actions" and "Resource types" of each service.

/// What a call needs to be allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permission {
    /// The `Sid` of the statement.
    pub statement: String,
    /// What it allows the action on; `*` for actions that know no resource.
    pub resource: String,
}

/// What a call needs; `resource` is an ARN, or a hosted zone with perhaps a record behind it. Hosted zones have no ARN in
/// the configuration, so the partition must be said. `None` for what repoint never calls.
#[must_use]
pub fn needed(action: &str, resource: &str, partition: &str) -> Option<Permission> {
    let zone = || resource.split('/').next().unwrap_or_default();
    let zone_arn = || format!("arn:{partition}:route53:::hostedzone/{}", zone());
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
            // What may be done differs from zone to zone.
            let statement = format!("MoveRecords{}", zone());
            return Some(Permission { statement, resource: zone_arn() });
        }
        // A change has no zone in its name.
        "route53:GetChange" => ("ReadRecordChanges", format!("arn:{partition}:route53:::change/*")),
        "sts:AssumeRole" => ("AssumeRoles", resource.to_owned()),
        "sns:Publish" => ("PublishAlerts", resource.to_owned()),
        "dynamodb:GetItem" | "dynamodb:PutItem" => ("ReadWriteState", resource.to_owned()),
        _ => return None,
    };
    Some(Permission { statement: statement.to_owned(), resource })
}

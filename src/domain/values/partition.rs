//! Partitions of AWS: `aws`, `aws-cn`, `aws-us-gov` and others, each with its own IAM.
//!
//! Fact: credentials of one partition are not valid in another one, and no role can be assumed across (AWS Fault Isolation
//! Boundaries, "Partitions"). So everything in one configuration is of one partition.
//! Source of the Regions: the endpoint rules of AWS's SDKs (`partitions.json`, `regionRegex` and `implicitGlobalRegion`).

/// The partition that is meant where nothing names another one.
pub const USUAL: &str = "aws";

/// By what the Regions of a partition begin with; the longer beginnings first.
const REGIONS: [(&str, &str); 16] = [
    ("us-gov-", "aws-us-gov"),
    ("us-isob-", "aws-iso-b"),
    ("us-isof-", "aws-iso-f"),
    ("us-iso-", "aws-iso"),
    ("eu-isoe-", "aws-iso-e"),
    ("eusc-", "aws-eusc"),
    ("cn-", "aws-cn"),
    ("us-", "aws"),
    ("eu-", "aws"),
    ("ap-", "aws"),
    ("sa-", "aws"),
    ("ca-", "aws"),
    ("me-", "aws"),
    ("af-", "aws"),
    ("il-", "aws"),
    ("mx-", "aws"),
];

/// The partition that a Region belongs to, if it is one that is known.
#[must_use]
pub fn of_region(region: &str) -> Option<&'static str> {
    REGIONS.iter().find(|(start, _)| region.starts_with(start)).map(|(_, partition)| *partition)
}

/// The Region for which calls of services without Regions are signed, such as Route 53's.
#[must_use]
pub fn global_region(partition: &str) -> Option<&'static str> {
    match partition {
        "aws" => Some("us-east-1"),
        "aws-cn" => Some("cn-northwest-1"),
        "aws-us-gov" => Some("us-gov-west-1"),
        "aws-eusc" => Some("eusc-de-east-1"),
        "aws-iso" => Some("us-iso-east-1"),
        "aws-iso-b" => Some("us-isob-east-1"),
        "aws-iso-e" => Some("eu-isoe-west-1"),
        "aws-iso-f" => Some("us-isof-south-1"),
        _ => None,
    }
}

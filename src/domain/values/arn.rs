//! Amazon Resource Names (`arn:partition:service:region:account:resource`) and the ids of EC2 resources.
//!
//! An ARN is checked once, when it is read. Code that has one may rely on its parts.

use std::fmt;

use serde::Serialize;

use crate::values::cluster::name;

/// Why a text is not the ARN that is needed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ArnError {
    /// Not the six parts of an ARN; what one looks like.
    #[error("it is not an ARN, for example {0}")]
    NotAnArn(&'static str),
    /// An ARN of another service or resource; what was expected, and what that looks like.
    #[error("it is not the ARN of {0}, for example {1}")]
    Other(&'static str, &'static str),
    /// A FIFO topic.
    #[error("it is a FIFO topic, which delivers to SQS queues only; give a standard topic")]
    Fifo,
}

/// An ARN in its parts: partition, service, Region, account, resource.
fn arn_parts<'a>(text: &'a str, example: &'static str) -> Result<[&'a str; 5], ArnError> {
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    match parts[..] {
        ["arn", partition, service, region, account, resource]
            if partition.starts_with("aws")
                && !region.is_empty()
                && account.len() == 12
                && account.bytes().all(|byte| byte.is_ascii_digit())
                && !text.contains(char::is_whitespace) =>
        {
            Ok([partition, service, region, account, resource])
        }
        _ => Err(ArnError::NotAnArn(example)),
    }
}

/// A type for the ARN of one kind of resource; its `parse` is written by hand.
macro_rules! arn {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// The ARN as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// Its Region, in which its calls are made.
            #[must_use]
            pub fn region(&self) -> &str {
                self.0.split(':').nth(3).unwrap_or_default()
            }

            /// Its partition, such as `aws` or `aws-cn`.
            #[must_use]
            pub fn partition(&self) -> &str {
                self.0.split(':').nth(1).unwrap_or_default()
            }

            /// The account that owns it.
            #[must_use]
            pub fn account(&self) -> &str {
                self.0.split(':').nth(4).unwrap_or_default()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

arn! {
    /// The ARN of a target group, checked.
    GroupArn
}

impl GroupArn {
    const EXAMPLE: &str =
        "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/pg-writer/057ddce98af07a33";

    /// Checks the form of the ARN; whether the group exists is AWS's to say.
    ///
    /// # Errors
    /// Says what it should look like.
    pub fn parse(text: &str) -> Result<Self, ArnError> {
        let [_, service, _, _, resource] = arn_parts(text, Self::EXAMPLE)?;
        let is_group = match resource.split('/').collect::<Vec<_>>()[..] {
            ["targetgroup", name, id] => !name.is_empty() && !id.is_empty(),
            _ => false,
        };
        if service == "elasticloadbalancing" && is_group {
            Ok(Self(text.to_owned()))
        } else {
            Err(ArnError::Other("a target group", Self::EXAMPLE))
        }
    }

    /// The group's name, as the AWS console shows it.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.split('/').nth(1).unwrap_or_default()
    }
}

arn! {
    /// The ARN of a Network Load Balancer's listener, checked.
    ListenerArn
}

impl ListenerArn {
    const EXAMPLE: &str = "arn:aws:elasticloadbalancing:us-east-1:123456789012:listener/net/pg/50dc6c495c0c9188/f2f7dc8efc522ab2";

    /// Checks the form of the ARN; whether the listener exists is AWS's to say.
    ///
    /// # Errors
    /// Says what it should look like.
    pub fn parse(text: &str) -> Result<Self, ArnError> {
        let [_, service, _, _, resource] = arn_parts(text, Self::EXAMPLE)?;
        let is_listener = match resource.split('/').collect::<Vec<_>>()[..] {
            ["listener", "net", balancer, balancer_id, id] => {
                [balancer, balancer_id, id].iter().all(|part| !part.is_empty())
            }
            _ => false,
        };
        if service == "elasticloadbalancing" && is_listener {
            Ok(Self(text.to_owned()))
        } else {
            Err(ArnError::Other("a Network Load Balancer's listener", Self::EXAMPLE))
        }
    }

    /// The name of its load balancer and its own id: a load balancer may have several listeners.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}/{}", self.balancer(), self.0.split('/').nth(4).unwrap_or_default())
    }

    /// The name of its load balancer.
    #[must_use]
    pub fn balancer(&self) -> &str {
        self.0.split('/').nth(2).unwrap_or_default()
    }
}

arn! {
    /// The ARN of an IAM role, checked.
    RoleArn
}

impl RoleArn {
    const EXAMPLE: &str = "arn:aws:iam::123456789012:role/repoint-dns";

    /// Checks the form of the ARN; whether the role exists is for STS to say.
    ///
    /// # Errors
    /// Says what it should look like.
    pub fn parse(text: &str) -> Result<Self, ArnError> {
        let parts: Vec<&str> = text.splitn(6, ':').collect();
        let is_arn =
            text.len() <= LONGEST_ARN && !text.contains(|c: char| c.is_whitespace() || c.is_control());
        let ["arn", partition, service, region, account, resource] = parts[..] else {
            return Err(ArnError::NotAnArn(Self::EXAMPLE));
        };
        let is_account = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
        if !is_arn || !partition.starts_with("aws") {
            return Err(ArnError::NotAnArn(Self::EXAMPLE));
        }
        let has_name =
            resource.strip_prefix("role/").is_some_and(|path| !path.is_empty() && !path.ends_with('/'));
        if service == "iam" && region.is_empty() && is_account && has_name {
            Ok(Self(text.to_owned()))
        } else {
            Err(ArnError::Other("an IAM role", Self::EXAMPLE))
        }
    }
}

/// The longest ARN that `AssumeRole` takes (STS API, `AssumeRole`, `RoleArn`).
const LONGEST_ARN: usize = 2048;

arn! {
    /// The ARN of an SNS topic, checked.
    TopicArn
}

impl TopicArn {
    const EXAMPLE: &str = "arn:aws:sns:us-east-1:123456789012:db-alerts";

    /// Checks the form of the ARN.
    ///
    /// # Errors
    /// Says what it should look like. A FIFO topic is refused: it delivers to SQS only.
    pub fn parse(text: &str) -> Result<Self, ArnError> {
        let [_, service, _, _, resource] = arn_parts(text, Self::EXAMPLE)?;
        if service != "sns" || resource.is_empty() || resource.contains(':') {
            return Err(ArnError::Other("an SNS topic", Self::EXAMPLE));
        }
        if resource.to_ascii_lowercase().ends_with(".fifo") {
            return Err(ArnError::Fifo);
        }
        Ok(Self(text.to_owned()))
    }
}

name! {
    /// An EC2 instance id.
    InstanceId
}

name! {
    /// The id of a VPC.
    VpcId
}

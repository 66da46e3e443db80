//! Amazon Resource Names, as far as repoint is given some: `arn:partition:service:region:account:resource`.
//!
//! Law: an ARN is checked once, when it is read; whatever holds one may take it apart.

/// Why a text is not the ARN that is needed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ArnError {
    /// Not the six parts of an ARN; what one looks like.
    #[error("it is no ARN; one looks like {0}")]
    NotAnArn(&'static str),
    /// An ARN of another service or resource; what was expected, and what that looks like.
    #[error("it is not the ARN of {0}, which looks like {1}")]
    Other(&'static str, &'static str),
    /// A FIFO topic.
    #[error("a FIFO topic only feeds queues, so nobody would be woken; give a standard topic")]
    Fifo,
}

/// An ARN in its parts: partition, service, Region, account, resource.
pub(super) fn arn_parts<'a>(text: &'a str, example: &'static str) -> Result<[&'a str; 5], ArnError> {
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

/// The ARN of something, whose `parse` it has to bring along.
macro_rules! arn {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, ::serde::Serialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// The ARN as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// The Region in which it lives, and in which it must be written.
            #[must_use]
            pub fn region(&self) -> &str {
                self.0.split(':').nth(3).unwrap_or_default()
            }

            /// `aws`; in China and elsewhere another one.
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

        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}
pub(super) use arn;

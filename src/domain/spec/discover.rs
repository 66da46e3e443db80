//! Where members may be found that no configuration names.
//!
//! What is found are *seeds*: they are asked, and the members' own answers decide who belongs to the cluster.

use std::fmt;

use crate::values::assume::AssumedRole;

/// The tag that an Auto Scaling group gives to its instances (Auto Scaling User Guide, "Tag lifecycle").
const OF_AUTO_SCALING: &str = "aws:autoscaling:groupName";

/// Where members of a site may be found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Discover {
    /// What is looked up.
    pub source: Source,
    /// The port of the REST API; SRV records have their own.
    pub port: u16,
    /// Whether the REST API is asked over TLS.
    pub is_https: bool,
}

/// What is looked up.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// The running EC2 instances that have a tag.
    Instances {
        /// Which tag, with its value.
        tag: Tag,
        /// In which Region; absent: the process's own.
        region: Option<String>,
        /// The role that is assumed for the call; absent: the process's own credentials.
        assume: Option<AssumedRole>,
    },
    /// The addresses of a name.
    Addresses(String),
    /// The hosts and ports of the SRV records of a name.
    Service(String),
}

/// A tag of instances.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tag {
    /// Its key.
    pub key: String,
    /// Its value.
    pub value: String,
}

impl Tag {
    /// The one that the instances of an Auto Scaling group have.
    #[must_use]
    pub fn of_group(name: &str) -> Self {
        Self { key: OF_AUTO_SCALING.to_owned(), value: name.to_owned() }
    }

    /// The Auto Scaling group, if this is the tag of one.
    #[must_use]
    pub fn group(&self) -> Option<&str> {
        (self.key == OF_AUTO_SCALING).then_some(&self.value)
    }
}

impl Source {
    /// The role that is assumed for its calls.
    #[must_use]
    pub fn role(&self) -> Option<&AssumedRole> {
        match self {
            Self::Instances { assume, .. } => assume.as_ref(),
            Self::Addresses(_) | Self::Service(_) => None,
        }
    }

    /// Whether it says of every address if a machine that runs has it. DNS does not: it may leave out what is not healthy.
    #[must_use]
    pub fn lists_all(&self) -> bool {
        matches!(self, Self::Instances { .. })
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Instances { tag, region, .. } => {
                match tag.group() {
                    Some(group) => write!(f, "instances of the Auto Scaling group `{group}`")?,
                    None => write!(f, "instances with the tag `{}` = `{}`", tag.key, tag.value)?,
                }
                region.as_ref().map_or(Ok(()), |region| write!(f, " in {region}"))
            }
            Self::Addresses(name) => write!(f, "`{name}`"),
            Self::Service(name) => write!(f, "the SRV records of `{name}`"),
        }
    }
}

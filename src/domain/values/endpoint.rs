//! What clients connect through: the list of kinds of endpoints.

use std::fmt;

use serde::Serialize;

use crate::values::arn::{GroupArn, ListenerArn};
use crate::values::haproxy::BackendKey;
use crate::values::record::RecordKey;

/// One endpoint that repoint moves.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Endpoint {
    /// A target group.
    Group(GroupArn),
    /// A listener.
    Listener(ListenerArn),
    /// A record set.
    Record(RecordKey),
    /// A backend of HAProxy.
    Backend(BackendKey),
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Group(arn) => arn.fmt(f),
            Self::Listener(arn) => arn.fmt(f),
            Self::Record(key) => key.fmt(f),
            Self::Backend(key) => key.fmt(f),
        }
    }
}

impl Serialize for Endpoint {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

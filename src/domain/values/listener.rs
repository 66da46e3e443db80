//! Listeners of Network Load Balancers, which share connections out among target groups by weight.
//!
//! Law: what stands in a listener beside the weights of our groups is somebody else's, and is kept as it was read.

use std::collections::BTreeMap;
use std::fmt;

use crate::values::arn::{ArnError, arn, arn_parts};
use crate::values::endpoint::GroupArn;

/// The weight of the primary's group, in 0 to 999 (`TargetGroupTuple`, `Weight`). Since the others have 0, any would do.
pub const ALL: u32 = 100;

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

    /// The name of its load balancer, which people know it by, and its own id: a load balancer may have several.
    #[must_use]
    pub fn name(&self) -> String {
        let mut parts = self.0.split('/').skip(2);
        let balancer = parts.next().unwrap_or_default();
        format!("{balancer}/{}", parts.nth(1).unwrap_or_default())
    }
}

/// What a listener does with a new connection: its default action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listener {
    /// It forwards it to one of some target groups.
    Forward(Forward),
    /// Something else, in words.
    Other(String),
}

/// A forward action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forward {
    /// The groups and the shares that they get: 0 is nothing, and 1 is what AWS takes where none is given.
    pub weights: BTreeMap<GroupArn, u32>,
    /// Whether a client is kept with the group that it got first.
    pub stickiness: Option<Stickiness>,
    /// The action's place among others.
    pub order: Option<i32>,
}

impl fmt::Display for Forward {
    /// The groups that get connections, with their shares where there are several.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let live: Vec<_> = self.weights.iter().filter(|(_, weight)| **weight > 0).collect();
        match live[..] {
            [] => f.write_str("nobody"),
            [(only, _)] => f.write_str(only.name()),
            _ => {
                let shares = live.iter().map(|(group, weight)| format!("{} ({weight})", group.name()));
                f.write_str(&shares.collect::<Vec<_>>().join(" and "))
            }
        }
    }
}

/// `TargetGroupStickinessConfig`, which is carried over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stickiness {
    /// Whether it is on.
    pub enabled: Option<bool>,
    /// For how long, where the load balancer has that.
    pub duration_seconds: Option<i32>,
}

/// A change of weights: the whole action as it was read, and as it is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WeightChange {
    /// Which listener.
    pub listener: ListenerArn,
    /// As it was read.
    pub before: Forward,
    /// As it is to be.
    pub after: Forward,
}

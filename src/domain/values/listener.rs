//! Listeners of Network Load Balancers, which distribute connections among target groups by weight.
//!
//! Invariant 7: what a listener has besides the weights of the configured groups is kept as it was read.

use std::collections::BTreeMap;
use std::fmt;

use crate::values::arn::{GroupArn, ListenerArn};

/// The weight of the primary's group, in 0 to 999 (`TargetGroupTuple`, `Weight`). Since the others have 0, any would do.
pub const ALL: u32 = 100;

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
            [] => f.write_str("none"),
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

//! A cluster that takes the place of another one, as after an upgrade of PostgreSQL.
//!
//! It has the scope of the old one and nothing else of it. The old one runs on, and state has its members; from now on
//! the configuration names the new ones alone, and an operator decides which of the two to follow.

use super::invariants::Invariant;
use super::world::World;
use crate::Millis;
use crate::patroni::{Cluster, Spec};
use crate::transport::urls;
use repoint_domain::report::Outcome;

const SYSTEM: u64 = 7_000_000_000_000_000_007;

impl World {
    /// Starts the new cluster, and configures it.
    pub(super) fn replace(&mut self, now: Millis) {
        if self.replaced.is_some() || self.away.is_some() {
            return;
        }
        let specs = self.cluster.ids().zip(0..).map(|(_, number): (_, u8)| {
            let phase = Millis::from(number) * 450;
            Spec::new(&format!("new{}", number + 1), &format!("172.31.4.{}", 11 + number), phase)
        });
        let settings = self.cluster.settings().clone();
        let new = Cluster::new(self.cluster.scope(), SYSTEM, 1, settings, specs.collect(), now);
        self.resources.spec.sites[0].members = urls(&new);
        self.replaced = Some(std::mem::replace(&mut self.cluster, new));
        self.invariants.forget_members();
    }

    fn is_not_adopted(&self) -> bool {
        let system = self.state.system_id.as_ref();
        self.replaced.is_some() && system.is_none_or(|system| system.as_str() != SYSTEM.to_string())
    }

    /// Whether a pass knows of the old cluster alone: it began before, or no new member answers, and then all nodes may have
    /// been replaced one after the other.
    pub(super) fn knows_the_replaced_alone(&self, by: &str) -> bool {
        self.is_not_adopted() && !self.invariants.answered.contains_key(by)
    }

    /// A pass that a member of the new cluster answered does not go on with the old one. One without required state may not
    /// know that there was another.
    pub(super) fn check_outcome(&mut self, now: Millis, by: &str, outcome: Outcome) {
        let goes_on = matches!(outcome, Outcome::Converged | Outcome::Changed);
        let remembers = self.state.system_id.is_some() && self.invariants.is_fenced;
        if goes_on && remembers && self.is_not_adopted() && self.invariants.answered.contains_key(by) {
            let how = format!("{by} goes on with the cluster that was replaced: {}", outcome.as_str());
            self.invariants.violated(now, Invariant::NeverGuess, how);
        }
    }
}

//! Clones of the cluster, restored from a backup while it runs on.
//!
//! A clone has the scope and the system identifier of its original, and nothing else of it. A request to the address of the
//! stopped member whose place it has taken is answered by the clone.

use std::collections::BTreeMap;

use super::invariants::Invariant;
use super::sites::{Node, Side};
use super::world::World;
use crate::Millis;
use crate::patroni::{Cluster, MemberId, Settings, Spec};

/// So far is a clone ahead of its original: further than the failovers of one run get, so that a reconciler that follows it is recognised.
pub(super) const AHEAD: u32 = 100;

/// The clones, by the member at whose address each answers.
pub type Clones = BTreeMap<MemberId, Cluster>;

impl World {
    /// Starts a clone at the address of a member that is stopped, if the cluster has a leader to be cloned.
    pub(super) fn start_clone(&mut self, now: Millis, member: MemberId) {
        let Some((_, timeline)) = self.cluster.leader() else { return };
        let Some(system_id) = self.cluster.system_id() else { return };
        let original = self.cluster.spec(member);
        let spec = Spec { name: "restored".into(), ..original.clone() };
        let settings = Settings { standby_cluster: false, ..self.cluster.settings().clone() };
        let scope = self.cluster.scope().to_string();
        let clone = Cluster::new(&scope, system_id, timeline + AHEAD, settings, vec![spec], now);
        self.clones.insert(member, clone);
    }

    /// The clone that answers where a member is asked: while that one itself is down.
    #[must_use]
    pub fn clone_at(&self, node: Node) -> Option<&Cluster> {
        let clone = self.clones.get(&node.member).filter(|_| node.side == Side::Home);
        clone.filter(|_| self.cluster.is_down(node.member))
    }

    /// A pass has read the `/cluster` of a real member.
    pub fn answered(&mut self, by: &str, node: Node) {
        let has_others = !self.clones.is_empty() || self.replaced.is_some() || self.copy.is_some();
        if has_others && node.side == Side::Home {
            self.invariants.answered.entry(by.to_owned()).or_default().insert(node.member);
        }
    }

    /// Whether a pass acts for a clone. It must not where another member answers, which does not know it; if none does,
    /// nothing distinguishes the clone from the original.
    pub(super) fn is_fooled(&mut self, now: Millis, by: &str) -> bool {
        let answered = self.invariants.answered.get(by).cloned().unwrap_or_default();
        let Some((system, timeline)) = self.invariants.acts.get(by).cloned() else {
            // Nothing was committed: without `required`, a pass acts without state.
            return answered.is_empty()
                && !self.invariants.is_fenced
                && self.invariants.may_have_seen_a_clone(now);
        };
        if timeline.0 <= AHEAD {
            return false;
        }
        // Members that were set back to another system are another cluster than the one that is known.
        let is_ours = self.cluster.system_id().is_some_and(|its| its.to_string() == system.as_str());
        let observer =
            by.strip_prefix('r').and_then(|rest| rest.split('.').next()?.parse().ok()).unwrap_or(0);
        let answers = |member: &MemberId| {
            is_ours && self.cluster.view(now, *member, observer).is_ok_and(|view| !view.members.is_empty())
        };
        if let Some(member) = answered.iter().find(|member| answers(member)) {
            let how =
                format!("{by} acts for a clone on timeline {timeline}, and {member:?} does not list it");
            self.invariants.violated(now, Invariant::NeverGuess, how);
        }
        true
    }
}

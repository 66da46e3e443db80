//! Nodes that are replaced, and found by their tag alone; and a copy of the cluster whose nodes have the tag as well.

use std::net::Ipv4Addr;

use repoint_domain::spec::{Discover, Source};
use repoint_domain::state::State;
use repoint_domain::values::cluster::Timeline;

use super::clones::AHEAD;
use super::invariants::Invariant;
use super::world::World;
use crate::Millis;
use crate::aws::ec2::InstanceState;
use crate::patroni::{Cluster, MemberId, Settings, Silence, Spec};
use crate::transport::tag;

/// The nodes of the copy.
const COPIES: [&str; 2] = ["172.31.6.11", "172.31.6.12"];

impl World {
    /// From now on no member is configured.
    pub(super) fn discover(&mut self) {
        let site = &mut self.resources.spec.sites[0];
        let source = Source::Instances { tag: tag(), region: None, assume: None };
        site.members.clear();
        site.discover = Some(Discover { source, port: 8008, is_https: false });
    }

    /// A new node joins the cluster.
    pub(super) fn add_node(&mut self, now: Millis) {
        let number = self.cluster.ids().count();
        let host = format!("172.31.1.{}", 11 + number);
        let Some(instance) = self.run_tagged(now, &host) else { return };
        let id = self.cluster.join(now, Spec::new(&format!("pg{}", number + 1), &host, 150));
        self.resources.instances.insert(instance, id);
    }

    /// A node goes for good, if another one has its data.
    pub(super) fn remove_node(&mut self, now: Millis, member: MemberId) {
        let has_data = |other: &MemberId| *other != member && self.cluster.may_be_read_from(*other, 0);
        if !self.cluster.ids().any(|other| has_data(&other)) {
            return;
        }
        // Without a word, as with the end of its machine.
        self.cluster.crash(now, member, Silence::TimedOut);
        self.cluster.leave(now, member);
        let its = self.resources.instances.iter().find(|(_, its)| **its == member);
        if let Some((instance, _)) = its {
            self.account.set_instance_state(now, instance, InstanceState::Terminated);
        }
    }

    /// A copy of the cluster is restored on nodes of its own, whose tags are copied as well.
    pub(super) fn start_copy(&mut self, now: Millis) {
        let Some((_, timeline)) = self.cluster.leader() else { return };
        let Some(system_id) = self.cluster.system_id() else { return };
        // Before anything is known, nothing distinguishes it.
        if self.state.highest_timeline.is_none() || self.copy.is_some() {
            return;
        }
        let specs = COPIES.iter().zip(1..);
        let specs = specs.map(|(host, number)| Spec::new(&format!("copy{number}"), host, 300));
        let settings = Settings { standby_cluster: false, ..self.cluster.settings().clone() };
        let scope = self.cluster.scope().to_string();
        let copy = Cluster::new(&scope, system_id, timeline + AHEAD, settings, specs.collect(), now);
        self.copy = Some(copy);
        for host in COPIES {
            drop(self.run_tagged(now, host));
        }
    }

    fn run_tagged(&mut self, now: Millis, host: &str) -> Option<String> {
        let address: Ipv4Addr = host.parse().ok()?;
        let tags = [(tag().key, tag().value)].into();
        self.account.run_instance(now, address, tags).ok().map(|instance| instance.id)
    }

    /// No state goes from the cluster to its copy.
    pub(super) fn check_copy(&mut self, now: Millis, by: &str, next: &State) {
        let is_ahead = |timeline: Option<Timeline>| timeline.is_some_and(|timeline| timeline.0 > AHEAD);
        let goes_over = is_ahead(next.highest_timeline) && !is_ahead(self.state.highest_timeline);
        if self.copy.is_some() && goes_over && self.clones.is_empty() {
            let how = format!("{by} acts for the copy of the cluster");
            self.invariants.violated(now, Invariant::NeverGuess, how);
        }
    }
}

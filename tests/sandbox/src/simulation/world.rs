//! The simulated world: a cluster, an account, the state, and the checks of what reconcilers do.

use std::collections::BTreeMap;
use std::net::IpAddr;

use repoint_domain::report::Outcome;
use repoint_domain::state::{OutboxMessage, State};
use repoint_domain::values::listener::Forward;
use repoint_domain::values::record::RecordChange;
use repoint_domain::values::target::Target;

use super::clones::Clones;
use super::invariants::Invariants;
use super::sites::{Away, Node, Side, replicate};
use super::stretch::Far;
use crate::Millis;
use crate::aws::Account;
use crate::aws::error::AwsError;
use crate::patroni::{Cluster, MemberId, Spec};
use crate::transport::{FaultRates, Resources, Shape, Table};

/// What a reconciler did to an endpoint.
#[derive(Clone, Debug)]
pub enum Action {
    /// `RegisterTargets`.
    Registered {
        /// The group.
        group: String,
        /// What joined it.
        targets: Vec<Target>,
    },
    /// `DeregisterTargets`.
    Deregistered {
        /// The group.
        group: String,
        /// What left it.
        targets: Vec<Target>,
    },
    /// `ModifyListener`.
    Weighted {
        /// The listener.
        listener: String,
        /// What it did.
        before: Forward,
        /// What it does now.
        after: Forward,
    },
    /// `ChangeResourceRecordSets`.
    Changed(Vec<RecordChange>),
}

/// The member that answers at an address.
pub struct Answering<'a> {
    /// A member of this cluster.
    pub cluster: &'a Cluster,
    /// This one.
    pub member: MemberId,
    /// Its place, unless it is of a clone or of the cluster that was replaced.
    pub node: Option<Node>,
}

/// Everything there is.
pub struct World {
    /// The Patroni cluster; of two, the one in the first site.
    pub cluster: Cluster,
    /// Restored copies of it.
    pub clones: Clones,
    /// The cluster that it has replaced, and which runs on.
    pub replaced: Option<Cluster>,
    /// A copy of it on nodes of its own.
    pub copy: Option<Cluster>,
    /// The AWS account.
    pub account: Account,
    /// What the operators have in it.
    pub resources: Resources,
    /// The second site, if there is one.
    pub away: Option<Away>,
    /// The second Region of a cluster over two.
    pub far: Option<Far>,
    /// The reconcilers' state.
    pub state: State,
    /// Where it is kept, perhaps beside that of others.
    pub table: Table,
    /// The state store does not answer.
    pub is_state_down: bool,
    /// The state can be read, and not written.
    pub is_state_read_only: bool,
    /// Route 53 does not answer.
    pub zones_hang: bool,
    /// How far the clock of each reconciler is ahead; those that are not here are right.
    pub clocks_ahead: BTreeMap<usize, Millis>,
    /// The rates of faults, by reconciler.
    pub fault_rates: Vec<FaultRates>,
    /// Every choice is drawn from here.
    pub rng: fastrand::Rng,
    /// The invariants, and what their checks need of the past.
    pub invariants: Invariants,
    /// What happened, if it is recorded.
    pub event_log: Option<Vec<(Millis, String)>>,
    /// Since when each reconciler has been in a pass.
    pub under_way: Vec<Option<Millis>>,
    /// How the passes of each reconciler ended.
    pub reports: Vec<Vec<(Millis, Outcome)>>,
}

impl World {
    /// A cluster whose first member leads, and what operators have in AWS for it. One reconciler, without faults.
    ///
    /// # Errors
    /// Never: the account is new.
    pub fn new(cluster: Cluster, shape: Shape, seed: u64) -> Result<Self, AwsError> {
        Self::within(Account::default(), cluster, shape, seed)
    }

    /// The same in an account of its own.
    ///
    /// # Errors
    /// Never: the account is new.
    pub fn within(mut account: Account, cluster: Cluster, shape: Shape, seed: u64) -> Result<Self, AwsError> {
        Ok(Self {
            resources: Resources::new(&mut account, &cluster, shape)?,
            cluster,
            clones: Clones::new(),
            replaced: None,
            copy: None,
            account,
            away: None,
            far: None,
            state: State::default(),
            table: Table::default(),
            zones_hang: false,
            is_state_down: false,
            is_state_read_only: false,
            clocks_ahead: BTreeMap::new(),
            fault_rates: vec![FaultRates::NONE],
            rng: fastrand::Rng::with_seed(seed),
            invariants: Invariants::default(),
            event_log: None,
            under_way: vec![None],
            reports: vec![Vec::new()],
        })
    }

    /// Advances the clusters to `now`.
    pub fn advance(&mut self, now: Millis) {
        for side in Side::BOTH {
            let Some(cluster) = self.cluster_mut(side) else { continue };
            cluster.advance(now);
            let events = cluster.take_events();
            for event in events {
                self.note(event.at, || {
                    if side == Side::Home { event.to_string() } else { format!("{side:?}: {event}") }
                });
            }
        }
        if !self.clones.is_empty() || self.copy.is_some() {
            self.invariants.last_clone = Some(now);
        }
        for other in self.clones.values_mut().chain(&mut self.replaced).chain(&mut self.copy) {
            other.advance(now);
            drop(other.take_events());
        }
        replicate(self, now);
        super::invariants::watch(self, now);
    }

    /// The Patroni cluster of a site.
    #[must_use]
    pub fn cluster_of(&self, side: Side) -> Option<&Cluster> {
        match side {
            Side::Home => Some(&self.cluster),
            Side::Away => self.away.as_ref().map(|away| &away.cluster),
        }
    }

    /// The same, to be changed.
    pub fn cluster_mut(&mut self, side: Side) -> Option<&mut Cluster> {
        match side {
            Side::Home => Some(&mut self.cluster),
            Side::Away => self.away.as_mut().map(|away| &mut away.cluster),
        }
    }

    /// The account in a Region.
    pub fn account_in(&mut self, region: &str) -> &mut Account {
        match &mut self.away {
            Some(away) if away.account.region == region => &mut away.account,
            _ => match &mut self.far {
                Some(far) if far.account.region == region => &mut far.account,
                _ => &mut self.account,
            },
        }
    }

    /// The account that a target group or listener is in.
    pub fn account_of(&mut self, arn: &str) -> &mut Account {
        self.account_in(region_of(arn))
    }

    /// What the operators have in the Region of a site.
    #[must_use]
    pub fn resources_of(&self, side: Side) -> Option<&Resources> {
        match side {
            Side::Home => Some(&self.resources),
            Side::Away => self.away.as_ref().map(|away| &away.resources),
        }
    }

    /// The same for the site that a target group or listener is in.
    #[must_use]
    pub fn resources_at(&self, arn: &str) -> (Side, &Resources) {
        match &self.away {
            Some(away) if away.account.region == region_of(arn) => (Side::Away, &away.resources),
            _ => (Side::Home, &self.resources),
        }
    }

    /// Adds a line to the event log.
    pub fn note(&mut self, now: Millis, line: impl FnOnce() -> String) {
        if let Some(event_log) = &mut self.event_log {
            event_log.push((now, line()));
        }
    }

    /// The members that take writes, and on which timeline.
    #[must_use]
    pub fn takes_writes(&self) -> Vec<(Node, u32)> {
        let of = |side| {
            let writers = self.cluster_of(side).map(Cluster::takes_writes).unwrap_or_default();
            writers.into_iter().map(move |(member, timeline)| (Node { side, member }, timeline))
        };
        Side::BOTH.into_iter().flat_map(of).collect()
    }

    /// The primary, if there is exactly one in all and it holds its leader key.
    #[must_use]
    pub fn leader(&self) -> Option<Node> {
        let writers = self.takes_writes();
        let [(only, _)] = writers[..] else { return None };
        self.cluster_of(only.side)?.leader().map(|_| only)
    }

    /// The members of a site.
    #[must_use]
    pub fn nodes_of(&self, side: Side) -> Vec<Node> {
        let members = self.cluster_of(side).into_iter().flat_map(Cluster::ids);
        members.map(|member| Node { side, member }).collect()
    }

    /// Where a member's PostgreSQL listens.
    #[must_use]
    pub fn host_of(&self, node: Node) -> String {
        let cluster = self.cluster_of(node.side);
        cluster.map_or_else(String::new, |cluster| cluster.spec(node.member).postgres.0.to_string())
    }

    /// The member with that address of PostgreSQL.
    #[must_use]
    pub fn member_at(&self, host: &str) -> Option<Node> {
        self.member_that(|spec| *spec.postgres.0 == *host)
    }

    /// The member that answers at that address.
    #[must_use]
    pub fn answering_at(&self, host: &str) -> Option<Answering<'_>> {
        if let Some(node) = self.member_that(|spec| *spec.rest.0 == *host) {
            if let Some(cluster) = self.clone_at(node) {
                return Some(Answering { cluster, member: MemberId(0), node: None });
            }
            let cluster = self.cluster_of(node.side)?;
            return Some(Answering { cluster, member: node.member, node: Some(node) });
        }
        let mut others = self.replaced.iter().chain(&self.copy);
        others.find_map(|cluster| {
            let member = cluster.ids().find(|id| *cluster.spec(*id).rest.0 == *host)?;
            Some(Answering { cluster, member, node: None })
        })
    }

    fn member_that(&self, is_it: impl Fn(&Spec) -> bool) -> Option<Node> {
        Side::BOTH.into_iter().find_map(|side| {
            let cluster = self.cluster_of(side)?;
            let member = cluster.ids().find(|id| is_it(cluster.spec(*id)))?;
            Some(Node { side, member })
        })
    }

    /// The member that a target of a group is: by address, or by an instance of the group's Region.
    #[must_use]
    pub fn member_of(&self, group: &str, target: &str) -> Option<Node> {
        if target.parse::<IpAddr>().is_ok() {
            return self.member_at(target);
        }
        let (side, resources) = self.resources_at(group);
        let member = *resources.instances.get(target)?;
        Some(Node { side, member })
    }

    /// The targets of a group that are not on their way out.
    #[must_use]
    pub fn registered(&self, group: &str) -> Vec<String> {
        let account = match &self.away {
            Some(away) if away.account.region == region_of(group) => &away.account,
            _ => match &self.far {
                Some(far) if far.account.region == region_of(group) => &far.account,
                _ => &self.account,
            },
        };
        account.registered(group).into_iter().map(|target| target.id).collect()
    }

    /// A reconciler has changed an endpoint.
    pub fn done(&mut self, now: Millis, by: &str, action: &Action) {
        self.note(now, || format!("{by}: {action:?}"));
        super::invariants::check_action(self, now, by, action);
    }

    /// A reconciler has saved the state.
    pub fn saved(&mut self, now: Millis, by: &str, next: State) {
        self.note(now, || {
            let lease = next.lease.as_ref().map(|lease| (lease.by.clone(), lease.timeline));
            let notified: Vec<&str> = next.outbox.iter().map(|message| message.subject.as_str()).collect();
            format!(
                "{by}: saved revision {}: timeline {:?}, lease {lease:?}, outbox {notified:?}",
                next.revision, next.highest_timeline
            )
        });
        self.check_copy(now, by, &next);
        if !self.invariants.has_anothers_state {
            super::invariants::check_state(self, now, by, &next);
        }
        self.state = next;
    }

    /// A message has reached the topic.
    pub fn published(&mut self, now: Millis, message: &OutboxMessage) {
        self.note(now, || format!("published: {}", message.subject));
        self.invariants.published(now, message);
    }
}

/// The Region that an ARN names.
fn region_of(arn: &str) -> &str {
    arn.split(':').nth(3).unwrap_or_default()
}

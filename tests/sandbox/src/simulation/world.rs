//! The simulated world: a cluster, an account, memory, and the eyes that watch what reconcilers do to it.

use std::net::IpAddr;

use repoint::domain::endpoint::Target;
use repoint::domain::listener::Forward;
use repoint::domain::memory::{Letter, Memory};
use repoint::domain::record::RecordChange;
use repoint::domain::report::Outcome;

use super::laws::Laws;
use crate::Millis;
use crate::aws::Account;
use crate::aws::error::AwsError;
use crate::door::{Resources, Shape, Weather};
use crate::patroni::{Cluster, MemberId};

/// What a reconciler did to an endpoint.
#[derive(Clone, Debug)]
pub enum Deed {
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

/// Everything there is.
pub struct World {
    /// The Patroni cluster.
    pub cluster: Cluster,
    /// The AWS account.
    pub account: Account,
    /// What the operators have in it.
    pub resources: Resources,
    /// What reconcilers remember.
    pub memory: Memory,
    /// Memory answers nobody.
    pub is_memory_down: bool,
    /// How bad things are, by reconciler.
    pub weather: Vec<Weather>,
    /// Every choice is drawn from here.
    pub rng: fastrand::Rng,
    /// The laws, and what they remember.
    pub laws: Laws,
    /// What happened, if anybody wants to read it.
    pub journal: Option<Vec<(Millis, String)>>,
    /// Since when each reconciler has been in a pass.
    pub under_way: Vec<Option<Millis>>,
    /// How the passes of each reconciler ended.
    pub reports: Vec<Vec<(Millis, Outcome)>>,
}

impl World {
    /// A cluster whose first member leads, and what operators have in AWS for it. One reconciler, in fair weather.
    ///
    /// # Errors
    /// Never: the account is new.
    pub fn new(cluster: Cluster, shape: Shape, seed: u64) -> Result<Self, AwsError> {
        let mut account = Account::default();
        Ok(Self {
            resources: Resources::new(&mut account, &cluster, shape)?,
            cluster,
            account,
            memory: Memory::default(),
            is_memory_down: false,
            weather: vec![Weather::FAIR],
            rng: fastrand::Rng::with_seed(seed),
            laws: Laws::default(),
            journal: None,
            under_way: vec![None],
            reports: vec![Vec::new()],
        })
    }

    /// Lets the cluster live until `now`.
    pub fn advance(&mut self, now: Millis) {
        self.cluster.advance(now);
        self.laws.watch(now, &self.cluster);
        let events = self.cluster.take_events();
        if self.journal.is_some() {
            for event in events {
                self.note(event.at, || event.to_string());
            }
        }
    }

    /// Writes a line into the journal.
    pub fn note(&mut self, now: Millis, line: impl FnOnce() -> String) {
        if let Some(journal) = &mut self.journal {
            journal.push((now, line()));
        }
    }

    /// The member whose node has that address.
    #[must_use]
    pub fn member_at(&self, host: &str) -> Option<MemberId> {
        self.cluster.ids().find(|id| *self.cluster.spec(*id).rest.0 == *host)
    }

    /// The member that a target is: by address, or by instance.
    #[must_use]
    pub fn member_of(&self, target: &str) -> Option<MemberId> {
        match target.parse::<IpAddr>() {
            Ok(_) => self.member_at(target),
            Err(_) => self.resources.instances.get(target).copied(),
        }
    }

    /// The targets of a group that are not on their way out.
    #[must_use]
    pub fn registered(&self, group: &str) -> Vec<String> {
        self.account.registered(group).into_iter().map(|target| target.id).collect()
    }

    /// A reconciler has changed an endpoint.
    pub fn done(&mut self, now: Millis, by: &str, deed: &Deed) {
        self.note(now, || format!("{by}: {deed:?}"));
        super::laws::judge_deed(self, now, by, deed);
    }

    /// A reconciler has saved memory.
    pub fn saved(&mut self, now: Millis, by: &str, next: Memory) {
        self.note(now, || {
            let acting = next.acting.as_ref().map(|acting| (acting.by.clone(), acting.timeline));
            let told: Vec<&str> = next.outbox.iter().map(|letter| letter.subject.as_str()).collect();
            format!(
                "{by}: saved revision {}: timeline {:?}, acting {acting:?}, outbox {told:?}",
                next.revision, next.highest_timeline
            )
        });
        super::laws::judge_memory(self, now, by, &next);
        self.memory = next;
    }

    /// A message has reached the topic.
    pub fn published(&mut self, now: Millis, letter: &Letter) {
        self.note(now, || format!("told: {}", letter.subject));
        self.laws.published(now, letter);
    }
}

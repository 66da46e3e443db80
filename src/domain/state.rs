//! What earlier passes knew of a cluster, and who is acting for it now.
//!
//! Invariant 14: state makes repoint more careful, never bolder. It refuses what is older than what was applied, it keeps
//! two processes from writing at once, and it has what was alerted. It must never name a primary.

mod bounds;
mod changes;
mod condition;
mod drill;
mod kinds;
mod outbox;
mod raw;
mod retargets;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::observed::Answers;
use crate::spec::Spec;
use crate::values::arn::GroupArn;
use crate::values::cluster::{Address, ApiUrl, MemberName, SiteName, SystemId, Timeline};
use crate::values::moves::Move;
use crate::values::primary::{Primary, label};
use crate::values::target::{GroupKind, Target};
use crate::values::timestamp::Timestamp;
pub use bounds::{
    MOST_BYTES, MOST_EVENT_BYTES, MOST_MESSAGE_BYTES, MOST_MESSAGES, MOST_SENTENCE_BYTES, MOST_SUBJECT_BYTES,
    clipped,
};
pub use changes::{LeaderChange, MOST_CHANGES, changes_within};
pub use condition::Condition;
pub use drill::DrillLease;
pub use kinds::{Alerted, ConditionKind, Severity};
pub use raw::{Raw, Unknown};
pub use retargets::{LastMove, Retargets};

/// The state of one cluster; the default is to know nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// How often this was saved. A save replaces the revision just before its own and no other: that is the fence.
    pub revision: u64,
    /// The highest timeline that a process has acted for.
    pub highest_timeline: Option<Timeline>,
    /// The system identifier that timeline belongs to.
    pub system_id: Option<SystemId>,
    /// The endpoints that it is kept for. An entry that has none of them is about another cluster, whatever its name.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub endpoints: BTreeSet<String>,
    /// The primary that endpoints were last seen to follow: all of those whose connections go to the primary and that were
    /// neither held nor failed. The others have a condition of their own.
    pub primary: Option<LastPrimary>,
    /// Who was last seen to lead, and since when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leader: Option<KnownLeader>,
    /// When another one began to lead, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<LeaderChange>,
    /// The site that a process has last acted for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site: Option<SiteName>,
    /// The sites that were left for another, or that claimed to hold the primary while another did: they are not followed
    /// until they have been seen to follow.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub superseded: BTreeSet<SiteName>,
    /// The members as the last primary's cluster listed them, and those before them that the configuration names.
    pub members: KnownMembers,
    /// The same for each site that has a name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub members_of_sites: BTreeMap<SiteName, KnownMembers>,
    /// What never changes of the target groups that hold the primary alone, by ARN.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub group_kinds: BTreeMap<String, GroupKind>,
    /// Who is between its commit and the end of its writes.
    pub lease: Option<Lease>,
    /// A drill that is under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drill: Option<DrillLease>,
    /// What is wrong, since when, and whether it was alerted.
    pub conditions: Vec<Condition>,
    /// The targets of warm groups that belong to no member, and since when.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub surplus: Vec<SurplusTarget>,
    /// How often endpoints were moved, and the last move.
    #[serde(default, skip_serializing_if = "Retargets::is_none")]
    pub retargets: Retargets,
    /// Messages that have yet to be published.
    #[serde(flatten, with = "outbox")]
    pub outbox: Vec<OutboxMessage>,
    /// The number of the last event of the history.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub last_event: u64,
    /// Events that are not stored in the history yet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pending_events: Vec<PendingEvent>,
    /// What a newer version has written and this one does not know: it is kept.
    #[serde(flatten)]
    pub unknown: Unknown,
}

/// Where the members of one site were.
pub type KnownMembers = BTreeMap<MemberName, KnownMember>;

/// The primary that endpoints were last moved to, or found at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastPrimary {
    /// Its site, where the cluster spans several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site: Option<SiteName>,
    /// Its name, where it had one.
    pub member: Option<MemberName>,
    /// Where its PostgreSQL listened.
    pub address: Option<Address>,
    /// Its timeline.
    pub timeline: Timeline,
}

impl LastPrimary {
    /// Its name, in the whole cluster.
    #[must_use]
    pub fn label(&self) -> Option<String> {
        self.member.as_ref().map(|member| label(self.site.as_ref(), member.as_str()))
    }
}

/// The leader that was last seen, whether endpoints follow it or not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownLeader {
    /// Its name, where it had one.
    pub member: Option<MemberName>,
    /// Its timeline.
    pub timeline: Timeline,
    /// Since when it is known to lead; absent where nothing was known of the leader before it.
    pub since: Option<Timestamp>,
}

impl KnownLeader {
    fn is(&self, leader: &Primary) -> bool {
        let is_same_name = self.member.is_none() || leader.member.is_none() || self.member == leader.member;
        self.timeline == leader.timeline && is_same_name
    }
}

/// How long replicas may need until they stream from a new leader and it says so.
const SETTLES_WITHIN_MS: u64 = 30_000;

/// Where a member was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownMember {
    /// Its REST API.
    pub api_url: Option<ApiUrl>,
    /// Its PostgreSQL.
    pub address: Option<Address>,
}

/// A process that has committed and may be writing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// Which one: host and process.
    pub by: String,
    /// The revision of its commit, which tells this act from every other one.
    pub revision: u64,
    /// The timeline that it acts for.
    pub timeline: Timeline,
    /// When it began, by its own clock.
    pub since: Timestamp,
    /// What it is about to move: the process that finishes it alerts that if this one dies.
    pub moves: Option<Move>,
}

/// A target of a warm group that belongs to no member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SurplusTarget {
    /// The ARN of the target group.
    pub group: String,
    /// The target.
    pub target: Target,
    /// Since when.
    pub since: Timestamp,
}

impl SurplusTarget {
    /// Whether it is that target of that group.
    #[must_use]
    pub fn is(&self, group: &str, target: &Target) -> bool {
        self.group == group && self.target == *target
    }
}

/// A message that is to be published once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutboxMessage {
    /// What no other message of this cluster has.
    pub id: String,
    /// The ARN of its topic; absent where it is for the first one in the format `text`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    /// One line of ASCII, under 100 characters.
    pub subject: String,
    /// In the topic's format.
    pub body: String,
    /// For filter policies.
    pub attributes: BTreeMap<String, String>,
    /// Which process is publishing it: no other one does so until that one must have failed.
    pub claimed_by: String,
    /// By the claimant's clock.
    pub claimed_at: Timestamp,
}

/// An event that is to be stored in the history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingEvent {
    /// Its number.
    pub number: u64,
    /// Since when it waits, by the clock of the process that stores it first.
    pub since: Timestamp,
    /// The event as it will be stored: one line of JSON.
    pub json: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants it")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// How much of the endpoints' names is kept, in bytes: some 60 endpoints, and one is enough to tell whose a state is.
const MOST_ENDPOINT_BYTES: usize = 8 * 1024;

impl State {
    /// The next revision, in which `by` acts for `primary`: what is saved before the first write.
    #[must_use]
    pub fn committed(&self, primary: &Primary, moves: Option<&Move>, by: &str, now: Timestamp) -> Self {
        let revision = self.revision + 1;
        let timeline = self.highest_timeline.map_or(primary.timeline, |known| known.max(primary.timeline));
        Self {
            revision,
            leader: self.led_by(primary, now),
            changes: self.changes_with(primary, now),
            highest_timeline: Some(timeline),
            system_id: Some(primary.system_id.clone()),
            lease: Some(Lease {
                by: by.to_owned(),
                revision,
                timeline: primary.timeline,
                since: now,
                moves: moves.cloned(),
            }),
            site: primary.site.clone(),
            superseded: self.superseded_by(primary),
            ..self.clone()
        }
    }

    /// The same, kept for the endpoints that are configured now.
    #[must_use]
    pub fn kept_for(self, spec: &Spec) -> Self {
        let configured: BTreeSet<String> = spec.endpoints().map(|endpoint| endpoint.to_string()).collect();
        let mut bytes = 0;
        let fits = |endpoint: &String| {
            bytes += endpoint.len();
            bytes <= MOST_ENDPOINT_BYTES
        };
        let endpoints: BTreeSet<String> = configured.into_iter().take_while(fits).collect();
        // An entry without endpoints moves nothing, and takes over no state.
        if endpoints.is_empty() { self } else { Self { endpoints, ..self } }
    }

    /// Whether it is kept for endpoints none of which is configured: two configurations share a name and a store.
    #[must_use]
    pub fn is_of_others(&self, spec: &Spec) -> bool {
        let mut configured = spec.endpoints().map(|endpoint| endpoint.to_string()).peekable();
        !self.endpoints.is_empty()
            && configured.peek().is_some()
            && !configured.any(|endpoint| self.endpoints.contains(&endpoint))
    }

    /// Who leads, now that this one is seen to.
    #[must_use]
    pub fn led_by(&self, leader: &Primary, now: Timestamp) -> Option<KnownLeader> {
        if self.leader.as_ref().is_some_and(|known| known.is(leader)) {
            return self.leader.clone();
        }
        let since = self.is_settling(leader, now).then_some(now);
        Some(KnownLeader { member: leader.member.clone(), timeline: leader.timeline, since })
    }

    /// Whether a condition of that kind is open.
    #[must_use]
    pub fn has(&self, kind: ConditionKind) -> bool {
        self.conditions.iter().any(|condition| condition.kind == kind)
    }

    /// Whether this leader has led for so short a time that replicas may still be on their way to it. A time in the future
    /// is that of another clock, or of one that was set back: it counts for no longer than one in the past.
    #[must_use]
    pub fn is_settling(&self, leader: &Primary, now: Timestamp) -> bool {
        match &self.leader {
            Some(known) if known.is(leader) => {
                known.since.is_some_and(|since| since.0.abs_diff(now.0) < SETTLES_WITHIN_MS)
            }
            Some(_) => true,
            // Written by a version that did not remember the leader.
            None => self.highest_timeline.is_some_and(|highest| highest < leader.timeline),
        }
    }

    /// The sites that live apart while this primary is followed: those before, the site that is left for it and those of its
    /// rivals, without those that follow it.
    #[must_use]
    pub fn superseded_by(&self, primary: &Primary) -> BTreeSet<SiteName> {
        let rivals = primary.rivals.iter().filter_map(|rival| rival.site.as_ref());
        let superseded = self.superseded.iter().chain(&self.site).chain(rivals);
        let follows =
            |site: &&SiteName| primary.followers.contains(site) || primary.site.as_ref() == Some(site);
        superseded.filter(|site| !follows(site)).cloned().collect()
    }

    /// The next revision, in which another system identifier, or an older timeline, is accepted as this cluster. An
    /// operator asked for it (`repoint adopt`); open conditions stay open until a pass finds them ended.
    #[must_use]
    pub fn adopted(&self, primary: &Primary) -> Self {
        Self {
            revision: self.revision + 1,
            highest_timeline: Some(primary.timeline),
            system_id: Some(primary.system_id.clone()),
            primary: None,
            site: primary.site.clone(),
            superseded: self.superseded_by(primary),
            members: BTreeMap::new(),
            members_of_sites: BTreeMap::new(),
            ..self.clone()
        }
    }

    /// The members of a site.
    #[must_use]
    pub fn members_of(&self, site: Option<&SiteName>) -> &KnownMembers {
        static NOBODY: KnownMembers = BTreeMap::new();
        site.map_or(&self.members, |site| self.members_of_sites.get(site).unwrap_or(&NOBODY))
    }

    /// The same, to be changed.
    pub fn members_of_mut(&mut self, site: Option<&SiteName>) -> &mut KnownMembers {
        match site {
            Some(site) => self.members_of_sites.entry(site.clone()).or_default(),
            None => &mut self.members,
        }
    }

    /// Where a member's PostgreSQL was, if it still answers at the URL at which it was known.
    #[must_use]
    pub fn address_of(
        &self,
        site: Option<&SiteName>,
        name: &MemberName,
        asked_at: &ApiUrl,
    ) -> Option<&Address> {
        let known = self.members_of(site).get(name)?;
        known.address.as_ref().filter(|_| known.api_url.as_ref() == Some(asked_at))
    }

    /// The member whose REST API was at that URL.
    #[must_use]
    pub fn name_at(&self, site: Option<&SiteName>, url: &ApiUrl) -> Option<&MemberName> {
        let known = self.members_of(site).iter().find(|(_, known)| known.api_url.as_ref() == Some(url));
        known.map(|(name, _)| name)
    }

    /// The REST APIs of a site's members that no answer of this pass has named: the configured ones may all be gone.
    pub fn unasked<'a>(
        &'a self,
        site: Option<&SiteName>,
        answers: &'a Answers,
    ) -> impl Iterator<Item = &'a ApiUrl> {
        let urls = self.members_of(site).values().filter_map(|known| known.api_url.as_ref());
        urls.filter(|url| !answers.contains_key(url))
    }

    /// Whether a target has belonged to no member of the group for so long.
    #[must_use]
    pub fn is_surplus_for(
        &self,
        group: &GroupArn,
        target: &Target,
        milliseconds: u64,
        now: Timestamp,
    ) -> bool {
        let known = self.surplus.iter().find(|known| known.is(group.as_str(), target));
        known.is_some_and(|known| now.since(known.since) >= milliseconds)
    }
}

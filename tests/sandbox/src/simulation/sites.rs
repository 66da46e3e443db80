//! The two sites that a cluster may span, and the replication from one to the other.
//!
//! Each site is a Patroni cluster and a Region of its own. All that they share is WAL, which flows into a standby
//! cluster from the primary of the other site, if there is one and nothing is in the way.

use std::collections::BTreeSet;

use repoint_domain::spec::{PointsTo, Site};
use repoint_domain::values::cluster::SiteName;
use repoint_domain::values::record::{Alias, ZoneId};

use super::World;
use crate::Millis;
use crate::aws::Account;
use crate::aws::elbv2::listener::LoadBalancer;
use crate::aws::error::AwsError;
use crate::aws::route53::batch::{Change, ChangeAction};
use crate::aws::route53::list::ListFrom;
use crate::aws::route53::record::{Answer, Failover};
use crate::patroni::{Cluster, MemberId};
use crate::transport::{NAME, Resources, Shape, their_alias};

/// One of the two sites that a cluster may span.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// The first, or the only one.
    Home,
    /// The second.
    Away,
}

impl Side {
    /// Both.
    pub const BOTH: [Self; 2] = [Self::Home, Self::Away];

    /// The other one.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::Home => Self::Away,
            Self::Away => Self::Home,
        }
    }

    /// Its name in the configuration.
    #[must_use]
    pub fn name(self) -> SiteName {
        SiteName::new(match self {
            Self::Home => "home",
            Self::Away => "away",
        })
    }
}

/// A member of one of the sites.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Node {
    /// Where.
    pub side: Side,
    /// Which one there.
    pub member: MemberId,
}

/// The second site: a Patroni cluster of its own in another Region.
pub struct Away {
    /// The Patroni cluster.
    pub cluster: Cluster,
    /// The account in that Region.
    pub account: Account,
    /// What the operators have in it. Its zone and its topic are not used.
    pub resources: Resources,
    /// The load balancers that names lead to, if they lead there: the first site's, and this one's.
    pub aliases: Option<[Alias; 2]>,
    /// The sites that are cut off from everything outside. They run on.
    pub cut_off: BTreeSet<Side>,
    /// No WAL flows from one to the other.
    pub is_replication_cut: bool,
    /// The sites in whose Region AWS's API does not answer.
    pub unreachable: BTreeSet<Side>,
}

impl World {
    /// Adds a second site, which replicates from the first one. Names may lead to the sites' load balancers then.
    ///
    /// # Errors
    /// Never: the account in its Region is new.
    pub fn span(&mut self, cluster: Cluster, shape: Shape, has_aliases: bool) -> Result<(), AwsError> {
        let mut account = Account::new(&self.account.id, "us-west-2");
        let resources = Resources::new(&mut account, &cluster, shape)?;
        let aliases = has_aliases.then(|| {
            let balancer = |account: &mut Account| account.create_load_balancer(0, "site", "internal");
            Ok([alias_of(&balancer(&mut self.account)?), alias_of(&balancer(&mut account)?)])
        });
        let aliases = aliases.transpose()?;
        let there = resources.spec.clone();
        self.away = Some(Away {
            cluster,
            account,
            resources,
            aliases: aliases.clone(),
            cut_off: BTreeSet::new(),
            is_replication_cut: false,
            unreachable: BTreeSet::new(),
        });
        let spec = &mut self.resources.spec;
        for group in &mut spec.groups {
            group.site = Some(Side::Home.name());
        }
        let groups = there.groups.into_iter();
        spec.groups.extend(groups.map(|mut group| {
            group.site = Some(Side::Away.name());
            group
        }));
        spec.sites.extend(there.sites);
        for (side, site) in Side::BOTH.into_iter().zip(&mut spec.sites) {
            *site = Site {
                name: Some(side.name()),
                region: self
                    .away
                    .as_ref()
                    .filter(|_| side == Side::Away)
                    .map(|away| away.account.region.clone()),
                alias: aliases.as_ref().map(|aliases| aliases[side as usize].clone()),
                ..site.clone()
            };
        }
        if let Some(aliases) = aliases {
            for record in &mut spec.records {
                if matches!(record.points_to, PointsTo::Primary | PointsTo::Standby) {
                    record.points_to = PointsTo::Site;
                }
            }
            self.lead_names_to(&aliases)?;
        }
        Ok(())
    }

    /// What stands at the name becomes an alias of the first site; the second of a pair, one of the second.
    fn lead_names_to(&mut self, aliases: &[Alias; 2]) -> Result<(), AwsError> {
        let zone = self.resources.zone.clone();
        let sets = self.account.list_resource_record_sets(0, &zone, &ListFrom::default(), None)?.sets;
        let ours = sets.into_iter().filter(|set| set.key.name.as_str().starts_with(NAME));
        let changes = ours.map(|mut set| {
            let side = if set.failover == Some(Failover::Secondary) { Side::Away } else { Side::Home };
            set.answer = Answer::Alias(their_alias(&aliases[side as usize]));
            Change { action: ChangeAction::Upsert, set }
        });
        let changes: Vec<Change> = changes.collect();
        if !changes.is_empty() {
            self.account.change_resource_record_sets(0, &zone, &changes)?;
        }
        Ok(())
    }

    /// The site to whose load balancer an alias leads.
    #[must_use]
    pub fn side_of(&self, alias: &Alias) -> Option<Side> {
        let aliases = self.away.as_ref()?.aliases.as_ref()?;
        Side::BOTH.into_iter().find(|side| aliases[*side as usize].is_same(alias))
    }

    /// Whether one of the sites is a standby cluster of the other.
    #[must_use]
    pub fn has_standby_site(&self) -> bool {
        Side::BOTH.into_iter().any(|side| self.cluster_of(side).is_some_and(Cluster::is_standby))
    }

    /// Whether a site is cut off.
    #[must_use]
    pub fn is_cut_off(&self, side: Side) -> bool {
        self.away.as_ref().is_some_and(|away| away.cut_off.contains(&side))
    }

    /// Whether the API is away that a call goes to: that of the Region in an ARN, or of a Region by its name.
    #[must_use]
    pub fn is_region_down(&self, resource: &str) -> bool {
        let region = resource.split(':').nth(3).unwrap_or(resource);
        if self.far.as_ref().is_some_and(|far| far.is_down && far.account.region == region) {
            return true;
        }
        let Some(away) = &self.away else { return false };
        let is_of = |side: &Side| match side {
            Side::Home => self.account.region == region,
            Side::Away => away.account.region == region,
        };
        away.unreachable.iter().any(is_of)
    }
}

/// A record set leads to a load balancer by its name. Its hosted zone is the same for all of a Region; any will do here.
fn alias_of(balancer: &LoadBalancer) -> Alias {
    Alias {
        zone: ZoneId::new("Z26RNL4JYFTOTI"),
        dns_name: balancer.dns_name.clone(),
        evaluate_target_health: true,
    }
}

/// Lets WAL flow into a standby cluster from the primary of the other site.
pub(super) fn replicate(world: &mut World, now: Millis) {
    let is_open = |away: &Away| !away.is_replication_cut && away.cut_off.is_empty();
    if !world.away.as_ref().is_some_and(is_open) {
        return;
    }
    for side in Side::BOTH {
        let upstream = world.cluster_of(side.other()).filter(|upstream| !upstream.is_standby());
        let source = upstream.and_then(|upstream| Some((upstream.leader()?.1, upstream.system_id()?)));
        if let Some((timeline, system_id)) = source
            && let Some(cluster) = world.cluster_mut(side).filter(|cluster| cluster.is_standby())
        {
            cluster.follow_upstream(now, timeline, system_id);
        }
    }
}

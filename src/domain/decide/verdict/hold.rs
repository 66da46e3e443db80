//! Why no member can be named the primary.

use std::collections::BTreeSet;

use serde::Serialize;

use super::site::most_urgent;
use crate::observed::Read;
use crate::values::cluster::{ApiUrl, SiteName, Timeline};
use crate::values::primary::Primary;

/// A reason to move nothing; its `Display` is the sentence in reports and alerts.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Hold {
    /// Two members claim the highest timeline, or they belong to different systems.
    #[error("{} members claim to be the primary and none is ahead: {}", claimants.len(), claimants.join(", "))]
    Contested {
        /// Each with its timeline.
        claimants: Vec<String>,
    },
    /// One member claims to be the primary, and another member's `/cluster` names another leader.
    #[error(
        "{claimant} claims to be the primary, but {member} names {named} as leader{}",
        timeline.map_or(String::new(), |timeline| format!(" on timeline {timeline}"))
    )]
    Contradicted {
        /// With its timeline.
        claimant: String,
        /// Which member disagrees.
        member: String,
        /// Which member it names.
        named: String,
        /// The timeline of the named one, where any member reports it.
        timeline: Option<Timeline>,
    },
    /// The highest claimant is no known member: neither does another member list it, nor does state have it.
    #[error(
        "{claimant} claims to be the primary{}, but {}: it may be a restored copy of the cluster",
        if rivals.is_empty() { String::new() } else { format!(", and so does {}", rivals.join(", ")) },
        omitted_by.as_ref().map_or_else(
            || "no other member that answers lists it, and it is not in the state".to_owned(),
            |member| format!("it is not among the members that {member} lists"),
        )
    )]
    UnknownMember {
        /// With its timeline.
        claimant: String,
        /// A member that answers and leaves it out.
        omitted_by: Option<String>,
        /// The other claimants, each with its timeline.
        rivals: Vec<String>,
    },
    /// Discovery finds members of several clusters, and none of them is known.
    #[error(
        "discovery finds members of several clusters, which do not list one another: {}; let it find those of one alone, or set `system_id`",
        .0.join(", ")
    )]
    SeveralClusters(Vec<String>),
    /// A member answers 200 and is not, or not yet, a running primary.
    #[error("{member} holds the leader key but {why}")]
    Promoting {
        /// Which one.
        member: String,
        /// What it lacks.
        why: String,
    },
    /// No member that would know can be reached.
    #[error(
        "{}: {}",
        leader.as_ref().map_or_else(
            || "no member can be reached".to_owned(),
            |leader| format!("the leader {leader} cannot be reached"),
        ),
        if failures.is_empty() { "it publishes no REST address".to_owned() } else { failures.join("; ") }
    )]
    Unreachable {
        /// The leader that readable members name; `None` if no member is readable.
        leader: Option<String>,
        /// What went wrong with each.
        failures: Vec<String>,
    },
    /// Members answer, and none can say who leads: a member that does not reach its DCS refuses `GET /cluster` (Patroni,
    /// `api.py`, `do_GET_cluster`).
    #[error("no member that answers can say who leads, as when it does not reach its DCS: {}", failures.join("; "))]
    NoView {
        /// What went wrong with each.
        failures: Vec<String>,
    },
    /// Members answer, and none is the primary.
    #[error(
        "the cluster has no primary: {}",
        denied_by.as_ref().map_or_else(
            || "no member holds the leader key".to_owned(),
            |member| format!("{member} is named as leader but says it is not the primary"),
        )
    )]
    NoPrimary {
        /// A member that is named as leader and answers that it is none.
        denied_by: Option<String>,
    },
    /// Only members that the state remembers claim to be the primary, and a configured member lists none of them.
    #[error(
        "{claimant} claims to be the primary, but {member}, which the configuration names, does not list it: add it to `members` if it belongs to the cluster"
    )]
    Unlisted {
        /// With its timeline.
        claimant: String,
        /// The configured member.
        member: String,
    },
    /// The leader replicates from another site.
    #[error("{leader} leads a standby cluster, which takes no writes; another site may hold the primary")]
    StandbyCluster {
        /// The standby leader.
        leader: String,
        /// The same as it describes itself, where there is no doubt of it: its replicas may be read from.
        serves: Option<Box<Primary>>,
    },
    /// The claimant is behind what was applied before.
    #[error(
        "{member} claims to be the primary on timeline {timeline}, but timeline {applied} was applied before"
    )]
    Stale {
        /// The claimant.
        member: String,
        /// Its timeline.
        timeline: Timeline,
        /// What the state has.
        applied: Timeline,
    },
    /// Several sites claim to hold the primary.
    #[error(
        "{} members in several sites claim to be the primary, and timelines of separate sites do not show which is newer: {}",
        claimants.len(),
        claimants.join(", ")
    )]
    ContestedSites {
        /// Each with its site and timeline.
        claimants: Vec<String>,
    },
    /// The only claimant is in a site that may lack what was written in the one that was followed since.
    #[error(
        "{} claims to be the primary, but the endpoints followed {followed}, and data written there may be missing here",
        claimants.join(", ")
    )]
    StaleSite {
        /// Each with its timeline.
        claimants: Vec<String>,
        /// The site that was followed.
        followed: String,
    },
    /// No primary can be named in any of the sites.
    #[error("{}", .0.iter().map(|(site, hold)| format!("{site}: {hold}")).collect::<Vec<_>>().join("; "))]
    Sites(Vec<(SiteName, Hold)>),
    /// Another cluster answers.
    #[error("{member} belongs to another cluster: {found}")]
    WrongCluster {
        /// Which member answered.
        member: String,
        /// What it reported, and what was expected.
        found: String,
    },
}

/// The name of a hold in reports, alerts and metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum HoldKind {
    /// [`Hold::Contested`], [`Hold::Contradicted`], [`Hold::UnknownMember`], [`Hold::SeveralClusters`] and
    /// [`Hold::ContestedSites`].
    Contested,
    /// [`Hold::Promoting`].
    Promoting,
    /// [`Hold::Unreachable`] and [`Hold::NoView`].
    Unreachable,
    /// [`Hold::NoPrimary`] and [`Hold::Unlisted`].
    NoPrimary,
    /// [`Hold::StandbyCluster`].
    StandbyCluster,
    /// [`Hold::Stale`].
    Stale,
    /// [`Hold::StaleSite`].
    StaleSite,
    /// [`Hold::WrongCluster`].
    WrongCluster,
}

impl Hold {
    /// Its name in reports, alerts and metrics.
    #[must_use]
    pub fn kind(&self) -> HoldKind {
        match self {
            Self::Contested { .. }
            | Self::Contradicted { .. }
            | Self::UnknownMember { .. }
            | Self::SeveralClusters(_)
            | Self::ContestedSites { .. } => HoldKind::Contested,
            Self::Promoting { .. } => HoldKind::Promoting,
            Self::Unreachable { .. } | Self::NoView { .. } => HoldKind::Unreachable,
            Self::NoPrimary { .. } | Self::Unlisted { .. } => HoldKind::NoPrimary,
            Self::StandbyCluster { .. } => HoldKind::StandbyCluster,
            Self::Stale { .. } => HoldKind::Stale,
            Self::StaleSite { .. } => HoldKind::StaleSite,
            Self::WrongCluster { .. } => HoldKind::WrongCluster,
            Self::Sites(holds) => most_urgent(holds),
        }
    }

    /// The same, with why no members are discovered, if none can be reached.
    pub(super) fn with_discovery(self, discovered: Option<&Read<BTreeSet<ApiUrl>>>) -> Self {
        match (self, discovered) {
            (Self::Unreachable { leader: None, mut failures }, Some(Err(failure))) => {
                failures.push(failure.explained());
                Self::Unreachable { leader: None, failures }
            }
            (hold, _) => hold,
        }
    }

    /// Whether there is a site with no reachable member, so that what else might be wrong there is unknown.
    #[must_use]
    pub fn is_unreachable(&self) -> bool {
        match self {
            Self::Unreachable { leader, .. } => leader.is_none(),
            Self::Sites(holds) => holds.iter().any(|(_, hold)| hold.is_unreachable()),
            _ => false,
        }
    }
}

impl HoldKind {
    /// The name in snake case.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Contested => "contested",
            Self::Promoting => "promoting",
            Self::Unreachable => "unreachable",
            Self::NoPrimary => "no_primary",
            Self::StandbyCluster => "standby_cluster",
            Self::Stale => "stale",
            Self::StaleSite => "stale_site",
            Self::WrongCluster => "wrong_cluster",
        }
    }

    /// What an operator does next.
    #[must_use]
    pub fn remedy(self) -> &'static str {
        match self {
            Self::Contested => {
                "find out with `patronictl list` which one is right, and stop the other; two nodes may be taking writes"
            }
            Self::Promoting => {
                "wait: a long replay can delay a promotion by minutes; if its PostgreSQL is stopping, another member is promoted next"
            }
            Self::Unreachable => {
                "check the network and security groups towards Patroni's port, that Patroni runs, and that it reaches its DCS"
            }
            Self::NoPrimary => {
                "wait for the election, or see `patronictl list` and Patroni's log if it does not end"
            }
            Self::StandbyCluster => {
                "nothing to do, unless this site was to be promoted: see `patronictl edit-config`"
            }
            Self::Stale => {
                "an old primary may have come back: stop it, or let it rejoin as a replica; after a restore to an earlier point, `repoint adopt` accepts it"
            }
            Self::StaleSite => {
                "stop it, or let it follow as a standby cluster; if its data are the right ones, make sure that no other site takes writes, and accept it with `repoint adopt`"
            }
            Self::WrongCluster => {
                "check `scope`, `system_id` and `members`: an address may have changed hands; if the cluster was recreated, `repoint adopt` accepts it"
            }
        }
    }
}

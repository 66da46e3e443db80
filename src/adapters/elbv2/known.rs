//! What is known about target groups beyond one pass: the properties that never change, and the Availability Zones of
//! their targets.
//!
//! `RegisterTargets` requires a zone, or `all`, for an address outside the group's VPC, and rejects any zone but the
//! subnet's for one inside (ELB API, `TargetDescription`, `AvailabilityZone`). Only AWS can say on which side an
//! address is: it compares with the subnets, not with the CIDR blocks of the VPC.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use repoint_domain::values::arn::{GroupArn, VpcId};
use repoint_domain::values::target::{Family, Target, TargetType};

/// Traffic from every Availability Zone that is enabled for the load balancer.
const ALL: &str = "all";

/// The properties that never change: a new group has another ARN (ELB API, `TargetGroup`).
#[derive(Clone, Debug)]
pub(super) struct Facts {
    pub target_type: TargetType,
    pub family: Family,
    pub vpc: Option<VpcId>,
}

/// The zones of a group's targets as last read.
pub(super) type Zones = BTreeMap<Target, String>;

/// What is known about each group.
#[derive(Debug, Default)]
pub struct Known {
    /// The configured zones of groups.
    configured: BTreeMap<GroupArn, String>,
    facts: Mutex<BTreeMap<GroupArn, Facts>>,
    zones: Mutex<BTreeMap<GroupArn, Zones>>,
}

impl Known {
    /// Knows the configured zones only.
    #[must_use]
    pub fn new(configured: BTreeMap<GroupArn, String>) -> Self {
        Self { configured, ..Self::default() }
    }

    pub(super) fn facts(&self, arn: &GroupArn) -> Option<Facts> {
        self.facts.lock().unwrap_or_else(PoisonError::into_inner).get(arn).cloned()
    }

    pub(super) fn learn(&self, arn: &GroupArn, facts: &Facts) {
        self.facts.lock().unwrap_or_else(PoisonError::into_inner).insert(arn.clone(), facts.clone());
    }

    pub(super) fn set_zones(&self, arn: &GroupArn, zones: Zones) {
        self.zones.lock().unwrap_or_else(PoisonError::into_inner).insert(arn.clone(), zones);
    }

    /// The zone to register an address with: the configured one; else its current zone, if it is registered; else
    /// `all` if every registered target has `all`. Without a zone AWS derives it from the address's subnet; for an
    /// instance it always does.
    pub(super) fn zone_to_register(&self, arn: &GroupArn, target: &Target) -> Option<String> {
        target.id.parse::<IpAddr>().ok()?;
        self.configured.get(arn).cloned().or_else(|| {
            let zones = self.zones.lock().unwrap_or_else(PoisonError::into_inner);
            let there = zones.get(arn)?;
            let all_are_outside = !there.is_empty() && there.values().all(|zone| zone == ALL);
            there.get(target).cloned().or_else(|| all_are_outside.then(|| ALL.to_owned()))
        })
    }

    /// The zone to deregister a target with: the one that was read.
    pub(super) fn zone_as_read(&self, arn: &GroupArn, target: &Target) -> Option<String> {
        let zones = self.zones.lock().unwrap_or_else(PoisonError::into_inner);
        zones.get(arn)?.get(target).cloned()
    }
}

/// A target and the zone that it is registered with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Placed {
    pub target: Target,
    pub zone: Option<String>,
    /// Whether AWS has rejected its zone.
    pub is_corrected: bool,
}

/// The zone that AWS requires according to its error: `all` for an address that it calls outside the VPC, none for
/// one that it calls inside. The message names the address; `None` if it is not about a zone, or if that zone was
/// tried already. Such messages are quoted in aws-load-balancer-controller#3084 and #3714 (outside) and #561
/// (inside).
pub(super) fn as_asked_for(placed: &[Placed], words: &str) -> Option<Vec<Placed>> {
    if !words.to_ascii_lowercase().contains("availability zone") {
        return None;
    }
    let is_part = |character: char| character.is_ascii_hexdigit() || character == '.' || character == ':';
    let said: BTreeSet<&str> =
        words.split(|character| !is_part(character)).map(|word| word.trim_end_matches('.')).collect();
    let names_one = placed.iter().any(|placed| said.contains(placed.target.id.as_str()));
    let correct = |placed: &Placed| {
        let is_meant = !names_one || said.contains(placed.target.id.as_str());
        if placed.is_corrected || !is_meant {
            return placed.clone();
        }
        let zone = if placed.zone.is_some() { None } else { Some(ALL.to_owned()) };
        Placed { zone, is_corrected: true, ..placed.clone() }
    };
    let corrected: Vec<Placed> = placed.iter().map(correct).collect();
    (corrected != placed).then_some(corrected)
}

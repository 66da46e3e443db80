//! One cluster over two Regions: members, reconcilers and a target group in each, and the state in the first one.
//!
//! Reconcilers of odd numbers are in the second Region. What separates the Regions takes the members of one from the
//! DCS, whose majority is in the other one, every reconciler from the other Region's members, and those of the second
//! Region from the state.

use repoint_domain::spec::GroupSpec;
use repoint_domain::values::arn::GroupArn;

use super::event::{Event, Fault};
use super::scenario::{Found, HEALED_AT, Scenario};
use super::sites::Side;
use super::world::World;
use crate::Millis;
use crate::aws::Account;
use crate::aws::elbv2::target::TargetDescription;
use crate::aws::error::AwsError;
use crate::patroni::{DcsOutage, MemberId, Silence, Wire};
use crate::transport::{PORT, ip_group};

/// The second Region.
pub struct Far {
    /// The account there.
    pub account: Account,
    /// The target group there, which has the primary as well.
    pub group: String,
    /// AWS's API does not answer there.
    pub is_down: bool,
    /// The members from this one on are there.
    pub first: MemberId,
    /// The Regions are apart.
    pub is_apart: bool,
}

/// Whether a reconciler is in the second Region.
fn is_far(reconciler: usize) -> bool {
    reconciler % 2 == 1
}

impl World {
    /// From now on there is a second Region.
    ///
    /// # Errors
    /// Never: the account there is new.
    pub(super) fn stretch(&mut self, first: MemberId, is_filled: bool) -> Result<(), AwsError> {
        let mut account = Account::new(&self.account.id, "us-west-2");
        let group = ip_group(&mut account, "writers-there")?;
        if is_filled {
            let host = &self.cluster.spec(MemberId(0)).postgres.0;
            account.register_targets(0, &group, &[TargetDescription::new(host, PORT)])?;
        }
        account.drain_calls();
        let own = self.resources.spec.groups.iter().find(|its| its.arn.as_str() == self.resources.ip_group);
        if let (Some(own), Ok(arn)) = (own.cloned(), GroupArn::parse(&group)) {
            self.resources.spec.groups.push(GroupSpec { arn, ..own });
        }
        self.far = Some(Far { account, group, is_down: false, first, is_apart: false });
        Ok(())
    }

    /// The Regions lose one another.
    pub(super) fn part(&mut self, now: Millis, first_has_majority: bool) {
        let Some(far) = &mut self.far else { return };
        far.is_apart = true;
        let first = far.first;
        for id in self.cluster.ids() {
            let is_there = id >= first;
            if is_there == first_has_majority {
                self.cluster.cut_from_dcs(now, id);
                self.cluster.cut_from_members(now, id);
            }
            for reconciler in (0..self.fault_rates.len()).filter(|number| is_far(*number) != is_there) {
                self.cluster.set_wire(reconciler, id, Wire::Lost);
            }
        }
    }

    /// They have one another again.
    pub(super) fn join(&mut self, now: Millis) {
        let Some(far) = &mut self.far else { return };
        far.is_apart = false;
        for id in self.cluster.ids() {
            self.cluster.heal(now, id);
            for reconciler in 0..self.fault_rates.len() {
                self.cluster.set_wire(reconciler, id, Wire::Fine);
            }
        }
    }

    /// Whether a reconciler does not reach the state.
    #[must_use]
    pub fn is_state_away(&self, reconciler: usize) -> bool {
        self.is_state_down || self.far.as_ref().is_some_and(|far| far.is_apart) && is_far(reconciler)
    }
}

impl Scenario {
    /// The scenario of that seed, over two Regions.
    #[must_use]
    pub fn stretched(seed: u64) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed ^ 0x0057_7e7c);
        Self::base(seed).over_two_regions(&mut rng)
    }

    /// The same over two Regions, with one site and without what replaces the cluster.
    pub(super) fn over_two_regions(mut self, rng: &mut fastrand::Rng) -> Self {
        self.events.retain(|(_, event)| {
            !matches!(
                event,
                Event::In(Side::Away, _)
                    | Event::LoseSite(_)
                    | Event::StartSite { .. }
                    | Event::CutOff(..)
                    | Event::CutReplication(_)
                    | Event::RegionDown(..)
                    | Event::PromoteSite(_)
                    | Event::DemoteSite(_)
                    | Event::Replace
            )
        });
        let first = rng.usize(1..self.members);
        for _ in 0..rng.usize(1..=3) {
            let at = rng.u64(500..HEALED_AT - 20_000);
            let later = at + rng.u64(3_000..30_000);
            let mut both = |begin, end| self.events.extend([(at, begin), (later, end)]);
            let has_majority = rng.bool();
            match rng.u32(0..4) {
                0 => both(Event::FarDown(true), Event::FarDown(false)),
                1 | 2 => both(Event::Part { first_has_majority: has_majority }, Event::Join),
                _ => {
                    let lost = if rng.bool() { 0..first } else { first..self.members };
                    for member in lost.map(MemberId) {
                        both(
                            Event::In(Side::Home, Fault::Crash(member, Silence::TimedOut)),
                            Event::In(Side::Home, Fault::Start(member)),
                        );
                    }
                    if has_majority {
                        both(
                            Event::In(Side::Home, Fault::DcsDown(DcsOutage::Closes)),
                            Event::In(Side::Home, Fault::DcsUp),
                        );
                    }
                }
            }
        }
        self.events.sort_by_key(|(at, _)| *at);
        let found = Found::AsListed;
        Self {
            reconcilers: self.reconcilers.max(2),
            // One that does not reach the state while another one does would act beside it, without the lease.
            needs_state: true,
            second_site: None,
            second_entry: None,
            is_plain: false,
            found,
            far_from: Some(MemberId(first)),
            ..self
        }
    }
}

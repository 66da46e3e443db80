//! The readers that an endpoint should have.
//!
//! Invariants: a replica that cannot be placed does not delay the others (15); unknown is not absent (2), so what may be
//! such a replica stays where it is.

use super::{EndpointReason, WarningReason, primary_address};
use crate::decide::readers::{Reader, readers};
use crate::observed::Observed;
use crate::spec::{GroupRole, PointsTo, RecordSpec, Spec};
use crate::values::cluster::{Address, MemberName};
use crate::values::primary::Primary;

/// Which members may be read from, for one kind of endpoint.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub max_lag_bytes: u64,
    /// Whether the leader takes the place of replicas while there is none.
    pub primary_fallback: bool,
    /// The replicas that may stay although they are not known to stream.
    pub settling: &'a [Reader],
}

/// What an endpoint holds, and how the places of members look there.
pub(super) trait Holder<T> {
    /// Where a member is whose PostgreSQL is there.
    fn place(&self, address: &Address) -> Result<T, EndpointReason>;
    /// Whether something that is held may be that member, who cannot be placed for sure.
    fn may_be(&self, held: &T, address: &Address) -> bool;
    /// What is held now.
    fn held(&self) -> &[T];
}

/// What an endpoint of readers should hold.
pub(super) struct Places<T> {
    /// Where readers are, those first that surely may be read from; never empty.
    pub belong: Vec<T>,
    /// What is held and may be a reader that could not be placed.
    pub stay: Vec<T>,
    /// The readers that have no place there.
    pub warnings: Vec<WarningReason>,
    /// Why the place of one is not known.
    pub unknown: Option<EndpointReason>,
}

/// Where the readers are: those that may come in, and those that are in and may stay; the leader in their place if there is
/// none and `primary_fallback` allows it.
pub(super) fn places<T: Clone + PartialEq>(
    observed: &Observed,
    leader: &Primary,
    wanted: Wanted,
    holder: &impl Holder<T>,
) -> Result<Places<T>, EndpointReason> {
    let fit = readers(observed, leader, wanted.max_lag_bytes).ok_or(EndpointReason::ReplicasUnknown)?;
    let (mut belong, mut stay, mut warnings) = (Vec::new(), Vec::new(), Vec::new());
    let (mut unknown, mut unfit) = (None, None);
    for reader in fit.iter().chain(wanted.settling) {
        match place_of(reader, holder) {
            Ok(place) if reader.may_come_in || holder.held().contains(&place) => {
                if !belong.contains(&place) {
                    belong.push(place);
                }
            }
            Ok(_) => {}
            Err(reason) => {
                for held in holder.held().iter().filter(|held| may_be(reader, *held, holder)) {
                    if !stay.contains(held) {
                        stay.push(held.clone());
                    }
                }
                // One that may only stay is no loss where it is not.
                if reason.is_unknown() {
                    unknown = unknown.or(Some(reason));
                } else if reader.may_come_in {
                    warnings.push(unplaced(&reader.member, reason.clone()));
                    unfit = unfit.or(Some(reason));
                }
            }
        }
    }
    if belong.is_empty() {
        // A reader that may be there is not replaced.
        if unknown.is_some() || (unfit.is_some() && !stay.is_empty()) {
            return Err(unknown.or(unfit).unwrap_or(EndpointReason::NoReader));
        }
        if !wanted.primary_fallback {
            return Err(unfit.unwrap_or(EndpointReason::NoReader));
        }
        belong.push(holder.place(primary_address(leader)?)?);
    }
    stay.retain(|held| !belong.contains(held));
    Ok(Places { belong, stay, warnings, unknown })
}

fn place_of<T>(reader: &Reader, holder: &impl Holder<T>) -> Result<T, EndpointReason> {
    let address =
        reader.address.as_ref().ok_or_else(|| EndpointReason::MemberAddressUnknown(reader.member.clone()))?;
    holder.place(address)
}

fn may_be<T>(reader: &Reader, held: &T, holder: &impl Holder<T>) -> bool {
    reader.address.as_ref().is_none_or(|address| holder.may_be(held, address))
}

/// The endpoints of readers alone.
pub(super) fn only(spec: &Spec) -> Spec {
    let is_of_readers = |record: &&RecordSpec| matches!(record.points_to, PointsTo::Readers { .. });
    Spec {
        groups: spec.groups.iter().filter(|group| group.role != GroupRole::Writer).cloned().collect(),
        records: spec.records.iter().filter(is_of_readers).cloned().collect(),
        backends: spec.backends.iter().filter(|its| its.role != GroupRole::Writer).cloned().collect(),
        ..spec.without_endpoints()
    }
}

/// A member that has no place in an endpoint.
pub(super) fn unplaced(member: &MemberName, why: EndpointReason) -> WarningReason {
    WarningReason::Unplaced { member: member.clone(), why }
}

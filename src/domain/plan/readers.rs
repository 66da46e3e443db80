//! Who may be read from, as an endpoint holds them.

use super::{EndpointReason, primary_address};
use crate::domain::cluster::Address;
use crate::domain::readers::{Reader, readers};
use crate::domain::verdict::Primary;
use crate::domain::world::World;

/// Where the readers are, in the order of their names: those that may come in, and those that are in and may stay; the
/// primary in their place if there is none and `primary_fallback` allows it. Never nobody.
pub(super) fn places<T: PartialEq>(
    world: &World,
    primary: &Primary,
    settling: &[Reader],
    max_lag_bytes: u64,
    primary_fallback: bool,
    place: impl Fn(&Address) -> Result<T, EndpointReason>,
    is_in: impl Fn(&T) -> bool,
) -> Result<Vec<T>, EndpointReason> {
    let mut places = Vec::new();
    for reader in readers(world, primary, max_lag_bytes).ok_or(EndpointReason::ReplicasUnknown)? {
        let place = place(&reader.address)?;
        if reader.may_come_in || is_in(&place) {
            places.push(place);
        }
    }
    for reader in settling {
        let place = place(&reader.address)?;
        if is_in(&place) && !places.contains(&place) {
            places.push(place);
        }
    }
    if places.is_empty() && primary_fallback {
        places.push(place(primary_address(primary)?)?);
    }
    if places.is_empty() { Err(EndpointReason::NoReader) } else { Ok(places) }
}

//! Which replicas may be read from.
//!
//! Laws: unknown is not absent (2), so without a list that can be trusted nobody is in or out; a lag that nobody knows is
//! none to trust. Whoever is in stays up to the limit, and whoever is out comes in only well below it, so that a replica
//! at the limit does not flutter.

use super::cluster::{Address, ListedRole, MemberName, Role, State};
use super::verdict::Primary;
use super::witness::{Witness, primarys_view, witnesses};
use super::world::{Listed, World};

/// A replica comes in once its lag is at most this part of the limit.
const COMES_IN_AT: u64 = 2;

/// A replica that is fit to be read from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reader {
    /// Its name.
    pub member: MemberName,
    /// Where its PostgreSQL listens.
    pub address: Address,
    /// Whether it may come in; if not, it may only stay.
    pub may_come_in: bool,
}

/// The replicas that stream, lag no more than `max_lag_bytes` and are not tagged `noloadbalance`, by name; `None` if no
/// `/cluster` can be read that names the primary as the leader. To come in, a replica must answer for itself as well.
#[must_use]
pub fn readers(world: &World, primary: &Primary, max_lag_bytes: u64) -> Option<Vec<Reader>> {
    let witnesses = witnesses(world.answers_of(primary.site.as_ref()));
    let knows = |name: &MemberName| witnesses.iter().find(|witness| witness.name.as_ref() == Some(name));
    let leader = primary.member.as_ref()?;
    let view = primarys_view(&witnesses, leader)?;
    let is_replica = |name: &MemberName| {
        let own = knows(name).and_then(Witness::health);
        own.is_some_and(|own| own.role == Role::Replica && own.state.is_up() && !own.answers_primary)
    };
    let reader = |listed: &Listed| {
        let lag_bytes = listed.lag_bytes.filter(|lag| *lag <= max_lag_bytes)?;
        Some(Reader {
            member: listed.name.clone(),
            address: listed.address.clone()?,
            may_come_in: lag_bytes <= max_lag_bytes / COMES_IN_AT && is_replica(&listed.name),
        })
    };
    let feeds = knows(leader).and_then(Witness::health).map(|own| &own.feeds);
    let mut readers: Vec<Reader> = view
        .members
        .iter()
        .filter(|listed| is_listed_as_replica(listed) && !listed.noloadbalance)
        .filter(|listed| match listed.state {
            State::Streaming => true,
            // Before 3.0.4 a replica's state does not say whether it streams; the primary's own account does.
            State::Running => feeds.is_some_and(|feeds| feeds.contains(&listed.name)),
            State::ArchiveRecovery | State::Other(_) => false,
        })
        .filter_map(reader)
        .collect();
    readers.sort();
    Some(readers)
}

fn is_listed_as_replica(listed: &Listed) -> bool {
    matches!(listed.role, ListedRole::Replica | ListedRole::SyncStandby | ListedRole::QuorumStandby)
}

//! What a check is asked about: one thing of a cluster, with the cluster and all facts around it.

mod balancer;
mod cluster;
mod file;
mod function;
mod group;
mod listener;
mod member;
mod record;
mod site;
mod topic;

use super::check::NotChecked;
use crate::observed::Read;

pub use balancer::Balancer;
pub use cluster::Cluster;
pub use file::File;
pub use function::{Function, functions};
pub use group::{Group, KEEPS_CLIENT_ADDRESS};
pub use listener::Listener;
pub use member::Member;
pub use record::Record;
pub use site::Site;
pub use topic::Topic;

/// What was read, or why it was not.
///
/// # Errors
/// If it could not be read, or was not asked for.
pub fn known<T>(read: Option<&Read<T>>) -> Result<&T, NotChecked> {
    match read {
        Some(Ok(value)) => Ok(value),
        Some(Err(failure)) => Err(failure.into()),
        None => {
            Err(NotChecked::Unknown("it was not read, because what leads to it could not be read".to_owned()))
        }
    }
}

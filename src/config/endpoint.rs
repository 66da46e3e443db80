//! The kinds of endpoints. A new kind is a file beside these, a line in [`KINDS`], and its key in
//! [`Cluster`].

mod dns;
mod haproxy;
mod one_or_several;
mod record;
mod target_group;

use serde_json::Value;

use super::file::Cluster;
use super::iam::{Policy, Rights};
use super::resolve::Resolver;
pub use dns::{record_name, zone_id};
pub use haproxy::Haproxy;
pub use record::Record;
use repoint_domain::spec::Spec;
use repoint_domain::values::assume::AssumedRole;
use repoint_domain::values::cluster::SiteName;
pub use target_group::TargetGroup;

/// All kinds, in the order in which they are checked and printed.
pub const KINDS: [Kind; 3] = [target_group::KIND, record::KIND, haproxy::KIND];

/// One kind of endpoint.
pub struct Kind {
    /// The key of its tables in a cluster.
    pub key: &'static str,
    /// Checks those of a cluster, and adds them to its specification. The role is the cluster's.
    pub resolve: fn(&mut Resolver<'_>, &Cluster, Option<&AssumedRole>, &mut Spec),
    /// Adds the rights that those of the clusters need.
    pub allow: fn(&mut Policy, &[Spec], Usage),
    /// Those of a cluster itself, or of one of its sites, in the shape of the file.
    pub show: fn(&Spec, Option<&SiteName>) -> Vec<Value>,
}

/// What a process does with endpoints.
#[derive(Clone, Copy)]
pub struct Usage {
    /// What for.
    pub rights: Rights,
    /// Target groups may hold instances.
    pub has_instances: bool,
    /// It waits until Route 53's servers have a change.
    pub waits_insync: bool,
}

impl Usage {
    /// Whether it changes them.
    pub fn writes(self) -> bool {
        self.rights == Rights::Pass
    }

    /// Whether it reads what is around them.
    pub fn inspects(self) -> bool {
        self.rights == Rights::Doctor
    }
}

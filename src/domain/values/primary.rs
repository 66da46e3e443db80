//! The primary and its rivals, as values; `decide` chooses them.

use std::collections::BTreeSet;

use super::cluster::{Address, MemberName, SiteName, SystemId, Timeline};

/// The primary, as it describes itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Primary {
    /// The site that it is in, where the cluster spans several.
    pub site: Option<SiteName>,
    /// Its name; unknown where neither its own JSON (before 3.2) nor any `/cluster` gives it.
    pub member: Option<MemberName>,
    /// Where its PostgreSQL listens; unknown where no `/cluster` that can be read lists it.
    pub address: Option<Address>,
    /// Its timeline.
    pub timeline: Timeline,
    /// Its system identifier.
    pub system_id: SystemId,
    /// Members that claim to be primary as well: two nodes may be taking writes.
    pub rivals: Vec<Rival>,
    /// The other sites that replicate, as standby clusters on its timeline.
    pub followers: BTreeSet<SiteName>,
}

/// A member that claims to be primary and is not the real one: on a lower timeline, or in another site, whose timelines
/// are its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rival {
    /// The site that it is in.
    pub site: Option<SiteName>,
    /// Its name or URL.
    pub member: String,
    /// Its timeline.
    pub timeline: Timeline,
}

impl Rival {
    /// What it is called in the whole cluster.
    #[must_use]
    pub fn label(&self) -> String {
        label(self.site.as_ref(), &self.member)
    }
}

impl Primary {
    /// What it is called in the whole cluster, if its name is known.
    #[must_use]
    pub fn label(&self) -> Option<String> {
        self.member.as_ref().map(|member| label(self.site.as_ref(), member.as_str()))
    }
}

/// What a member is called in the whole cluster, where its name may be that of another site's member as well.
#[must_use]
pub fn label(site: Option<&SiteName>, member: &str) -> String {
    site.map_or_else(|| member.to_owned(), |site| format!("{site}/{member}"))
}

//! The section `[doctor]`.

use toml::Spanned;

use super::Resolver;
use crate::config::file::{File, Ignore as Given};
use repoint_domain::doctor::checks;
use repoint_domain::doctor::report::Ignore;
use repoint_domain::spec::Spec;
use repoint_domain::values::cluster::EntryName;

impl Resolver<'_> {
    /// The findings that are to be ignored. One that names a check or a cluster that does not exist is a mistake: what it was to
    /// cover would be reported, or it covers nothing any longer.
    pub(super) fn ignored_findings(&mut self, file: &File, clusters: &[Spec]) -> Vec<Ignore> {
        file.doctor.ignore.iter().filter_map(|given| self.ignored_finding(given, clusters)).collect()
    }

    fn ignored_finding(&mut self, given: &Given, clusters: &[Spec]) -> Option<Ignore> {
        let id = self.spanned(&given.id, "doctor.ignore.id", |id| {
            checks::find(id)
                .map(|check| check.id.to_owned())
                .ok_or("no check has this id; infra/guide/doctor.md lists them")
        });
        let reason = self.spanned(&given.reason, "doctor.ignore.reason", |reason| match reason.trim() {
            "" => Err("say why: the report shows it"),
            reason => Ok(reason.to_owned()),
        });
        let cluster = given.cluster.as_ref().map(|cluster| self.cluster_named(cluster, clusters));
        let resource = given.resource.as_ref().map(|resource| resource.get_ref().clone());
        Some(Ignore {
            id: id?,
            reason: reason?,
            cluster: cluster.map_or(Some(None), |named| named.map(Some))?,
            resource,
        })
    }

    fn cluster_named(&mut self, given: &Spanned<String>, clusters: &[Spec]) -> Option<EntryName> {
        self.spanned(given, "doctor.ignore.cluster", |name| {
            let named = clusters.iter().find(|spec| spec.name.as_str() == name);
            named.map(|spec| spec.name.clone()).ok_or("no cluster of this configuration has this name")
        })
    }
}

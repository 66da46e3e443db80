//! The entries of `[[cluster]]`.

use std::collections::BTreeMap;
use std::ops::Range;

use toml::Spanned;

use super::Resolver;
use super::discover::fill_in_regions;
use crate::config::Problem;
use crate::config::endpoint::KINDS;
use crate::config::file::Cluster;
use repoint_domain::spec::Spec;
use repoint_domain::values::cluster::{EntryName, HISTORY, Scope, SystemId};
use repoint_domain::values::endpoint::Endpoint;

/// The longest name of an entry, in bytes: it is a key of the state table and part of the subject of alerts.
const LONGEST_NAME: usize = 255;

impl Resolver<'_> {
    pub(super) fn clusters(&mut self, clusters: &[Spanned<Cluster>]) -> Vec<Spec> {
        if clusters.is_empty() {
            let problem = Problem::of_file(self.path, "no cluster is configured")
                .with_hint("add a [[cluster]] with its `scope` and `members`");
            self.problems.push(problem);
        }
        let mut names: BTreeMap<EntryName, &Cluster> = BTreeMap::new();
        let mut specs = Vec::new();
        for cluster in clusters {
            let cluster = cluster.get_ref();
            if cluster.scope.get_ref().trim().is_empty() {
                self.push_error(&cluster.scope.span(), "cluster.scope", "it is empty");
            }
            let name = self.entry_name(cluster);
            match names.get(&name) {
                Some(first) => self.same_name(&name, first, cluster),
                None => drop(names.insert(name.clone(), cluster)),
            }
            specs.push(self.cluster(name, cluster));
        }
        specs
    }

    /// The entry's name: the key of its state, and part of its alerts.
    fn entry_name(&mut self, cluster: &Cluster) -> EntryName {
        let (key, name) = match &cluster.name {
            Some(name) => ("cluster.name", name),
            None => ("cluster.scope", &cluster.scope),
        };
        if name.get_ref().contains(HISTORY) {
            let message =
                format!("it must not contain `{HISTORY}`, which is in the keys of a cluster's events");
            self.push_error(&name.span(), key, message);
        }
        let Some(name) = &cluster.name else { return EntryName::new(cluster.scope.get_ref()) };
        let (text, span) = (name.get_ref(), name.span());
        if text.trim().is_empty() {
            self.push_error(&span, "cluster.name", "it is empty");
        }
        if text.len() > LONGEST_NAME || text.chars().any(char::is_control) {
            let message = format!("it must have at most {LONGEST_NAME} bytes and no control characters");
            self.push_error(&span, "cluster.name", message);
        }
        EntryName::new(text)
    }

    /// Two entries with one name would share a state, and each would follow the other's primary.
    fn same_name(&mut self, name: &EntryName, first: &Cluster, second: &Cluster) {
        let of = |cluster: &Cluster| match &cluster.name {
            Some(given) => ("cluster.name", given.span()),
            None => ("cluster.scope", cluster.scope.span()),
        };
        let (key, span) = of(second);
        let line = self.source.line(&of(first).1);
        let problem = if first.scope.get_ref() == second.scope.get_ref() && second.name.is_none() {
            let message = format!("cluster `{name}` is named twice, first in line {line}");
            let hint = "give each entry a unique `name`: several entries may have the same scope, as Citus groups do";
            self.source.problem(&span, Some(key), message).with_hint(hint)
        } else {
            let message = format!("two entries have the name `{name}`, the first in line {line}");
            let hint = "give each entry a unique `name`; the default is the scope";
            self.source.problem(&span, Some(key), message).with_hint(hint)
        };
        self.problems.push(problem);
    }

    fn cluster(&mut self, name: EntryName, cluster: &Cluster) -> Spec {
        let system_id = cluster.system_id.as_ref().and_then(|id| {
            self.spanned(id, "cluster.system_id", |text| {
                let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
                is_number
                    .then(|| SystemId::new(text))
                    .ok_or("it must be the number that `pg_controldata` prints")
            })
        });
        let scope = Scope::new(cluster.scope.get_ref());
        let role = self.role_of_cluster(cluster);
        let sites = self.sites(&scope, cluster, role.as_ref());
        let mut spec = Spec {
            name,
            scope,
            sites,
            system_id,
            groups: Vec::new(),
            records: Vec::new(),
            backends: Vec::new(),
        };
        for kind in KINDS {
            (kind.resolve)(self, cluster, role.as_ref(), &mut spec);
        }
        fill_in_regions(&mut spec, self.region.as_deref());
        spec
    }

    /// Two entries with the same endpoint would undo each other's changes. `what` describes it.
    pub(in crate::config) fn claim(
        &mut self,
        entry: &EntryName,
        (endpoint, what): (Endpoint, &str),
        span: &Range<usize>,
        key: &str,
    ) {
        let line = self.source.line(span);
        if let Some((owner, first)) = self.claimed.insert(endpoint, (entry.to_string(), line)) {
            let message = format!("{what} is configured twice, first by cluster `{owner}` in line {first}");
            self.push_error(span, key, message);
        }
    }
}

//! Where clients connect, as JSON.

use serde::Serialize;

use super::{Node, Nodes};
use crate::decide::verdict::Verdict;
use crate::observed::Observed;
use crate::report::status::{MemberReport, member_reports};
use crate::report::{VERSION, VerdictReport};
use crate::spec::Spec;
use crate::values::cluster::{EntryName, Scope};

/// What `repoint primary` prints for programs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ClientReport {
    /// [`VERSION`].
    pub version: u32,
    /// Patroni's scope.
    pub scope: Scope,
    /// Which entry of the configuration.
    pub name: EntryName,
    /// Who is the primary.
    pub verdict: VerdictReport,
    /// The members that are wanted, the first one first.
    pub nodes: Vec<Node>,
    /// Every member of every site, as in the status.
    pub members: Vec<MemberReport>,
}

impl ClientReport {
    /// Of this verdict.
    #[must_use]
    pub fn new(spec: &Spec, observed: &Observed, verdict: &Verdict, nodes: &Nodes) -> Self {
        Self {
            version: VERSION,
            scope: spec.scope.clone(),
            name: spec.name.clone(),
            verdict: VerdictReport::from(verdict),
            nodes: nodes.wanted().cloned().collect(),
            members: member_reports(observed),
        }
    }
}

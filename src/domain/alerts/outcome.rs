//! What one pass observed, decided and did: the state and the alerts follow from it.

use super::findings::Findings;
use crate::decide::verdict::Verdict;
use crate::observed::Observed;
use crate::report::{HoldReport, StepReport};
use crate::spec::Spec;
use crate::state::State;
use crate::values::cluster::{SiteName, Timeline};
use crate::values::moves::Move;

/// What one pass observed, decided and did.
#[derive(Clone, Debug)]
pub struct PassOutcome<'a> {
    /// What is configured.
    pub spec: &'a Spec,
    /// What it did, and tried.
    pub steps: &'a [StepReport],
    /// What it left alone, and why.
    pub holds: &'a [HoldReport],
    /// The state when it was loaded; empty where the state store was unavailable.
    pub loaded: Loaded,
    /// What it observed.
    pub observed: &'a Observed,
    /// Its verdict on who is the primary.
    pub verdict: &'a Verdict,
    /// What is wrong.
    pub findings: &'a Findings,
    /// What was moved, and why.
    pub moves: Option<&'a Move>,
    /// The revision of the commit that it ends: its own, or that of a process that died.
    pub committed: Option<u64>,
}

/// What shows whether the state has changed since it was loaded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Loaded {
    /// The highest timeline. Only an adoption sets it back.
    pub timeline: Option<Timeline>,
    /// The site that was followed. It changes by a commit for another one.
    pub site: Option<SiteName>,
}

impl From<&State> for Loaded {
    fn from(state: &State) -> Self {
        Self { timeline: state.highest_timeline, site: state.site.clone() }
    }
}

//! What a process knows of its clusters, for readers outside the passes: metrics, health and status.
//!
//! The daemon replaces what it knows of a cluster as a whole after each check of the members and after each pass. Both sides
//! hold a lock only while pointers are copied, so no reader delays a pass.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;

use crate::runtime::watch::Checked;
use repoint_domain::decide::verdict::HoldKind;
use repoint_domain::report::status::{ClusterStatus, ConditionStatus, EndpointStatus, Events, MemberReport};
use repoint_domain::report::{ClusterReport, Outcome, VERSION, VerdictReport};
use repoint_domain::spec::Spec;
use repoint_domain::state::{Retargets, Severity};
use repoint_domain::values::timestamp::Timestamp;

/// The clusters of a configuration, in its order.
#[derive(Debug)]
pub struct Overview(Vec<Entry>);

#[derive(Debug)]
struct Entry {
    /// What watches the cluster shares it.
    spec: Arc<Spec>,
    /// Whether another entry has one of its scopes.
    shares_scope: bool,
    known: Mutex<Known>,
}

/// What is known of one cluster. A copy of it is cheap.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// When its members were last asked.
    pub checked_at: Option<Timestamp>,
    /// When the last pass ended.
    pub passed_at: Option<Timestamp>,
    /// When the last pass ended in which nothing failed, the state was available and every alert was published; before the
    /// first one, when this process began to watch the cluster.
    pub succeeded_at: Timestamp,
    /// What the members said since the last pass.
    checked: Option<Arc<Checked>>,
    passed: Option<Arc<Passed>>,
}

/// What the last pass left.
#[derive(Debug)]
struct Passed {
    outcome: Outcome,
    trouble: Option<String>,
    status: ClusterStatus,
}

/// How many clusters are not as they should be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Without a primary. A standby cluster has none by design.
    pub without_primary: usize,
    /// Held by their last pass.
    pub held: usize,
    /// Whose last pass failed.
    pub failed: usize,
    /// With a critical condition whose grace is over.
    pub critical: usize,
}

/// The statuses of all clusters, in the shape of `repoint status --format json`.
#[derive(Debug, Serialize)]
pub struct Statuses {
    version: u32,
    clusters: Vec<StatusOf>,
}

/// One of them, and how old it is: in milliseconds since 1970.
#[derive(Debug, Serialize)]
struct StatusOf {
    #[serde(flatten)]
    status: ClusterStatus,
    outcome: Option<Outcome>,
    checked_at_ms: Option<Timestamp>,
    passed_at_ms: Option<Timestamp>,
}

impl Overview {
    /// Of these clusters, from now on. What `before` knows of one whose entry is the same is still true.
    #[must_use]
    pub fn new(clusters: &[Spec], before: Option<&Self>, now: Timestamp) -> Self {
        let mut entries_of: BTreeMap<&str, usize> = BTreeMap::new();
        for spec in clusters {
            let mut scopes: Vec<&str> = spec.scopes().collect();
            scopes.sort_unstable();
            scopes.dedup();
            for scope in scopes {
                *entries_of.entry(scope).or_default() += 1;
            }
        }
        let known: BTreeMap<_, _> =
            before.into_iter().flat_map(|before| &before.0).map(|entry| (&entry.spec.name, entry)).collect();
        let entry = |spec: &Spec| {
            let same = known.get(&spec.name).filter(|entry| *entry.spec == *spec);
            let known = same.map(|entry| entry.lock().clone());
            let is_shared = |scope| entries_of.get(scope).is_some_and(|entries| *entries > 1);
            Entry {
                spec: Arc::new(spec.clone()),
                shares_scope: spec.scopes().any(is_shared),
                known: Mutex::new(known.unwrap_or_else(|| Known { succeeded_at: now, ..Known::default() })),
            }
        };
        Self(clusters.iter().map(entry).collect())
    }

    /// Members of the cluster in that place were asked.
    pub fn checked(&self, place: usize, checked: Checked, now: Timestamp) {
        let Some(entry) = self.0.get(place) else { return };
        let checked = Some(Arc::new(checked));
        let mut known = entry.lock();
        let replaced = std::mem::replace(&mut known.checked, checked);
        known.checked_at = Some(now);
        drop(known);
        drop(replaced);
    }

    /// Nothing has changed since members of the cluster in that place were last asked.
    pub fn unchanged(&self, place: usize, now: Timestamp) {
        if let Some(entry) = self.0.get(place) {
            entry.lock().checked_at = Some(now);
        }
    }

    /// A pass over the cluster in that place has ended.
    pub fn passed(&self, place: usize, report: &ClusterReport, now: Timestamp) {
        let (Some(entry), Some(status)) = (self.0.get(place), &report.status) else { return };
        let before = entry.lock().passed.clone();
        // Without the state, what it said last counts.
        let before = before.as_deref();
        let mut status = (**status).clone();
        status.retargets = status.retargets.or_else(|| before?.status.retargets.clone());
        status.events = status.events.or_else(|| before?.status.events.clone());
        let trouble = report.first_trouble().map(str::to_owned);
        let passed = Arc::new(Passed { outcome: report.outcome, trouble, status });
        let mut known = entry.lock();
        let succeeded_at = if report.is_working() { now } else { known.succeeded_at };
        let at = Some(now);
        *known = Known { checked_at: at, passed_at: at, succeeded_at, checked: None, passed: Some(passed) };
    }

    /// How many clusters there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// What is known of each cluster now, and whether another entry has one of its scopes.
    pub fn clusters(&self) -> impl Iterator<Item = (&Spec, bool, Known)> {
        self.0.iter().map(|entry| (&*entry.spec, entry.shares_scope, entry.lock().clone()))
    }

    /// The clusters alone.
    #[must_use]
    pub fn specs(&self) -> impl ExactSizeIterator<Item = &Arc<Spec>> {
        self.0.iter().map(|entry| &entry.spec)
    }

    /// How many clusters are not as they should be.
    #[must_use]
    pub fn summary(&self) -> Summary {
        let mut summary = Summary::default();
        for (_, _, known) in self.clusters() {
            summary.without_primary += usize::from(known.has_primary() == Some(false));
            summary.held += usize::from(known.outcome() == Some(Outcome::Held));
            summary.failed += usize::from(known.outcome() == Some(Outcome::Failed));
            let is_critical = |condition: &ConditionStatus| condition.kind.severity() == Severity::Critical;
            summary.critical += usize::from(known.conditions().any(is_critical));
        }
        summary
    }

    /// The names of the clusters whose members have not been asked yet.
    #[must_use]
    pub fn unchecked(&self) -> Vec<&str> {
        let is_unchecked = |entry: &&Entry| entry.lock().checked_at.is_none();
        self.0.iter().filter(is_unchecked).map(|entry| entry.spec.name.as_str()).collect()
    }

    /// How every cluster stands, without asking again.
    #[must_use]
    pub fn statuses(&self, now: Timestamp) -> Statuses {
        let status = |(spec, _, known): (&Spec, bool, Known)| StatusOf {
            status: known.status(spec, now),
            outcome: known.outcome(),
            checked_at_ms: known.checked_at,
            passed_at_ms: known.passed_at,
        };
        Statuses { version: VERSION, clusters: self.clusters().map(status).collect() }
    }
}

impl Entry {
    /// A panic leaves nothing half done: what is held is only replaced.
    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    /// Who is the primary; absent before the first check.
    #[must_use]
    pub fn verdict(&self) -> Option<&VerdictReport> {
        let since = self.checked.as_ref().and_then(|checked| checked.verdict.as_ref());
        since.or_else(|| Some(&self.passed.as_ref()?.status.verdict))
    }

    /// Whether there is a primary; absent before the first check, and for a standby cluster, which has none by design.
    #[must_use]
    pub fn has_primary(&self) -> Option<bool> {
        match self.verdict()? {
            VerdictReport::Primary(_) => Some(true),
            VerdictReport::Hold { kind: HoldKind::StandbyCluster, .. } => None,
            VerdictReport::Hold { .. } => Some(false),
        }
    }

    /// Whether Patroni is in maintenance mode.
    #[must_use]
    pub fn is_paused(&self) -> Option<bool> {
        let since = self.checked.as_ref().map(|checked| checked.is_paused);
        since.or_else(|| Some(self.passed.as_ref()?.status.is_paused))
    }

    /// How the members stand.
    #[must_use]
    pub fn members(&self) -> &[MemberReport] {
        match (&self.checked, &self.passed) {
            (Some(checked), _) => &checked.members,
            (None, Some(passed)) => &passed.status.members,
            (None, None) => &[],
        }
    }

    /// The endpoints after the last pass.
    #[must_use]
    pub fn endpoints(&self) -> &[EndpointStatus] {
        self.passed.as_ref().map_or(&[], |passed| &passed.status.endpoints)
    }

    /// The conditions whose grace is over: what lasts for a shorter time is no trouble yet.
    pub fn conditions(&self) -> impl Iterator<Item = &ConditionStatus> {
        let conditions = self.passed.iter().flat_map(|passed| &passed.status.conditions);
        conditions.filter(|condition| condition.outlasts_grace)
    }

    /// How the last pass ended.
    #[must_use]
    pub fn outcome(&self) -> Option<Outcome> {
        self.passed.as_ref().map(|passed| passed.outcome)
    }

    /// Why the last pass did not end well.
    #[must_use]
    pub fn trouble(&self) -> Option<&str> {
        self.passed.as_ref()?.trouble.as_deref()
    }

    /// Which events the history has, by the state.
    #[must_use]
    pub fn events(&self) -> Option<&Events> {
        self.passed.as_ref()?.status.events.as_ref()
    }

    /// How often endpoints were moved, by the state.
    #[must_use]
    pub fn retargets(&self) -> Option<&Retargets> {
        self.passed.as_ref()?.status.retargets.as_ref()
    }

    /// How many alerts have yet to be published, by the state.
    #[must_use]
    pub fn alerts_pending(&self) -> Option<usize> {
        self.passed.as_ref()?.status.alerts_pending
    }

    /// The whole status.
    #[must_use]
    pub fn status(&self, spec: &Spec, now: Timestamp) -> ClusterStatus {
        let passed = self.passed.as_ref().map(|passed| passed.status.clone());
        let mut status = passed.unwrap_or_else(|| ClusterStatus::unknown(spec));
        if let Some(verdict) = self.verdict() {
            status.verdict = verdict.clone();
        }
        status.is_paused = self.is_paused().unwrap_or_default();
        status.members = self.members().to_vec();
        for condition in &mut status.conditions {
            condition.lasted_seconds = now.since(condition.since) / 1000;
        }
        status
    }
}

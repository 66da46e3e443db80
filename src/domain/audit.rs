//! Whether a plan may be applied: the last check before anything is written.
//!
//! It is written from the invariants, not from the planner, and shares no code with it. A plan that it refuses is a
//! mistake in repoint: nothing of it is applied, and an alert is sent. Only [`audit`] makes a [`Checked`].

mod backend;
mod evidence;
mod identity;
mod listener;
mod record;
mod refusal;
mod target_group;
mod timeline;

pub use refusal::Refusal;

use std::collections::BTreeSet;

use crate::decide::verdict::{Hold, Verdict};
use crate::observed::Observed;
use crate::plan::{Plan, StepGroup};
use crate::spec::Spec;
use crate::state::State;
use crate::values::cluster::Role;
use crate::values::primary::Primary;
use crate::values::timestamp::Timestamp;

/// A plan that breaks no invariant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked(Plan);

impl Checked {
    /// The plan.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.0
    }
}

/// Checks a plan against the invariants, at this time.
///
/// # Errors
/// The first invariant that it breaks.
pub fn audit(
    plan: &Plan,
    spec: &Spec,
    observed: &Observed,
    verdict: &Verdict,
    state: &State,
    now: Timestamp,
) -> Result<Checked, Refusal> {
    if plan.step_groups.is_empty() {
        return Ok(Checked(plan.clone()));
    }
    let (primary, is_standby) = match verdict {
        Verdict::Primary(primary) => (primary, false),
        Verdict::Hold(Hold::StandbyCluster { serves: Some(leader), .. }) => (&**leader, true),
        Verdict::Hold(_) => return Err(Refusal::NoPrimary),
    };
    if is_standby {
        serves_readers_alone(plan, spec, observed, primary)?;
    }
    timeline::never_backwards(primary, spec, state)?;
    if state.is_of_others(spec) {
        return Err(Refusal::StateOfOthers);
    }
    identity::is_configured(primary, spec, observed, state)?;
    timeline::never_back_to_a_site(primary, observed, state)?;
    let seen = &Seen { observed, primary, leads_newly: timeline::leads_newly(primary, state, now) };
    let mut touched = BTreeSet::new();
    for step_group in &plan.step_groups {
        match step_group {
            StepGroup::Group { arn, steps } => {
                once(&mut touched, arn.to_string())?;
                target_group::group(arn, steps, spec, seen)?;
                listener::closes_nothing_in_use(arn, steps, spec, observed, primary)?;
            }
            StepGroup::Listeners { steps } => listener::listeners(steps, spec, seen, &mut touched)?,
            StepGroup::Zone { zone, changes } => {
                for change in changes {
                    once(&mut touched, change.after.key.to_string())?;
                    record::record(zone, change, spec, seen)?;
                }
            }
            StepGroup::Backend { key, changes } => {
                once(&mut touched, key.to_string())?;
                backend::backend(key, changes, spec, seen)?;
            }
        }
    }
    Ok(Checked(plan.clone()))
}

/// What a plan is checked against.
struct Seen<'a> {
    observed: &'a Observed,
    primary: &'a Primary,
    /// Whether replicas may still be on their way to it.
    leads_newly: bool,
}

/// A standby cluster takes no writes: only endpoints of readers follow its leader, which reports that it is one.
fn serves_readers_alone(
    plan: &Plan,
    spec: &Spec,
    observed: &Observed,
    leader: &Primary,
) -> Result<(), Refusal> {
    let answers = observed.answers_of(leader.site.as_ref()).values();
    let mut statuses = answers.filter_map(|answer| answer.status.as_ref().ok());
    let leads = statuses.any(|own| {
        own.role == Role::StandbyLeader
            && own.timeline == Some(leader.timeline)
            && own.system_id.as_ref() == Some(&leader.system_id)
    });
    let is_readers = |step_group: &StepGroup| match step_group {
        StepGroup::Listeners { .. } => false,
        StepGroup::Group { arn, .. } => target_group::is_of_readers(arn, spec),
        StepGroup::Zone { changes, .. } => changes.iter().all(|change| record::is_of_readers(change, spec)),
        StepGroup::Backend { key, .. } => backend::is_of_readers(key, spec),
    };
    if leads && plan.step_groups.iter().all(is_readers) { Ok(()) } else { Err(Refusal::NoPrimary) }
}

fn once(touched: &mut BTreeSet<String>, endpoint: String) -> Result<(), Refusal> {
    if touched.contains(&endpoint) {
        return Err(Refusal::Repeats(endpoint));
    }
    touched.insert(endpoint);
    Ok(())
}

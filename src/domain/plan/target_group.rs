//! The steps for target groups that stand behind no configured listener.

mod exclusive;
mod health_check;
mod place;
mod warm;

pub use health_check::{apis_of, is_of_primary, validate_health_check};
pub(super) use place::target;

use super::{Context, Plan, StepGroup};
use crate::spec::Strategy;
use crate::values::endpoint::Endpoint;

/// Adds the steps that each group needs, and the groups that are held.
pub(super) fn plan(context: &Context, plan: &mut Plan) {
    let Context { spec, hosts, primary, settling, state, now } = *context;
    for wanted in &spec.groups {
        let needs = match &wanted.strategy {
            Strategy::Weighted { .. } => continue,
            Strategy::Exclusive => exclusive::steps(wanted, hosts, primary, settling),
            Strategy::Warm { deregister_after_ms } => {
                warm::group(wanted, spec, hosts, primary).map(|group| {
                    group.needs(|surplus| {
                        state.is_surplus_for(&wanted.arn, surplus, *deregister_after_ms, now)
                    })
                })
            }
        };
        let steps = plan.take(&Endpoint::Group(wanted.arn.clone()), needs).unwrap_or_default();
        if !steps.is_empty() {
            plan.step_groups.push(StepGroup::Group { arn: wanted.arn.clone(), steps });
        }
    }
}

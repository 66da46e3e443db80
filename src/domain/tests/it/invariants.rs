//! The invariants of the pure core, as properties over worlds that nobody would think of.

use std::collections::BTreeMap;

use proptest::prelude::*;
use repoint_domain::decide::verdict::{Verdict, verdict};
use repoint_domain::observed::{MemberAnswer, Observed};
use repoint_domain::plan::{Plan, StepGroup, TargetStep, plan};
use repoint_domain::spec::{GroupRole, PointsTo, Spec};
use repoint_domain::state::State;
use repoint_domain::values::cluster::{ApiUrl, PostgresState, Role};
use repoint_domain::values::record::Answer;
use repoint_domain::values::target::{Target, TargetHealth};
use repoint_domain::values::timestamp::Timestamp;

use crate::support::cases::{case, planned, reader_case, warm_case};
use crate::support::evidence::{GROUP, arn, members_in, name, target};

// What the steps do to a world.

#[derive(Clone, Debug)]
enum Step {
    Target(TargetStep),
    /// A zone's batch is one step: Route 53 applies it whole.
    Batch(Vec<repoint_domain::values::record::RecordChange>),
}

fn steps(plan: &Plan) -> Vec<Step> {
    plan.step_groups
        .iter()
        .flat_map(|step_group| match step_group {
            StepGroup::Group { steps, .. } => steps.iter().cloned().map(Step::Target).collect::<Vec<_>>(),
            StepGroup::Listeners { .. } | StepGroup::Backend { .. } => {
                panic!("these worlds have no listener")
            }
            StepGroup::Zone { changes, .. } => vec![Step::Batch(changes.clone())],
        })
        .collect()
}

fn done(observed: &mut Observed, step: &Step) {
    match step {
        Step::Target(step) => {
            let group = observed.groups.get_mut(&arn(GROUP)).unwrap().as_mut().unwrap();
            match step {
                TargetStep::Register(target) => {
                    group.targets.retain(|health| health.target != *target);
                    group.targets.push(TargetHealth {
                        target: target.clone(),
                        state: "initial".to_owned(),
                        reason: None,
                    });
                }
                TargetStep::Deregister(target) => {
                    for health in group.targets.iter_mut().filter(|health| health.target == *target) {
                        "draining".clone_into(&mut health.state);
                    }
                }
            }
        }
        Step::Batch(changes) => {
            for change in changes {
                let sets = observed.records.get_mut(&change.after.key.place).unwrap().as_mut().unwrap();
                if let Some(before) = &change.before {
                    let at = sets.iter().position(|set| set == before).expect("DELETE of what is not there");
                    sets.remove(at);
                }
                assert!(!sets.iter().any(|set| set.key == change.after.key), "CREATE of what is there");
                sets.push(change.after.clone());
            }
        }
    }
}

fn opened(step: Step) -> Option<Target> {
    match step {
        Step::Target(TargetStep::Register(target)) => Some(target),
        Step::Target(TargetStep::Deregister(_)) | Step::Batch(_) => None,
    }
}

fn is_of_readers(spec: &Spec, step_group: &StepGroup) -> bool {
    match step_group {
        StepGroup::Group { arn, .. } => {
            spec.groups.iter().any(|group| group.arn == *arn && group.role != GroupRole::Writer)
        }
        StepGroup::Listeners { .. } | StepGroup::Backend { .. } => panic!("these worlds have no listener"),
        StepGroup::Zone { changes, .. } => changes.iter().all(|change| {
            let mut records = spec.records.iter().filter(|record| record.key == change.after.key);
            records.all(|record| matches!(record.points_to, PointsTo::Readers { .. }))
        }),
    }
}

fn any_case() -> impl Strategy<Value = (Spec, Observed, State)> {
    prop_oneof![case(), reader_case(), warm_case()]
}

fn registered(observed: &Observed) -> usize {
    observed.groups[&arn(GROUP)].as_ref().map_or(0, |group| group.registered().count())
}

fn answers(observed: &Observed) -> BTreeMap<String, Vec<String>> {
    let sets = observed.records.values().flatten().flatten();
    sets.map(|set| {
        let Answer::Values { values, .. } = &set.answer else { panic!("an alias") };
        (set.key.to_string(), values.clone())
    })
    .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Invariants 3 and 4: whoever is named claims it completely, belongs here, is ahead of every other claimant, and is not
    /// behind what was applied.
    #[test]
    fn invariant_3_never_guess_4_never_backwards((spec, observed, state) in case()) {
        let Verdict::Primary(chosen) = verdict(&spec, &observed, &state) else { return Ok(()) };
        let complete = |answer: &MemberAnswer| {
            let status = answer.status.as_ref().ok()?;
            let claims = status.answers_primary && status.role == Role::Primary && status.state == PostgresState::Running;
            let ours = status.scope.as_ref().is_none_or(|scope| *scope == spec.scope);
            let expected = [&spec.system_id, &state.system_id];
            let known = expected.into_iter().flatten().all(|id| status.system_id.as_ref() == Some(id));
            (claims && ours && known).then_some(())?;
            Some((status.name.clone()?, status.timeline?, status.system_id.clone()?))
        };
        let claims: Vec<_> = observed.answers_of(None).values().filter_map(complete).collect();
        let named = chosen.member.clone().unwrap();
        prop_assert!(claims.contains(&(named.clone(), chosen.timeline, chosen.system_id.clone())));
        for (other, timeline, system) in claims.iter().filter(|(other, ..)| *other != named) {
            prop_assert!(*timeline < chosen.timeline, "{other} on {timeline}");
            prop_assert_eq!(system, &chosen.system_id);
        }
        prop_assert!(state.highest_timeline.is_none_or(|highest| chosen.timeline >= highest));
    }

    /// Invariant 2: what could not be read is not touched; without a primary nothing is, except what a standby cluster's readers
    /// are reached by.
    #[test]
    fn invariant_2_unknown_is_not_absent((spec, observed, state) in case()) {
        let verdict = verdict(&spec, &observed, &state);
        let plan = plan(&spec, &observed, &verdict, &state, Timestamp(0));
        match (&verdict, verdict.leader()) {
            (Verdict::Hold(_), None) => prop_assert_eq!(&plan, &Plan::default()),
            (Verdict::Hold(_), Some(_)) => prop_assert!(plan.step_groups.iter().all(|step_group| is_of_readers(&spec, step_group))),
            (Verdict::Primary(_), _) => {}
        }
        for step_group in &plan.step_groups {
            match step_group {
                StepGroup::Group { arn, .. } => prop_assert!(observed.groups[arn].is_ok()),
                StepGroup::Listeners { .. } | StepGroup::Backend { .. } => panic!("these worlds have no listener"),
                StepGroup::Zone { changes, .. } => {
                    for change in changes {
                        prop_assert!(observed.records[&change.after.key.place].is_ok());
                    }
                }
            }
        }
    }

    /// Invariants 5, 6 and 7: no step empties a group or takes a name away, the new target is there before another goes, and
    /// only what is configured is written.
    #[test]
    fn invariant_5_never_empty_6_open_before_close_7_own_only((spec, observed, state) in any_case()) {
        let plan = planned(&spec, &observed, &state);
        let mut now = observed.clone();
        for step in steps(&plan) {
            let (targets, names) = (registered(&now), answers(&now).len());
            done(&mut now, &step);
            prop_assert!(registered(&now) >= targets.min(1));
            prop_assert!(answers(&now).len() >= names);
            prop_assert!(answers(&now).values().all(|values| !values.is_empty()));
            match &step {
                Step::Target(TargetStep::Deregister(gone)) => {
                    let Verdict::Primary(primary) = verdict(&spec, &observed, &state) else { unreachable!() };
                    let primary = target(&primary.address.unwrap().host, 5432);
                    prop_assert!(*gone != primary || spec.groups[0].role != GroupRole::Writer);
                    // Who was listed may be gone; somebody must have come in just before.
                    let opened: Vec<_> = steps(&plan).into_iter().filter_map(opened).collect();
                    let held: Vec<_> = now.groups[&arn(GROUP)].as_ref().unwrap().registered().cloned().collect();
                    prop_assert!(opened.iter().any(|stays| held.contains(stays)));
                    prop_assert!(held.contains(&primary) || spec.groups[0].role != GroupRole::Writer);
                }
                Step::Target(TargetStep::Register(_)) => {}
                Step::Batch(changes) => {
                    for change in changes {
                        let wanted = spec.records.iter().find(|record| record.key == change.after.key);
                        prop_assert!(wanted.is_some());
                        let before = change.before.as_ref();
                        prop_assert!(before.is_none_or(|before| before.key == change.after.key));
                        prop_assert!(before.is_none_or(|before| before.health_check_id == change.after.health_check_id));
                    }
                }
            }
        }
    }

    /// Invariants 8 and 9: after the plan there is nothing left to do; and after any part of it, a new pass does the rest.
    #[test]
    fn invariant_8_idempotent_9_crash_anywhere((spec, observed, state) in any_case(), crash in 0_usize..6) {
        let plan = planned(&spec, &observed, &state);
        let mut whole = observed.clone();
        for step in steps(&plan) {
            done(&mut whole, &step);
        }
        prop_assert!(planned(&spec, &whole, &state).is_empty());

        let mut part = observed.clone();
        for step in steps(&plan).iter().take(crash) {
            done(&mut part, step);
        }
        for step in steps(&planned(&spec, &part, &state)) {
            done(&mut part, &step);
        }
        prop_assert!(planned(&spec, &part, &state).is_empty());
        prop_assert_eq!(answers(&part), answers(&whole));
        prop_assert_eq!(registered(&part), registered(&whole));
    }

    /// Invariant 13: members may answer in any order, and AWS may list in any order.
    #[test]
    fn invariant_13_ordered((spec, observed, state) in any_case(), turned in any::<bool>()) {
        let mut shuffled = observed.clone();
        // The URLs are what answers are sorted by: other URLs, another order.
        *members_in(&mut shuffled) = observed
            .answers_of(None)
            .iter()
            .enumerate()
            .map(|(index, (_, answer))| {
                let number = if turned { 200 - index } else { 100 + index };
                (ApiUrl::parse(&format!("http://10.7.7.{number}:8008")).unwrap(), answer.clone())
            })
            .collect();
        for group in shuffled.groups.values_mut().flatten() {
            group.targets.reverse();
        }
        for sets in shuffled.records.values_mut().flatten() {
            sets.reverse();
        }
        // What is asked is what is configured.
        let mut there = spec.clone();
        there.sites[0].members = shuffled.answers_of(None).keys().cloned().collect();
        let (before, after) = (verdict(&spec, &observed, &state), verdict(&there, &shuffled, &state));
        let kind = |verdict: &Verdict| match verdict {
            Verdict::Primary(primary) => Ok((primary.member.clone(), primary.timeline)),
            Verdict::Hold(hold) => Err(hold.kind()),
        };
        if observed.answers_of(None).values().all(|answer| answer.status.is_ok()) {
            prop_assert_eq!(kind(&before), kind(&after));
        }
        let mut reversed = spec.clone();
        reversed.sites[0].members.reverse();
        let mut world_only = shuffled;
        world_only.sites = observed.sites.clone();
        prop_assert_eq!(plan(&reversed, &world_only, &before, &state, Timestamp(0)), plan(&spec, &observed, &before, &state, Timestamp(0)));
    }

    /// Invariant 11: who moves nothing says why.
    #[test]
    fn invariant_11_explained((spec, observed, state) in case()) {
        let verdict = verdict(&spec, &observed, &state);
        let plan = plan(&spec, &observed, &verdict, &state, Timestamp(0));
        for hold in repoint_domain::report::holds(&verdict, &plan) {
            prop_assert!(!hold.message.is_empty() && !hold.message.contains("::") && !hold.message.ends_with(": "), "{}", hold.message);
        }
        if let Verdict::Primary(primary) = &verdict {
            prop_assert!(primary.member != Some(name(0)));
            let unserved = primary.address.is_none();
            prop_assert!(!unserved || plan.holds.len() == 1 + spec.records.len() || !plan.holds.is_empty());
        }
    }
}

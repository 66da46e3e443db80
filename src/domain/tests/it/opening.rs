//! What a new primary joins before the endpoints have been read.

use std::collections::BTreeMap;

use proptest::prelude::*;
use repoint_domain::audit::{Refusal, audit};
use repoint_domain::decide::verdict::{Verdict, verdict};
use repoint_domain::observed::Observed;
use repoint_domain::plan::{StepGroup, TargetStep, openable, plan};
use repoint_domain::spec::Spec;
use repoint_domain::state::{Condition, ConditionKind, LastPrimary, State, Unknown};
use repoint_domain::values::arn::GroupArn;
use repoint_domain::values::cluster::{Address, SiteName, Timeline};
use repoint_domain::values::target::TargetGroup;
use repoint_domain::values::timestamp::Timestamp;

use crate::support::cases::led_case;
use crate::support::evidence::{
    GROUP, arn, group_spec, healthy, host, name, reader_spec, spec, target, warm_spec, weighted_spec,
};
use crate::support::history::History;

/// What passes remember of a cluster whose group follows pg1.
fn remembered() -> State {
    let mut history = History::with_group_at(1);
    history.pass(0, &healthy(1, 1));
    history.state
}

fn opened(spec: &Spec, observed: &Observed, state: &State) -> BTreeMap<GroupArn, TargetGroup> {
    let verdict = verdict(spec, observed, state);
    let Verdict::Primary(primary) = verdict else { return BTreeMap::new() };
    openable(spec, state, &primary)
}

fn unreadable() -> Condition {
    Condition {
        kind: ConditionKind::EndpointHeld,
        subject: Some(GROUP.to_owned()),
        endpoint: Some(GROUP.to_owned()),
        site: None,
        title: String::new(),
        message: "no answer".to_owned(),
        since: Timestamp(0),
        notified: None,
        unknown: Unknown::new(),
    }
}

fn unread(members: Observed, groups: BTreeMap<GroupArn, TargetGroup>) -> Observed {
    let groups = groups.into_iter().map(|(arn, group)| (arn, Ok(group))).collect();
    Observed { groups, ..members }
}

#[test]
fn a_new_primary_joins_the_group_and_nothing_leaves_it() {
    let (spec, state, members) = (Spec { groups: vec![group_spec()], ..spec() }, remembered(), healthy(2, 2));
    let groups = opened(&spec, &members, &state);
    let observed = unread(members, groups);
    let verdict = verdict(&spec, &observed, &state);
    let mut plan = plan(&spec, &observed, &verdict, &state, Timestamp(0));
    let join = vec![TargetStep::Register(target(&host(2), 5432))];
    assert_eq!(plan.step_groups, [StepGroup::Group { arn: arn(GROUP), steps: join }]);
    assert_eq!(audit(&plan, &spec, &observed, &verdict, &state, Timestamp(0)).err(), None);

    let StepGroup::Group { steps, .. } = &mut plan.step_groups[0] else { panic!("a group") };
    steps.push(TargetStep::Deregister(target(&host(1), 5432)));
    let refusal = audit(&plan, &spec, &observed, &verdict, &state, Timestamp(0)).err();
    assert!(matches!(refusal, Some(Refusal::Repeats(_))), "{refusal:?}");
}

#[test]
fn nothing_else_is_opened_before_it_is_read() {
    let known = remembered();
    let last = known.primary.clone().unwrap();
    let group = |group| Spec { groups: vec![group], ..spec() };
    let writer = group(group_spec());
    let west = Some(SiteName::new("west"));
    let cases = [
        ("another pass has followed it", writer.clone(), healthy(1, 1), known.clone()),
        ("its timeline is no higher", writer.clone(), healthy(2, 1), known.clone()),
        ("it is where the last one was", writer.clone(), healthy(1, 2), known.clone()),
        ("readers follow others, too", group(reader_spec(0)), healthy(2, 2), known.clone()),
        ("every member is in already", group(warm_spec(0)), healthy(2, 2), known.clone()),
        ("the listener's weights choose", group(weighted_spec(2)), healthy(2, 2), known.clone()),
        ("nothing was followed", writer.clone(), healthy(2, 2), State { primary: None, ..known.clone() }),
        (
            "the group was never read",
            writer.clone(),
            healthy(2, 2),
            State { group_kinds: BTreeMap::new(), ..known.clone() },
        ),
        (
            "its API has not answered",
            writer.clone(),
            healthy(2, 2),
            State { conditions: vec![unreadable()], ..known.clone() },
        ),
        (
            "another site was followed",
            writer,
            healthy(2, 2),
            State { primary: Some(LastPrimary { site: west, ..last }), ..known.clone() },
        ),
    ];
    for (why, spec, members, state) in cases {
        // A weighted group's kind would be as good as any.
        let mut state = state;
        if let Some(kind) = state.group_kinds.values().next().cloned() {
            state.group_kinds.extend(spec.groups.iter().map(|group| (group.arn.to_string(), kind.clone())));
        }
        assert_eq!(opened(&spec, &members, &state), BTreeMap::new(), "{why}");
    }
}

proptest! {
    /// Invariants 3, 5 and 6, in a group of which nothing is known but its kind.
    #[test]
    fn invariant_an_opening_registers_the_primary_alone((spec, seen, state) in led_case()) {
        let kinds = seen.groups.iter().filter_map(|(arn, read)| Some((arn.to_string(), read.as_ref().ok()?.kind())));
        let last = LastPrimary {
            site: None,
            member: Some(name(9)),
            address: Some(Address { host: host(9), port: 5432 }),
            timeline: Timeline(0),
        };
        let state = State { group_kinds: kinds.collect(), primary: Some(last), ..state };
        let observed = unread(Observed { groups: BTreeMap::new(), ..seen.clone() }, opened(&spec, &seen, &state));
        let spec = Spec { records: Vec::new(), ..spec };
        let verdict = verdict(&spec, &observed, &state);
        let plan = plan(&spec, &observed, &verdict, &state, Timestamp(0));
        prop_assert_eq!(audit(&plan, &spec, &observed, &verdict, &state, Timestamp(0)).err(), None);
        for (_, step) in plan.target_steps() {
            let Verdict::Primary(primary) = &verdict else { panic!("a primary") };
            let own = primary.address.as_ref().map(|address| target(&address.host, address.port));
            prop_assert_eq!(Some(step.clone()), own.map(TargetStep::Register));
        }
    }
}

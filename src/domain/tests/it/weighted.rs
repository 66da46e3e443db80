//! A group for each member behind one listener: the primary's gets every connection, once the primary is in it.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use repoint_domain::alerts::findings;
use repoint_domain::audit::{Refusal, audit};
use repoint_domain::decide::verdict::{Verdict, verdict};
use repoint_domain::observed::{Observed, Read};
use repoint_domain::plan::moves::moves;
use repoint_domain::plan::{EndpointReasonKind, ListenerStep, Plan, StepGroup, TargetStep, plan};
use repoint_domain::report::status::{Standing, status};
use repoint_domain::report::{describe, planned_steps, warnings};
use repoint_domain::spec::part::parts;
use repoint_domain::spec::{Spec, Strategy};
use repoint_domain::state::{LastPrimary, State};
use repoint_domain::values::arn::{GroupArn, ListenerArn};
use repoint_domain::values::cluster::Address;
use repoint_domain::values::endpoint::Endpoint;
use repoint_domain::values::listener::{Forward, Listener};
use repoint_domain::values::moves::{Move, MoveCause};
use repoint_domain::values::target::{Target, TargetGroup, TargetHealth};
use repoint_domain::values::timestamp::Timestamp;

use crate::support::cases::{planned, weighted_case};
use crate::support::evidence::{
    LISTENER, forward, healthy, host, ip_group, listener_arn, member_group, members_in, name, refused, spec,
    target, weighted_spec,
};

fn configured() -> Spec {
    Spec { groups: (1..=3).map(weighted_spec).collect(), ..spec() }
}

/// Every member is in its own group.
fn filled() -> BTreeMap<GroupArn, repoint_domain::observed::Read<TargetGroup>> {
    (1..=3).map(|number| (member_group(number), Ok(ip_group(&[(&host(number), "healthy")])))).collect()
}

/// pg2 leads, and the listener does this.
fn observed(weights: &[(u8, u32)]) -> Observed {
    of(Listener::Forward(forward(weights)))
}

fn of(listener: Listener) -> Observed {
    Observed {
        groups: filled(),
        listeners: BTreeMap::from([(listener_arn(), Ok(listener))]),
        ..healthy(2, 4)
    }
}

fn checked(observed: &Observed) -> Plan {
    checked_for(&configured(), observed)
}

fn checked_for(spec: &Spec, observed: &Observed) -> Plan {
    let state = State::default();
    let verdict = verdict(spec, observed, &state);
    let plan = plan(spec, observed, &verdict, &state, Timestamp(0));
    assert_eq!(audit(&plan, spec, observed, &verdict, &state, Timestamp(0)).err(), None);
    plan
}

/// The steps in the order of the plan, in words; a bar between lanes.
fn words(plan: &Plan) -> String {
    let of_group = |group: &GroupArn, step: &TargetStep| match step {
        TargetStep::Register(target) => format!("{}+{}", group.name(), target.id),
        TargetStep::Deregister(target) => format!("{}-{}", group.name(), target.id),
    };
    let step_group = |step_group: &StepGroup| {
        let steps: Vec<String> = match step_group {
            StepGroup::Group { arn, steps } => steps.iter().map(|step| of_group(arn, step)).collect(),
            StepGroup::Listeners { steps } => steps
                .iter()
                .map(|step| match step {
                    ListenerStep::Target(group, step) => of_group(group, step),
                    ListenerStep::Weights(weights) => format!("{}=>{}", weights.before, weights.after),
                })
                .collect(),
            StepGroup::Zone { .. } | StepGroup::Backend { .. } => panic!("no zone"),
        };
        steps.join(" ")
    };
    plan.step_groups.iter().map(step_group).collect::<Vec<_>>().join(" | ")
}

/// Why the listener is held, and what kind of reason that is.
fn held(plan: &Plan) -> (EndpointReasonKind, String) {
    let hold = plan.holds.iter().find(|hold| describe(&hold.endpoint).starts_with("listener"));
    let reason = &hold.unwrap_or_else(|| panic!("{plan:?}")).reason;
    (reason.kind(), reason.to_string())
}

#[test]
fn the_weights_follow_the_primary_and_nothing_else_is_done() {
    assert_eq!(words(&checked(&observed(&[(1, 100), (2, 0), (3, 0)]))), "pg1=>pg2");
    assert_eq!(checked(&observed(&[(1, 0), (2, 100), (3, 0)])), Plan::default());
}

/// What counts is who gets connections. Whatever number does that is left alone.
#[test]
fn another_number_that_does_the_same_is_right() {
    assert_eq!(checked(&observed(&[(1, 0), (2, 1), (3, 0)])), Plan::default());
}

// Two listeners before one set of groups, for PostgreSQL and for a pooler.

fn second_listener() -> ListenerArn {
    ListenerArn::parse(&LISTENER.replace("f2f7dc8efc522ab2", "a2f7dc8efc522ab2")).unwrap()
}

fn configured_twice() -> Spec {
    let mut spec = configured();
    for group in &mut spec.groups {
        if let Strategy::Weighted { listeners, .. } = &mut group.strategy {
            *listeners = vec![second_listener(), listener_arn()];
        }
    }
    spec
}

/// pg1's group has a stranger, and the primary's is empty.
fn observed_of_two(first: Read<Listener>, second: &[(u8, u32)]) -> Observed {
    let mut observed = observed(second);
    observed.listeners.insert(second_listener(), first);
    observed.groups.insert(member_group(2), Ok(ip_group(&[])));
    let strange = ip_group(&[(&host(1), "healthy"), ("10.0.1.99", "healthy")]);
    observed.groups.insert(member_group(1), Ok(strange));
    observed
}

const OLD: [(u8, u32); 3] = [(1, 100), (2, 0), (3, 0)];
const NEW: [(u8, u32); 3] = [(1, 0), (2, 100), (3, 0)];

#[test]
fn both_listeners_move_once_the_primary_is_in_and_before_anything_goes() {
    let forward = |weights: &[(u8, u32)]| Ok(Listener::Forward(forward(weights)));
    let plan = checked_for(&configured_twice(), &observed_of_two(forward(&OLD), &OLD));
    assert_eq!(words(&plan), "pg2+10.0.1.12 pg1=>pg2 pg1=>pg2 pg1+10.0.1.11 pg1-10.0.1.99");
    assert_eq!(plan.holds, []);
    let listeners: Vec<String> =
        planned_steps(&plan)[1..3].iter().map(|step| step.endpoint.to_string()).collect();
    assert_eq!(listeners, [second_listener().to_string(), LISTENER.to_owned()]);
    // One that is right is left alone, and counts as moved.
    let plan = checked_for(&configured_twice(), &observed_of_two(forward(&NEW), &OLD));
    assert_eq!(words(&plan), "pg2+10.0.1.12 pg1=>pg2 pg1+10.0.1.11 pg1-10.0.1.99");
}

/// Invariant 15: the other one moves. Invariant 2: on what its connections rest is not known, so nothing goes.
#[test]
fn a_listener_that_cannot_be_read_keeps_the_other_not() {
    let plan = checked_for(&configured_twice(), &observed_of_two(Err(refused()), &OLD));
    assert_eq!(words(&plan), "pg2+10.0.1.12 pg1=>pg2");
    assert_eq!(plan.holds.len(), 1);
    assert_eq!(held(&plan).0, EndpointReasonKind::Unreadable);
    let plan = checked_for(&configured_twice(), &observed_of_two(Err(refused()), &NEW));
    assert_eq!(words(&plan), "pg2+10.0.1.12");
}

#[test]
fn the_auditor_lets_nothing_go_between_two_listeners() {
    let forward = |weights: &[(u8, u32)]| Ok(Listener::Forward(forward(weights)));
    let (spec, observed) = (configured_twice(), observed_of_two(forward(&OLD), &OLD));
    let mut plan = checked_for(&spec, &observed);
    let [StepGroup::Listeners { steps }] = &mut plan.step_groups[..] else { panic!("{plan:?}") };
    let last = steps.remove(2);
    steps.push(last);
    let state = State::default();
    let verdict = verdict(&spec, &observed, &state);
    let refusal = audit(&plan, &spec, &observed, &verdict, &state, Timestamp(0)).unwrap_err();
    let (group, target) = (member_group(1).to_string(), target("10.0.1.99", 5432));
    assert_eq!(refusal, Refusal::ClosesFirst { group, target });
}

#[test]
fn listeners_before_one_set_are_one_part() {
    let parts = parts(&configured_twice());
    assert_eq!(parts.len(), 1);
    assert!(parts[0].covers(&Endpoint::Listener(listener_arn())));
    assert!(parts[0].covers(&Endpoint::Listener(second_listener())));
}

#[test]
fn every_group_is_put_behind_the_listener() {
    let plan = checked(&observed(&[(2, 1)]));
    assert_eq!(words(&plan), "pg2=>pg2");
    assert_eq!(planned_steps(&plan)[0].summary(), "put every group behind it, all connections to pg2");
    let [StepGroup::Listeners { steps }] = &plan.step_groups[..] else { panic!("{plan:?}") };
    let ListenerStep::Weights(weights) = &steps[0] else { panic!("{plan:?}") };
    assert_eq!(weights.after, forward(&[(1, 0), (2, 100), (3, 0)]));
}

#[test]
fn what_is_not_ours_is_carried_over() {
    let before = Forward {
        stickiness: Some(repoint_domain::values::listener::Stickiness {
            enabled: Some(true),
            duration_seconds: Some(7),
        }),
        order: Some(3),
        ..forward(&[(1, 9), (2, 0), (3, 0), (4, 0)])
    };
    let plan = checked(&of(Listener::Forward(before.clone())));
    let [StepGroup::Listeners { steps }] = &plan.step_groups[..] else { panic!("{plan:?}") };
    let ListenerStep::Weights(weights) = &steps[0] else { panic!("{plan:?}") };
    let weights_after = forward(&[(1, 0), (2, 100), (3, 0), (4, 0)]).weights;
    assert_eq!(weights.after, Forward { weights: weights_after, ..before });
}

#[test]
fn the_primary_is_registered_before_it_gets_connections() {
    for group in [ip_group(&[]), ip_group(&[(&host(2), "draining")])] {
        let mut observed = observed(&[(1, 100), (2, 0), (3, 0)]);
        observed.groups.insert(member_group(2), Ok(group));
        assert_eq!(words(&checked(&observed)), "pg2+10.0.1.12 pg1=>pg2");
    }
}

/// Somebody has put the new primary into the old one's group: what writes come through now goes last.
#[test]
fn what_connections_may_rest_on_goes_after_them() {
    let mut observed = observed(&[(1, 100), (2, 0), (3, 0)]);
    observed.groups.insert(member_group(1), Ok(ip_group(&[(&host(2), "healthy")])));
    observed.groups.insert(member_group(2), Ok(ip_group(&[(&host(3), "healthy")])));
    let order = "pg2+10.0.1.12 pg1=>pg2 pg2-10.0.1.13 pg1+10.0.1.11 pg1-10.0.1.12";
    assert_eq!(words(&checked(&observed)), order);
}

#[test]
fn groups_are_kept_filled_each_by_itself_while_the_weights_are_right() {
    let mut observed = observed(&[(1, 0), (2, 100), (3, 0)]);
    observed.groups.insert(member_group(1), Ok(ip_group(&[])));
    observed.groups.insert(member_group(3), Ok(ip_group(&[("10.0.1.99", "healthy")])));
    assert_eq!(words(&checked(&observed)), "pg1+10.0.1.11 | pg3+10.0.1.13 pg3-10.0.1.99");
}

/// A member that is being built anew is listed by nobody; its group stays as it is, and so does one nobody can read.
#[test]
fn groups_of_members_that_no_view_lists_are_left_alone() {
    let mut observed = observed(&[(1, 0), (2, 100), (3, 0)]);
    observed.groups.insert(member_group(3), Ok(ip_group(&[("10.0.1.99", "healthy")])));
    for answer in members_in(&mut observed).values_mut() {
        let view = answer.view.as_mut().unwrap();
        view.members.retain(|listed| listed.name != name(3));
    }
    assert_eq!(checked(&observed), Plan::default());
    observed.groups.insert(member_group(1), Err(refused()));
    let plan = checked(&observed);
    assert_eq!((plan.step_groups.len(), plan.holds.len()), (0, 1));
    assert_eq!(plan.holds[0].reason.kind(), EndpointReasonKind::Unreadable);
}

/// A member has moved, and the lists of two others are not of the same moment.
#[test]
fn where_any_view_lists_a_member_its_target_stays() {
    let mut observed = observed(&[(1, 0), (2, 100), (3, 0)]);
    for (number, answer) in (1..).zip(members_in(&mut observed).values_mut()) {
        let listed = &mut answer.view.as_mut().unwrap().members[2];
        if number == 2 {
            listed.address = Some(Address { host: "10.0.1.33".to_owned(), port: 5432 });
        }
    }
    assert_eq!(words(&checked(&observed)), "pg3+10.0.1.33");
}

#[test]
fn the_weights_wait_for_a_group_that_cannot_be_read() {
    let mut observed = observed(&[(1, 100), (2, 0), (3, 0)]);
    observed.groups.insert(member_group(2), Err(refused()));
    observed.groups.insert(member_group(3), Ok(ip_group(&[("10.0.1.99", "healthy")])));
    let plan = checked(&observed);
    assert_eq!(
        words(&plan),
        "pg3+10.0.1.13",
        "no target is deregistered while it is unknown what connections rest on"
    );
    assert_eq!(held(&plan).0, EndpointReasonKind::Unreadable);
    assert_eq!(plan.holds.len(), 2, "the group and the listener");
}

#[test]
fn another_members_group_does_not_keep_the_weights_back() {
    let mut observed = observed(&[(1, 100), (2, 0), (3, 0)]);
    observed.groups.insert(member_group(1), Err(refused()));
    let plan = checked(&observed);
    assert_eq!(words(&plan), "pg1=>pg2");
    assert_eq!(plan.holds.len(), 1);
}

#[test]
fn what_cannot_be_decided_is_held_with_the_reason() {
    let mut nameless = observed(&[(1, 100), (2, 0), (3, 0)]);
    for answer in members_in(&mut nameless).values_mut() {
        answer.status.as_mut().unwrap().name = None;
        answer.view = Err(refused());
    }
    let mut unread = observed(&[]);
    unread.listeners.insert(listener_arn(), Err(refused()));
    let said = [
        of(Listener::Other("its default action is redirect".to_owned())),
        observed(&[(1, 100), (2, 0), (3, 0), (4, 7)]),
        observed(&[(4, 1)]),
        nameless,
        unread,
    ]
    .map(|observed| {
        let plan = checked(&observed);
        assert_eq!(words(&plan), "", "{plan:?}");
        let (kind, words) = held(&plan);
        format!("{kind:?}: {words}")
    });
    insta::assert_snapshot!(said.join("\n"), @"
    Listener: it does not forward connections to target groups: its default action is redirect; repoint changes only weights
    Listener: it sends connections to target group pg4 as well (weight 7), which is not configured; give it weight 0 or remove it from the listener
    Listener: it sends connections to target group pg4 as well (weight 1), which is not configured; give it weight 0 or remove it from the listener
    NoGroup: no readable /cluster names the primary, so its target group is unknown
    Unreadable: GET /primary on a test: connection refused
    ");
}

#[test]
fn a_primary_without_a_group_is_held_with_the_remedy() {
    let of = |groups: &[u8]| {
        let spec = Spec { groups: groups.iter().map(|number| weighted_spec(*number)).collect(), ..spec() };
        let plan = checked_for(&spec, &observed(&[(1, 100)]));
        assert_eq!(words(&plan), "");
        let (kind, words) = held(&plan);
        assert_eq!(kind, EndpointReasonKind::NoGroup);
        words
    };
    insta::assert_snapshot!([of(&[1]), of(&[1, 3])].join("\n"), @"
    the primary pg2 has no target group behind this listener, and pg1 has; configure one for it
    the primary pg2 has no target group behind this listener, and pg1, pg3 have; configure one for it
    ");
}

/// In daytime, and not when it has become the primary.
#[test]
fn a_member_that_the_listener_could_not_follow_is_a_concern() {
    let spec = Spec { groups: vec![weighted_spec(1), weighted_spec(2)], ..spec() };
    let notified = |observed: &Observed| {
        let plan = checked_for(&spec, observed);
        assert_eq!((plan.step_groups.len(), plan.holds.len()), (0, 0));
        let verdict = verdict(&spec, observed, &State::default());
        let found = findings(&spec, observed, None, &verdict, &plan, &[], None);
        let words = warnings(&verdict, &plan);
        assert_eq!(format!("{found:?}").contains("NoGroup"), !words.is_empty());
        let shown = status(&spec, observed, &Ok(State::default()), &verdict, &plan, Timestamp(0));
        assert_eq!(shown.warnings, words);
        words
    };
    let mut observed = observed(&[(1, 0), (2, 100)]);
    let words = "listener pg/f2f7dc8efc522ab2 (us-east-1): pg3 has no target group behind this listener: the listener \
                 could not follow it if it became the primary";
    assert_eq!(notified(&observed), [words]);
    for answer in members_in(&mut observed).values_mut() {
        answer.view.as_mut().unwrap().members[2].nofailover = true;
    }
    assert_eq!(notified(&observed), [""; 0]);
}

/// While nobody lists the members, or the listener is held, what was wrong is neither there nor gone.
#[test]
fn a_missing_group_is_not_resolved_while_it_cannot_be_checked() {
    let spec = Spec { groups: vec![weighted_spec(1), weighted_spec(2)], ..spec() };
    let knows = |observed: &Observed| {
        let verdict = verdict(&spec, observed, &State::default());
        let plan = checked_for(&spec, observed);
        let found = findings(&spec, observed, None, &verdict, &plan, &[], None);
        !format!("{found:?}").contains("unknown: [NoGroup")
    };
    assert!(knows(&observed(&[(1, 0), (2, 100)])));
    assert!(!knows(&observed(&[(1, 0), (2, 100), (4, 5)])));
    let mut unlisted = observed(&[(1, 0), (2, 100)]);
    for answer in members_in(&mut unlisted).values_mut() {
        answer.view = Err(refused());
    }
    assert!(!knows(&unlisted));
}

/// The morning after: what is told to people.
#[test]
fn a_move_of_weights_is_reported_as_one() {
    let (spec, observed) = (configured(), observed(&[(1, 100), (2, 0), (3, 0)]));
    let plan = checked(&observed);
    let step = &planned_steps(&plan)[0];
    assert_eq!(step.summary(), "send all connections to pg2, before: pg1");
    assert_eq!(describe(&step.endpoint), "listener pg/f2f7dc8efc522ab2 (us-east-1)");
    assert_eq!(serde_json::to_value(step).unwrap()["action"], "set_weights");

    let notified = |last: Option<u8>, plan: &Plan| {
        let Verdict::Primary(primary) = verdict(&spec, &observed, &State::default()) else { panic!() };
        let last = last.map(|number| LastPrimary {
            site: None,
            member: Some(name(number)),
            address: None,
            timeline: primary.timeline,
        });
        moves(&spec, &State { primary: last, ..State::default() }, &observed, &primary, plan)
    };
    let move_cause = |cause| Some(Move { cause, previous: Some("pg1".to_owned()), previous_site: None });
    assert_eq!(notified(None, &plan), move_cause(MoveCause::Adoption));
    assert_eq!(notified(Some(1), &plan), move_cause(MoveCause::Switchover));
    assert_eq!(notified(Some(2), &plan), move_cause(MoveCause::Correction));
    let fills = |number: u8| {
        let step = TargetStep::Register(target(&host(number), 5432));
        let step_groups = vec![StepGroup::Group { arn: member_group(number), steps: vec![step] }];
        notified(Some(2), &Plan { step_groups, ..Plan::default() }).unwrap().cause
    };
    assert_eq!((fills(2), fills(3)), (MoveCause::Correction, MoveCause::Members));
}

#[test]
fn the_status_shows_the_shares() {
    let (spec, state) = (configured(), State::default());
    let standing = |observed: &Observed| {
        let verdict = verdict(&spec, observed, &state);
        let plan = plan(&spec, observed, &verdict, &state, Timestamp(0));
        let status = status(&spec, observed, &Ok(State::default()), &verdict, &plan, Timestamp(0));
        let endpoint = status.endpoints.into_iter().find(|it| describe(&it.endpoint).starts_with("listener"));
        let endpoint = endpoint.unwrap();
        (endpoint.points_at.join(", "), endpoint.standing)
    };
    let right = ("pg1 0, pg2 100, pg3 0".to_owned(), Standing::Right);
    assert_eq!(standing(&observed(&[(1, 0), (2, 100), (3, 0)])), right);
    let differs = ("pg1 100, pg2 0, pg3 0".to_owned(), Standing::Differs);
    assert_eq!(standing(&observed(&[(1, 100), (2, 0), (3, 0)])), differs);
}

// The invariants, as properties.

#[derive(Clone, Debug)]
enum Step {
    Target(GroupArn, TargetStep),
    Weights(Forward, Forward),
}

fn steps(plan: &Plan) -> Vec<Step> {
    let step_group = |step_group: &StepGroup| match step_group {
        StepGroup::Group { arn, steps } => {
            steps.iter().map(|step| Step::Target(arn.clone(), step.clone())).collect::<Vec<_>>()
        }
        StepGroup::Listeners { steps } => steps
            .iter()
            .map(|step| match step {
                ListenerStep::Target(group, step) => Step::Target(group.clone(), step.clone()),
                ListenerStep::Weights(weights) => {
                    Step::Weights(weights.before.clone(), weights.after.clone())
                }
            })
            .collect(),
        StepGroup::Zone { .. } | StepGroup::Backend { .. } => Vec::new(),
    };
    plan.step_groups.iter().flat_map(step_group).collect()
}

fn done(observed: &mut Observed, step: &Step) {
    match step {
        Step::Target(group, step) => {
            let targets = &mut observed.groups.get_mut(group).unwrap().as_mut().unwrap().targets;
            match step {
                TargetStep::Register(target) => {
                    targets.retain(|health| health.target != *target);
                    let state = "initial".to_owned();
                    targets.push(TargetHealth { target: target.clone(), state, reason: None });
                }
                TargetStep::Deregister(target) => {
                    for health in targets.iter_mut().filter(|health| health.target == *target) {
                        "draining".clone_into(&mut health.state);
                    }
                }
            }
        }
        Step::Weights(before, after) => {
            let now = observed.listeners.get_mut(&listener_arn()).unwrap().as_mut().unwrap();
            assert_eq!(*now, Listener::Forward(before.clone()));
            *now = Listener::Forward(after.clone());
        }
    }
}

fn shares(observed: &Observed) -> Option<&Forward> {
    match observed.listeners.get(&listener_arn()) {
        Some(Ok(Listener::Forward(forward))) => Some(forward),
        _ => None,
    }
}

/// Whom connections may reach.
fn reached(observed: &Observed) -> BTreeSet<Target> {
    let live =
        shares(observed).into_iter().flat_map(|shares| &shares.weights).filter(|(_, weight)| **weight > 0);
    let groups = live.filter_map(|(group, _)| observed.groups.get(group)?.as_ref().ok());
    groups.flat_map(TargetGroup::registered).cloned().collect()
}

fn members(observed: &Observed) -> BTreeMap<&GroupArn, BTreeSet<&Target>> {
    let read = observed.groups.iter().filter_map(|(arn, group)| Some((arn, group.as_ref().ok()?)));
    read.map(|(arn, group)| (arn, group.registered().collect())).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Invariants 2, 3, 5, 6 and 7.
    #[test]
    fn connections_never_go_nowhere_nor_astray((spec, observed, state) in weighted_case()) {
        let plan = planned(&spec, &observed, &state);
        let Verdict::Primary(primary) = verdict(&spec, &observed, &state) else {
            // A standby cluster's readers have a record, and nothing behind a listener.
            let is_zone = |step_group: &StepGroup| matches!(step_group, StepGroup::Zone { .. });
            prop_assert!(plan.step_groups.iter().all(is_zone));
            return Ok(());
        };
        let at = |address: &Address| target(&address.host, address.port);
        let primary = primary.address.as_ref().map(at);
        let mut now = observed.clone();
        for step in steps(&plan) {
            let before = now.clone();
            done(&mut now, &step);
            let (was, is) = (reached(&before), reached(&now));
            if let Some(primary) = primary.as_ref().filter(|primary| was.contains(primary)) {
                prop_assert!(is.contains(primary), "the primary is cut off by {step:?}");
            }
            prop_assert!(was.is_empty() || !is.is_empty());
            match &step {
                Step::Weights(was, after) => {
                    prop_assert!(primary.as_ref().is_some_and(|primary| is.contains(primary)));
                    prop_assert!(after.weights.values().any(|weight| *weight > 0));
                    let foreign = member_group(4);
                    prop_assert_eq!(was.weights.get(&foreign), after.weights.get(&foreign));
                    prop_assert_eq!((was.stickiness, was.order), (after.stickiness, after.order));
                    prop_assert!(was.weights.keys().all(|group| after.weights.contains_key(group)));
                }
                Step::Target(group, step) => {
                    prop_assert!(spec.groups.iter().any(|own| own.arn == *group));
                    let left = now.groups[group].as_ref().unwrap().registered().count();
                    prop_assert!(left > 0 || matches!(step, TargetStep::Register(_)));
                }
            }
        }
    }

    /// Invariants 8 and 9.
    #[test]
    fn after_any_part_of_it_a_new_pass_does_the_rest((spec, observed, state) in weighted_case(), crash in 0_usize..8) {
        let plan = planned(&spec, &observed, &state);
        let mut whole = observed.clone();
        for step in steps(&plan) {
            done(&mut whole, &step);
        }
        let left = |plan: Plan| steps(&plan).len();
        prop_assert_eq!(left(planned(&spec, &whole, &state)), 0);
        let mut part = observed.clone();
        for step in steps(&plan).iter().take(crash) {
            done(&mut part, step);
        }
        for step in steps(&planned(&spec, &part, &state)) {
            done(&mut part, &step);
        }
        prop_assert_eq!(left(planned(&spec, &part, &state)), 0);
        prop_assert_eq!(shares(&part), shares(&whole));
        prop_assert_eq!(members(&part), members(&whole));
    }

    /// Invariant 13.
    #[test]
    fn in_whatever_order_aws_lists((spec, observed, state) in weighted_case()) {
        let mut shuffled = observed.clone();
        for group in shuffled.groups.values_mut().flatten() {
            group.targets.reverse();
        }
        prop_assert_eq!(planned(&spec, &shuffled, &state), planned(&spec, &observed, &state));
    }
}

/// Invariant 15: one that cannot be placed is told of, and the others are served.
#[test]
fn a_member_that_cannot_be_placed_is_reported() {
    let mut observed = observed(&[(1, 100), (2, 0), (3, 0)]);
    for view in members_in(&mut observed).values_mut().filter_map(|answer| answer.view.as_mut().ok()) {
        "pg3.internal".clone_into(&mut view.members[2].address.as_mut().unwrap().host);
    }
    observed.names.insert("pg3.internal".to_owned(), Ok(Vec::new()));
    let plan = checked(&observed);
    assert_eq!(words(&plan), "pg1=>pg2");
    assert_eq!(plan.warnings[0].endpoint.to_string(), member_group(3).to_string());
    assert!(plan.warnings[0].what.to_string().starts_with("pg3 is left out: "), "{plan:?}");
    assert_eq!(plan.holds, []);
}

//! How a cluster stands, as `repoint status` tells it.

use std::collections::BTreeMap;

use repoint_domain::decide::verdict::verdict;
use repoint_domain::observed::Observed;
use repoint_domain::plan::plan;
use repoint_domain::report::planned_steps;
use repoint_domain::report::status::{ClusterStatus, Standing, status};
use repoint_domain::spec::Spec;
use repoint_domain::state::State;
use repoint_domain::values::failure::Failure;
use repoint_domain::values::timestamp::Timestamp;

use crate::support::evidence::{
    GROUP, answer, arn, group_spec, healthy, ip_group, observed, primary, refused, silence, spec, view,
};

fn notified(observed: &Observed) -> ClusterStatus {
    let spec = Spec { groups: vec![group_spec()], ..spec() };
    let verdict = verdict(&spec, observed, &State::default());
    status(
        &spec,
        observed,
        &Ok(State::default()),
        &verdict,
        &plan(&spec, observed, &verdict, &State::default(), Timestamp(0)),
        Timestamp(0),
    )
}

#[test]
fn a_paused_cluster_says_so() {
    let mut paused = view(2, 3);
    paused.paused = true;
    assert!(notified(&observed([answer(2, primary(3), Ok(paused)), silence(1)])).is_paused);
    assert!(!notified(&healthy(2, 3)).is_paused);
}

#[test]
fn a_target_is_shown_with_why_it_is_not_healthy() {
    let mut group = ip_group(&[("10.0.1.12", "unhealthy")]);
    group.targets[0].reason = Some("Target.FailedHealthChecks".to_owned());
    let observed = Observed { groups: BTreeMap::from([(arn(GROUP), Ok(group))]), ..healthy(2, 3) };
    let endpoint = &notified(&observed).endpoints[0];
    assert_eq!(endpoint.points_at, ["10.0.1.12:5432 (unhealthy, Target.FailedHealthChecks)"]);
    assert_eq!(endpoint.standing, Standing::Right);
}

/// The daemon shows it without reading the endpoints again.
#[test]
fn after_a_pass_what_was_changed_is_right() {
    let group = ip_group(&[("10.0.1.11", "healthy")]);
    let observed = Observed { groups: BTreeMap::from([(arn(GROUP), Ok(group))]), ..healthy(2, 3) };
    let (spec, status) = (Spec { groups: vec![group_spec()], ..spec() }, notified(&observed));
    assert_eq!(status.endpoints[0].standing, Standing::Differs);
    let verdict = verdict(&spec, &observed, &State::default());
    let steps = planned_steps(&plan(&spec, &observed, &verdict, &State::default(), Timestamp(0)));
    let ended = |result: Result<(), Failure>| {
        let steps: Vec<_> = steps.iter().map(|step| step.clone().ended(&result, 1)).collect();
        status.clone().after(&steps).endpoints[0].clone()
    };
    let done = ended(Ok(()));
    assert_eq!((done.standing, &done.message), (Standing::Right, &None));
    assert_eq!(done.points_at, ["10.0.1.12:5432 (registered)"]);
    let failed = ended(Err(refused()));
    assert_eq!(failed.standing, Standing::Differs);
    assert!(failed.message.unwrap().contains("refused"), "the reason of the failure");
}

#[test]
fn what_cannot_be_read_is_held_with_its_reason() {
    let observed = Observed { groups: BTreeMap::from([(arn(GROUP), Err(refused()))]), ..healthy(2, 3) };
    let endpoint = &notified(&observed).endpoints[0];
    assert_eq!(endpoint.standing, Standing::Held);
    assert!(endpoint.message.as_ref().unwrap().contains("refused"));
}

#[test]
fn a_silent_member_is_listed_with_what_others_say_of_it() {
    let status = notified(&observed([answer(2, primary(3), Ok(view(2, 3))), silence(1)]));
    let silent = status.members.iter().find(|member| member.error.is_some()).unwrap();
    assert_eq!(silent.member, "pg1");
    assert_eq!(silent.address.as_ref().unwrap().host, "10.0.1.11");
    assert_eq!(silent.state, None);
}

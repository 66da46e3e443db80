//! When the primary alone may be asked whether anything has changed.

use repoint_domain::decide::snapshot::Snapshot;
use repoint_domain::decide::steady::steady;
use repoint_domain::observed::{MemberAnswer, MemberStatus, Observed};
use repoint_domain::spec::Spec;
use repoint_domain::values::cluster::{ApiUrl, ClusterRole};

use crate::support::evidence::{
    answer, group_spec, healthy, listed, members_in, primary, reader_spec, replica, silence, spec, url, view,
};

fn asked_alone(spec: &Spec, observed: &Observed) -> Option<ApiUrl> {
    let snapshot = Snapshot::of(spec, observed.sites.clone());
    steady(spec, &observed.sites, &snapshot).cloned()
}

/// A healthy cluster that pg1 leads, with another answer of one member.
fn but(other: (ApiUrl, MemberAnswer)) -> Observed {
    let mut observed = healthy(1, 4);
    members_in(&mut observed).extend([other]);
    observed
}

#[test]
fn where_all_agree_it_is_the_primary() {
    let spec = Spec { groups: vec![group_spec()], ..spec() };
    assert_eq!(asked_alone(&spec, &healthy(1, 4)), Some(url(1)));
    assert_eq!(asked_alone(&spec, &healthy(3, 4)), Some(url(3)));
}

#[test]
fn where_a_member_does_not_answer_all_are_asked() {
    assert_eq!(asked_alone(&spec(), &but(silence(2))), None);
}

#[test]
fn where_two_claim_to_be_the_primary_all_are_asked() {
    assert_eq!(asked_alone(&spec(), &but(answer(2, primary(3), Ok(view(1, 4))))), None);
}

#[test]
fn where_a_member_names_another_leader_all_are_asked() {
    let mut other = view(1, 4);
    other.members = vec![listed(1, ClusterRole::Replica, 4), listed(2, ClusterRole::Leader, 3)];
    assert_eq!(asked_alone(&spec(), &but(answer(2, replica(4), Ok(other)))), None);
}

/// In maintenance mode and in failsafe mode a primary stays one without the DCS, so another may come beside it.
#[test]
fn where_patroni_does_not_decide_by_the_dcs_all_are_asked() {
    for own in [MemberStatus { paused: true, ..primary(4) }, MemberStatus { failsafe: true, ..primary(4) }] {
        assert_eq!(asked_alone(&spec(), &but(answer(1, own, Ok(view(1, 4))))), None);
    }
}

#[test]
fn where_endpoints_rest_on_replicas_all_are_asked() {
    let spec = Spec { groups: vec![reader_spec(0)], ..spec() };
    assert_eq!(asked_alone(&spec, &healthy(1, 4)), None);
}

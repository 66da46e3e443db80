//! A cluster is its configured entry and its system identifier, never its scope alone (invariant 14).

mod state;

use std::collections::BTreeMap;

use repoint_domain::audit::{Refusal, audit};
use repoint_domain::decide::verdict::{Hold, HoldKind, Verdict, verdict};
use repoint_domain::observed::{ClusterView, MemberStatus, Observed};
use repoint_domain::plan::plan;
use repoint_domain::spec::{Site, Spec};
use repoint_domain::state::{Condition, ConditionKind, KnownMember, State, Unknown};
use repoint_domain::values::cluster::{ClusterRole, Scope, SystemId, Timeline};
use repoint_domain::values::primary::Primary;
use repoint_domain::values::timestamp::Timestamp;

use crate::support::evidence::{
    GROUP, SYSTEM, answer, arn, group_spec, healthy, ip_group, listed, name, observed, primary, refused,
    replica, silence, spec, url, view,
};

const OTHER: &str = "7000000000000000001";

/// pg1 to pg3 are configured, and the state remembers them and pg4.
fn remembering_pg4() -> State {
    let members = (1..=4).map(|number| {
        let address = listed(number, ClusterRole::Replica, 3).address;
        (name(number), KnownMember { api_url: Some(url(number)), address })
    });
    State {
        system_id: Some(SystemId::new(SYSTEM)),
        highest_timeline: Some(Timeline(3)),
        members: members.collect(),
        ..State::default()
    }
}

fn decide(observed: &Observed) -> Verdict {
    verdict(&spec(), observed, &remembering_pg4())
}

#[track_caller]
fn held(observed: &Observed) -> Hold {
    match decide(observed) {
        Verdict::Hold(hold) => hold,
        Verdict::Primary(primary) => panic!("a primary: {primary:?}"),
    }
}

#[track_caller]
fn the_primary(verdict: Verdict) -> Primary {
    match verdict {
        Verdict::Primary(primary) => primary,
        Verdict::Hold(hold) => panic!("held: {hold}"),
    }
}

fn of_system(system: &str, status: MemberStatus) -> MemberStatus {
    MemberStatus { system_id: Some(SystemId::new(system)), ..status }
}

/// A `/cluster` of these members, led by one of them or by none.
fn of_members(members: &[u8], leader: Option<u8>, timeline: u32) -> ClusterView {
    let role = |number: u8| if Some(number) == leader { ClusterRole::Leader } else { ClusterRole::Replica };
    let members = members.iter().map(|number| listed(*number, role(*number), timeline)).collect();
    ClusterView { scope: Some(Scope::new("batman")), members, paused: false, scheduled_switchover: None }
}

/// pg4 claims to be the primary of a cluster of its own.
fn pg4_claims(
    timeline: u32,
) -> (repoint_domain::values::cluster::ApiUrl, repoint_domain::observed::MemberAnswer) {
    answer(4, primary(timeline), Ok(of_members(&[4, 5], Some(4), timeline)))
}

// Another system.

#[test]
fn a_configured_member_of_another_system_holds_whatever_others_claim() {
    let replaced = [1, 2, 3].map(|number| {
        let status = if number == 1 { primary(1) } else { replica(1) };
        answer(number, of_system(OTHER, status), Ok(view(1, 1)))
    });
    let hold = held(&observed(replaced.into_iter().chain([pg4_claims(3)])));
    assert_eq!(hold.kind(), HoldKind::WrongCluster, "{hold}");
    assert!(hold.to_string().starts_with("pg1 belongs to another cluster"), "{hold}");
}

#[test]
fn one_configured_replica_of_another_system_is_enough() {
    let stray = answer(3, of_system(OTHER, replica(3)), Err(refused()));
    let healthy = [answer(1, primary(3), Ok(view(1, 3))), answer(2, replica(3), Ok(view(1, 3)))];
    assert_eq!(held(&observed(healthy.into_iter().chain([stray]))).kind(), HoldKind::WrongCluster);
}

#[test]
fn a_foreign_member_that_is_not_configured_is_ignored() {
    let (url, foreign) = pg4_claims(9);
    let status = foreign.status.map(|status| of_system(OTHER, status));
    let mut seen = healthy(1, 3);
    seen.sites
        .entry(None)
        .or_default()
        .insert(url, repoint_domain::observed::MemberAnswer { status, ..foreign });
    assert_eq!(the_primary(decide(&seen)).member, Some(name(1)));
}

#[test]
fn a_site_with_a_member_of_another_system_holds_all_sites() {
    let site = |site: &str, members: std::ops::RangeInclusive<u8>| Site {
        name: Some(repoint_domain::values::cluster::SiteName::new(site)),
        region: None,
        scope: Scope::new("batman"),
        members: members.map(url).collect(),
        discover: None,
        addresses: BTreeMap::new(),
        alias: None,
    };
    let spec = Spec { sites: vec![site("east", 1..=2), site("west", 3..=4)], ..spec() };
    let mut seen = Observed::default();
    let east = [answer(1, primary(3), Ok(view(1, 3))), answer(2, replica(3), Ok(view(1, 3)))];
    let west = [answer(3, of_system(OTHER, replica(3)), Err(refused())), silence(4)];
    for (name, answers) in [("east", east), ("west", west)] {
        let name = repoint_domain::values::cluster::SiteName::new(name);
        seen.sites.insert(Some(name), answers.into_iter().collect());
    }
    let Verdict::Hold(hold) = verdict(&spec, &seen, &remembering_pg4()) else { panic!("a primary") };
    assert_eq!(hold.kind(), HoldKind::WrongCluster, "{hold}");
    the_primary(verdict(&spec, &seen, &State::default()));
}

/// The new nodes are down again before an operator has said that they are meant; the old cluster lives on.
#[test]
fn the_cluster_that_was_replaced_is_not_gone_back_to() {
    let seen = observed([silence(1), silence(2), silence(3), pg4_claims(3)]);
    assert_eq!(
        the_primary(decide(&seen)).member,
        Some(name(4)),
        "all nodes may have been replaced one by one"
    );
    let wrong = Condition {
        kind: ConditionKind::WrongCluster,
        subject: None,
        endpoint: None,
        site: None,
        title: String::new(),
        message: format!("pg1 belongs to another cluster: its system identifier is {OTHER}"),
        since: Timestamp(1),
        notified: Some(Timestamp(1)),
        unknown: Unknown::new(),
    };
    let state = State { conditions: vec![wrong], ..remembering_pg4() };
    let Verdict::Hold(hold) = verdict(&spec(), &seen, &state) else { panic!("a primary") };
    assert_eq!(hold.kind(), HoldKind::WrongCluster, "{hold}");
}

// Members that only the state knows.

#[test]
fn a_remembered_member_that_no_configured_one_lists_is_not_named() {
    let waiting = [1, 2, 3].map(|number| answer(number, replica(3), Ok(of_members(&[1, 2, 3], None, 3))));
    let hold = held(&observed(waiting.into_iter().chain([pg4_claims(3)])));
    assert_eq!(hold.kind(), HoldKind::NoPrimary);
    insta::assert_snapshot!(hold, @"pg4 (timeline 3) claims to be the primary, but pg1, which the configuration names, does not list it: add it to `members` if it belongs to the cluster");
}

#[test]
fn a_new_cluster_that_has_no_primary_yet_is_waited_for() {
    let starting = MemberStatus { system_id: None, timeline: None, ..primary(1) };
    let seen = observed([answer(1, starting, Ok(of_members(&[1], Some(1), 1))), pg4_claims(3)]);
    assert_eq!(held(&seen).kind(), HoldKind::NoPrimary);
}

#[test]
fn a_remembered_member_may_contest() {
    for (timeline, expected) in [(4, Some(HoldKind::Contested)), (3, Some(HoldKind::Contested)), (2, None)] {
        let mut seen = healthy(1, 3);
        seen.sites.entry(None).or_default().extend([pg4_claims(timeline)]);
        match (decide(&seen), expected) {
            (Verdict::Hold(hold), Some(kind)) => assert_eq!(hold.kind(), kind, "{hold}"),
            (Verdict::Primary(primary), None) => assert_eq!(primary.rivals[0].member, "pg4"),
            (other, _) => panic!("{timeline}: {other:?}"),
        }
    }
}

#[test]
fn a_remembered_member_may_contradict() {
    let mut seen = healthy(1, 3);
    let elsewhere = answer(4, replica(4), Ok(of_members(&[4, 5], Some(5), 4)));
    seen.sites.entry(None).or_default().extend([elsewhere]);
    assert_eq!(held(&seen).kind(), HoldKind::Contested);
}

#[test]
fn a_member_that_a_configured_one_lists_may_be_named() {
    let seen = observed([
        answer(1, replica(4), Ok(of_members(&[1, 4], Some(4), 4))),
        silence(2),
        silence(3),
        answer(4, primary(4), Ok(of_members(&[1, 4], Some(4), 4))),
    ]);
    assert_eq!(the_primary(decide(&seen)).member, Some(name(4)));
}

/// pg1's `/cluster` is old; pg2, which it lists, is not configured and knows more.
#[test]
fn a_member_that_a_listed_one_lists_may_be_named() {
    let mut spec = spec();
    spec.sites[0].members = vec![url(1)];
    let seen = observed([
        answer(1, replica(3), Ok(of_members(&[1, 2], Some(2), 3))),
        answer(2, replica(3), Ok(of_members(&[1, 2, 4], Some(4), 4))),
        answer(4, primary(4), Ok(of_members(&[1, 2, 4], Some(4), 4))),
    ]);
    assert_eq!(the_primary(verdict(&spec, &seen, &remembering_pg4())).member, Some(name(4)));
}

#[test]
fn where_every_configured_member_is_silent_the_state_is_all_there_is() {
    let gone = [silence(1), silence(2), silence(3), pg4_claims(4)];
    assert_eq!(the_primary(decide(&observed(gone))).member, Some(name(4)));
    // Cut off from its DCS, a configured member does not know who belongs to the cluster.
    let cut_off = [answer(1, replica(3), Err(refused())), silence(2), silence(3), pg4_claims(4)];
    assert_eq!(the_primary(decide(&observed(cut_off))).member, Some(name(4)));
}

// The auditor holds the same by itself.

#[track_caller]
fn audited(seen: Observed, spec: &Spec, state: &State) -> Result<(), Refusal> {
    let spec = Spec { groups: vec![group_spec()], ..spec.clone() };
    let observed =
        Observed { groups: [(arn(GROUP), Ok(ip_group(&[("10.0.1.11", "healthy")])))].into(), ..seen };
    // A verdict that is wrong: it names pg4.
    let mistaken = Verdict::Primary(Primary {
        site: None,
        member: Some(name(4)),
        address: listed(4, ClusterRole::Leader, 4).address,
        timeline: Timeline(4),
        system_id: SystemId::new(SYSTEM),
        rivals: Vec::new(),
        followers: [].into(),
    });
    let plan = plan(&spec, &observed, &mistaken, state, Timestamp(0));
    assert!(!plan.is_empty());
    audit(&plan, &spec, &observed, &mistaken, state, Timestamp(0)).map(drop)
}

#[test]
fn the_auditor_refuses_a_primary_that_only_the_state_knows() {
    let waiting = [1, 2, 3].map(|number| answer(number, replica(3), Ok(of_members(&[1, 2, 3], None, 3))));
    let seen = observed(waiting.into_iter().chain([pg4_claims(4)]));
    let refusal = audited(seen, &spec(), &remembering_pg4());
    assert_eq!(refusal, Err(Refusal::Unconfirmed("pg4".to_owned())));
    let gone = observed([silence(1), silence(2), silence(3), pg4_claims(4)]);
    assert_eq!(audited(gone, &spec(), &remembering_pg4()), Ok(()));
}

#[test]
fn the_auditor_refuses_to_pass_over_a_configured_member_of_another_system() {
    let stray = answer(1, of_system(OTHER, replica(3)), Err(refused()));
    let seen = observed([stray, silence(2), silence(3), pg4_claims(4)]);
    let refusal = audited(seen, &spec(), &remembering_pg4());
    assert!(matches!(refusal, Err(Refusal::WrongSystem { .. })), "{refusal:?}");
}

#[test]
fn the_auditor_refuses_the_state_of_others() {
    let gone = observed([silence(1), silence(2), silence(3), pg4_claims(4)]);
    let state = State { endpoints: ["another".to_owned()].into(), ..remembering_pg4() };
    assert_eq!(audited(gone, &spec(), &state), Err(Refusal::StateOfOthers));
}

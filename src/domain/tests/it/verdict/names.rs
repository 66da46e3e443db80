//! A member that does not say its name, as none does before Patroni 3.2, asked where its `api_url` does not say.
//! Invariant 2: not knowing a name is not having a different name.

use repoint_domain::decide::verdict::{Hold, HoldKind, Verdict, verdict};
use repoint_domain::observed::member::{members, primarys_view};
use repoint_domain::observed::{ClusterMember, ClusterView, MemberAnswer, MemberStatus, Observed, Read};
use repoint_domain::state::{KnownMember, State};
use repoint_domain::values::cluster::{Address, ApiUrl, ClusterRole, PostgresState, Timeline};

use super::{held, the_hold, the_primary};
use crate::support::evidence::{
    answer, listed, name, observed, primary, refused, replica, silence, spec, url,
};

/// The URL of pg`number` on this side of the translation.
fn outside(number: u8) -> ApiUrl {
    ApiUrl::parse(&format!("http://203.0.113.{number}:8008")).unwrap()
}

/// How pg`number` is listed by members that know only the addresses on their own side.
fn inside(number: u8, role: ClusterRole, timeline: u32) -> ClusterMember {
    ClusterMember {
        api_url: ApiUrl::parse(&format!("http://172.16.0.{number}:8008")).ok(),
        reported: Some(Address { host: format!("172.16.0.{number}"), port: 5432 }),
        address: Some(Address { host: format!("172.16.0.{number}"), port: 5432 }),
        ..listed(number, role, timeline)
    }
}

fn inside_view(leader: u8, timeline: u32) -> ClusterView {
    let role = |number| if number == leader { ClusterRole::Leader } else { ClusterRole::Replica };
    ClusterView {
        scope: None,
        members: (1..=3).map(|number| inside(number, role(number), timeline)).collect(),
        paused: false,
        scheduled_switchover: None,
    }
}

/// An answer of pg`number` from the other side of the translation, which does not say its name.
fn translated(number: u8, status: MemberStatus, view: Read<ClusterView>) -> (ApiUrl, MemberAnswer) {
    let url = outside(number);
    let peer = format!("203.0.113.{number}:8008").parse().ok();
    (url, MemberAnswer { peer, status: Ok(MemberStatus { name: None, scope: None, ..status }), view })
}

/// What is listed cannot be reached from here.
fn unreachable(number: u8) -> (ApiUrl, MemberAnswer) {
    let (_, answer) = silence(number);
    (ApiUrl::parse(&format!("http://172.16.0.{number}:8008")).unwrap(), answer)
}

fn decide(observed: &Observed, state: &State) -> Verdict {
    let mut spec = spec();
    spec.sites[0].members = (1..=3).map(outside).collect();
    verdict(&spec, observed, state)
}

#[test]
fn a_claimant_behind_nat_is_the_leader_that_its_own_view_lists() {
    let observed = observed([
        translated(1, primary(3), Ok(inside_view(1, 3))),
        translated(2, replica(3), Ok(inside_view(1, 3))),
        unreachable(1),
        unreachable(2),
        unreachable(3),
    ]);
    let primary = the_primary(decide(&observed, &State::default()));
    assert_eq!((primary.member, primary.rivals.len()), (Some(name(1)), 0));
    assert_eq!(primary.address.unwrap().host, "172.16.0.1");
}

#[test]
fn a_claimant_whose_own_view_cannot_be_read_is_the_leader_that_the_others_list() {
    let observed = observed([
        translated(1, primary(3), Err(refused())),
        translated(2, replica(3), Ok(inside_view(1, 3))),
    ]);
    assert_eq!(the_primary(decide(&observed, &State::default())).member, Some(name(1)));
}

#[test]
fn a_leader_whose_timeline_is_not_reported_is_the_claimant_if_it_runs() {
    let notified = |state: &str| {
        let mut view = inside_view(1, 3);
        view.members[0].timeline = None;
        view.members[0].state = PostgresState::from(state);
        decide(&observed([translated(1, primary(3), Ok(view))]), &State::default())
    };
    assert_eq!(the_primary(notified("running")).member, Some(name(1)));
    assert_eq!(the_hold(notified("starting")).kind(), HoldKind::Contested);
}

#[test]
fn an_old_primary_is_not_the_new_leader_that_its_view_lists_on_a_higher_timeline() {
    let observed = observed([translated(1, primary(3), Ok(inside_view(2, 4))), unreachable(2)]);
    let hold = the_hold(decide(&observed, &State::default()));
    assert!(matches!(hold, Hold::Contradicted { .. }), "{hold}");
}

#[test]
fn a_claimant_is_not_a_leader_that_answers_elsewhere() {
    let promoted = MemberStatus { name: Some(name(2)), ..replica(3) };
    let observed = observed([
        translated(1, primary(3), Ok(inside_view(2, 3))),
        (outside(2), MemberAnswer { peer: None, status: Ok(promoted), view: Err(refused()) }),
    ]);
    assert_eq!(the_hold(decide(&observed, &State::default())).kind(), HoldKind::Contested);
}

#[test]
fn a_claimant_is_not_a_leader_that_is_configured_at_another_url() {
    let mut spec = spec();
    spec.sites[0].members = vec![outside(1), inside(2, ClusterRole::Leader, 3).api_url.unwrap()];
    let observed = observed([translated(1, primary(3), Ok(inside_view(2, 3))), unreachable(2)]);
    let hold = the_hold(verdict(&spec, &observed, &State::default()));
    assert!(matches!(hold, Hold::Contradicted { .. }), "{hold}");
}

#[test]
fn a_claimant_that_was_known_under_another_name_is_not_the_leader() {
    let known = KnownMember { api_url: Some(outside(1)), address: None };
    let state = State { members: [(name(3), known)].into(), ..State::default() };
    let observed = observed([translated(1, primary(3), Ok(inside_view(1, 3)))]);
    assert_eq!(the_hold(decide(&observed, &state)).kind(), HoldKind::Contested);
}

#[test]
fn two_claimants_without_names_are_two() {
    let both = |second: ClusterView| {
        let answers =
            [translated(1, primary(3), Ok(inside_view(1, 3))), translated(2, primary(3), Ok(second))];
        the_hold(decide(&observed(answers), &State::default())).kind()
    };
    assert_eq!(both(inside_view(2, 3)), HoldKind::Contested);
    assert_eq!(both(inside_view(1, 3)), HoldKind::Contested);
}

/// A virtual address, or a second interface: the member answers at both, and is named at one.
#[test]
fn a_claimant_that_answers_at_two_addresses_does_not_contest_itself() {
    let by_address = (
        url(1),
        MemberAnswer {
            status: Ok(MemberStatus { name: None, ..primary(3) }),
            ..answer(1, primary(3), Ok(crate::support::evidence::view(1, 3))).1
        },
    );
    let by_vip = translated(9, primary(3), Ok(crate::support::evidence::view(1, 3)));
    let observed =
        observed([by_address, by_vip, answer(2, replica(3), Ok(crate::support::evidence::view(1, 3)))]);
    let primary = the_primary(decide(&observed, &State::default()));
    assert_eq!((primary.member, primary.rivals.len()), (Some(name(1)), 0));
}

#[test]
fn a_virtual_address_that_leads_to_an_old_primary_contests() {
    let by_address = answer(1, primary(4), Ok(crate::support::evidence::view(1, 4)));
    let old = translated(9, primary(4), Ok(crate::support::evidence::view(2, 4)));
    assert_eq!(held(&observed([by_address, old])), HoldKind::Contested);
}

#[test]
fn a_promoting_leader_behind_nat_is_not_a_contradiction() {
    let promoting = MemberStatus { answers_primary: true, ..replica(3) };
    let observed = observed([
        translated(1, MemberStatus { timeline: Some(Timeline(3)), ..primary(3) }, Err(refused())),
        translated(2, promoting, Ok(inside_view(2, 3))),
    ]);
    let hold = the_hold(decide(&observed, &State::default()));
    assert!(matches!(hold.kind(), HoldKind::Promoting | HoldKind::Contested), "{hold}");
}

// Its PostgreSQL's address.

#[test]
fn a_member_is_the_one_whose_postgresql_is_at_the_address_that_answers() {
    let mut seen = inside_view(1, 3);
    for (number, member) in (1..).zip(&mut seen.members) {
        member.reported = Some(Address { host: format!("203.0.113.{number}"), port: 5432 });
    }
    // On another port than its `api_url` says.
    let (_, reply) = translated(2, replica(3), Ok(seen.clone()));
    let mapped = ApiUrl::parse("http://203.0.113.2:18008").unwrap();
    let mapped = (mapped, MemberAnswer { peer: "203.0.113.2:18008".parse().ok(), ..reply });
    let observed = observed([translated(1, primary(3), Ok(seen)), mapped]);
    let names: Vec<_> = members(observed.answers_of(None)).into_iter().map(|member| member.name).collect();
    assert_eq!(names, [Some(name(1)), Some(name(2))]);
}

#[test]
fn of_two_members_on_one_machine_neither_is_identified_by_its_address() {
    let mut seen = inside_view(1, 3);
    for member in &mut seen.members {
        member.reported = Some(Address { host: "203.0.113.1".to_owned(), port: 5432 });
    }
    let observed = observed([translated(1, replica(3), Ok(seen))]);
    assert_eq!(members(observed.answers_of(None))[0].name, None);
}

#[test]
fn another_port_of_the_same_machine_is_another_member() {
    let mut seen = inside_view(1, 3);
    seen.members.truncate(1);
    seen.members[0].api_url = ApiUrl::parse("http://203.0.113.1:8009").ok();
    seen.members[0].reported = Some(Address { host: "203.0.113.1".to_owned(), port: 5433 });
    let observed = observed([translated(1, replica(3), Ok(seen))]);
    assert_eq!(members(observed.answers_of(None))[0].name, None);
}

/// A proxy on pg1's machine leads to the primary, wherever that is.
#[test]
fn a_claimant_is_not_the_replica_on_whose_machine_a_proxy_answers() {
    let seen = crate::support::evidence::view(2, 3);
    let by_proxy = ApiUrl::parse("http://10.0.1.11:7000").unwrap();
    let peer = "10.0.1.11:7000".parse().ok();
    let reply = MemberAnswer { peer, status: Ok(MemberStatus { name: None, ..primary(3) }), view: Ok(seen) };
    let observed = observed([(by_proxy, reply)]);
    assert_eq!(members(observed.answers_of(None))[0].name, None);
}

#[test]
fn a_member_whose_own_view_cannot_be_read_is_named_by_the_others() {
    let unnamed = |(url, answer): (ApiUrl, MemberAnswer)| {
        let status = answer.status.map(|status| MemberStatus { name: None, ..status });
        (url, MemberAnswer { status, ..answer })
    };
    let seen = crate::support::evidence::view(1, 3);
    let observed =
        observed([unnamed(answer(1, primary(3), Ok(seen))), unnamed(answer(2, replica(3), Err(refused())))]);
    let found = members(observed.answers_of(None));
    assert_eq!(
        found.iter().map(|member| member.name.clone()).collect::<Vec<_>>(),
        [Some(name(1)), Some(name(2))]
    );
    assert!(primarys_view(&found, &name(1)).is_some());
}

// A leader that is listed without a host (it has not published one yet).

#[test]
fn a_leader_without_a_host_is_found_in_another_view_or_in_the_state() {
    let mut bare = crate::support::evidence::view(1, 3);
    bare.members[0].address = None;
    let whole = answer(2, replica(3), Ok(crate::support::evidence::view(1, 3)));
    let alone = [answer(1, primary(3), Ok(bare.clone())), answer(2, replica(3), Ok(bare.clone()))];
    let found = the_primary(super::decide(&observed([alone[0].clone(), whole])));
    assert_eq!(found.address.unwrap().host, "10.0.1.11");
    let address = Some(Address { host: "10.0.1.11".to_owned(), port: 5432 });
    let known = KnownMember { api_url: Some(url(1)), address };
    let state = State { members: [(name(1), known)].into(), ..State::default() };
    let found = the_primary(verdict(&spec(), &observed(alone.clone()), &state));
    assert_eq!(found.address.unwrap().host, "10.0.1.11");
    assert_eq!(the_primary(super::decide(&observed(alone))).address, None);
}

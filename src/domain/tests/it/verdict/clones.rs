//! A clone that was restored from a backup: the scope and the system identifier of its original, a timeline ahead, a DCS of
//! its own, and the address of a dead member. And who vouches for a claimant.

use repoint_domain::decide::verdict::{Hold, HoldKind, Verdict, verdict};
use repoint_domain::observed::{ClusterView, MemberAnswer, MemberStatus, Observed};
use repoint_domain::state::{KnownMember, LastPrimary, State};
use repoint_domain::values::cluster::{ApiUrl, ClusterRole, PostgresState, Role, SystemId, Timeline};

use super::{decide, held, the_hold, the_primary};
use crate::support::evidence::{
    SYSTEM, answer, host, listed, name, observed, primary, refused, replica, silence, spec, url, view,
};

/// What the members know of whom pg`leader` leads, without a dead one, whose key is gone.
fn without(dead: u8, leader: u8, timeline: u32) -> ClusterView {
    let mut seen = view(leader, timeline);
    seen.members.retain(|listed| listed.name != name(dead));
    seen
}

/// At the address of pg`number`, alone in its cluster.
fn clone_at(number: u8, timeline: u32) -> (ApiUrl, MemberAnswer) {
    let alone = ClusterView {
        members: vec![listed(number, ClusterRole::Leader, timeline)],
        ..view(number, timeline)
    };
    answer(number, primary(timeline), Ok(alone))
}

fn remembering(number: u8) -> State {
    let address = listed(number, ClusterRole::Replica, 3).address;
    let known = KnownMember { api_url: Some(url(number)), address };
    State {
        highest_timeline: Some(Timeline(3)),
        system_id: Some(SystemId::new(SYSTEM)),
        members: [(name(number), known)].into(),
        ..State::default()
    }
}

#[track_caller]
fn unknown(verdict: Verdict) {
    let hold = the_hold(verdict);
    assert!(matches!(hold, Hold::UnknownMember { .. }) && hold.kind() == HoldKind::Contested, "{hold}");
}

#[test]
fn a_clone_at_a_dead_members_address_does_not_win() {
    for state in [State::default(), remembering(2)] {
        let observed = observed([
            answer(1, primary(3), Ok(without(2, 1, 3))),
            clone_at(2, 4),
            answer(3, replica(3), Ok(without(2, 1, 3))),
        ]);
        unknown(verdict(&spec(), &observed, &state));
    }
}

#[test]
fn a_clone_does_not_win_while_the_real_primary_is_away() {
    for seen in [without(2, 1, 3), without(2, 0, 3)] {
        let observed = observed([silence(1), clone_at(2, 4), answer(3, replica(3), Ok(seen))]);
        unknown(decide(&observed));
    }
}

/// Its connection came back between two requests: of its role nothing is known, and its `/cluster` says that it leads.
#[test]
fn a_clone_does_not_win_while_the_real_primary_answers_in_part() {
    let (url, reply) = answer(1, primary(3), Ok(view(1, 3)));
    let half = MemberAnswer { status: Err(refused()), ..reply };
    let observed = observed([(url, half), clone_at(2, 103), silence(3)]);
    let hold = the_hold(verdict(&spec(), &observed, &remembering(2)));
    assert!(matches!(hold, Hold::Contradicted { .. }), "{hold}");
}

/// Before 3.2, and just started: it tells neither its name nor a `/cluster`, and the dead member's key is still there.
#[test]
fn a_clone_without_a_name_is_not_the_member_that_had_its_address() {
    let nameless = |number, status, view| {
        let (url, mut reply) = answer(number, status, view);
        reply.status.as_mut().unwrap().name = None;
        (url, reply)
    };
    let observed = observed([
        nameless(1, primary(3), Ok(view(1, 3))),
        nameless(2, primary(103), Err(refused())),
        nameless(3, replica(3), Ok(view(1, 3))),
    ]);
    unknown(verdict(&spec(), &observed, &remembering(2)));
}

#[test]
fn a_clone_with_the_name_of_another_member_is_not_that_one() {
    let (url, mut reply) = clone_at(2, 4);
    let own = reply.view.as_mut().unwrap();
    own.members[0].name = name(1);
    reply.status.as_mut().unwrap().name = Some(name(1));
    let observed = observed([silence(1), (url, reply), answer(3, replica(3), Ok(without(2, 1, 3)))]);
    unknown(decide(&observed));
}

#[test]
fn a_clones_own_view_does_not_make_it_a_member_nor_does_its_url() {
    unknown(decide(&observed([answer(1, primary(3), Err(refused())), clone_at(2, 4)])));
}

#[test]
fn the_next_primary_is_known_where_the_old_one_lists_it() {
    let observed =
        observed([answer(1, primary(3), Ok(view(1, 3))), answer(2, primary(4), Ok(view(2, 4))), silence(3)]);
    assert_eq!(the_primary(decide(&observed)).member, Some(name(2)));
}

#[test]
fn the_next_primary_is_known_from_the_state_where_no_other_view_can_be_read() {
    let observed =
        observed([answer(1, primary(3), Err(refused())), answer(2, primary(4), Ok(view(2, 4))), silence(3)]);
    assert_eq!(the_primary(verdict(&spec(), &observed, &remembering(2))).member, Some(name(2)));
    unknown(decide(&observed));
    unknown(verdict(&spec(), &observed, &remembering(3)));
}

#[test]
fn a_remembered_name_at_another_address_is_not_a_known_member() {
    let mut state = remembering(2);
    state.members.get_mut(&name(2)).unwrap().api_url = ApiUrl::parse("http://10.0.9.9:8008").ok();
    let observed = observed([answer(1, primary(3), Err(refused())), clone_at(2, 4), silence(3)]);
    unknown(verdict(&spec(), &observed, &state));
}

#[test]
fn a_sole_claimant_of_which_no_other_member_says_anything_is_the_primary() {
    the_primary(decide(&observed([clone_at(2, 4), silence(1), silence(3)])));
    let says_nothing = ClusterView { scope: None, ..ClusterView::default() };
    the_primary(decide(&observed([clone_at(2, 4), answer(1, replica(3), Ok(says_nothing)), silence(3)])));
}

#[test]
fn a_sole_claimant_outside_the_state_is_unknown_where_members_answer_without_a_list() {
    let no_dcs = |number| answer(number, replica(3), Err(refused()));
    unknown(verdict(&spec(), &observed([clone_at(2, 4), no_dcs(1), silence(3)]), &remembering(1)));
    the_primary(verdict(&spec(), &observed([clone_at(2, 4), no_dcs(1), silence(3)]), &remembering(2)));
    the_primary(verdict(&spec(), &observed([clone_at(2, 4), silence(1), silence(3)]), &remembering(1)));
}

#[test]
fn the_hold_names_the_claimant_and_the_member_that_omits_it() {
    let observed = observed([silence(1), clone_at(2, 4), answer(3, replica(3), Ok(without(2, 1, 3)))]);
    let said = the_hold(decide(&observed)).to_string();
    assert!(said.contains("pg2 (timeline 4)") && said.contains("pg3"), "{said}");
}

// Its own state is `unknown`, and everything else agrees (Patroni 3.2.0).

fn unsure(timeline: Option<u32>) -> MemberStatus {
    MemberStatus { state: PostgresState::from("unknown"), timeline: timeline.map(Timeline), ..primary(4) }
}

fn failed_over(status: MemberStatus) -> Observed {
    observed([silence(1), answer(2, status, Ok(view(2, 4))), answer(3, replica(4), Ok(view(2, 4)))])
}

#[test]
fn a_leader_that_does_not_know_its_state_is_the_primary_where_every_view_agrees() {
    for own in [None, Some(4)] {
        let found = the_primary(decide(&failed_over(unsure(own))));
        assert_eq!((found.member, found.timeline), (Some(name(2)), Timeline(4)));
    }
    let state = State { highest_timeline: Some(Timeline(3)), ..State::default() };
    the_primary(verdict(&spec(), &failed_over(unsure(None)), &state));
    let system = MemberStatus { system_id: None, ..unsure(None) };
    assert_eq!(the_primary(decide(&failed_over(system))).system_id, SystemId::new(SYSTEM));
}

#[test]
fn a_leader_that_does_not_know_its_state_is_promoting_where_anything_else_does_not_agree() {
    let promoting = |observed: &Observed| assert_eq!(held(observed), HoldKind::Promoting);
    promoting(&failed_over(MemberStatus { role: Role::Replica, ..unsure(None) }));
    promoting(&failed_over(MemberStatus { role: Role::from("promoted"), ..unsure(None) }));
    promoting(&failed_over(MemberStatus { state: PostgresState::from("starting"), ..unsure(None) }));
    promoting(&failed_over(unsure(Some(3))));
    let mut starting = view(2, 4);
    starting.members[1].state = PostgresState::from("starting");
    promoting(&observed([answer(2, unsure(None), Ok(view(2, 4))), answer(3, replica(4), Ok(starting))]));
    promoting(&observed([answer(2, unsure(None), Ok(view(2, 4))), answer(3, replica(4), Ok(view(1, 3)))]));
    promoting(&observed([answer(2, unsure(None), Ok(view(2, 4))), answer(3, replica(4), Err(refused()))]));
    promoting(&observed([answer(2, unsure(None), Err(refused())), silence(3)]));
}

#[test]
fn a_leader_that_does_not_know_its_state_goes_on_only_where_it_was_the_primary() {
    let loaded = |number: u8| State {
        primary: Some(LastPrimary {
            site: None,
            member: Some(name(number)),
            address: Some(repoint_domain::values::cluster::Address { host: host(number), port: 5432 }),
            timeline: Timeline(4),
        }),
        highest_timeline: Some(Timeline(4)),
        ..State::default()
    };
    the_primary(verdict(&spec(), &failed_over(unsure(None)), &loaded(2)));
    let hold = the_hold(verdict(&spec(), &failed_over(unsure(None)), &loaded(1)));
    assert_eq!(hold.kind(), HoldKind::Promoting);
}

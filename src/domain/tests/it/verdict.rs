//! The verdict table, row by row.

mod clones;
mod names;

use repoint_domain::decide::verdict::{Hold, HoldKind, Verdict, verdict};
use repoint_domain::observed::{ClusterView, MemberAnswer, MemberStatus, Observed};
use repoint_domain::spec::Spec;
use repoint_domain::state::State;
use repoint_domain::values::cluster::{ApiUrl, ClusterRole, PostgresState, Role, Scope, SystemId, Timeline};
use repoint_domain::values::primary::Primary;

use crate::support::evidence::{
    SYSTEM, answer, healthy, host, listed, name, observed, primary, refused, replica, silence, spec, url,
    view,
};

fn decide(observed: &Observed) -> Verdict {
    verdict(&spec(), observed, &State::default())
}

#[track_caller]
fn the_primary(verdict: Verdict) -> Primary {
    match verdict {
        Verdict::Primary(primary) => primary,
        Verdict::Hold(hold) => panic!("held: {hold}"),
    }
}

#[track_caller]
fn the_hold(verdict: Verdict) -> Hold {
    match verdict {
        Verdict::Hold(hold) => hold,
        Verdict::Primary(primary) => panic!("a primary: {primary:?}"),
    }
}

#[track_caller]
fn held(observed: &Observed) -> HoldKind {
    the_hold(decide(observed)).kind()
}

// One claimant, and nobody readable names another leader.

#[test]
fn one_claimant_that_all_members_name() {
    let primary = the_primary(decide(&healthy(2, 3)));
    assert_eq!(primary.member, Some(name(2)));
    assert_eq!(primary.address.map(|address| address.to_string()), Some("10.0.1.12:5432".to_owned()));
    assert_eq!(primary.timeline, Timeline(3));
    assert_eq!(primary.system_id, SystemId::new(SYSTEM));
    assert!(primary.rivals.is_empty());
}

#[test]
fn one_claimant_is_enough_where_the_others_are_silent() {
    let observed = observed([answer(1, primary(3), Ok(view(1, 3))), silence(2), silence(3)]);
    assert_eq!(the_primary(decide(&observed)).member, Some(name(1)));
}

#[test]
fn a_view_that_lags_behind_names_the_dead_leader_on_a_lower_timeline() {
    let observed =
        observed([silence(1), answer(2, primary(4), Ok(view(2, 4))), answer(3, replica(3), Ok(view(1, 3)))]);
    assert_eq!(the_primary(decide(&observed)).member, Some(name(2)));
}

#[test]
fn a_primary_that_no_member_lists_has_no_address() {
    let empty = ClusterView { scope: Some(Scope::new("batman")), ..ClusterView::default() };
    let primary = the_primary(decide(&observed([answer(1, primary(3), Ok(empty)), silence(2), silence(3)])));
    assert_eq!((primary.member, primary.address), (Some(name(1)), None));
}

#[test]
fn while_the_dcs_is_down_the_primary_is_known_but_not_its_address() {
    let observed = observed(
        [1, 2, 3]
            .map(|number| answer(number, if number == 1 { primary(3) } else { replica(3) }, Err(refused()))),
    );
    let primary = the_primary(decide(&observed));
    assert_eq!((primary.member, primary.address), (Some(name(1)), None));
}

// Several claimants.

#[test]
fn of_two_claimants_the_higher_timeline_wins_and_the_other_is_reported() {
    let old = answer(1, primary(3), Ok(view(1, 3)));
    let new = answer(2, primary(4), Ok(view(2, 4)));
    let primary = the_primary(decide(&observed([old, new, silence(3)])));
    assert_eq!(primary.member, Some(name(2)));
    assert_eq!(primary.rivals.len(), 1);
    assert_eq!((primary.rivals[0].member.as_str(), primary.rivals[0].timeline), ("pg1", Timeline(3)));
}

#[test]
fn two_claimants_on_one_timeline_are_contested() {
    let observed =
        observed([answer(1, primary(3), Ok(view(1, 3))), answer(2, primary(3), Ok(view(2, 3))), silence(3)]);
    assert_eq!(held(&observed), HoldKind::Contested);
}

#[test]
fn a_third_claimant_below_does_not_settle_a_contest_above() {
    let observed = observed([1, 2, 3].map(|number| {
        let timeline = if number == 3 { 2 } else { 3 };
        answer(number, primary(timeline), Ok(view(number, timeline)))
    }));
    assert_eq!(held(&observed), HoldKind::Contested);
}

#[test]
fn timelines_of_different_systems_are_not_compared() {
    let other = MemberStatus { system_id: Some(SystemId::new("1")), ..primary(9) };
    let observed =
        observed([answer(1, primary(3), Ok(view(1, 3))), answer(2, other, Ok(view(2, 9))), silence(3)]);
    assert_eq!(held(&observed), HoldKind::Contested);
}

// One claimant, contradicted.

#[test]
fn a_claimant_is_contradicted_by_a_view_on_the_same_timeline() {
    let observed =
        observed([answer(1, primary(3), Ok(view(1, 3))), silence(2), answer(3, replica(3), Ok(view(2, 3)))]);
    assert!(matches!(the_hold(decide(&observed)), Hold::Contradicted { .. }));
}

#[test]
fn a_claimant_is_contradicted_by_a_view_on_a_higher_timeline() {
    let observed =
        observed([answer(1, primary(3), Ok(view(1, 3))), silence(2), answer(3, replica(4), Ok(view(2, 4)))]);
    assert_eq!(held(&observed), HoldKind::Contested);
}

#[test]
fn a_leader_on_a_timeline_that_no_member_reports_contradicts() {
    let mut other = view(2, 4);
    other.members[1].timeline = None;
    let observed =
        observed([answer(1, primary(3), Ok(view(1, 3))), silence(2), answer(3, replica(3), Ok(other))]);
    assert_eq!(held(&observed), HoldKind::Contested);
}

#[test]
fn a_claimant_may_contradict_itself() {
    let observed = observed([answer(1, primary(3), Ok(view(2, 3))), silence(2), silence(3)]);
    assert_eq!(held(&observed), HoldKind::Contested);
}

#[test]
fn a_contradiction_by_the_next_leader_on_its_way_is_a_promotion() {
    let promoting = MemberStatus { answers_primary: true, ..replica(3) };
    let observed =
        observed([answer(1, primary(3), Ok(view(2, 3))), answer(2, promoting, Ok(view(2, 3))), silence(3)]);
    assert_eq!(held(&observed), HoldKind::Promoting);
}

/// Found by invariant 13's property: which of the two was seen first decided.
#[test]
fn a_contest_outweighs_a_promotion_in_either_order() {
    let promoting = MemberStatus { answers_primary: true, ..replica(3) };
    for (other, promotion) in [(1, 3), (3, 1)] {
        let mut both = view(promotion, 3);
        both.members[usize::from(other) - 1].role = ClusterRole::Leader;
        let observed = observed([
            answer(2, primary(3), Ok(both)),
            answer(promotion, promoting.clone(), Err(refused())),
            answer(other, replica(3), Err(refused())),
        ]);
        assert_eq!(held(&observed), HoldKind::Contested);
    }
}

// 200, but not yet a running primary.

#[test]
fn a_leader_that_is_still_a_replica_is_promoting() {
    let promoting = MemberStatus { answers_primary: true, ..replica(3) };
    let observed =
        observed([silence(1), answer(2, promoting, Ok(view(2, 3))), answer(3, replica(3), Ok(view(2, 3)))]);
    assert_eq!(held(&observed), HoldKind::Promoting);
}

#[test]
fn a_leader_that_does_not_run_is_promoting() {
    for word in ["starting", "stopping", "crashed"] {
        let status = MemberStatus { state: PostgresState::from(word), ..primary(3) };
        let observed = observed([answer(1, status, Ok(view(1, 3))), silence(2), silence(3)]);
        let hold = the_hold(decide(&observed));
        assert_eq!(hold.kind(), HoldKind::Promoting);
        assert!(hold.to_string().contains(word), "{hold}");
    }
}

#[test]
fn a_leader_that_does_not_report_its_timeline_or_system_is_promoting() {
    for status in
        [MemberStatus { timeline: None, ..primary(3) }, MemberStatus { system_id: None, ..primary(3) }]
    {
        assert_eq!(held(&observed([answer(1, status, Ok(view(1, 3))), silence(2)])), HoldKind::Promoting);
    }
}

#[test]
fn an_old_primary_that_is_stopping_does_not_hold_up_the_new_one() {
    let stopping = MemberStatus {
        state: PostgresState::from("stopping"),
        timeline: None,
        system_id: None,
        ..primary(3)
    };
    let observed =
        observed([answer(1, stopping, Ok(view(2, 4))), answer(2, primary(4), Ok(view(2, 4))), silence(3)]);
    assert_eq!(the_primary(decide(&observed)).member, Some(name(2)));
}

// No claimant.

#[test]
fn a_named_leader_that_is_silent_is_unreachable() {
    let observed =
        observed([silence(1), answer(2, replica(3), Ok(view(1, 3))), answer(3, replica(3), Ok(view(1, 3)))]);
    let hold = the_hold(decide(&observed));
    assert_eq!(hold.kind(), HoldKind::Unreachable);
    assert!(hold.to_string().contains("the leader pg1") && hold.to_string().contains("refused"), "{hold}");
}

#[test]
fn a_named_leader_without_an_api_address_is_unreachable() {
    let mut nowhere = view(1, 3);
    nowhere.members[0].api_url = None;
    assert_eq!(held(&observed([answer(2, replica(3), Ok(nowhere))])), HoldKind::Unreachable);
}

#[test]
fn members_without_a_leader_have_no_primary() {
    let observed =
        observed([silence(1), answer(2, replica(3), Ok(view(0, 3))), answer(3, replica(3), Ok(view(0, 3)))]);
    assert_eq!(held(&observed), HoldKind::NoPrimary);
}

#[test]
fn a_named_leader_that_denies_it_is_no_primary() {
    let observed = observed((1..=3).map(|number| answer(number, replica(3), Ok(view(1, 3)))));
    let hold = the_hold(decide(&observed));
    assert_eq!(hold.kind(), HoldKind::NoPrimary);
    assert!(hold.to_string().contains("pg1"), "{hold}");
}

#[test]
fn an_empty_cluster_has_no_primary() {
    let observed = observed([answer(1, replica(3), Ok(ClusterView::default()))]);
    assert_eq!(held(&observed), HoldKind::NoPrimary);
}

/// As in a Region that is cut off from the DCS, while another member leads elsewhere.
#[test]
fn members_without_a_view_do_not_show_that_there_is_no_leader() {
    let observed = observed([1, 2].map(|number| answer(number, replica(3), Err(refused()))));
    let hold = the_hold(decide(&observed));
    assert_eq!(hold.kind(), HoldKind::Unreachable);
    assert!(hold.to_string().contains("DCS") && hold.to_string().contains("refused"), "{hold}");
}

#[test]
fn no_readable_member_is_unreachable_and_names_every_failure() {
    let hold = the_hold(decide(&observed([silence(1), silence(2), silence(3)])));
    assert_eq!(hold.kind(), HoldKind::Unreachable);
    assert_eq!(hold.to_string().matches("refused").count(), 3);
}

#[test]
fn a_cluster_without_a_member_to_ask_is_unreachable() {
    assert_eq!(held(&Observed::default()), HoldKind::Unreachable);
}

// A standby cluster.

#[test]
fn a_standby_leader_holds_by_its_own_word() {
    let leader = MemberStatus { role: Role::StandbyLeader, ..replica(3) };
    assert_eq!(held(&observed([answer(1, leader, Err(refused()))])), HoldKind::StandbyCluster);
}

#[test]
fn a_standby_leader_holds_by_the_word_of_others() {
    let mut site = view(0, 3);
    site.members[0].role = ClusterRole::StandbyLeader;
    assert_eq!(held(&observed([silence(1), answer(2, replica(3), Ok(site))])), HoldKind::StandbyCluster);
}

// Memory.

fn remembering(timeline: u32, system: &str) -> State {
    State {
        highest_timeline: Some(Timeline(timeline)),
        system_id: Some(SystemId::new(system)),
        ..State::default()
    }
}

#[test]
fn a_claimant_below_the_remembered_timeline_is_stale() {
    let hold = the_hold(verdict(&spec(), &healthy(1, 3), &remembering(4, SYSTEM)));
    assert_eq!(hold.kind(), HoldKind::Stale);
}

#[test]
fn a_claimant_on_the_remembered_timeline_is_the_primary() {
    the_primary(verdict(&spec(), &healthy(1, 4), &remembering(4, SYSTEM)));
}

#[test]
fn another_system_than_the_remembered_one_is_the_wrong_cluster() {
    let hold = the_hold(verdict(&spec(), &healthy(1, 9), &remembering(4, "1")));
    assert_eq!(hold.kind(), HoldKind::WrongCluster);
}

// The wrong cluster.

#[test]
fn another_system_than_the_configured_one_is_the_wrong_cluster() {
    let spec = Spec { system_id: Some(SystemId::new("1")), ..spec() };
    let hold = the_hold(verdict(&spec, &healthy(1, 3), &State::default()));
    assert_eq!(hold.kind(), HoldKind::WrongCluster);
    assert!(hold.to_string().contains(SYSTEM), "{hold}");
}

/// The cluster was made anew, and its new system put into the configuration: that alone does not adopt it.
#[test]
fn a_configured_system_is_the_wrong_cluster_while_another_is_remembered() {
    let spec = Spec { system_id: Some(SystemId::new(SYSTEM)), ..spec() };
    let hold = the_hold(verdict(&spec, &healthy(1, 9), &remembering(4, "1")));
    assert_eq!(hold.kind(), HoldKind::WrongCluster);
    the_primary(verdict(&spec, &healthy(1, 9), &remembering(4, SYSTEM)));
}

#[test]
fn another_scope_is_the_wrong_cluster() {
    let joker = MemberStatus { scope: Some(Scope::new("joker")), ..primary(3) };
    let view = ClusterView { scope: Some(Scope::new("joker")), ..view(1, 3) };
    let hold = the_hold(decide(&observed([answer(1, joker, Ok(view)), silence(2), silence(3)])));
    assert_eq!(hold.kind(), HoldKind::WrongCluster);
    assert!(hold.to_string().contains("joker"), "{hold}");
}

#[test]
fn a_foreign_member_at_an_old_address_does_not_hold_up_the_cluster() {
    let joker = MemberStatus { scope: Some(Scope::new("joker")), ..primary(9) };
    let foreign = ClusterView { scope: Some(Scope::new("joker")), ..view(1, 9) };
    let observed = observed([
        answer(1, joker, Ok(foreign)),
        answer(2, primary(4), Ok(view(2, 4))),
        answer(3, replica(4), Ok(view(2, 4))),
    ]);
    assert_eq!(the_primary(decide(&observed)).member, Some(name(2)));
}

#[test]
fn a_scope_that_is_not_reported_is_not_a_wrong_one() {
    let old = |status: MemberStatus| MemberStatus { scope: None, ..status };
    let view = ClusterView { scope: None, ..view(1, 3) };
    let observed =
        observed([answer(1, old(primary(3)), Ok(view.clone())), answer(2, old(replica(3)), Ok(view))]);
    the_primary(decide(&observed));
}

// One member under two names.

/// It gave up the leadership between the two questions: the later word counts, and nobody can tell which that is.
#[test]
fn of_two_answers_of_one_member_the_weaker_counts() {
    let (first, claims) = answer(1, primary(3), Ok(view(1, 3)));
    let (_, denies) = answer(1, replica(3), Ok(view(1, 3)));
    let second = ApiUrl::parse("http://pg1.example.com:8008").unwrap();
    let hold = the_hold(decide(&observed([(first, claims), (second, denies), silence(2), silence(3)])));
    assert_eq!(hold.kind(), HoldKind::NoPrimary);
}

fn unnamed(number: u8, status: MemberStatus, view: ClusterView) -> MemberAnswer {
    let (_, answer) = answer(number, status, Ok(view));
    let status = answer.status.map(|status| MemberStatus { name: None, ..status });
    MemberAnswer { status, ..answer }
}

#[test]
fn a_member_asked_by_name_and_by_address_does_not_contest_itself() {
    let by_name = ApiUrl::parse("http://pg1.internal:8008").unwrap();
    for give_name in [true, false] {
        let (by_address, mut first) = answer(1, primary(3), Ok(view(1, 3)));
        let mut second = first.clone();
        if !give_name {
            first = unnamed(1, primary(3), view(1, 3));
            second = first.clone();
        }
        let primary = the_primary(decide(&observed([(by_address, first), (by_name.clone(), second)])));
        assert_eq!(primary.member, Some(name(1)));
        assert!(primary.rivals.is_empty());
    }
}

/// Seed 784214: pg2 was frozen, and its old view lists pg1 alone, which leads there and is dead. That pg2 answers 200 makes
/// it no pg1, whose address would have been registered.
#[test]
fn a_member_that_answers_200_is_not_the_leader_that_its_old_view_lists() {
    let mut old = view(1, 4);
    old.members.retain(|listed| listed.name == name(1));
    let status = MemberStatus { name: None, ..primary(4) };
    let observed = observed([silence(1), answer(2, status, Ok(old))]);
    let verdict = verdict(&spec(), &observed, &State::default());
    assert!(matches!(verdict, Verdict::Hold(Hold::Contradicted { .. })), "{verdict:?}");
}

#[test]
fn before_3_2_a_member_finds_its_name_in_its_own_view() {
    let observed = observed([
        (url(1), unnamed(1, primary(3), view(1, 3))),
        (url(2), unnamed(2, replica(3), view(1, 3))),
    ]);
    let primary = the_primary(decide(&observed));
    assert_eq!(primary.member, Some(name(1)));
    assert_eq!(primary.address.unwrap().host, host(1));
}

#[test]
fn an_unnamed_leader_does_not_take_the_dead_leaders_name() {
    // Asked by a name that its view does not list, and the view is a moment older than the promotion.
    let by_name = ApiUrl::parse("http://pg2.internal:8008").unwrap();
    let answer = MemberAnswer { peer: None, ..unnamed(2, primary(4), view(1, 3)) };
    let primary = the_primary(decide(&observed([(by_name, answer)])));
    assert_eq!((primary.member, primary.address), (None, None));
}

#[test]
fn a_clone_that_carries_our_members_name_is_another_member() {
    let elsewhere = ApiUrl::parse("http://10.9.9.9:8008").unwrap();
    let (_, mut clone) = answer(
        1,
        primary(4),
        Ok(ClusterView { members: vec![listed(1, ClusterRole::Leader, 4)], ..view(1, 4) }),
    );
    clone.peer = Some("10.9.9.9:8008".parse().unwrap());
    let observed = observed([answer(1, primary(3), Ok(view(1, 3))), (elsewhere, clone)]);
    let hold = the_hold(decide(&observed));
    assert_eq!(hold.kind(), HoldKind::Contested, "two members, the higher of which no other one lists");
    assert!(hold.to_string().contains("pg1 (timeline 4), pg1 (timeline 3)"), "{hold}");
}

#[test]
fn two_members_behind_one_proxy_contest_each_other() {
    let proxy = "10.0.1.200:443".parse().ok();
    let members = [1, 2].map(|number| {
        let (url, answer) = answer(number, primary(3), Ok(view(number, 3)));
        (url, MemberAnswer { peer: proxy, ..answer })
    });
    assert_eq!(held(&observed(members)), HoldKind::Contested);
}

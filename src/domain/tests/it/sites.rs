//! Clusters that span sites: which of them is followed, and that nobody goes back to one that was left.

mod endpoints;
mod invariants;
mod move_cause;

use repoint_domain::decide::verdict::{Hold, HoldKind, Verdict, verdict};
use repoint_domain::state::State;
use repoint_domain::values::cluster::{SiteName, SystemId, Timeline};
use repoint_domain::values::primary::Primary;

use crate::support::evidence::SYSTEM;
use crate::support::sites::{How, east, seen, spec_of, west};

fn decide(in_east: How, in_west: How, state: &State) -> Verdict {
    verdict(&spec_of(&[east(), west()]), &seen(&[(east(), in_east), (west(), in_west)]), state)
}

/// What is remembered by whoever has followed a site up to a timeline, and left others.
fn followed(site: SiteName, timeline: u32, superseded: &[SiteName]) -> State {
    State {
        highest_timeline: Some(Timeline(timeline)),
        system_id: Some(SystemId::new(SYSTEM)),
        site: Some(site),
        superseded: superseded.iter().cloned().collect(),
        ..State::default()
    }
}

fn the_primary(verdict: Verdict) -> Primary {
    match verdict {
        Verdict::Primary(primary) => primary,
        Verdict::Hold(hold) => panic!("held: {hold}"),
    }
}

fn leads(verdict: Verdict, site: &SiteName, timeline: u32) -> Primary {
    let primary = the_primary(verdict);
    assert_eq!((primary.site.as_ref(), primary.timeline), (Some(site), Timeline(timeline)));
    primary
}

fn the_hold(verdict: Verdict) -> Hold {
    match verdict {
        Verdict::Hold(hold) => hold,
        Verdict::Primary(primary) => panic!("named: {primary:?}"),
    }
}

fn held(verdict: Verdict) -> HoldKind {
    the_hold(verdict).kind()
}

#[test]
fn the_site_with_the_primary_leads_and_the_other_follows() {
    let primary = leads(decide(How::Leads(1, 5), How::Follows(5), &State::default()), &east(), 5);
    assert_eq!(primary.followers, [west()].into());
    assert!(primary.rivals.is_empty());
    assert_eq!(primary.address.unwrap().host, "10.0.1.11");
}

/// Both sites have a pg1, and they are two.
#[test]
fn members_of_one_name_in_two_sites_are_two() {
    let primary = leads(decide(How::Follows(5), How::Leads(1, 5), &State::default()), &west(), 5);
    assert_eq!(primary.address.unwrap().host, "10.0.2.11");
}

#[test]
fn a_failover_within_the_site_is_one_like_any_other() {
    let state = followed(east(), 5, &[]);
    leads(decide(How::Leads(2, 6), How::Follows(5), &state), &east(), 6);
    assert_eq!(held(decide(How::Promotes(5), How::Follows(5), &state)), HoldKind::Promoting);
    assert_eq!(held(decide(How::Leaderless(5), How::Follows(5), &state)), HoldKind::NoPrimary);
}

#[test]
fn while_no_site_leads_every_site_is_reported() {
    let state = followed(east(), 5, &[]);
    let hold = the_hold(decide(How::Dark, How::Follows(5), &state));
    assert_eq!(hold.kind(), HoldKind::Unreachable);
    insta::assert_snapshot!(hold, @"east: no member can be reached: GET /primary on a test: connection refused; GET /primary on a test: connection refused; west: pg1 leads a standby cluster, which takes no writes; another site may hold the primary");
    let alone = verdict(&spec_of(&[west()]), &seen(&[(west(), How::Follows(5))]), &state);
    assert_eq!(held(alone), HoldKind::StandbyCluster);
    // Each waits for the other: nobody takes writes.
    assert_eq!(held(decide(How::Follows(5), How::Follows(5), &state)), HoldKind::NoPrimary);
}

#[test]
fn the_standby_site_leads_once_its_leader_is_a_primary() {
    let state = followed(east(), 5, &[]);
    assert_eq!(held(decide(How::Dark, How::Promotes(5), &state)), HoldKind::Promoting);
    let primary = leads(decide(How::Dark, How::Leads(1, 6), &state), &west(), 6);
    assert_eq!(state.superseded_by(&primary), [east()].into());
    // The lost site is in pieces, or has not heard of it.
    for lost in [How::Leaderless(5), How::Promotes(5), How::Quarrels(5), How::Leads(1, 5)] {
        leads(decide(lost, How::Leads(1, 6), &state), &west(), 6);
    }
}

#[test]
fn a_lost_site_that_returns_believing_is_a_rival() {
    let state = followed(west(), 6, &[east()]);
    // It may have had failovers of its own: its timelines are not those of the other site.
    for timeline in [5, 6, 9] {
        let primary = leads(decide(How::Leads(1, timeline), How::Leads(1, 6), &state), &west(), 6);
        let rival = &primary.rivals[0];
        assert_eq!((rival.label(), rival.timeline), ("east/pg1".to_owned(), Timeline(timeline)));
        assert_eq!(state.superseded_by(&primary), [east()].into());
    }
    let both = leads(decide(How::Quarrels(9), How::Leads(1, 6), &state), &west(), 6);
    assert_eq!(both.rivals.len(), 2);
}

#[test]
fn a_site_that_was_left_is_not_gone_back_to() {
    let state = followed(west(), 6, &[east()]);
    for gone in [How::Dark, How::Leaderless(6), How::Follows(6)] {
        let hold = the_hold(decide(How::Leads(1, 9), gone, &state));
        assert_eq!(hold.kind(), HoldKind::StaleSite, "{gone:?}: {hold}");
    }
    // Somebody is about to lead where it should.
    assert_eq!(held(decide(How::Leads(1, 9), How::Promotes(6), &state)), HoldKind::Promoting);
    insta::assert_snapshot!(the_hold(decide(How::Leads(1, 9), How::Dark, &state)), @"east: pg1 (timeline 9) claims to be the primary, but the endpoints followed west, and data written there may be missing here; west: no member can be reached: GET /primary on a test: connection refused; GET /primary on a test: connection refused");
}

#[test]
fn a_site_that_was_seen_to_follow_may_lead_again() {
    let state = followed(west(), 6, &[east()]);
    // It has not caught up: it may have been set up and never have followed.
    let primary = leads(decide(How::Follows(5), How::Leads(1, 6), &state), &west(), 6);
    assert_eq!(state.superseded_by(&primary), [east()].into());
    let primary = leads(decide(How::Follows(6), How::Leads(1, 6), &state), &west(), 6);
    assert!(state.superseded_by(&primary).is_empty());
    leads(decide(How::Leads(1, 7), How::Dark, &followed(west(), 6, &[])), &east(), 7);
}

/// The switchover back was made while nobody looked: the site that was followed now follows.
#[test]
fn the_followed_site_confirms_the_one_that_it_follows() {
    let state = followed(west(), 6, &[east()]);
    let primary = leads(decide(How::Leads(1, 7), How::Follows(7), &state), &east(), 7);
    assert!(state.superseded_by(&primary).is_empty());
    assert_eq!(held(decide(How::Leads(1, 7), How::Follows(6), &state)), HoldKind::StaleSite);
    // It has not stood down.
    the_hold(decide(How::Leads(1, 7), How::Torn(6, 7), &state));
}

/// A standby that was promoted before it had heard of the last failover.
#[test]
fn another_site_on_the_same_timeline_has_another_history() {
    let state = followed(east(), 6, &[]);
    assert_eq!(held(decide(How::Dark, How::Leads(1, 6), &state)), HoldKind::StaleSite);
    assert_eq!(held(decide(How::Dark, How::Leads(1, 5), &state)), HoldKind::StaleSite);
    leads(decide(How::Dark, How::Leads(1, 7), &state), &west(), 7);
    // The same site, though, may come back as it was, and not as it was before.
    leads(decide(How::Leads(1, 6), How::Dark, &state), &east(), 6);
    assert_eq!(held(decide(How::Leads(1, 5), How::Dark, &state)), HoldKind::Stale);
}

#[test]
fn of_two_sites_that_claim_the_strictly_higher_timeline_leads() {
    let state = followed(east(), 5, &[]);
    assert_eq!(held(decide(How::Leads(1, 6), How::Leads(1, 6), &state)), HoldKind::Contested);
    let primary = leads(decide(How::Leads(1, 7), How::Leads(1, 6), &state), &east(), 7);
    assert_eq!(state.superseded_by(&primary), [west()].into(), "it has a life of its own");
    // A quarrel above is one about the whole.
    assert_eq!(held(decide(How::Quarrels(7), How::Leads(1, 6), &state)), HoldKind::Contested);
}

/// Timelines of two sites tell nothing of each other, and nothing else is known.
#[test]
fn without_state_two_sites_that_claim_are_contested() {
    let hold = the_hold(decide(How::Leads(1, 7), How::Leads(1, 6), &State::default()));
    assert_eq!(hold.kind(), HoldKind::Contested);
    insta::assert_snapshot!(hold, @"2 members in several sites claim to be the primary, and timelines of separate sites do not show which is newer: east/pg1 (timeline 7), west/pg1 (timeline 6)");
    let renamed = followed(SiteName::new("south"), 5, &[]);
    assert_eq!(held(decide(How::Leads(1, 7), How::Leads(1, 6), &renamed)), HoldKind::Contested);
}

//! A disaster as people are told of it, and what is remembered of it.

use repoint_domain::decide::verdict::verdict;
use repoint_domain::spec::Spec;
use repoint_domain::state::State;
use repoint_domain::values::cluster::Timeline;

use crate::support::history::History;
use crate::support::sites::{How, east, seen, site_url, spec_of, west};

fn history() -> History {
    History { spec: spec_of(&[east(), west()]), ..History::with_group_at(1) }
}

fn pass(history: &mut History, second: i64, in_east: How, in_west: How) {
    history.pass(second, &seen(&[(east(), in_east), (west(), in_west)]));
}

#[test]
fn the_site_is_lost_and_the_other_one_is_promoted_and_the_lost_one_returns() {
    let mut history = history();
    pass(&mut history, 0, How::Leads(1, 5), How::Follows(5));
    pass(&mut history, 10, How::Leads(2, 6), How::Follows(6));
    insta::assert_snapshot!(history.lines(), @"at 10 s: repoint: batman: switchover from east/pg1 to east/pg2");
    for second in [20, 60, 90] {
        pass(&mut history, second, How::Dark, How::Follows(6));
    }
    insta::assert_snapshot!(history.lines(), @"
    at 90 s: repoint: batman: no primary, for 1 min 10 s now
    at 90 s: repoint: batman: no member of site east answers, for 1 min 10 s now
    ");
    pass(&mut history, 100, How::Dark, How::Leads(1, 7));
    pass(&mut history, 160, How::Dark, How::Leads(1, 7));
    insta::assert_snapshot!(history.lines(), @"
    at 100 s: repoint: batman: failover from east/pg2 to west/pg1, in another site
    at 100 s: repoint: batman: resolved after 1 min 20 s: no primary
    ");
    assert_eq!(
        (history.state.site.clone(), history.state.superseded.clone()),
        (Some(west()), [east()].into())
    );
    // It has had two failovers of its own.
    pass(&mut history, 200, How::Leads(1, 8), How::Leads(1, 7));
    pass(&mut history, 210, How::Leads(1, 8), How::Leads(1, 7));
    insta::assert_snapshot!(history.lines(), @"
    at 200 s: repoint: batman: resolved after 3 min 0 s: no member of site east answers
    at 200 s: repoint: batman: SPLIT BRAIN, east/pg1 also claims to be primary
    ");
    for second in [220, 280] {
        pass(&mut history, second, How::Leads(1, 8), How::Dark);
    }
    insta::assert_snapshot!(history.lines(), @"
    at 280 s: repoint: batman: only a superseded site claims to hold the primary, for 1 min 0 s now
    at 280 s: repoint: batman: no member of site west answers, for 1 min 0 s now
    ");
    assert_eq!(history.state.highest_timeline, Some(Timeline(7)));
    pass(&mut history, 300, How::Follows(7), How::Leads(1, 7));
    insta::assert_snapshot!(history.lines(), @"
    at 300 s: repoint: batman: resolved after 1 min 40 s: SPLIT BRAIN, east/pg1 also claims to be primary
    at 300 s: repoint: batman: resolved after 1 min 20 s: only a superseded site claims to hold the primary
    at 300 s: repoint: batman: resolved after 1 min 20 s: no member of site west answers
    ");
    assert!(history.state.superseded.is_empty());
    // And back, on purpose.
    pass(&mut history, 400, How::Leads(1, 8), How::Follows(8));
    insta::assert_snapshot!(history.lines(), @"
    at 400 s: repoint: batman: switchover from west/pg1 to east/pg1, in another site
    at 400 s: repoint: batman: FLAPPING, the primary changes again and again
    ");
    assert_eq!(history.state.site, Some(east()));
}

/// The switch was made by hand, so that there is nothing to write; the site that was left is remembered all the same.
#[test]
fn a_move_without_a_write_is_remembered() {
    let mut history = history();
    pass(&mut history, 0, How::Leads(1, 5), How::Follows(5));
    pass(&mut history, 10, How::Dark, How::Leads(1, 6));
    assert_eq!(history.state.superseded, [east()].into());
    let members: Vec<_> = history.state.members_of(Some(&west())).values().collect();
    assert_eq!(members[0].api_url, Some(site_url(&west(), 1)));
    assert!(history.state.members.is_empty());
}

/// A pass that looked before the site was left must not bring it back into memory.
#[test]
fn a_pass_of_before_does_not_undo_what_was_committed_since() {
    let mut history = history();
    pass(&mut history, 0, How::Leads(1, 5), How::Follows(5));
    let before = history.state.clone();
    let late = history.make_too_late(&seen(&[(east(), How::Leads(1, 9)), (west(), How::Dark)]), &before);
    pass(&mut history, 10, How::Dark, How::Leads(1, 6));
    let left = history.state.clone();
    history.update(20, &late);
    assert_eq!((&history.state.site, &history.state.superseded), (&left.site, &left.superseded));
    assert_eq!(history.state.highest_timeline, Some(Timeline(6)));
}

/// `repoint adopt`, once the other site is stopped.
#[test]
fn adopting_a_site_leaves_the_other_one() {
    let state = State {
        site: Some(west()),
        superseded: [east()].into(),
        highest_timeline: Some(Timeline(9)),
        ..State::default()
    };
    let spec: Spec = spec_of(&[east(), west()]);
    let observed = seen(&[(east(), How::Leads(1, 8)), (west(), How::Dark)]);
    let repoint_domain::decide::verdict::Verdict::Primary(primary) =
        verdict(&spec, &observed, &State::default())
    else {
        panic!("held")
    };
    let adopted = state.adopted(&primary);
    assert_eq!((adopted.site, adopted.superseded), (Some(east()), [west()].into()));
    assert_eq!(adopted.highest_timeline, Some(Timeline(8)));
}

/// What an older repoint wrote is read, and what this one writes of a cluster in one place an older one reads.
#[test]
fn the_state_of_a_cluster_in_one_place_keeps_its_format() {
    let text = r#"{"revision":3,"highest_timeline":4,"system_id":"7","primary":{"member":"pg1","address":null,"timeline":4},"members":{},"lease":null,"conditions":[],"outbox":[]}"#;
    let state: State = serde_json::from_str(text).unwrap();
    assert_eq!((state.revision, &state.site), (3, &None));
    assert_eq!(serde_json::to_string(&state).unwrap(), text);
}

//! Discovery: what it finds is asked, and who belongs to the cluster is for its members to say.

use std::collections::BTreeSet;

use repoint_domain::decide::seeds::{Counted, Known, counted};
use repoint_domain::decide::verdict::{Hold, HoldKind, Verdict, verdict};
use repoint_domain::observed::{Answers, ClusterView, MemberAnswer, Observed, Read};
use repoint_domain::spec::{Discover, Source, Spec, Tag};
use repoint_domain::state::{Condition, ConditionKind, State, Unknown};
use repoint_domain::values::cluster::{ApiUrl, ClusterRole, Scope, SystemId};
use repoint_domain::values::failure::{Failure, Kind};
use repoint_domain::values::timestamp::Timestamp;

use crate::support::evidence::{
    SYSTEM, answer, healthy, listed, members_in, name, observed, primary, replica, silence, spec, url, view,
};

/// `batman`, whose members are found by this alone.
fn discovered_by(source: Source) -> Spec {
    let mut spec = spec();
    spec.sites[0].members.clear();
    spec.sites[0].discover = Some(Discover { source, port: 8008, is_https: false });
    spec
}

fn by_tag() -> Spec {
    let tag = Tag { key: "patroni-scope".to_owned(), value: "batman".to_owned() };
    discovered_by(Source::Instances { tag, region: None, assume: None })
}

fn remembering(numbers: &[u8]) -> Known {
    Known {
        urls: numbers.iter().map(|number| url(*number)).collect(),
        system_id: Some(SystemId::new(SYSTEM)),
    }
}

#[expect(clippy::unnecessary_wraps, reason = "as discovery answers")]
fn at(numbers: &[u8]) -> Read<BTreeSet<ApiUrl>> {
    Ok(numbers.iter().map(|number| url(*number)).collect())
}

fn refused() -> Failure {
    Failure::new(Kind::Denied, "ec2:DescribeInstances", "instances", "you are not authorized")
        .with_hint("allow the IAM action `ec2:DescribeInstances`")
}

/// A cluster of its own, with the scope and the system of the other one: pg`first` leads it, and the next one follows.
fn copy(first: u8, timeline: u32) -> [(ApiUrl, MemberAnswer); 2] {
    let second = first + 1;
    let seen = ClusterView {
        members: vec![
            listed(first, ClusterRole::Leader, timeline),
            listed(second, ClusterRole::Replica, timeline),
        ],
        ..view(first, timeline)
    };
    [answer(first, primary(timeline), Ok(seen.clone())), answer(second, replica(timeline), Ok(seen))]
}

fn answers(observed: &mut Observed) -> Answers {
    std::mem::take(members_in(observed))
}

#[track_caller]
fn counts(spec: &Spec, known: &Known, found: &Read<BTreeSet<ApiUrl>>, answers: Answers, expected: &[u8]) {
    let Counted { answers, found_alone } = counted(&spec.sites[0], known, Some(found), answers);
    let urls: BTreeSet<ApiUrl> = answers.into_keys().collect();
    assert_eq!(urls, expected.iter().map(|number| url(*number)).collect());
    assert_eq!(found_alone, spec.sites[0].discover.is_some() && expected.contains(&7));
}

#[test]
fn while_a_remembered_member_answers_a_copy_of_the_cluster_does_not_count() {
    let mut seen = answers(&mut healthy(1, 3));
    seen.extend(copy(7, 9));
    counts(&by_tag(), &remembering(&[1, 2, 3]), &at(&[1, 2, 3, 7, 8]), seen, &[1, 2, 3]);
}

#[test]
fn nor_while_a_member_that_does_not_answer_still_runs() {
    let seen = (1..=3).map(silence).chain(copy(7, 9)).collect();
    counts(&by_tag(), &remembering(&[1, 2, 3]), &at(&[1, 7, 8]), seen, &[1, 2, 3]);
}

#[test]
fn what_lists_a_remembered_member_belongs_to_its_cluster() {
    // pg1 to pg3 list one another, and only pg1, which is silent, is remembered.
    let mut seen = answers(&mut healthy(2, 4));
    seen.extend([silence(1)]);
    seen.extend(copy(7, 9));
    counts(&by_tag(), &remembering(&[1]), &at(&[1, 2, 3, 7, 8]), seen, &[1, 2, 3]);
}

#[test]
fn where_no_remembered_member_runs_any_more_all_that_is_found_counts() {
    let seen: Answers = (1..=3).map(silence).chain(copy(7, 9)).collect();
    counts(&by_tag(), &remembering(&[1, 2, 3]), &at(&[7, 8]), seen.clone(), &[1, 2, 3, 7, 8]);
    // DNS may leave out what runs, and what cannot be read leaves nothing out.
    let by_name = discovered_by(Source::Addresses("pg.example.com".to_owned()));
    counts(&by_name, &remembering(&[1, 2, 3]), &at(&[7, 8]), seen.clone(), &[1, 2, 3]);
    counts(&by_tag(), &remembering(&[1, 2, 3]), &Err(refused()), seen, &[1, 2, 3]);
}

#[test]
fn a_remembered_address_at_which_another_cluster_answers_is_gone() {
    let mut other = answer(1, primary(3), Ok(ClusterView { scope: Some(Scope::new("robin")), ..view(1, 3) }));
    other.1.status.as_mut().unwrap().scope = Some(Scope::new("robin"));
    let seen: Answers = std::iter::once(other).chain(copy(7, 9)).collect();
    counts(&by_tag(), &remembering(&[1]), &at(&[7, 8]), seen, &[1, 7, 8]);
}

#[test]
fn at_first_all_that_is_found_counts() {
    let seen = copy(7, 9).into_iter().collect();
    counts(&by_tag(), &Known::default(), &at(&[7, 8]), seen, &[7, 8]);
}

#[test]
fn without_discovery_every_answer_counts() {
    let mut seen = answers(&mut healthy(1, 3));
    seen.extend(copy(7, 9));
    counts(&spec(), &remembering(&[1]), &at(&[]), seen, &[1, 2, 3, 7, 8]);
}

#[test]
fn two_clusters_that_are_found_at_first_are_not_chosen_between() {
    let mut seen = healthy(1, 3);
    seen.found_alone.insert(None);
    members_in(&mut seen).extend(copy(7, 9));
    let Verdict::Hold(hold) = verdict(&by_tag(), &seen, &State::default()) else { panic!("a primary") };
    assert_eq!(hold, Hold::SeveralClusters(vec!["pg1".to_owned(), "pg7".to_owned()]));
    assert_eq!(hold.kind(), HoldKind::Contested);
    // The system tells them apart, if they are of two.
    for (url, answer) in copy(7, 9) {
        let mut answer = answer;
        answer.status.as_mut().unwrap().system_id = Some(SystemId::new("7"));
        members_in(&mut seen).insert(url, answer);
    }
    let pinned = Spec { system_id: Some(SystemId::new(SYSTEM)), ..by_tag() };
    let Verdict::Primary(found) = verdict(&pinned, &seen, &State::default()) else { panic!("a hold") };
    assert_eq!(found.member, Some(name(1)));
}

#[test]
fn one_cluster_that_is_found_is_followed() {
    let Verdict::Primary(found) = verdict(&by_tag(), &healthy(2, 3), &State::default()) else {
        panic!("a hold")
    };
    assert_eq!(found.member, Some(name(2)));
}

#[test]
fn where_nothing_is_known_the_hold_says_why_nothing_is_found() {
    let mut seen = observed([]);
    seen.discovered.insert(None, Err(refused()));
    let Verdict::Hold(hold) = verdict(&by_tag(), &seen, &State::default()) else { panic!("a primary") };
    assert_eq!(
        hold.to_string(),
        "no member can be reached: ec2:DescribeInstances on instances: you are not authorized (allow the IAM action `ec2:DescribeInstances`)"
    );
}

#[test]
fn a_member_that_is_back_after_another_cluster_has_answered_is_followed() {
    let state = State {
        system_id: Some(SystemId::new(SYSTEM)),
        conditions: vec![Condition {
            kind: ConditionKind::WrongCluster,
            subject: None,
            endpoint: None,
            site: None,
            title: String::new(),
            message: "pg7 belongs to another cluster".to_owned(),
            since: Timestamp(0),
            notified: None,
            unknown: Unknown::new(),
        }],
        ..State::default()
    };
    let Verdict::Primary(found) = verdict(&by_tag(), &healthy(1, 3), &state) else { panic!("a hold") };
    assert_eq!(found.member, Some(name(1)));
}

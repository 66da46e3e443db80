//! What is computed of a client's attempts.

use std::collections::BTreeMap;

use repoint_domain::drill::attempts::{Attempt, Client, ClientKind, ErrorKind, Server};
use repoint_domain::drill::rows::{Fate, Rows};
use repoint_domain::values::cluster::Timeline;

/// An attempt that began and ended then.
pub fn attempt(began_ms: u64, ended_ms: u64, error: Option<ErrorKind>) -> Attempt {
    Attempt { began_ms, ended_ms, server: None, error }
}

pub fn good(began_ms: u64, ended_ms: u64) -> Attempt {
    attempt(began_ms, ended_ms, None)
}

pub fn refused(began_ms: u64, ended_ms: u64) -> Attempt {
    attempt(began_ms, ended_ms, Some(ErrorKind::Refused))
}

/// A write that a server took on a timeline.
fn written(began_ms: u64, ended_ms: u64, timeline: u32) -> Attempt {
    let server = Server { address: format!("10.0.1.1{timeline}:5432"), timeline: Some(Timeline(timeline)) };
    Attempt { server: Some(server), ..good(began_ms, ended_ms) }
}

pub fn client(attempts: Vec<Attempt>) -> Client {
    Client { kind: ClientKind::NewConnections, endpoint: "writer.example:5432".to_owned(), attempts }
}

/// The outages as (last good, first good, outage), in milliseconds.
fn outages(attempts: Vec<Attempt>) -> Vec<(Option<u64>, Option<u64>, Option<u64>)> {
    let outages = client(attempts).report().outages.into_iter();
    outages.map(|outage| (outage.last_good_ms, outage.first_good_ms, outage.outage_ms)).collect()
}

#[test]
fn an_outage_lasts_from_the_last_good_attempt_to_the_first_good_one() {
    let attempts = vec![good(0, 5), good(50, 55), refused(100, 101), refused(111, 112), good(122, 130)];
    assert_eq!(outages(attempts.clone()), [(Some(55), Some(130), Some(75))]);
    let report = client(attempts).report();
    assert_eq!((report.attempts, report.failed, report.outage_ms), (5, 2, Some(75)));
    assert_eq!(report.errors, BTreeMap::from([(ErrorKind::Refused, 2)]));
}

#[test]
fn without_a_bad_attempt_there_is_no_outage() {
    assert_eq!(client(vec![good(0, 5), good(50, 55)]).report().outage_ms, Some(0));
}

#[test]
fn an_outage_that_has_not_ended_has_no_length() {
    let report = client(vec![good(0, 5), refused(50, 51), good(100, 105), refused(150, 151)]).report();
    assert_eq!(report.outages[0].outage_ms, Some(100));
    assert_eq!((report.outages[1].first_good_ms, report.outage_ms), (None, None));
}

#[test]
fn what_was_bad_before_the_first_good_attempt_is_no_outage() {
    let before = vec![refused(0, 1), good(50, 55)];
    assert_eq!(client(before.clone()).report().outage_ms, Some(0));
    let after = [before, vec![refused(100, 101), good(150, 155)]].concat();
    assert_eq!(client(after).report().outage_ms, Some(100));
    assert_eq!(client(vec![refused(0, 1)]).report().outage_ms, None);
}

#[test]
fn an_attempt_that_hangs_does_not_hide_when_the_endpoint_is_good_again() {
    // Those that began at 50 and 100 end when their time is over, long after the one that began at 150 was good.
    let hung = |began| attempt(began, began + 2000, Some(ErrorKind::Timeout));
    let attempts = vec![good(0, 5), good(150, 160), good(200, 205), hung(50), hung(100)];
    assert_eq!(outages(attempts), [(Some(5), Some(160), Some(155))]);
}

#[test]
fn a_slow_attempt_that_is_good_does_not_prolong_an_outage() {
    // The attempt of 100 was held up until 900 and was good; the one of 150 was good at 160.
    assert_eq!(
        outages(vec![good(0, 5), refused(50, 51), good(100, 900), good(150, 160)]),
        [(Some(5), Some(160), Some(155))]
    );
    // The attempt of 0 was good only after the next one had failed.
    assert_eq!(
        outages(vec![good(0, 700), refused(50, 51), good(100, 800)]),
        [(Some(50), Some(800), Some(750))]
    );
}

#[test]
fn the_longest_outage_counts() {
    let attempts =
        vec![good(0, 5), refused(50, 51), good(60, 65), refused(110, 111), refused(121, 122), good(400, 405)];
    assert_eq!(client(attempts).report().outage_ms, Some(340));
}

#[test]
fn a_client_is_good_since_its_first_good_attempt_after_the_last_bad_one() {
    let health = client(vec![good(0, 5), refused(50, 51), good(60, 65), good(110, 115)]).health(1000);
    assert_eq!(health.good_for_ms, Some(935));
    assert_eq!(health.last_error.as_deref(), Some("connection refused"));
    assert_eq!(client(vec![good(0, 5), refused(50, 51)]).health(1000).good_for_ms, None);
    assert_eq!(client(Vec::new()).health(1000).good_for_ms, None);
}

#[test]
fn a_write_on_an_older_timeline_than_one_already_seen_is_stale() {
    // The write of 40 was under way when timeline 5 was first seen: it may have been done before.
    let attempts = vec![written(0, 5, 4), written(40, 120, 4), written(50, 60, 5), written(100, 105, 4)];
    assert_eq!(client(attempts).report().stale_writes, 1);
}

#[test]
fn a_standby_that_answers_a_writer_is_counted() {
    let standby = Some(ErrorKind::Standby);
    let report =
        client(vec![good(0, 5), attempt(50, 52, standby.clone()), attempt(60, 62, standby)]).report();
    assert_eq!((report.standby_answers, report.failed), (2, 2));
}

#[test]
fn rows_are_lost_in_doubt_or_duplicated() {
    let sent = BTreeMap::from([
        (1, Fate::Acknowledged),
        (2, Fate::Acknowledged),
        (3, Fate::Acknowledged),
        (4, Fate::InDoubt),
        (5, Fate::InDoubt),
    ]);
    let stored = BTreeMap::from([(1, 1), (3, 2), (5, 1)]);
    let rows = Rows::count("drill", &sent, &stored);
    assert_eq!((rows.acknowledged, rows.lost), (3, 1));
    assert_eq!((rows.in_doubt, rows.in_doubt_stored, rows.duplicated), (2, 1, 1));
}

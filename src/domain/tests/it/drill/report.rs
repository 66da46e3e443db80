//! The report as text, as a picture and as JSON.

use repoint_domain::drill::attempts::{Client, ClientKind, ErrorKind};
use repoint_domain::drill::gates::{Gate, GateId};
use repoint_domain::drill::picture::svg;
use repoint_domain::drill::report::{Cell, DrillReport, Mode, Outcome, VERSION, cells};
use repoint_domain::drill::rows::Rows;
use repoint_domain::drill::text;
use repoint_domain::drill::timeline::{Event, Source, timeline};
use repoint_domain::history::{Happened, Head, HistoryEvent, MoveEvent, Step};
use repoint_domain::values::cluster::EntryName;
use repoint_domain::values::moves::MoveCause;
use repoint_domain::values::timestamp::Timestamp;
use repoint_domain::values::utc::Utc;

use super::attempts::{attempt, client, good, refused};
use crate::support::evidence::{GROUP, name, spec};

const BEGAN: Utc = Utc(Timestamp(1_800_000_000_000));

/// A move whose pass began 11,000 ms after the drill, and whose last change was done at 11,500 ms.
fn moved() -> HistoryEvent {
    let step = |action: &str, target: &str, at_ms| Step {
        action: action.to_owned(),
        endpoint: GROUP.to_owned(),
        target: target.to_owned(),
        replaces: None,
        result: "done".to_owned(),
        error: None,
        at_ms: Some(at_ms),
        took_ms: None,
    };
    HistoryEvent {
        head: Head {
            version: 1,
            number: 1,
            id: "batman-1".to_owned(),
            cluster: EntryName::new("batman"),
            at: Utc(Timestamp(BEGAN.0.0 + 11_500)),
        },
        happened: Happened::Moved(MoveEvent {
            cause: MoveCause::Switchover,
            from: Some("pg1".to_owned()),
            to: Some("pg2".to_owned()),
            member: Some(name(2)),
            site: None,
            timeline: None,
            no_primary_since: None,
            took_ms: Some(500),
            steps: vec![
                step("register_target", "10.0.1.12:5432", 300),
                step("deregister_target", "10.0.1.11:5432", 500),
            ],
            left: Vec::new(),
            left_out: 0,
        }),
    }
}

fn clients() -> Vec<Client> {
    let attempts =
        vec![good(10_000, 10_005), refused(10_050, 10_051), refused(10_061, 10_062), good(11_300, 11_310)];
    let reads = vec![good(10_000, 10_005), good(12_000, 12_005)];
    vec![client(attempts), Client { kind: ClientKind::Reader, ..client(reads) }]
}

fn report() -> DrillReport {
    let attempts = clients();
    let events = vec![
        Event::new(10_020, Source::Drill, "requested a switchover from pg1 to pg2"),
        Event::new(11_000, Source::Patroni, "pg2 is the primary, on timeline 5"),
    ];
    DrillReport {
        version: VERSION,
        scope: spec().scope,
        name: spec().name,
        mode: Mode::Switchover,
        outcome: Outcome::Done,
        message: "the primary changed from pg1 to pg2".to_owned(),
        began: BEGAN,
        from: Some(name(1)),
        to: Some(name(2)),
        gates: vec![Gate::of(GateId::Primary, Ok::<_, String>("pg1 leads on timeline 4"))],
        requested_ms: Some(10_020),
        promoted_ms: Some(11_000),
        rejoined_ms: Some(14_000),
        clients: attempts.iter().map(Client::report).collect(),
        rows: None,
        timeline: timeline(events, &[moved()], &attempts, BEGAN),
        notes: Vec::new(),
        way_back: None,
        attempts,
    }
}

#[test]
fn what_happened_is_in_one_order_with_each_source() {
    let report = report();
    let events: Vec<_> = report.timeline.iter().map(|event| (event.at_ms, event.source.as_str())).collect();
    assert_eq!(
        events,
        [
            (10_005, "client"),
            (10_020, "drill"),
            (11_000, "patroni"),
            (11_300, "repoint"),
            (11_310, "client"),
            (11_500, "repoint")
        ]
    );
    assert_eq!(
        report.timeline[3].what,
        "done: register target 10.0.1.12:5432 in target group pg-writer (us-east-1)"
    );
    assert!(report.timeline[4].what.ends_with("first good attempt, 1.3 s later"), "{:?}", report.timeline[4]);
}

#[test]
fn what_was_before_the_drill_is_left_out() {
    let later = Utc(Timestamp(BEGAN.0.0 + 60_000));
    assert!(timeline(Vec::new(), &[moved()], &[], later).is_empty());
}

#[test]
fn the_text_has_the_outage_a_chart_and_what_happened() {
    let text = text(&report(), &|_, text| text.to_owned());
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "batman  done  the primary changed from pg1 to pg2");
    assert!(text.contains("outage 1.305 s"), "{text}");
    assert!(text.contains("no outage"), "{text}");
    assert!(text.contains("4 attempts, 2 × connection refused"), "{text}");
    let chart = lines.iter().find(|line| line.contains("xxx")).unwrap_or_else(|| panic!("{text}"));
    assert!(chart.trim_start().starts_with("writer, new connections"), "{chart}");
}

#[test]
fn a_chart_has_good_and_bad_parts_in_their_places() {
    let client = client(vec![good(0, 5), good(50, 55), refused(500, 501), good(700, 705), good(950, 955)]);
    let symbols: String = cells(&client, (0, 1000), 10)
        .into_iter()
        .map(|cell| match cell {
            Cell::Good => '=',
            Cell::Bad => 'x',
            Cell::Empty => ' ',
        })
        .collect();
    assert_eq!(symbols, "=xxxxxx===");
    // A client whose attempts all failed is bad from the beginning to the end.
    let never = super::attempts::client(vec![refused(0, 1), refused(900, 901)]);
    assert!(cells(&never, (0, 1000), 10).iter().all(|cell| *cell == Cell::Bad));
}

#[test]
fn lost_rows_make_a_drill_that_is_done_a_failure() {
    let rows = |lost| Some(Rows { table: "drill".to_owned(), acknowledged: 10, lost, ..Rows::default() });
    assert!(DrillReport { rows: rows(0), ..report() }.is_good());
    let lost = DrillReport { rows: rows(3), ..report() };
    assert!(!lost.is_good());
    assert!(text(&lost, &|_, text| text.to_owned()).contains("rows of drill: 10 acknowledged, 3 lost"));
}

#[test]
fn the_picture_is_one_file_whose_text_is_text() {
    let mut report = report();
    report.message = "a <b> & \"c\"".to_owned();
    let svg = svg(&report);
    assert!(svg.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\""), "{svg}");
    assert!(svg.contains(">a &lt;b&gt; &amp; &quot;c&quot;</text>"), "{svg}");
    assert!(svg.contains(">1.305 s</text>"), "{svg}");
    // Nothing is fetched, and nothing runs.
    for outside in ["href", "script", "url(", "@import"] {
        assert!(!svg.contains(outside), "{outside}");
    }
    // Each lane: good, bad and good again for the writer; the reader has one part.
    assert_eq!(svg.matches("height=\"20\" fill=\"#c62828\"").count(), 1, "{svg}");
}

#[test]
fn json_names_errors_as_a_reader_would() {
    let attempts = vec![good(0, 1), attempt(50, 51, Some(ErrorKind::Sql("57P03".to_owned()))), good(60, 61)];
    let json = serde_json::to_value(client(attempts).report()).unwrap();
    assert_eq!(json["client"], "new_connections");
    assert_eq!(json["errors"]["57P03 starting up or shutting down"], 1);
}

//! The report as an operator reads it: how it ended, what clients saw, a small chart, what happened.

use std::fmt::Write as _;

use super::attempts::ClientReport;
use super::gates::{Gate, GateResult};
use super::report::{Cell, DrillReport, Outcome, cells};
use super::rows::Rows;
use crate::report::Tone;

/// The parts of the chart.
const CELLS: usize = 64;

/// A function that may add colour, and must not change the visible width.
type Paint<'a> = &'a dyn Fn(Tone, &str) -> String;

/// The report in plain words.
#[must_use]
pub fn text(report: &DrillReport, paint: Paint) -> String {
    let tone = match report.outcome {
        Outcome::Done => Tone::Good,
        Outcome::Refused | Outcome::Interrupted => Tone::Notice,
        Outcome::Failed => Tone::Bad,
    };
    let mut text = format!(
        "{}  {}  {}\n",
        paint(Tone::Strong, report.name.as_str()),
        paint(tone, report.outcome.as_str()),
        report.message
    );
    text.push_str(&gates(&report.gates, paint));
    clients(&mut text, report, paint);
    if let Some(rows) = &report.rows {
        self::rows(&mut text, rows, paint);
    }
    if !report.timeline.is_empty() {
        let _ = writeln!(text, "\n{}", paint(Tone::Faint, &format!(" began {}", report.began)));
    }
    for event in &report.timeline {
        let source = paint(Tone::Faint, &format!("{:8}", event.source.as_str()));
        let _ = writeln!(text, " {:>9}  {source}  {}", seconds(event.at_ms), event.what);
    }
    for note in &report.notes {
        let _ = writeln!(text, "\n {}: {note}", paint(Tone::Notice, "note"));
    }
    if let Some(command) = &report.way_back {
        let _ = writeln!(text, "\n the way back: {command}");
    }
    text
}

/// The gates. Those that refuse come last, where a reader of a terminal sees them.
#[must_use]
pub fn gates(gates: &[Gate], paint: Paint) -> String {
    let mut text = String::new();
    let mut gates: Vec<&Gate> = gates.iter().collect();
    gates.sort_by_key(|gate| gate.result == GateResult::Refused);
    for gate in gates {
        let (tone, word) = match gate.result {
            GateResult::Passed => (Tone::Good, "ok     "),
            GateResult::Refused => (Tone::Bad, "refused"),
            GateResult::NotChecked => (Tone::Faint, "-      "),
        };
        let _ = writeln!(text, "  {}  {:12} {}", paint(tone, word), gate.gate.as_str(), gate.message);
    }
    text
}

fn clients(text: &mut String, report: &DrillReport, paint: Paint) {
    if report.clients.is_empty() {
        return;
    }
    let _ = writeln!(text);
    for client in &report.clients {
        let (tone, outage) = match client.outage_ms {
            Some(0) => (Tone::Good, "no outage".to_owned()),
            Some(ms) => (Tone::Strong, format!("outage {}", precise(ms))),
            None => (Tone::Bad, "not good at the end".to_owned()),
        };
        let _ = writeln!(
            text,
            " {:<24} {}  {}",
            client.client.as_str(),
            paint(tone, &format!("{outage:20}")),
            client.endpoint
        );
        let _ = writeln!(text, "{:26}{}", "", details(client));
    }
    if let Some(window) = report.window() {
        let _ = writeln!(text, "\n {:<24} {} to {}", "", seconds(window.0), seconds(window.1));
        for client in &report.attempts {
            let cells: String = cells(client, window, CELLS).into_iter().map(symbol).collect();
            let _ = writeln!(text, " {:<24} {cells}", client.kind.as_str());
        }
    }
}

fn details(client: &ClientReport) -> String {
    let errors: Vec<String> =
        client.errors.iter().map(|(error, count)| format!("{count} × {error}")).collect();
    let several =
        (client.outages.len() > 1).then(|| format!("{} outages, the longest counts", client.outages.len()));
    let stale = (client.stale_writes > 0)
        .then(|| format!("{} writes taken by a server on an older timeline", client.stale_writes));
    let parts = [Some(format!("{} attempts", client.attempts)), several, stale];
    parts.into_iter().flatten().chain(errors).collect::<Vec<_>>().join(", ")
}

fn rows(text: &mut String, rows: &Rows, paint: Paint) {
    let tone = if rows.lost > 0 { Tone::Bad } else { Tone::Good };
    let lost = paint(tone, &format!("{} lost", rows.lost));
    let _ = writeln!(
        text,
        "\n rows of {}: {} acknowledged, {lost}; {} in doubt, of which {} are stored; {} stored twice or more",
        rows.table, rows.acknowledged, rows.in_doubt, rows.in_doubt_stored, rows.duplicated
    );
}

fn symbol(cell: Cell) -> char {
    match cell {
        Cell::Good => '=',
        Cell::Bad => 'x',
        Cell::Empty => ' ',
    }
}

/// To the millisecond, for figures that are compared.
pub(super) fn precise(ms: u64) -> String {
    if ms < 1000 { format!("{ms} ms") } else { seconds(ms) }
}

fn seconds(ms: u64) -> String {
    format!("{}.{:03} s", ms / 1000, ms % 1000)
}

//! The report as a picture to attach to a change ticket: SVG without scripts, styles or fonts from elsewhere.

use std::fmt::Write as _;

use super::report::{Cell, DrillReport, cells};
use super::text::precise;
use super::timeline::Source;
use crate::values::units::time;

const WIDTH: usize = 960;
/// Where the lanes begin and how wide they are.
const LANES_AT: usize = 230;
const LANES_WIDTH: usize = 580;
const CELLS: usize = 290;
const LANE_HEIGHT: usize = 34;
const HEAD_HEIGHT: usize = 92;
const LINE_HEIGHT: usize = 18;
/// The most events that are listed; those of Patroni and repoint come first.
const MOST_EVENTS: usize = 40;
/// The most characters of a line.
const LONGEST: usize = 110;

const GOOD: &str = "#2e7d32";
const BAD: &str = "#c62828";
const FAINT: &str = "#5f6b7a";

/// Draws a report.
#[must_use]
pub fn svg(report: &DrillReport) -> String {
    let events: Vec<_> = report.timeline.iter().take(MOST_EVENTS).collect();
    let lanes_end = HEAD_HEIGHT + report.attempts.len() * LANE_HEIGHT + 26;
    let height = lanes_end + (events.len() + 1) * LINE_HEIGHT + 34;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\" \
         font-family=\"sans-serif\" font-size=\"13\">\n<title>{}</title>\n\
         <rect width=\"{WIDTH}\" height=\"{height}\" fill=\"#ffffff\"/>\n",
        escaped(&title(report))
    );
    line(&mut svg, (20, 32), "font-size=\"20\" fill=\"#1a1f26\"", &title(report));
    line(
        &mut svg,
        (20, 54),
        &fill(FAINT),
        &format!("{} UTC, {}", time(report.began), report.outcome.as_str()),
    );
    line(&mut svg, (20, 74), "fill=\"#1a1f26\"", &report.message);
    if let Some(window) = report.window() {
        lanes(&mut svg, report, window, lanes_end);
    }
    for (at, event) in events.iter().enumerate() {
        let y = lanes_end + 14 + (at + 1) * LINE_HEIGHT;
        line(&mut svg, (20, y), &fill(FAINT), &format!("{}.{:03} s", event.at_ms / 1000, event.at_ms % 1000));
        line(&mut svg, (100, y), &fill(FAINT), event.source.as_str());
        line(&mut svg, (170, y), "fill=\"#1a1f26\"", &event.what);
    }
    svg.push_str("</svg>\n");
    svg
}

fn title(report: &DrillReport) -> String {
    match (&report.from, &report.to) {
        (Some(from), Some(to)) => format!("repoint drill: {}, {from} to {to}", report.name),
        _ => format!("repoint drill: {}", report.name),
    }
}

/// A lane for each client, marks for what Patroni and repoint did, and an axis.
fn lanes(svg: &mut String, report: &DrillReport, (begin, end): (u64, u64), bottom: usize) {
    let at = |ms: u64| LANES_AT as u64 + (ms - begin) * LANES_WIDTH as u64 / (end - begin).max(1);
    for (number, (client, seen)) in report.attempts.iter().zip(&report.clients).enumerate() {
        let y = HEAD_HEIGHT + number * LANE_HEIGHT;
        line(svg, (20, y + 11), "fill=\"#1a1f26\"", client.kind.as_str());
        line(svg, (20, y + 25), &format!("font-size=\"11\" {}", fill(FAINT)), &clipped(&client.endpoint, 34));
        for (from, to, cell) in runs(&cells(client, (begin, end), CELLS)) {
            let colour = match cell {
                Cell::Good => GOOD,
                Cell::Bad => BAD,
                Cell::Empty => continue,
            };
            let (x, width) = (LANES_AT + from * LANES_WIDTH / CELLS, (to - from) * LANES_WIDTH / CELLS);
            let _ = writeln!(
                svg,
                "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"20\" fill=\"{colour}\"/>"
            );
        }
        let outage = match seen.outage_ms {
            Some(0) => "no outage".to_owned(),
            Some(ms) => precise(ms),
            None => "not good at the end".to_owned(),
        };
        line(svg, (LANES_AT + LANES_WIDTH + 10, y + 15), "fill=\"#1a1f26\" font-weight=\"bold\"", &outage);
    }
    let marks = report.timeline.iter().filter(|event| event.source != Source::Client);
    for event in marks.filter(|event| (begin..=end).contains(&event.at_ms)) {
        let (x, top, foot) = (at(event.at_ms), HEAD_HEIGHT - 6, bottom - 22);
        let _ = writeln!(
            svg,
            "<line x1=\"{x}\" y1=\"{top}\" x2=\"{x}\" y2=\"{foot}\" stroke=\"#1a1f26\" stroke-dasharray=\"2 3\"><title>{}\
             </title></line>",
            escaped(&event.what)
        );
    }
    let step = [100, 200, 500, 1000, 2000, 5000, 10_000, 30_000, 60_000, 300_000, 600_000];
    let step = step.into_iter().find(|step| (end - begin) / step <= 8).unwrap_or(3_600_000);
    let mut tick = begin.div_ceil(step) * step;
    while tick <= end {
        let style = format!("font-size=\"11\" text-anchor=\"middle\" {}", fill(FAINT));
        let x = usize::try_from(at(tick)).unwrap_or(LANES_AT);
        line(svg, (x, bottom - 6), &style, &format!("{}.{} s", tick / 1000, tick % 1000 / 100));
        tick += step;
    }
}

/// The equal neighbours: from, to, what.
fn runs(cells: &[Cell]) -> Vec<(usize, usize, Cell)> {
    let mut runs: Vec<(usize, usize, Cell)> = Vec::new();
    for (at, cell) in cells.iter().enumerate() {
        match runs.last_mut() {
            Some((_, to, same)) if same == cell => *to = at + 1,
            _ => runs.push((at, at + 1, *cell)),
        }
    }
    runs
}

fn line(svg: &mut String, (x, y): (usize, usize), style: &str, text: &str) {
    let _ = writeln!(svg, "<text x=\"{x}\" y=\"{y}\" {style}>{}</text>", escaped(&clipped(text, LONGEST)));
}

fn fill(colour: &str) -> String {
    format!("fill=\"{colour}\"")
}

fn clipped(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most - 1).chain(['…']).collect()
}

/// What XML reserves, and what it does not allow.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for one in text.chars() {
        match one {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            one if one.is_control() => escaped.push(' '),
            one => escaped.push(one),
        }
    }
    escaped
}

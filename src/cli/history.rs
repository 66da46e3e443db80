//! `repoint history`: what has moved, and what was held.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Duration;

use comfy_table::{Table, presets};

use super::{Format, print};
use crate::app::{App, Since};
use crate::config::Settings;
use repoint_domain::history::{
    Adoption, ConditionEvent, EventView, Happened, History, HistoryEvent, MoveEvent, Step,
};
use repoint_domain::report::{Tone, describe_name};
use repoint_domain::values::text::shown;
use repoint_domain::values::units::{duration, time};
use repoint_domain::values::utc::Utc;

pub const HELP: &str = "\
Examples:
  repoint history --since 12h
  repoint history --cluster batman --since 2026-11-29T03:00Z
  repoint history --format json | jq '.clusters[].events[] | select(.kind == \"moved\")'

It reads what passes have stored beside the state, oldest first, and asks a member of Patroni (GET /history) when each
primary was promoted. A condition is shown when it was alerted and when it ended; `repoint status` shows what is wrong
now. The newest 128 events of each cluster are kept.

Exit status: 0 the history was read; 1 a part of it could not be read; 2 usage or configuration.";

/// Reads the stored history, and prints it; Patroni is asked when primaries were promoted.
pub async fn main(settings: Settings, since: Option<Since>, format: Format) -> ExitCode {
    let app = match App::new(settings).await {
        Ok(app) => app,
        Err(error) => return print::usage_error(&format!("{:#}", anyhow::Error::from(error))),
    };
    let since = since.map(Since::utc);
    let history = app.history(since).await;
    match format {
        Format::Json => print::json(&history, history.is_good()),
        Format::Text => print::text(&text(&history, since), history.is_good()),
    }
}

/// Reads `90m`, `12h`, `3d`, `2w`, or a date with or without a time.
///
/// # Errors
/// If it is neither.
pub fn since(text: &str) -> Result<Since, String> {
    let amount = text.trim_end_matches(|unit: char| unit.is_ascii_alphabetic());
    let seconds = match &text[amount.len()..] {
        "s" => Some(1),
        "m" | "min" => Some(60),
        "h" => Some(60 * 60),
        "d" => Some(24 * 60 * 60),
        "w" => Some(7 * 24 * 60 * 60),
        _ => None,
    };
    let ago = seconds.zip(amount.parse::<u32>().ok());
    let ago = ago.map(|(seconds, amount)| Since::Ago(Duration::from_secs(seconds * u64::from(amount))));
    ago.or_else(|| Utc::parse(text).map(Since::At)).ok_or_else(|| {
        "use a duration such as 90m, 12h, 3d or 2w, or a time such as 2026-11-29 or 2026-11-29T03:00Z"
            .to_owned()
    })
}

fn text(history: &History, since: Option<Utc>) -> String {
    let mut events: Vec<&EventView> = history.clusters.iter().flat_map(|cluster| &cluster.events).collect();
    // A cluster's own events stay in their order.
    events.sort_by_key(|view| view.event.head.at);
    let events = match (events.is_empty(), since) {
        (false, _) => table(&events),
        (true, _) if !history.is_good() => String::new(),
        (true, Some(since)) => format!("no events since {since}\n"),
        (true, None) => {
            "no events yet: no endpoint has moved, and no condition was alerted, since the history began\n"
                .to_owned()
        }
    };
    let mut lines = vec![events];
    // A line of a file that cannot be read may be any cluster's.
    let mut warnings: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for cluster in &history.clusters {
        for warning in &cluster.warnings {
            warnings.entry(warning).or_default().push(cluster.name.as_str());
        }
    }
    for (warning, names) in warnings {
        let name = if let [name] = names[..] { format!("{name}: ") } else { String::new() };
        lines.push(format!("{}: {name}{}\n", print::paint(Tone::Notice, "warning"), shown(warning)));
    }
    for cluster in &history.clusters {
        if let Some(error) = &cluster.error {
            lines.push(format!("{}: {}: {}\n", print::paint(Tone::Bad, "error"), cluster.name, shown(error)));
        }
    }
    lines.concat()
}

fn table(events: &[&EventView]) -> String {
    let mut table = Table::new();
    let header = ["when (UTC)", "cluster", "event", ""];
    let paint = |word: &str| if word.is_empty() { String::new() } else { print::paint(Tone::Faint, word) };
    table.load_style(presets::NOTHING).set_header(header.map(paint));
    for view in events {
        let HistoryEvent { head, .. } = &view.event;
        let when = time(head.at);
        let mut lines = lines(view).into_iter();
        let (tone, event, details) = lines.next().unwrap_or((Tone::Faint, String::new(), String::new()));
        let event = print::paint(tone, &shown(&event));
        table.add_row([when, shown(head.cluster.as_str()), event, shown(&details)]);
        for (tone, event, details) in lines {
            table.add_row([
                String::new(),
                String::new(),
                print::paint(tone, &shown(&event)),
                shown(&details),
            ]);
        }
    }
    // Every cell has a space on both sides.
    let lines: Vec<String> =
        table.lines().map(|line| line.strip_prefix(' ').unwrap_or(&line).trim_end().to_owned()).collect();
    lines.join("\n") + "\n"
}

/// A line of a table: what, and in detail.
type Line = (Tone, String, String);

fn lines(view: &EventView) -> Vec<Line> {
    match &view.event.happened {
        Happened::Moved(moved) => of_move(moved, view),
        Happened::Condition(condition) => vec![of_condition(condition)],
        Happened::Adopted(adoption) => vec![(Tone::Strong, "adopted".to_owned(), of_adoption(adoption))],
        Happened::Unrecognized => {
            vec![(Tone::Faint, "unrecognized".to_owned(), "an event of a newer repoint".to_owned())]
        }
    }
}

fn of_move(moved: &MoveEvent, view: &EventView) -> Vec<Line> {
    let to = moved.to.as_deref().unwrap_or("an unnamed member");
    let primary = match moved.from.as_deref().filter(|from| *from != to) {
        Some(from) => format!("{from} -> {to}"),
        None => to.to_owned(),
    };
    let parts = [
        moved.timeline.map(|timeline| format!("timeline {timeline}")),
        view.without_primary_ms.map(|ms| format!("{} without a primary", duration(ms))),
        view.promoted_to_moved_ms.map(|ms| format!("moved {} after the promotion", duration(ms))),
        moved.took_ms.map(|ms| format!("the pass took {}", duration(ms))),
    ];
    let details: Vec<String> = std::iter::once(primary).chain(parts.into_iter().flatten()).collect();
    let mut lines = vec![(Tone::Strong, moved.cause.as_str().to_owned(), details.join(", "))];
    lines.extend(moved.steps.iter().map(of_step));
    let left =
        moved.left.iter().map(|endpoint| (Tone::Bad, "  left behind".to_owned(), describe_name(endpoint)));
    lines.extend(left);
    if moved.left_out > 0 {
        lines.push((Tone::Faint, String::new(), format!("and {} more", moved.left_out)));
    }
    lines
}

/// Any action of any version: its name says what it does.
fn of_step(step: &Step) -> Line {
    let tone = if step.error.is_some() { Tone::Bad } else { Tone::Good };
    let action = step.action.replace('_', " ");
    let before = step.replaces.as_ref().map_or(String::new(), |before| format!("{before} -> "));
    let took = step.took_ms.map_or(String::new(), |ms| format!(", {}", duration(ms)));
    let error = step.error.as_ref().map_or(String::new(), |error| format!(": {error}"));
    let details =
        format!("{action} {before}{} in {}{took}{error}", step.target, describe_name(&step.endpoint));
    (tone, format!("  {}", step.result), details)
}

fn of_condition(event: &ConditionEvent) -> Line {
    let ConditionEvent { condition, status, severity, subject, message, lasted_ms, .. } = event;
    let subject = subject.as_ref().map_or(String::new(), |subject| format!("{}: ", describe_name(subject)));
    if status == "resolved" {
        let details = format!("{subject}over after {}", duration(*lasted_ms));
        return (Tone::Good, condition.clone(), details);
    }
    let tone = if severity == "critical" { Tone::Bad } else { Tone::Notice };
    (tone, condition.clone(), format!("{severity}, {subject}{message}"))
}

fn of_adoption(adoption: &Adoption) -> String {
    let Adoption { to, system_id, timeline, system_id_before, timeline_before } = adoption;
    let primary = to.as_deref().unwrap_or("an unnamed member");
    let before = match (system_id_before, timeline_before) {
        (Some(system_id), Some(timeline)) => format!("system {system_id} on timeline {timeline}"),
        _ => "nothing".to_owned(),
    };
    format!("system {system_id} on timeline {timeline}, primary {primary}; before: {before}")
}

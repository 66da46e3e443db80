//! The last events of a cluster.

use maud::{Markup, html};

use super::finding::{Level, badge};
use super::table;
use super::units::time;
use repoint_domain::history::{
    Adoption, ClusterHistory, ConditionEvent, EventView, Happened, MoveEvent, Step,
};
use repoint_domain::report::describe_name;
use repoint_domain::values::units::duration;

/// The newest first.
pub fn section(history: &ClusterHistory) -> Markup {
    let rows: Vec<_> = history.events.iter().rev().map(row).collect();
    html! {
        h2 { "Last events" }
        @if let Some(error) = &history.error { p.trouble { "They could not be read: " (error) "." } }
        @for warning in &history.warnings { p.when { (warning) "." } }
        @if !rows.is_empty() {
            (table("Last events, the newest first", &["When (UTC)", "Event", "What"], &rows))
        } @else if history.error.is_none() {
            p.none { "No endpoint has moved, and no condition was alerted, since the history began." }
        }
    }
}

fn row(view: &EventView) -> Vec<Markup> {
    let when = time(view.event.head.at.0);
    match &view.event.happened {
        Happened::Moved(moved) => {
            vec![when, html! { strong { (moved.cause.as_str()) } }, of_move(moved, view)]
        }
        Happened::Condition(condition) => {
            let level = match (&*condition.status, &*condition.severity) {
                ("resolved", _) => Level::Ok,
                (_, "critical") => Level::Critical,
                (_, "warning") => Level::Warning,
                _ => Level::Note,
            };
            let over = if condition.status == "resolved" { " is over" } else { "" };
            let words = format!("{}{over}", condition.condition.replace('_', " "));
            vec![when, badge(level, &words), of_condition(condition)]
        }
        Happened::Adopted(adoption) => vec![when, html! { strong { "adopted" } }, of_adoption(adoption)],
        Happened::Unrecognized => {
            vec![when, html! { "unrecognized" }, html! { "An event of a newer repoint." }]
        }
    }
}

fn of_move(moved: &MoveEvent, view: &EventView) -> Markup {
    let to = moved.to.as_deref().unwrap_or("an unnamed member");
    let from = moved.from.as_deref().filter(|from| *from != to);
    let parts = [
        moved.timeline.map(|timeline| format!("timeline {timeline}")),
        view.without_primary_ms.map(|ms| format!("{} without a primary", duration(ms))),
        moved.took_ms.map(|ms| format!("the pass took {}", duration(ms))),
    ];
    html! {
        @if let Some(from) = from { (from) " → " } (to)
        @for part in parts.iter().flatten() { ", " (part) }
        @if !moved.left.is_empty() {
            p.why { "Left behind: " (moved.left.iter().map(|endpoint| describe_name(endpoint)).collect::<Vec<_>>().join(", ")) }
        }
        @if !moved.steps.is_empty() {
            details {
                summary { (moved.steps.len()) @if moved.steps.len() == 1 { " change" } @else { " changes" } }
                ul {
                    @for step in &moved.steps { li { (of_step(step)) } }
                    @if moved.left_out > 0 { li { "and " (moved.left_out) " more" } }
                }
            }
        }
    }
}

/// Any action of any version: its name says what it does.
fn of_step(step: &Step) -> String {
    let before = step.replaces.as_ref().map_or(String::new(), |before| format!("{before} → "));
    let took = step.took_ms.map_or(String::new(), |ms| format!(", {}", duration(ms)));
    let error = step.error.as_ref().map_or(String::new(), |error| format!(": {error}"));
    let (action, place) = (step.action.replace('_', " "), describe_name(&step.endpoint));
    format!("{}: {action} {before}{} in {place}{took}{error}", step.result, step.target)
}

fn of_condition(event: &ConditionEvent) -> Markup {
    let ConditionEvent { condition: _, status, severity, subject, message, since: _, lasted_ms } = event;
    html! {
        @if let Some(subject) = subject { (describe_name(subject)) ": " }
        @if status == "resolved" {
            "it lasted " (duration(*lasted_ms))
        } @else {
            (severity) ", " (message)
        }
    }
}

fn of_adoption(adoption: &Adoption) -> Markup {
    let Adoption { to, system_id, timeline, system_id_before, timeline_before } = adoption;
    html! {
        "system " (system_id) " on timeline " (timeline) ", primary " (to.as_deref().unwrap_or("an unnamed member"))
        @if let (Some(system_id), Some(timeline)) = (system_id_before, timeline_before) {
            "; before: system " (system_id) " on timeline " (timeline)
        }
    }
}

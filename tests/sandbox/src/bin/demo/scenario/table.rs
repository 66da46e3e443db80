//! Tables: members and endpoints after an act, and the switches at the end.

use repoint_sandbox::Millis;
use serde_json::Value;

use super::Switch;
use crate::check::{Truth, listed};
use crate::page::{Tone, cell, paint};

/// Below the text of the scenario.
const INDENT: &str = "          ";

/// Members to the left, endpoints to the right, as `repoint status` sees them, with the truth beside it. `name` knows
/// members by the address of their PostgreSQL, and by the URL of their REST API.
pub fn step(
    status: &Value,
    truth: &Truth,
    switch: Option<&Switch>,
    name: &dyn Fn(&str) -> Option<String>,
) -> Vec<String> {
    let cluster = &status["clusters"][0];
    let members = cluster["members"].as_array().map(Vec::as_slice).unwrap_or_default();
    // One that is listed no more is known by its URL alone.
    let known = |label: &str| name(label).unwrap_or_else(|| label.to_owned());
    let mut members: Vec<(String, &Value)> =
        members.iter().map(|one| (known(one["member"].as_str().unwrap_or("-")), one)).collect();
    members.sort_by(|a, b| a.0.cmp(&b.0));
    let mut left: Vec<String> = members.iter().map(|(name, one)| member(name, one, truth)).collect();
    let endpoints = cluster["endpoints"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut right: Vec<String> = endpoints.iter().map(|one| endpoint(one, name)).collect();
    right.push(served(truth, switch.map(|switch| switch.before.as_str())));
    left.insert(0, heads(&[("member", 9), ("role", 9), ("state", 13), ("timeline", 10), ("", 10)]));
    right.insert(0, heads(&[("endpoint", 17), ("points at", 11), ("", 0)]));
    let wide: usize = 9 + 9 + 13 + 10 + 10;
    let rows = left.len().max(right.len());
    let mut lines: Vec<String> = (0..rows)
        .map(|row| {
            let blank = " ".repeat(wide);
            let left = left.get(row).cloned().unwrap_or(blank);
            format!("{INDENT}{left}   {}", right.get(row).map_or("", String::as_str)).trim_end().to_owned()
        })
        .collect();
    lines.push(format!("{INDENT}{}", verdict(&cluster["verdict"])));
    lines.extend(switch.map(took));
    lines
}

fn heads(heads: &[(&str, usize)]) -> String {
    heads.iter().map(|(head, width)| cell(Tone::Faint, head, *width)).collect()
}

fn member(name: &String, member: &Value, truth: &Truth) -> String {
    let text = |key: &str| member[key].as_str().unwrap_or("-").to_owned();
    let is_silent = !member["error"].is_null();
    let (role, state) =
        if is_silent { ("-".to_owned(), "unreachable".to_owned()) } else { (text("role"), text("state")) };
    let timeline = member["timeline"].as_u64().filter(|_| !is_silent);
    let timeline = timeline.map_or("-".to_owned(), |timeline| timeline.to_string());
    let leads = ["leader", "primary", "master"].contains(&role.as_str());
    let writes = if truth.writers.contains(name) { "is written" } else { "" };
    [
        cell(Tone::Strong, name, 9),
        cell(if leads { Tone::Good } else { Tone::Plain }, &role, 9),
        cell(if is_silent { Tone::Bad } else { Tone::Plain }, &state, 13),
        cell(Tone::Plain, &timeline, 10),
        cell(if truth.writers.len() > 1 { Tone::Bad } else { Tone::Good }, writes, 10),
    ]
    .concat()
}

fn endpoint(endpoint: &Value, name: &dyn Fn(&str) -> Option<String>) -> String {
    let is_group = endpoint["points_at"].to_string().contains(':');
    let all = endpoint["points_at"].as_array().map(Vec::as_slice).unwrap_or_default();
    // A draining target is no target any more; the row below says which member still gets connections.
    let stays = |text: &&str| !text.contains("(draining");
    let at = all.iter().filter_map(Value::as_str).filter(stays).map(|text| {
        let address = text.split([':', ' ']).next().unwrap_or_default();
        name(address).unwrap_or_else(|| address.to_owned())
    });
    let at: Vec<String> = at.collect();
    let (tone, word) = match endpoint["standing"].as_str().unwrap_or_default() {
        "right" => (Tone::Good, "right"),
        "differs" => (Tone::Notice, "differs"),
        _ => (Tone::Notice, "held"),
    };
    let what = if is_group { "target group" } else { "record" };
    format!("{}{}{}", cell(Tone::Plain, what, 17), cell(Tone::Strong, &at.join(", "), 11), paint(tone, word))
}

/// The member that a new connection reaches.
fn served(truth: &Truth, before: Option<&str>) -> String {
    let is_right = truth.routes == truth.resolved && truth.writers == truth.routes;
    let to = if truth.routes == truth.resolved {
        listed(&truth.routes)
    } else {
        format!("{} by the load balancer, {} by DNS", listed(&truth.routes), listed(&truth.resolved))
    };
    let tone = if is_right { Tone::Good } else { Tone::Strong };
    let before = before.map_or(String::new(), |before| paint(Tone::Faint, &format!("{before} before")));
    format!("{}{}{before}", cell(Tone::Plain, "new connections", 17), cell(tone, &to, 11))
}

fn verdict(verdict: &Value) -> String {
    let text = |key: &str| verdict[key].as_str().unwrap_or_default().to_owned();
    let (tone, words) = if verdict["kind"] == "primary" {
        (Tone::Good, format!("primary {} on timeline {}", text("member"), verdict["timeline"]))
    } else {
        (Tone::Notice, format!("{}, nothing is moved", text("kind")))
    };
    format!("{}{}", cell(Tone::Faint, "verdict", 9), paint(tone, &words))
}

/// How long one switch took.
fn took(switch: &Switch) -> String {
    let moved = switch.moved.map_or("never".to_owned(), |time| format!("{time} ms"));
    let words = match switch.election {
        Some(election) => {
            format!("{} without a primary; endpoints moved {moved} after the promotion", seconds(election))
        }
        None => format!("endpoints set {moved} after repoint was first started"),
    };
    format!("{INDENT}{}{}", cell(Tone::Faint, "switch", 9), paint(Tone::Strong, &words))
}

/// All switches.
pub fn summary(switches: &[Switch]) -> Vec<String> {
    let widths = [24, 12, 22, 0];
    let row = |tone: Tone, cells: [&str; 4]| {
        let cells: String = cells.iter().zip(widths).map(|(text, width)| cell(tone, text, width)).collect();
        format!("   {}", cells.trim_end())
    };
    let mut lines = vec![row(Tone::Faint, ["step", "", "without a primary", "endpoints moved after"])];
    lines.extend(switches.iter().map(|switch| {
        let way = if switch.from.is_empty() {
            format!("-> {}", switch.to)
        } else {
            format!("{} -> {}", switch.from, switch.to)
        };
        let election = switch.election.map_or("-".to_owned(), seconds);
        let moved = switch.moved.map_or("never".to_owned(), |time| format!("{time} ms"));
        row(Tone::Plain, [switch.title, &way, &election, &moved])
    }));
    lines
}

fn seconds(time: Millis) -> String {
    format!("{}.{:02} s", time / 1000, time % 1000 / 10)
}

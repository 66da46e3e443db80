//! `repoint status`: members, verdict and endpoints.

use std::process::ExitCode;

use comfy_table::{Table, presets};

use super::{Format, print};
use crate::app::App;
use crate::config::Settings;
use repoint_domain::report::status::{
    ClusterStatus, ConditionStatus, EndpointStatus, MemberReport, SiteStatus, Standing,
};
use repoint_domain::report::{Tone, VerdictReport, describe};
use repoint_domain::values::primary::label;

/// Makes a dry run, and prints it as tables.
pub async fn main(settings: Settings, format: Format) -> ExitCode {
    let app = match App::new(settings).await {
        Ok(app) => app,
        Err(error) => return print::usage_error(&format!("{:#}", anyhow::Error::from(error))),
    };
    let status = app.status().await;
    match format {
        Format::Json => print::json(&status, status.is_good()),
        Format::Text => {
            let clusters: Vec<String> = status.clusters.iter().map(cluster).collect();
            print::text(&clusters.join("\n"), status.is_good())
        }
    }
}

fn cluster(status: &ClusterStatus) -> String {
    let verdict = match &status.verdict {
        VerdictReport::Primary(primary) => {
            let name = primary.label().unwrap_or_else(|| "unnamed".to_owned());
            format!("primary {} on timeline {}", print::paint(Tone::Good, &name), primary.timeline)
        }
        VerdictReport::Hold { kind, message } => {
            format!("{}: {message}", print::paint(Tone::Bad, kind.as_str()))
        }
    };
    let entry = print::paint(Tone::Strong, status.name.as_str());
    let sites = if status.sites.is_empty() {
        String::new()
    } else {
        table(&["site", "", ""], status.sites.iter().map(site)) + "\n"
    };
    let members =
        table(&["member", "address", "role", "state", "timeline", "lag"], status.members.iter().map(member));
    let errors: String = status
        .members
        .iter()
        .filter_map(|member| Some(format!("  {}: {}\n", name(member), member.error.as_ref()?)))
        .collect();
    let endpoints = table(&["endpoint", "points at", "", ""], status.endpoints.iter().map(endpoint));
    let conditions: String = status.conditions.iter().map(condition).collect();
    let conditions = match &status.state_error {
        Some(error) => format!("\n {}: {error}\n", print::paint(Tone::Bad, "state store unavailable")),
        None if conditions.is_empty() => String::new(),
        None => format!("\n{conditions}"),
    };
    let warning = |warning: &String| format!(" {}: {warning}\n", print::paint(Tone::Bad, "warning"));
    let warnings: String = status.warnings.iter().map(warning).collect();
    let warnings = if warnings.is_empty() { warnings } else { format!("\n{warnings}") };
    let paused = if status.is_paused {
        print::paint(Tone::Notice, "  paused (maintenance mode)")
    } else {
        String::new()
    };
    format!("{entry}  {verdict}{paused}\n\n{sites}{members}{errors}\n{endpoints}{warnings}{conditions}")
}

fn condition(condition: &ConditionStatus) -> String {
    let subject = condition.subject.as_ref().map_or(String::new(), |subject| format!(" {subject}"));
    let notified = if condition.notified { "alert published" } else { "alert pending" };
    format!(
        " {}{subject} for {} s, {notified}: {}\n",
        print::paint(Tone::Notice, condition.kind.as_str()),
        condition.lasted_seconds,
        condition.message,
    )
}

fn site(site: &SiteStatus) -> Vec<String> {
    let standing = match (site.holds_primary, site.is_superseded) {
        (true, _) => print::paint(Tone::Good, "leads"),
        (false, true) => print::paint(Tone::Bad, "apart"),
        (false, false) => String::new(),
    };
    vec![site.site.to_string(), standing, site.message.clone()]
}

fn name(member: &MemberReport) -> String {
    label(member.site.as_ref(), &member.member)
}

fn member(member: &MemberReport) -> Vec<String> {
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let state = match &member.error {
        Some(_) => print::paint(Tone::Bad, "unreachable"),
        None => or_dash(member.state.clone()),
    };
    vec![
        name(member),
        or_dash(member.address.as_ref().map(ToString::to_string)),
        or_dash(member.role.clone()),
        state,
        or_dash(member.timeline.map(|timeline| timeline.to_string())),
        or_dash(lag(member)),
    ]
}

/// What it has not received, and what it has received and not replayed.
fn lag(member: &MemberReport) -> Option<String> {
    let received = member.lag_bytes.map(bytes);
    let replayed = member.replay_lag_bytes.filter(|replay| member.lag_bytes.is_none_or(|lag| lag < *replay));
    match (received, replayed.map(bytes)) {
        (Some(received), Some(replayed)) => Some(format!("{received}, replay {replayed}")),
        (None, Some(replayed)) => Some(format!("replay {replayed}")),
        (received, None) => received,
    }
}

fn endpoint(endpoint: &EndpointStatus) -> Vec<String> {
    let standing = match endpoint.standing {
        Standing::Right => print::paint(Tone::Good, "right"),
        Standing::Differs => print::paint(Tone::Notice, "differs"),
        Standing::Held => print::paint(Tone::Notice, "held"),
        Standing::Idle => print::paint(Tone::Faint, "idle"),
    };
    let points_at =
        if endpoint.points_at.is_empty() { "-".to_owned() } else { endpoint.points_at.join(", ") };
    vec![describe(&endpoint.endpoint), points_at, standing, endpoint.message.clone().unwrap_or_default()]
}

fn table(header: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(header.iter().map(|word| print::paint(Tone::Faint, word)));
    table.add_rows(rows);
    let lines: Vec<String> = table.lines().map(|line| format!(" {}", line.trim_end())).collect();
    lines.join("\n") + "\n"
}

/// Bytes in a readable unit.
fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut unit = 0;
    let mut rest = count;
    while rest >= 10 * 1024 && unit + 1 < UNITS.len() {
        rest /= 1024;
        unit += 1;
    }
    format!("{rest} {}", UNITS[unit])
}

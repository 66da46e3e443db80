//! The status of a cluster, as text for a reader.

use comfy_table::{Table, presets};

use crate::cli::print;
use repoint_domain::report::status::{
    ClusterStatus, ConditionStatus, EndpointStatus, MemberReport, SiteStatus, Standing,
};
use repoint_domain::report::{Tone, VerdictReport, describe};
use repoint_domain::state::{LastMove, Severity};
use repoint_domain::values::primary::label;
use repoint_domain::values::units;
use repoint_domain::values::utc::Utc;

/// What has changed, and when.
pub type Changed<'a> = (Utc, &'a [String]);

/// All of it.
pub fn cluster(status: &ClusterStatus, changed: Option<Changed>, now: Utc) -> String {
    let headline = headline(status);
    let moved = status.retargets.as_ref().and_then(|retargets| retargets.last.as_ref());
    let moved = moved.map_or_else(String::new, |moved| format!("  {}\n", last_move(moved, now)));
    let changed = changed.map_or_else(String::new, changes);
    let sites = if status.sites.is_empty() {
        String::new()
    } else {
        table(&["site", "", ""], status.sites.iter().map(site)) + "\n"
    };
    let header = ["member", "address", "role", "state", "timeline", "receive lag", "replay lag"];
    let members = table(&header, status.members.iter().map(member));
    let errors: String = status
        .members
        .iter()
        .filter_map(|member| Some(format!("  {}: {}\n", name(member), member.error.as_ref()?)))
        .collect();
    let endpoints = table(&["endpoint", "points at", "", ""], status.endpoints.iter().map(endpoint));
    let warnings = warnings(status);
    let warnings = if warnings.is_empty() { warnings } else { format!("\n{warnings}") };
    let conditions = match &status.state_error {
        Some(error) => format!("\n {}: {error}\n", print::paint(Tone::Bad, "state store unavailable")),
        None if status.conditions.is_empty() => String::new(),
        None => {
            let header = ["condition", "severity", "since (UTC)", "for", "alert", ""];
            format!("\n{}", table(&header, status.conditions.iter().map(condition)))
        }
    };
    format!("{headline}\n{moved}{changed}\n{sites}{members}{errors}\n{endpoints}{warnings}{conditions}")
}

/// The cluster and its verdict.
pub fn headline(status: &ClusterStatus) -> String {
    let entry = print::paint(Tone::Strong, status.name.as_str());
    let verdict = match &status.verdict {
        VerdictReport::Primary(primary) => {
            let name = primary.label().unwrap_or_else(|| "unnamed".to_owned());
            format!("primary {} on timeline {}", print::paint(Tone::Good, &name), primary.timeline)
        }
        VerdictReport::Hold { kind, message } => {
            format!("{}: {message}", print::paint(Tone::Bad, kind.as_str()))
        }
    };
    let paused = if status.is_paused {
        print::paint(Tone::Notice, "  paused (maintenance mode)")
    } else {
        String::new()
    };
    format!("{entry}  {verdict}{paused}")
}

fn last_move(moved: &LastMove, now: Utc) -> String {
    let to = moved.to.as_deref().unwrap_or("an unnamed member");
    let primary = match moved.from.as_deref().filter(|from| *from != to) {
        Some(from) => format!("{from} -> {to}"),
        None => to.to_owned(),
    };
    let ago = units::seconds(now.0.since(moved.at.0) / 1000);
    format!("last move: {}, {primary}, {} UTC, {ago} ago", moved.cause.as_str(), units::time(moved.at))
}

fn changes((at, changes): Changed) -> String {
    let when = print::paint(Tone::Notice, &format!("changed at {} UTC", units::time(at)));
    let changes: Vec<String> = changes.iter().map(|change| format!("    {change}\n")).collect();
    format!("  {when}\n{}", changes.concat())
}

fn warnings(status: &ClusterStatus) -> String {
    let unpublished = status.alerts_pending.filter(|count| *count > 0);
    let unpublished = unpublished.map(|count| format!("alerts that are not published yet: {count}"));
    let warnings = status.warnings.iter().cloned().chain(unpublished);
    let lines = warnings.map(|warning| format!(" {}: {warning}\n", print::paint(Tone::Bad, "warning")));
    lines.collect::<Vec<_>>().concat()
}

fn condition(condition: &ConditionStatus) -> Vec<String> {
    let kind = condition.kind.as_str();
    let subject = condition.subject.as_ref().map_or(String::new(), |subject| format!(" {subject}"));
    let tone = if condition.severity == Severity::Critical { Tone::Bad } else { Tone::Notice };
    vec![
        format!("{kind}{subject}"),
        print::paint(tone, condition.severity.as_str()),
        units::time(Utc(condition.since)),
        units::seconds(condition.lasted_seconds),
        if condition.notified { "alerted" } else { "not yet" }.to_owned(),
        condition.message.clone(),
    ]
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
        or_dash(member.lag_bytes.map(units::bytes)),
        or_dash(member.replay_lag_bytes.map(units::bytes)),
    ]
}

fn endpoint(endpoint: &EndpointStatus) -> Vec<String> {
    let tone = match endpoint.standing {
        Standing::Right => Tone::Good,
        Standing::Differs | Standing::Held => Tone::Notice,
        Standing::Idle => Tone::Faint,
    };
    let points_at =
        if endpoint.points_at.is_empty() { "-".to_owned() } else { endpoint.points_at.join(", ") };
    let standing = print::paint(tone, endpoint.standing.as_str());
    vec![describe(&endpoint.endpoint), points_at, standing, endpoint.message.clone().unwrap_or_default()]
}

fn table(header: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(header.iter().map(|word| print::paint(Tone::Faint, word)));
    table.add_rows(rows);
    let lines: Vec<String> = table.lines().map(|line| format!(" {}", line.trim_end())).collect();
    lines.join("\n") + "\n"
}

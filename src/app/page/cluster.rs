//! One cluster: what is wrong, who is the primary and why, members, endpoints, the last events.

use std::cmp::Reverse;

use maud::{Markup, PreEscaped, html};

use super::finding::{Level, badge, findings};
use super::runbook::code;
use super::units::{minutes, time};
use super::{Cluster, Content, Frame, Page, events, page, table};
use repoint_domain::decide::verdict::HoldKind;
use repoint_domain::history::ClusterHistory;
use repoint_domain::report::status::{ConditionStatus, EndpointStatus, MemberReport, SiteStatus, Standing};
use repoint_domain::report::{VerdictReport, describe, evidence};
use repoint_domain::values::primary::label;
use repoint_domain::values::units::bytes;

/// Where the first page is.
pub const ROOT: &str = "../";

/// The page of one cluster.
#[must_use]
pub fn cluster(frame: &Frame, cluster: &Cluster, history: &ClusterHistory) -> Page {
    let Cluster { status, spec, .. } = cluster;
    let name = status.name.as_str();
    let findings = findings(cluster);
    let worst = findings.first().map_or(Level::Ok, |finding| finding.level);
    let title = match findings.first() {
        Some(finding) if worst.is_trouble() => format!("({}) {name}", finding.words),
        _ => name.to_owned(),
    };
    let summary = html! {
        p.verdict {
            @for finding in &findings { (badge(finding.level, &finding.words)) " " }
            (sentence(cluster))
        }
    };
    let content = Content {
        title,
        heading: html! {
            nav aria-label="Breadcrumb" { a href=(ROOT) { "All clusters" } }
            h1 id="heading" { (name) @if spec.scope.as_str() != name { " " small { "scope " (spec.scope) } } }
        },
        summary,
        form: PreEscaped(String::new()),
        rest: html! {
            (conditions(&status.conditions))
            (warnings(cluster))
            (verdict(cluster))
            (sites(&status.sites))
            (members(cluster))
            (endpoints(cluster))
            (events::section(history))
        },
    };
    page(frame, ROOT, content)
}

/// The cluster in one sentence.
fn sentence(cluster: &Cluster) -> String {
    let status = &cluster.status;
    match &status.verdict {
        _ if cluster.checked_at.is_none() => "Its members have not been asked yet.".to_owned(),
        VerdictReport::Primary(primary) => {
            let wrong = status.endpoints.iter().filter(|endpoint| !is_right(endpoint.standing)).count();
            let endpoints = match (wrong, status.endpoints.len()) {
                _ if cluster.passed_at.is_none() => "no pass has read the endpoints yet".to_owned(),
                (0, 1) => "its endpoint points there".to_owned(),
                (0, 2) => "both endpoints are right".to_owned(),
                (0, all) => format!("all {all} endpoints are right"),
                (wrong, all) => format!("{wrong} of {all} endpoints not right"),
            };
            let primary_label = primary.label().unwrap_or_else(|| "An unnamed member".to_owned());
            format!("{primary_label} is the primary, on timeline {}; {endpoints}.", primary.timeline)
        }
        VerdictReport::Hold { message, .. } => format!("{}.", upper(message)),
    }
}

fn upper(text: &str) -> String {
    let mut rest = text.chars();
    rest.next().map_or(String::new(), |first| first.to_uppercase().chain(rest).collect())
}

fn conditions(conditions: &[ConditionStatus]) -> Markup {
    if conditions.is_empty() {
        return html! {};
    }
    let row = |condition: &ConditionStatus| {
        let kind = condition.kind.as_str();
        let severity = condition.kind.severity();
        vec![
            html! { a href={ (ROOT) "runbook#" (kind) } { (kind) } },
            badge(severity.into(), severity.as_str()),
            html! { @if let Some(subject) = &condition.subject { (subject) } @else { "the cluster" } },
            html! { (condition.message) },
            html! { (time(condition.since)) ", " span.lasted { (minutes(condition.lasted_seconds)) } },
            html! { @if condition.notified { "yes" } @else { "not yet" } },
        ]
    };
    let mut sorted: Vec<&ConditionStatus> = conditions.iter().collect();
    sorted.sort_by_key(|condition| Reverse(condition.kind.severity()));
    let rows: Vec<_> = sorted.into_iter().map(row).collect();
    html! {
        h2 { "Conditions" }
        (table("Open conditions; each links to the runbook", &["Condition", "Severity", "About", "What", "Since (UTC)", "Alerted"], &rows))
    }
}

fn warnings(cluster: &Cluster) -> Markup {
    let unpublished = cluster.status.alerts_pending.filter(|count| *count > 0);
    let unpublished = unpublished.map(|count| format!("alerts that are not published yet: {count}"));
    let state = cluster.status.state_error.as_ref().map(|error| format!("state store unavailable: {error}"));
    let warnings: Vec<String> =
        state.into_iter().chain(cluster.status.warnings.iter().cloned()).chain(unpublished).collect();
    html! {
        @if !warnings.is_empty() {
            h2 { "Warnings" }
            ul.warnings { @for warning in &warnings { li { (warning) } } }
        }
    }
}

fn verdict(cluster: &Cluster) -> Markup {
    let Cluster { status, .. } = cluster;
    html! {
        h2 { "Verdict" }
        @match &status.verdict {
            VerdictReport::Primary(primary) => {
                p {
                    "The primary is " strong { (primary.label().unwrap_or_else(|| "an unnamed member".to_owned())) }
                    @if let (Some(host), Some(port)) = (&primary.host, primary.port) { " at " (host) ":" (port) }
                    ", on timeline " (primary.timeline) " of system " (primary.system_id) "."
                }
            }
            VerdictReport::Hold { kind, message } => {
                p { strong { (kind.as_str()) } ": " (message) "." }
                @if cluster.checked_at.is_some() && *kind != HoldKind::StandbyCluster {
                    p { "No endpoint is changed meanwhile. What to do: " (code(kind.remedy())) "." }
                }
            }
        }
        @if !status.members.is_empty() {
            ul.evidence { @for sentence in evidence(&status.members) { li { (sentence) } } }
        }
        p.when {
            @if let Some(at) = cluster.checked_at { "Members were asked at " (time(at)) " UTC. " }
            @if let (Some(at), Some(outcome)) = (cluster.passed_at, cluster.outcome) {
                "The last pass ended at " (time(at)) " UTC: " (outcome.as_str()) "."
            }
        }
    }
}

fn sites(sites: &[SiteStatus]) -> Markup {
    let row = |site: &SiteStatus| {
        let standing = match (site.holds_primary, site.is_superseded) {
            (true, _) => badge(Level::Ok, "leads"),
            (false, true) => badge(Level::Warning, "superseded"),
            (false, false) => html! { "follows" },
        };
        vec![html! { (site.site) }, standing, html! { (site.message) }]
    };
    let rows: Vec<_> = sites.iter().map(row).collect();
    html! {
        @if !rows.is_empty() {
            h2 { "Sites" }
            (table("Sites", &["Site", "Standing", "What"], &rows))
        }
    }
}

fn members(cluster: &Cluster) -> Markup {
    let or_dash = |text: Option<String>| html! { (text.unwrap_or_else(|| "–".to_owned())) };
    let row = |member: &MemberReport| {
        let state = match &member.error {
            Some(error) => html! { (badge(Level::Warning, "unreachable")) p.why { (error) } },
            None => or_dash(member.state.clone()),
        };
        let role = match &member.role {
            Some(role) if member.is_claimant => html! { strong { (role) } },
            role => or_dash(role.clone()),
        };
        vec![
            html! { (label(member.site.as_ref(), &member.member)) },
            role,
            state,
            or_dash(member.timeline.map(|timeline| timeline.to_string())),
            or_dash(member.lag_bytes.map(bytes)),
            or_dash(member.replay_lag_bytes.map(bytes)),
            or_dash(member.address.as_ref().map(ToString::to_string)),
            or_dash(Some(member.tags.join(", ")).filter(|tags| !tags.is_empty())),
        ]
    };
    let rows: Vec<_> = cluster.status.members.iter().map(row).collect();
    let header = ["Member", "Role", "State", "Timeline", "Receive lag", "Replay lag", "Address", "Tags"];
    html! {
        h2 { "Members" }
        @if rows.is_empty() {
            p.none { "No member has answered yet." }
        } @else {
            (table("Members", &header, &rows))
        }
    }
}

fn is_right(standing: Standing) -> bool {
    matches!(standing, Standing::Right | Standing::Idle)
}

fn endpoints(cluster: &Cluster) -> Markup {
    let row = |endpoint: &EndpointStatus| {
        let standing = match endpoint.standing {
            Standing::Right => badge(Level::Ok, "right"),
            Standing::Differs => badge(Level::Warning, "differs"),
            Standing::Held => badge(Level::Warning, "held"),
            Standing::Idle => badge(Level::Note, "idle"),
        };
        let why = match endpoint.standing {
            Standing::Idle => Some("its site does not hold the primary".to_owned()),
            Standing::Differs => endpoint.message.as_ref().map(|steps| format!("to be done: {steps}")),
            _ => endpoint.message.clone(),
        };
        vec![
            html! { (describe(&endpoint.endpoint)) },
            standing,
            html! {
                @if endpoint.points_at.is_empty() { "–" }
                @for (at, target) in endpoint.points_at.iter().enumerate() { @if at > 0 { ", " } (target) }
            },
            html! { (why.as_deref().unwrap_or("–")) },
        ]
    };
    let rows: Vec<_> = cluster.status.endpoints.iter().map(row).collect();
    html! {
        h2 { "Endpoints" }
        @if rows.is_empty() {
            p.none { "No pass has read them yet." }
        } @else {
            (table("Endpoints", &["Endpoint", "Standing", "Points at", "Why"], &rows))
        }
    }
}

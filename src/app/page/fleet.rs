//! All clusters, those in trouble first.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::BTreeMap;

use maud::{Markup, html};

use super::finding::{Finding, Level, badge, findings};
use super::units::{count, time};
use super::{Cluster, Content, Frame, Page, page};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use repoint_domain::report::VerdictReport;
use repoint_domain::report::status::Standing;
use repoint_domain::values::cluster::EntryName;

/// What is left of a name in a path (RFC 3986, "Unreserved Characters").
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
/// The longest search, in bytes.
const LONGEST_SEARCH: usize = 200;

/// Which clusters are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// Words that each must be in a cluster's name, scope, primary, members or endpoints.
    pub search: String,
    /// Those in trouble alone.
    pub is_trouble_only: bool,
}

impl Query {
    /// From the fields of a form.
    pub fn of<'a>(fields: impl Iterator<Item = (Cow<'a, str>, Cow<'a, str>)>) -> Self {
        let mut query = Self::default();
        for (name, value) in fields {
            match &*name {
                "q" => value[..value.floor_char_boundary(LONGEST_SEARCH)].clone_into(&mut query.search),
                "trouble" => query.is_trouble_only = true,
                _ => {}
            }
        }
        query
    }

    fn wants(&self, cluster: &Cluster, level: Level) -> bool {
        if self.is_trouble_only && !level.is_trouble() {
            return false;
        }
        let mut words = self.search.split_whitespace().peekable();
        if words.peek().is_none() {
            return true;
        }
        let text = searched(cluster).to_lowercase();
        words.all(|word| text.contains(&word.to_lowercase()))
    }
}

/// What a search finds a cluster by.
fn searched(cluster: &Cluster) -> String {
    let status = &cluster.status;
    let members = status.members.iter().map(|member| {
        let address = member.address.as_ref().map_or(String::new(), ToString::to_string);
        format!("{} {address}", member.member)
    });
    let endpoints = status.endpoints.iter().map(|endpoint| endpoint.endpoint.to_string());
    let names = cluster.spec.scopes().chain([status.name.as_str()]).map(str::to_owned);
    names.chain(members).chain(endpoints).collect::<Vec<_>>().join("\n")
}

/// The page of all clusters.
#[must_use]
pub fn fleet(frame: &Frame, clusters: &[Cluster], query: &Query) -> Page {
    let mut found: Vec<(Vec<Finding>, &Cluster)> =
        clusters.iter().map(|cluster| (findings(cluster), cluster)).collect();
    let mut counts: BTreeMap<Level, usize> = BTreeMap::new();
    for (findings, _) in &found {
        *counts.entry(worst(findings)).or_default() += 1;
    }
    found.retain(|(findings, cluster)| query.wants(cluster, worst(findings)));
    found.sort_by_key(|(findings, cluster)| (Reverse(trouble(findings)), &cluster.status.name));
    let of = |level| counts.get(&level).copied().unwrap_or_default();
    let titled = match (of(Level::Critical), of(Level::Warning)) {
        (0, 0) => "Clusters".to_owned(),
        (0, warnings) => format!("({warnings} with a warning) Clusters"),
        (critical, _) => format!("({critical} critical) Clusters"),
    };
    let content = Content {
        title: titled,
        heading: html! { h1 id="heading" { "Clusters" } },
        summary: summary(clusters.len(), found.len(), query, of),
        form: form(query),
        rest: if found.is_empty() {
            html! { p.none { "No cluster is shown." } }
        } else {
            rows(&found)
        },
    };
    page(frame, "./", content)
}

fn worst(findings: &[Finding]) -> Level {
    findings.first().map_or(Level::Ok, |finding| finding.level)
}

/// What rows are sorted by: a note moves no cluster to the top.
fn trouble(findings: &[Finding]) -> Option<Level> {
    Some(worst(findings)).filter(|level| level.is_trouble())
}

fn summary(all: usize, shown: usize, query: &Query, of: impl Fn(Level) -> usize) -> Markup {
    let fine = of(Level::Ok) + of(Level::Note);
    let counted = [
        (Level::Critical, of(Level::Critical), "critical"),
        (Level::Warning, of(Level::Warning), "with a warning"),
        (Level::Unknown, of(Level::Unknown), "not checked yet"),
        (Level::Ok, fine, "ok"),
    ];
    html! {
        p.counts {
            span { strong { (count(all)) } @if all == 1 { " cluster" } @else { " clusters" } }
            @for (level, number, words) in counted {
                @if number > 0 {
                    " "
                    span class={ "count " (level.class()) } { strong { (count(number)) } " " (words) }
                }
            }
        }
        @if *query != Query::default() { p.shown { (count(shown)) " of them shown." } }
    }
}

/// It works without JavaScript, too.
fn form(query: &Query) -> Markup {
    html! {
        form id="filter" role="search" method="get" action="./" {
            label for="q" { "Search" }
            input id="q" name="q" type="search" value=(query.search) maxlength=(LONGEST_SEARCH) autocomplete="off"
                spellcheck="false" placeholder="cluster, member, address or endpoint";
            label.check { input name="trouble" type="checkbox" value="1" checked[query.is_trouble_only]; " Only trouble" }
            button { "Filter" }
        }
    }
}

fn rows(found: &[(Vec<Finding>, &Cluster)]) -> Markup {
    html! {
        table.fleet {
            caption { "Clusters, those in trouble first" }
            thead {
                tr {
                    th scope="col" { "Cluster" }
                    th scope="col" { "State" }
                    th scope="col" { "Primary" }
                    th.num scope="col" { "Timeline" }
                    th.num scope="col" { "Members" }
                    th.num scope="col" { "Endpoints" }
                    th scope="col" { "Last move (UTC)" }
                }
            }
            tbody { @for (findings, cluster) in found { (row(findings, cluster)) } }
        }
    }
}

fn row(findings: &[Finding], cluster: &Cluster) -> Markup {
    let Cluster { status, spec, .. } = cluster;
    let name = status.name.as_str();
    let (primary, timeline) = match &status.verdict {
        VerdictReport::Primary(primary) => {
            (primary.label().unwrap_or_else(|| "unnamed".to_owned()), primary.timeline.to_string())
        }
        VerdictReport::Hold { .. } => ("–".to_owned(), "–".to_owned()),
    };
    html! {
        tr id={ "c-" (encoded(&status.name)) } class=(worst(findings).class()) {
            th scope="row" {
                a href={ "clusters/" (encoded(&status.name)) } { (name) }
                @if spec.scope.as_str() != name { " " small { (spec.scope) } }
            }
            td { (state(findings)) }
            td { (primary) }
            td.num { (timeline) }
            td.num { (members(cluster)) }
            td.num { (endpoints(cluster)) }
            td { @if let Some(at) = cluster.moved_at { (time(at)) } @else { "–" } }
        }
    }
}

/// A name as a part of a path.
fn encoded(name: &EntryName) -> String {
    utf8_percent_encode(name.as_str(), ENCODED).to_string()
}

fn state(findings: &[Finding]) -> Markup {
    let more = findings.len().saturating_sub(1);
    html! {
        @for finding in findings.iter().take(1) {
            (badge(finding.level, &finding.words))
            @if more > 0 { " " small { "and " (more) " more" } }
            @if let Some(message) = &finding.message { p.why { (message) } }
        }
    }
}

/// How many of them answer.
fn members(cluster: &Cluster) -> String {
    let members = &cluster.status.members;
    let answering = members.iter().filter(|member| member.error.is_none()).count();
    if members.is_empty() { "–".to_owned() } else { format!("{answering} of {}", members.len()) }
}

/// How many of them point where they should.
fn endpoints(cluster: &Cluster) -> String {
    let endpoints = &cluster.status.endpoints;
    let is_right = |standing| matches!(standing, Standing::Right | Standing::Idle);
    let right = endpoints.iter().filter(|endpoint| is_right(endpoint.standing)).count();
    if endpoints.is_empty() { "–".to_owned() } else { format!("{right} of {}", endpoints.len()) }
}

//! The runbook, where no other copy of it is at hand.
//!
//! It is read as far as it is written: headings, paragraphs, lists without lists in them, tables, code; `code`, strong text and
//! links in a line.

use maud::{Markup, PreEscaped, html};

use super::{Content, Frame, Page, page, table};

const RUNBOOK: &str = include_str!("../../../infra/guide/runbook.md");

/// The runbook, with a heading to link to for each alert.
#[must_use]
pub fn runbook(frame: &Frame) -> Page {
    let (_, text) = RUNBOOK.split_once('\n').unwrap_or(("", RUNBOOK));
    let content = Content {
        title: "Runbook".to_owned(),
        heading: html! {
            nav aria-label="Breadcrumb" { a href="./" { "All clusters" } }
            h1 id="heading" { "Runbook" }
        },
        summary: html! {},
        form: PreEscaped(String::new()),
        rest: html! { div.prose { (blocks(text)) } },
    };
    page(frame, "./", content)
}

/// Each block ends with an empty line, but code has such lines, too.
fn blocks(text: &str) -> Markup {
    let mut lines = text.lines().peekable();
    let (mut found, mut title) = (Vec::new(), "");
    while let Some(line) = lines.next() {
        if line.starts_with("```") {
            let code: Vec<&str> = lines.by_ref().take_while(|line| !line.starts_with("```")).collect();
            found.push(html! { pre { code { (code.join("\n")) } } });
        } else if let Some(heading) = line.strip_prefix("## ") {
            title = heading;
            found.push(html! { h2 id=(heading.to_lowercase().replace(' ', "-")) { (heading) } });
        } else if let Some(heading) = line.strip_prefix("### ") {
            title = heading;
            found.push(html! { h3 id=(heading.to_lowercase().replace(' ', "-")) { (heading) } });
        } else if !line.is_empty() {
            let mut block = vec![line];
            while let Some(next) = lines.next_if(|next| !next.is_empty()) {
                block.push(next);
            }
            found.push(of_lines(&block, title));
        }
    }
    html! { @for block in &found { (block) } }
}

fn of_lines(lines: &[&str], title: &str) -> Markup {
    let first = lines.first().copied().unwrap_or_default();
    if first.starts_with('|') {
        let cells = |line: &&str| -> Vec<String> {
            line.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect()
        };
        let header = cells(&first);
        let header: Vec<&str> = header.iter().map(String::as_str).collect();
        let rows: Vec<Vec<Markup>> =
            lines.iter().skip(2).map(|line| cells(line).iter().map(|cell| inline(cell)).collect()).collect();
        table(title, &header, &rows)
    } else if first.starts_with("- ") || first.starts_with("1. ") {
        let mut items: Vec<String> = Vec::new();
        for line in lines {
            let is_rest = line.starts_with(' ');
            match items.last_mut().filter(|_| is_rest) {
                Some(item) => {
                    item.push(' ');
                    item.push_str(line.trim());
                }
                None => items.push(line.split_once(' ').map_or("", |(_, item)| item).to_owned()),
            }
        }
        let items = html! { @for item in &items { li { (inline(item)) } } };
        if first.starts_with('-') {
            html! { ul { (items) } }
        } else {
            html! { ol { (items) } }
        }
    } else {
        html! { p { (inline(&lines.join(" "))) } }
    }
}

/// What is between marks, and what is not.
fn inline(text: &str) -> Markup {
    let strong = |text: &str| -> Markup {
        let parts = text.split("**").enumerate();
        html! { @for (at, part) in parts { @if at % 2 == 1 { strong { (code(part)) } } @else { (code(part)) } } }
    };
    let mut found = Vec::new();
    let mut rest = text;
    // Other pages of the guide are not here.
    while let Some((before, label, target, after)) = link(rest) {
        found.push(strong(before));
        found.push(if target.starts_with('#') {
            html! { a href=(target) { (code(label)) } }
        } else {
            html! { (code(label)) " (" (target) ")" }
        });
        rest = after;
    }
    found.push(strong(rest));
    html! { @for part in &found { (part) } }
}

/// Text of ours, in which marks set off what is to be typed or read as it is.
pub fn code(text: &str) -> Markup {
    let parts = text.split('`').enumerate();
    html! { @for (at, part) in parts { @if at % 2 == 1 { code { (part) } } @else { (part) } } }
}

/// The first link: what is before it, its text, where it leads, and what is after it.
fn link(text: &str) -> Option<(&str, &str, &str, &str)> {
    let (head, tail) = text.split_once("](")?;
    let (before, label) = head.rsplit_once('[')?;
    let (target, after) = tail.split_once(')')?;
    Some((before, label, target, after))
}

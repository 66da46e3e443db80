//! The status page, as HTML: what the daemon knows, for a browser, with or without JavaScript.
//!
//! Everything here is pure: text goes in, markup comes out, and all text is escaped by `maud`. Links are relative, so that a proxy
//! may serve the page below any path. The script fetches the page that is shown once more and takes over what differs, so there is
//! one place that renders.

mod cluster;
mod events;
mod finding;
mod fleet;
mod runbook;
mod units;

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use maud::{DOCTYPE, Markup, PreEscaped, html};

use repoint_domain::report::Outcome;
use repoint_domain::report::status::ClusterStatus;
use repoint_domain::spec::Spec;
use repoint_domain::values::timestamp::Timestamp;

pub use self::cluster::cluster;
pub use self::fleet::{Query, fleet};
pub use self::runbook::runbook;

/// The type of a page.
pub const HTML: &str = "text/html; charset=utf-8";
/// What pages load: the path, the type and the content.
pub const ASSETS: [(&str, &str, &str); 3] = [
    ("/style.css", "text/css; charset=utf-8", include_str!("page/style.css")),
    ("/script.js", "text/javascript; charset=utf-8", include_str!("page/script.js")),
    ("/icon.svg", "image/svg+xml", include_str!("page/icon.svg")),
];

/// A cluster, as it is shown.
#[derive(Clone, Debug)]
pub struct Cluster<'a> {
    /// Its configuration.
    pub spec: &'a Spec,
    /// How it stands.
    pub status: ClusterStatus,
    /// How the last pass ended.
    pub outcome: Option<Outcome>,
    /// Why it did not end well.
    pub trouble: Option<String>,
    /// When its members were last asked.
    pub checked_at: Option<Timestamp>,
    /// When the last pass ended.
    pub passed_at: Option<Timestamp>,
    /// When endpoints were last moved.
    pub moved_at: Option<Timestamp>,
    /// It should have been checked long ago.
    pub is_stuck: bool,
}

/// What all pages have.
#[derive(Clone, Debug)]
pub struct Frame<'a> {
    /// The machine that the daemon runs on.
    pub host: &'a str,
    /// The time.
    pub now: Timestamp,
    /// What is wrong with the daemon itself.
    pub troubles: Vec<String>,
}

/// A rendered page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The document.
    pub html: String,
    /// The same for pages that differ in nothing but the time at which they were made.
    pub tag: String,
}

/// The parts of a page that change.
struct Content {
    title: String,
    heading: Markup,
    /// What has changed is read out by a screen reader.
    summary: Markup,
    /// What stays as it is while the rest is updated.
    form: Markup,
    rest: Markup,
}

/// Puts the parts together. `root` leads to the first page.
fn page(frame: &Frame, root: &str, content: Content) -> Page {
    let Content { title, heading, summary, form, rest } = content;
    let title = format!("{title} · repoint");
    let version = env!("CARGO_PKG_VERSION");
    let main = html! {
        main {
            (heading)
            div id="news" role="status" aria-atomic="false" {
                p id="lost" hidden {}
                div id="summary" {
                    @for trouble in &frame.troubles { p.trouble { (trouble) } }
                    (summary)
                }
            }
            (form)
            div id="content" { (rest) }
        }
    };
    let mut hasher = DefaultHasher::new();
    (&title, &main.0, version, frame.host).hash(&mut hasher);
    let html = html! {
        (DOCTYPE)
        html lang="en" data-version=(version) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) }
                link rel="icon" type="image/svg+xml" href={ (root) "icon.svg" };
                link rel="stylesheet" href={ (root) "style.css" };
                script src={ (root) "script.js" } defer {}
            }
            body {
                header {
                    a.brand href={ (root) } { "repoint" }
                    span.host { (frame.host) }
                    p.as-of {
                        span id="as-of" { "As of " (units::time(frame.now)) " UTC" }
                        noscript { ". Reload for newer." }
                    }
                    button id="pause" type="button" hidden { "Pause updates" }
                }
                (main)
                footer {
                    span { "repoint " (version) }
                    nav aria-label="The same for programs" {
                        a href={ (root) "api/v1/status" } { "Status as JSON" }
                        a href={ (root) "metrics" } { "Metrics" }
                        a href={ (root) "runbook" } { "Runbook" }
                    }
                }
            }
        }
    };
    Page { html: html.into_string(), tag: format!("{:016x}", hasher.finish()) }
}

/// A page that has nothing but a sentence.
#[must_use]
pub fn missing(frame: &Frame, root: &str, sentence: &str) -> Page {
    let content = Content {
        title: "Not found".to_owned(),
        heading: html! { h1 id="heading" { "Not found" } },
        summary: html! { p { (sentence) } },
        form: PreEscaped(String::new()),
        rest: html! { p { a href=(root) { "All clusters" } } },
    };
    page(frame, root, content)
}

/// A table whose rows begin with their header cell. On a narrow screen each row becomes a list, so roles are spelt out.
fn table(caption: &str, header: &[&str], rows: &[Vec<Markup>]) -> Markup {
    html! {
        table.stack role="table" {
            caption { (caption) }
            thead role="rowgroup" {
                tr role="row" { @for name in header { th scope="col" role="columnheader" { (name) } } }
            }
            tbody role="rowgroup" {
                @for row in rows {
                    tr role="row" {
                        @for (name, cell) in header.iter().zip(row).take(1) {
                            th scope="row" role="rowheader" data-label=(name) { (cell) }
                        }
                        @for (name, cell) in header.iter().zip(row).skip(1) {
                            td role="cell" data-label=(name) { div { (cell) } }
                        }
                    }
                }
            }
        }
    }
}

//! The guide's entries, written from the checks.

use std::fmt::Write;

use super::check::{Check, Judge};

/// The table of checks and the entry of each, as Markdown.
#[must_use]
pub fn entries(checks: &[&Check]) -> String {
    let mut text = String::from("| check | severity | about |\n|---|---|---|\n");
    for check in checks {
        let Check { id, severity, judge, .. } = check;
        let _ = writeln!(text, "| [`{id}`](#{id}) | {} | {} |", severity.as_str(), about(*judge));
    }
    for Check { id, title, why, link, severity, .. } in checks {
        let _ = write!(text, "\n## {id}\n\n{title}. Severity: {}.\n\n{why}\n\n<{link}>\n", severity.as_str());
    }
    text
}

fn about(judge: Judge) -> &'static str {
    match judge {
        Judge::Setup(_) => "the configuration",
        Judge::Cluster(_) => "each cluster",
        Judge::Site(_) => "each Patroni cluster",
        Judge::Member(_) => "each member",
        Judge::Group(_) => "each target group",
        Judge::Balancer(_) => "each load balancer",
        Judge::Listener(_) => "each listener",
        Judge::Record(_) => "each record set",
        Judge::File(_) => "each configuration file of Patroni on this machine, with `--local`",
        Judge::Topic(_) => "each topic",
        Judge::Function(_) => "each Lambda function",
    }
}

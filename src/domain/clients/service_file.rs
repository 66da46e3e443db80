//! libpq's service file ("The Connection Service File"): a section that names all of them, and what else the file has.

use super::form::parameters;
use super::{Nodes, Wanted};
use crate::values::cluster::EntryName;

/// What a section of repoint's has from repoint alone. `hostaddr` would have precedence over `host`.
const OURS: [&str; 4] = ["host", "hostaddr", "port", "target_session_attrs"];
/// What a section gets from repoint unless it has one.
const DEFAULT: &str = "connect_timeout";

/// What the service is called: the entry, and what is wanted of it.
#[must_use]
pub fn service(entry: &EntryName, wanted: Wanted) -> String {
    match wanted {
        Wanted::Primary => entry.to_string(),
        Wanted::Standby => format!("{entry}-standby"),
        Wanted::Readers => format!("{entry}-readers"),
    }
}

/// The section, as the whole of a file.
#[must_use]
pub fn section(service: &str, nodes: &Nodes) -> String {
    merged("", service, nodes)
}

/// The text of a file with this section in the place of its own, or at the end. Other sections stay as they are, and so does
/// what an operator has added to this one: the user, the database, `sslmode`.
#[must_use]
pub fn merged(text: &str, service: &str, nodes: &Nodes) -> String {
    let header = format!("[{service}]");
    let lines: Vec<&str> = text.lines().collect();
    // As libpq finds it: the first section that begins so.
    let at = lines.iter().position(|line| line.trim_start().starts_with(&header));
    let (before, own, after) = match at {
        Some(at) => {
            let body = &lines[at + 1..];
            let end = body.iter().position(|line| line.trim_start().starts_with('[')).unwrap_or(body.len());
            (&lines[..at], &body[..end], &body[end..])
        }
        None => (&lines[..], &[][..], &[][..]),
    };
    let kept: Vec<&str> = own.iter().copied().filter(|line| !OURS.contains(&key(line))).collect();
    let has_default = kept.iter().any(|line| key(line) == DEFAULT);
    let parameters = parameters(nodes).into_iter().filter(|(key, _)| *key != DEFAULT || !has_default);
    let parted = before.last().is_some_and(|line| at.is_none() && !line.trim().is_empty());

    let mut merged: Vec<String> = before.iter().map(ToString::to_string).collect();
    merged.extend(parted.then(String::new));
    merged.push(header);
    merged.extend(parameters.map(|(key, value)| format!("{key}={value}")));
    merged.extend(kept.into_iter().chain(after.iter().copied()).map(str::to_owned));
    merged.join("\n") + "\n"
}

/// The key of a line; a comment has one that is no parameter's.
fn key(line: &str) -> &str {
    line.split_once('=').map_or("", |(key, _)| key.trim())
}

//! Paths in the configuration.
//!
//! Paths are not expanded. A shell expands them for its own user; here the result would be another user's home, or a
//! folder with that literal name.

use std::path::Path;

/// The part of a path that looks like an expansion: a home, an environment variable, a systemd specifier.
#[must_use]
pub fn unexpanded(path: &Path) -> Option<String> {
    let text = path.to_str()?;
    let first = text.split('/').next().unwrap_or_default();
    let part = if first.starts_with('~') {
        first
    } else {
        text.split('/').find(|part| is_variable(part) || is_specifier(part))?
    };
    Some(format!("`{text}`: `{part}` is not expanded here: write the full path"))
}

/// `$HOME` or `${HOME}` within a part.
fn is_variable(part: &str) -> bool {
    part.split('$').skip(1).any(|after| {
        after.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_' || first == '{')
    })
}

/// `%h` or `%t` as a whole part (`systemd.unit`, "Specifiers").
fn is_specifier(part: &str) -> bool {
    part.strip_prefix('%')
        .is_some_and(|rest| rest.len() == 1 && rest.bytes().all(|byte| byte.is_ascii_alphabetic()))
}

//! Paths as a configuration names them.
//!
//! Law: nothing in a path is expanded. A shell does that for its own user; here it would be another user's home, or a
//! folder of that very name.

use std::path::Path;

/// What looks as if it were to be expanded: a home, a variable of the environment, a specifier of systemd.
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

/// `$HOME` or `${HOME}`, anywhere in a part.
fn is_variable(part: &str) -> bool {
    part.split('$').skip(1).any(|after| {
        after.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_' || first == '{')
    })
}

/// `%h` or `%t` alone (`systemd.unit`, "Specifiers").
fn is_specifier(part: &str) -> bool {
    part.strip_prefix('%')
        .is_some_and(|rest| rest.len() == 1 && rest.bytes().all(|byte| byte.is_ascii_alphabetic()))
}

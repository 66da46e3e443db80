//! Keeps passwords out of what is printed.

use repoint_domain::values::text;

/// What was written for a URL, or a text that holds such, without user names and passwords. A password may have any character,
/// so all before the last `@` is taken for one, from the scheme on, or else, where it has the colon of a user name and a
/// password, from where the text is quoted. More may be masked than need be.
pub fn masked(text: &str) -> String {
    let Some(at) = text.rfind('@') else { return text.to_owned() };
    if text[..at].contains("://") {
        return text::masked(text);
    }
    match text[..at].find(['"', '\'', '`']) {
        Some(quote) if text[quote..at].contains(':') => format!("{}***{}", &text[..=quote], &text[at..]),
        _ => text.to_owned(),
    }
}

/// The same of a line of TOML: only what stands in a string with such a URL, where it is plain where strings begin and end.
pub fn masked_line(line: &str) -> String {
    let is_plain =
        |(is_string, part): &(bool, &str)| !part.contains('@') || (*is_string && part.contains("://"));
    match parts(line) {
        Some(parts) if parts.iter().all(is_plain) => parts.iter().map(|(_, part)| masked(part)).collect(),
        _ => masked(line),
    }
}

/// What stands in strings, and what around them; `None` for a string without an end, or of several lines.
fn parts(line: &str) -> Option<Vec<(bool, &str)>> {
    if line.contains(r#"""""#) || line.contains("'''") {
        return None;
    }
    let (mut parts, mut rest) = (Vec::new(), line);
    while let Some(begin) = rest.find(['"', '\'']) {
        let (before, string) = rest.split_at(begin + 1);
        let end = if before.ends_with('"') { end_of_basic(string)? } else { string.find('\'')? };
        let (string, after) = string.split_at(end);
        let (quote, after) = after.split_at(1);
        parts.extend([(false, before), (true, string), (false, quote)]);
        rest = after;
    }
    parts.push((false, rest));
    Some(parts)
}

/// Where a basic string ends: at the first quotation mark without a backslash of its own.
fn end_of_basic(string: &str) -> Option<usize> {
    let mut is_escaped = false;
    string.char_indices().find_map(|(at, one)| {
        let is_end = one == '"' && !is_escaped;
        is_escaped = one == '\\' && !is_escaped;
        is_end.then_some(at)
    })
}

//! Masks passwords in what is printed.

use repoint_domain::values::text;

/// A URL, or a text with URLs, without user names and passwords. A password may contain any character, so everything
/// up to the last `@` is masked: from the scheme on, or, if the text has the colon of a user name and a password,
/// from the opening quote on. More than necessary may be masked.
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

/// The same for a line of TOML: only strings with such a URL are masked, if the line's strings can be delimited.
pub fn masked_line(line: &str) -> String {
    let is_plain =
        |(is_string, part): &(bool, &str)| !part.contains('@') || (*is_string && part.contains("://"));
    match parts(line) {
        Some(parts) if parts.iter().all(is_plain) => parts.iter().map(|(_, part)| masked(part)).collect(),
        _ => masked(line),
    }
}

/// The parts inside and outside strings; `None` if a string does not end on this line.
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

/// The end of a basic string: the first unescaped quotation mark.
fn end_of_basic(string: &str) -> Option<usize> {
    let mut is_escaped = false;
    string.char_indices().find_map(|(at, one)| {
        let is_end = one == '"' && !is_escaped;
        is_escaped = one == '\\' && !is_escaped;
        is_end.then_some(at)
    })
}

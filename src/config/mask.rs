//! Masks passwords in what is printed.

use repoint_domain::values::text;

const QUOTES: [char; 3] = ['"', '\'', '`'];
const SCHEME_ENDS: &str = "://";

/// A message with URLs, without user names and passwords. A password may contain any character, so everything up to the
/// last `@` is masked: from the scheme on, or, if what is quoted has the colon of a user name and a password before a
/// scheme, from the opening quote on. More than necessary may be masked.
pub fn masked(text: &str) -> String {
    let Some(at) = text.rfind('@') else { return text.to_owned() };
    let before = &text[..at];
    let (scheme, quote) = (before.find(SCHEME_ENDS), before.find(QUOTES));
    match quote {
        Some(quote) if before[quote..scheme.unwrap_or(at).max(quote)].contains(':') => {
            format!("{}***{}", &text[..=quote], &text[at..])
        }
        _ => text::masked(text),
    }
}

/// The same for a value, or for a line whose strings cannot be delimited: the first colon is the scheme's, or that of a
/// user name and a password.
pub fn masked_value(text: &str) -> String {
    let Some(at) = text.rfind('@') else { return text.to_owned() };
    let before = &text[..at];
    let Some(colon) = before.find(':') else { return text.to_owned() };
    let kept = if before[colon..].starts_with(SCHEME_ENDS) {
        colon + SCHEME_ENDS.len()
    } else {
        before[..colon].find(QUOTES).map_or(0, |quote| quote + 1)
    };
    format!("{}***{}", &text[..kept], &text[at..])
}

/// The same for a line of TOML: only strings that are such a URL are masked, if the line's strings can be delimited.
pub fn masked_line(line: &str) -> String {
    let is_url = |part: &str| part.starts_with("http://") || part.starts_with("https://");
    match parts(line) {
        Some(parts)
            if parts.iter().all(|(is_string, part)| !part.contains('@') || *is_string && is_url(part)) =>
        {
            parts.iter().map(|(_, part)| masked_value(part)).collect()
        }
        _ => masked_value(line),
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

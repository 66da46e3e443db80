//! Domain names as Route 53 writes and sorts them.
//!
//! Two spellings of one name are one name here: lower case, a dot at the end, other characters as octal escapes
//! (Route 53 guide, "DNS domain name format").

use std::fmt::Write as _;

/// A name in Route 53's own spelling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    text: String,
}

impl Name {
    /// From any spelling.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let mut name = String::with_capacity(text.len() + 1);
        let mut bytes = text.trim_end_matches('.').bytes().peekable();
        while let Some(byte) = bytes.next() {
            if byte != b'\\' {
                push(&mut name, byte);
                continue;
            }
            let digits: Vec<u8> =
                bytes.clone().take(3).filter(|digit| (b'0'..=b'7').contains(digit)).collect();
            if digits.len() == 3 {
                let value = digits.iter().fold(0_u32, |value, digit| value * 8 + u32::from(digit - b'0'));
                push(&mut name, u8::try_from(value).unwrap_or(b'?'));
                bytes.nth(2);
            } else {
                push(&mut name, b'\\');
            }
        }
        name.push('.');
        Self { text: name }
    }

    /// e.g. `db.example.com.`
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether this is the other name or below it.
    #[must_use]
    pub fn is_within(&self, zone: &Self) -> bool {
        self.text.strip_suffix(&zone.text).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    }

    fn labels_reversed(&self) -> impl Iterator<Item = &str> {
        self.text.trim_end_matches('.').rsplit('.')
    }
}

fn push(name: &mut String, byte: u8) {
    match byte {
        b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' => name.push(char::from(byte)),
        b'A'..=b'Z' => name.push(char::from(byte.to_ascii_lowercase())),
        // Writing to a string cannot fail.
        other => drop(write!(name, "\\{other:03o}")),
    }
}

/// The order of `ListResourceRecordSets`: "com.example.www", label by label.
impl Ord for Name {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.labels_reversed().cmp(other.labels_reversed())
    }
}

impl PartialOrd for Name {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_a_name_are_one() {
        assert_eq!(Name::new("DB.Example.com"), Name::new("db.example.com."));
        assert_eq!(Name::new("*.example.com").as_str(), "\\052.example.com.");
        assert_eq!(Name::new("\\052.example.com."), Name::new("*.example.com"));
    }

    #[test]
    fn names_sort_by_their_last_labels_first() {
        let mut names: Vec<Name> =
            ["b.a.example.com", "z.example.com", "example.com", "a-b.example.com", "a.example.com"]
                .map(Name::new)
                .into();
        names.sort();
        let sorted: Vec<&str> = names.iter().map(Name::as_str).collect();
        let expected =
            ["example.com.", "a.example.com.", "b.a.example.com.", "a-b.example.com.", "z.example.com."];
        assert_eq!(sorted, expected);
    }

    #[test]
    fn a_name_is_within_a_zone_by_whole_labels() {
        let zone = Name::new("example.com");
        assert!(Name::new("a.example.com").is_within(&zone) && zone.is_within(&zone));
        assert!(!Name::new("badexample.com").is_within(&zone));
    }
}

//! Text from outside, before anything else sees it.
//!
//! Invariant 10: every string from outside has a size limit, and none of it may write to an operator's terminal what only looks
//! like text: control characters and what changes the direction of writing. Words are cleaned. A name is not: two names
//! that differ could become one, so one that would have to be changed is refused.

/// The longest name of a member, a scope or a system, in bytes.
pub const LONGEST_NAME: usize = 128;
/// The longest host, in bytes: DNS allows 253.
pub const LONGEST_HOST: usize = 255;
/// The longest URL of a REST API, in bytes.
pub const LONGEST_URL: usize = 512;
/// The longest role or state, in bytes.
pub const LONGEST_WORD: usize = 64;
/// The longest message of another program, in bytes.
pub const LONGEST_MESSAGE: usize = 1024;

/// Why a text is no name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing.
    #[error("is empty")]
    Empty,
    /// More than this.
    #[error("has more than {0} bytes")]
    TooLong(usize),
    /// Something that is not shown, or changes how other text is shown.
    #[error("has control characters")]
    Control,
}

/// Takes a name as it is, or not at all.
///
/// # Errors
/// If it is empty, longer than `most` bytes, or has control characters.
pub fn name(text: &str, most: usize) -> Result<&str, NameError> {
    match text {
        "" => Err(NameError::Empty),
        long if long.len() > most => Err(NameError::TooLong(most)),
        odd if odd.chars().any(is_control) => Err(NameError::Control),
        name => Ok(name),
    }
}

/// A word, cut off and with its control characters replaced.
#[must_use]
pub fn word(text: &str) -> String {
    clean(text, LONGEST_WORD)
}

/// What another program says, cut off, with its control characters replaced and the passwords of its URLs masked.
#[must_use]
pub fn message(text: &str) -> String {
    // What prints a URL does so without white space in it.
    let safe: String = text.split_inclusive(char::is_whitespace).map(masked).collect();
    clean(&safe, LONGEST_MESSAGE)
}

/// The text without what stands in it between the scheme of a URL and the last `@`: a user name and a password, which may
/// have any character.
#[must_use]
pub fn masked(text: &str) -> String {
    const SCHEME_ENDS: &str = "://";
    let secret = text.find(SCHEME_ENDS).map(|at| at + SCHEME_ENDS.len());
    match secret.zip(text.rfind('@')) {
        Some((from, to)) if from < to => format!("{}***{}", &text[..from], &text[to..]),
        _ => text.to_owned(),
    }
}

/// The whole text with its control characters replaced; lines stay lines.
#[must_use]
pub fn shown(text: &str) -> String {
    text.chars().map(|one| if one != '\n' && is_control(one) { '\u{fffd}' } else { one }).collect()
}

fn clean(text: &str, most: usize) -> String {
    const CUT: &str = "…";
    let safe = |shown: char| if is_control(shown) { '\u{fffd}' } else { shown };
    // The end of a line, or a tab, parts words.
    let shown =
        text.trim().chars().map(|one| if matches!(one, '\n' | '\r' | '\t') { ' ' } else { safe(one) });
    let mut cleaned = String::new();
    for one in shown {
        if cleaned.len() + one.len_utf8() > most {
            let end = cleaned.floor_char_boundary(most.saturating_sub(CUT.len()));
            cleaned.truncate(end);
            cleaned.push_str(CUT);
            break;
        }
        cleaned.push(one);
    }
    cleaned
}

/// Whether a character is not shown itself, and may change how the rest is: controls (C0, DEL, C1), line separators, marks and
/// overrides of the direction of writing, and what has no width.
#[must_use]
pub fn is_control(one: char) -> bool {
    one.is_control()
        || matches!(
            one,
            '\u{ad}'
                | '\u{61c}'
                | '\u{180e}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

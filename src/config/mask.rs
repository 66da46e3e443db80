//! Keeps passwords out of what is printed.

/// The text with the user name and password of every URL in it masked.
pub fn masked(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        shown.push_str(before);
        let end = after.find(['/', '"', '`', '\'', ',', ' ']).unwrap_or(after.len());
        rest = match after[..end].rfind('@') {
            Some(secret) => {
                shown.push_str("***");
                &after[secret..]
            }
            None => after,
        };
    }
    shown + rest
}

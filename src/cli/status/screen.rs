//! What fits a terminal.

use unicode_width::UnicodeWidthChar;

use crate::cli::terminal::Size;

/// A cluster on a screen.
pub struct Shown {
    pub is_in_trouble: bool,
    /// All of it, and in one line.
    pub text: String,
    pub line: String,
}

/// The rows of a screen: the head, then as many clusters as fit, in their order. Where not all do, those that are not in
/// trouble take one row each. The last row says what is left out.
pub fn rows(head: &str, clusters: &[Shown], size: Size) -> Vec<String> {
    let mut rows = vec![first_row(head, size.columns)];
    let blocks: Vec<Vec<String>> = clusters.iter().map(|shown| block(shown, size.columns)).collect();
    if rows.len() + blocks.iter().map(Vec::len).sum::<usize>() <= size.rows {
        rows.extend(blocks.into_iter().flatten());
        return rows;
    }
    let last_row = size.rows.saturating_sub(1).max(1);
    let mut left_out = 0;
    let mut in_trouble = 0;
    let mut is_full = false;
    for (shown, block) in clusters.iter().zip(blocks) {
        let is_whole = shown.is_in_trouble || clusters.len() == 1;
        let block = if is_whole { block } else { vec![first_row(&shown.line, size.columns)] };
        let room = last_row.saturating_sub(rows.len());
        if is_full || room == 0 {
            left_out += 1;
            in_trouble += usize::from(shown.is_in_trouble);
        } else {
            is_full = block.len() > room;
            rows.extend(block.into_iter().take(room));
        }
    }
    if is_full || left_out > 0 {
        let rest = is_full.then(|| "the rest of the last cluster".to_owned());
        let noun = if left_out == 1 { "cluster" } else { "clusters" };
        let others = (left_out > 0).then(|| format!("{left_out} {noun} ({in_trouble} in trouble)"));
        let parts: Vec<String> = rest.into_iter().chain(others).collect();
        rows.push(first_row(&format!("left out, too few rows: {}", parts.join(", ")), size.columns));
    }
    rows.truncate(size.rows);
    rows
}

/// An empty row, and the cluster.
fn block(shown: &Shown, columns: usize) -> Vec<String> {
    std::iter::once(String::new())
        .chain(shown.text.trim_end().lines().flat_map(|line| folded(line, columns)))
        .collect()
}

fn first_row(line: &str, columns: usize) -> String {
    folded(line, columns).swap_remove(0)
}

/// The rows that a line takes. Sequences that set a colour have no width.
fn folded(line: &str, columns: usize) -> Vec<String> {
    let mut rows = vec![String::new()];
    let (mut width, mut is_in_sequence) = (0, false);
    for one in line.chars() {
        is_in_sequence |= one == '\u{1b}';
        let own = if is_in_sequence { 0 } else { one.width().unwrap_or_default() };
        if width + own > columns {
            rows.push(String::new());
            width = 0;
        }
        width += own;
        if let Some(row) = rows.last_mut() {
            row.push(one);
        }
        is_in_sequence &= one != 'm';
    }
    rows
}

//! What a benchmark has measured, as a line of JSON in the file that `LAB_FIGURES` names. `tests/benchmarks/render` makes the
//! page of them.

use std::fs::File;
use std::io::{self, Write as _};

use serde::Serialize;
use serde_json::json;

const VARIABLE: &str = "LAB_FIGURES";

/// A cell of a table, with all that was measured for it.
#[derive(Serialize)]
pub struct Figure<'a> {
    /// The table: a heading of the page has the same name.
    pub bench: &'a str,
    /// The row: the one that was measured.
    pub what: &'a str,
    /// The column: what was measured, or under which condition.
    pub kind: &'a str,
    pub unit: &'a str,
    pub values: &'a [f64],
}

impl Figure<'_> {
    pub fn record(&self) -> io::Result<()> {
        append(self)
    }
}

/// The version of a program that takes part.
pub fn record_version(program: &str, version: &str) -> io::Result<()> {
    append(&json!({ "bench": "versions", "what": program, "text": version }))
}

fn append(line: &impl Serialize) -> io::Result<()> {
    let Some(path) = std::env::var_os(VARIABLE) else { return Ok(()) };
    let mut file = File::options().create(true).append(true).open(path)?;
    file.write_all(format!("{}\n", serde_json::to_string(line)?).as_bytes())
}

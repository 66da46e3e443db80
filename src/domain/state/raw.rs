//! What a newer version has written, and this one carries along.
//!
//! Invariant 4 (never backwards): a rollback, or a rolling upgrade of several machines that share a table, must not lose what the newer version
//! relies on; so what is not understood is kept as it was read, and written back.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Fields that this version does not know, by their names.
pub type Unknown = BTreeMap<String, Raw>;

/// A value of any shape.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
#[expect(missing_docs, reason = "their names say it")]
pub enum Raw {
    Null(()),
    Bool(bool),
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    Text(String),
    List(Vec<Raw>),
    Map(Unknown),
}

/// JSON knows no number that is not equal to itself.
impl Eq for Raw {}

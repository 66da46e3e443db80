//! Which rows were acknowledged, and which of them are there in the end.

use std::collections::BTreeMap;

use serde::Serialize;

/// What became of one INSERT, as far as its client knows. One that failed for certain is not here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Its commit was acknowledged.
    Acknowledged,
    /// It was sent, and the connection ended without an answer.
    InDoubt,
}

/// The rows of all writers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Rows {
    /// The table.
    pub table: String,
    /// Rows whose commit was acknowledged.
    pub acknowledged: u64,
    /// Acknowledged rows that are not there.
    pub lost: u64,
    /// Rows that were sent without an answer: an application does not know whether they are there.
    pub in_doubt: u64,
    /// Those of them that are there.
    pub in_doubt_stored: u64,
    /// Rows that are there more than once: something between client and server has sent them again.
    pub duplicated: u64,
}

impl Rows {
    /// Counts: `sent` by the number of the row, and `stored` how often each is there.
    #[must_use]
    pub fn count(table: &str, sent: &BTreeMap<i64, Fate>, stored: &BTreeMap<i64, i64>) -> Self {
        let mut rows = Self { table: table.to_owned(), ..Self::default() };
        for (number, fate) in sent {
            let is_stored = stored.contains_key(number);
            match fate {
                Fate::Acknowledged => {
                    rows.acknowledged += 1;
                    rows.lost += u64::from(!is_stored);
                }
                Fate::InDoubt => {
                    rows.in_doubt += 1;
                    rows.in_doubt_stored += u64::from(is_stored);
                }
            }
        }
        let times = stored.values().filter(|times| **times > 1);
        rows.duplicated = u64::try_from(times.count()).unwrap_or(u64::MAX);
        rows
    }
}

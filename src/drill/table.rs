//! The drill's own table: rows with a number, whose commits are counted.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use super::clients::WITHIN;
use super::endpoint::Endpoint;
use super::session::{Failed, Session};
use repoint_domain::drill::attempts::ErrorKind;

/// How long the table is tried to be read, and dropped.
const TRIED_FOR: Duration = Duration::from_secs(20);
const RETRY_AFTER: Duration = Duration::from_millis(500);
/// How long all rows may take to be counted.
const READ_WITHIN: Duration = Duration::from_secs(30);

/// A table's name, perhaps with a schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    name: String,
    quoted: String,
}

impl Table {
    /// Reads `name` or `schema.name`, without quotes; capitals count as small letters, as in SQL.
    ///
    /// # Errors
    /// What is allowed.
    pub fn parse(text: &str) -> Result<Self, String> {
        let is_part = |part: &str| {
            let mut all = part.chars();
            let begins = all.next().is_some_and(|one| one.is_ascii_alphabetic() || one == '_');
            begins
                && part.len() <= 63
                && all.all(|one| one.is_ascii_alphanumeric() || matches!(one, '_' | '$'))
        };
        let name = text.to_ascii_lowercase();
        let parts: Vec<&str> = name.split('.').collect();
        if parts.len() > 2 || !parts.iter().all(|part| is_part(part)) {
            return Err("use NAME or SCHEMA.NAME, of ASCII letters, digits and underscores".to_owned());
        }
        let quoted = parts.iter().map(|part| format!("\"{part}\"")).collect::<Vec<_>>().join(".");
        Ok(Self { name, quoted })
    }

    /// The name as it was given.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The statement that writes a row.
    #[must_use]
    pub fn insert(&self, number: i64) -> String {
        format!("INSERT INTO {} (id) VALUES ({number})", self.quoted)
    }

    /// Creates it; one that is there is not taken over.
    ///
    /// # Errors
    /// Why that failed, in words.
    pub async fn create(&self, endpoint: &Endpoint) -> Result<(), String> {
        // Without a unique index, a row that is sent again is counted and not refused.
        let statement = format!(
            "CREATE TABLE {} (id bigint NOT NULL, written timestamptz NOT NULL DEFAULT clock_timestamp())",
            self.quoted
        );
        let created = timeout(WITHIN, on_the_primary(endpoint, &statement)).await;
        match created.unwrap_or_else(|_| Err(no_answer())) {
            Ok(_) => Ok(()),
            Err(Failed { kind: ErrorKind::Sql(state), .. }) if state == "42P07" => {
                Err(format!("the table {} is there already: give another name, or drop it", self.name))
            }
            Err(failed) => Err(format!("the table {} cannot be created: {}", self.name, worded(&failed))),
        }
    }

    /// How often each row is there, on a server that takes writes.
    ///
    /// # Errors
    /// Why that failed, in words.
    pub async fn stored(&self, endpoint: &Endpoint) -> Result<BTreeMap<i64, i64>, String> {
        let statement = format!("SELECT id, count(*) FROM {} GROUP BY id", self.quoted);
        let rows = self.repeated(endpoint, &statement).await?;
        let number = |text: Option<&str>| text.and_then(|text| text.parse::<i64>().ok());
        Ok(rows.iter().filter_map(|row| Some((number(row.get(0))?, number(row.get(1))?))).collect())
    }

    /// Drops it.
    ///
    /// # Errors
    /// Why that failed, in words.
    pub async fn drop(&self, endpoint: &Endpoint) -> Result<(), String> {
        self.repeated(endpoint, &format!("DROP TABLE IF EXISTS {}", self.quoted)).await.map(|_| ())
    }

    async fn repeated(
        &self,
        endpoint: &Endpoint,
        statement: &str,
    ) -> Result<Vec<tokio_postgres::SimpleQueryRow>, String> {
        let give_up_at = Instant::now() + TRIED_FOR;
        loop {
            let asked = timeout(READ_WITHIN, on_the_primary(endpoint, statement)).await;
            match asked.unwrap_or_else(|_| Err(no_answer())) {
                Ok(rows) => return Ok(rows),
                Err(failed) if Instant::now() >= give_up_at => {
                    return Err(format!("the table {}: {}", self.name, worded(&failed)));
                }
                Err(_) => sleep(RETRY_AFTER).await,
            }
        }
    }
}

async fn on_the_primary(
    endpoint: &Endpoint,
    statement: &str,
) -> Result<Vec<tokio_postgres::SimpleQueryRow>, Failed> {
    let session = Session::connect(endpoint).await?;
    if let Some(kind) = session.who(false).await?.not_writable {
        return Err(Failed { kind, is_certain: true, message: String::new() });
    }
    let rows = session.query(statement).await?;
    session.close();
    Ok(rows)
}

fn no_answer() -> Failed {
    Failed { kind: ErrorKind::Timeout, is_certain: false, message: String::new() }
}

fn worded(failed: &Failed) -> String {
    if failed.message.is_empty() {
        failed.kind.to_string()
    } else {
        format!("{}: {}", failed.kind, failed.message)
    }
}

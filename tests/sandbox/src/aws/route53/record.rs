//! Record sets.
//!
//! A record set is kept as it was given, but for its name; so an exact DELETE is a comparison of values.

use super::name::Name;

/// What a record set is known by within its zone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RecordKey {
    /// Name.
    pub name: Name,
    /// e.g. `A`.
    pub record_type: String,
    /// For record sets that share name and type.
    pub set_identifier: Option<String>,
}

impl RecordKey {
    /// As messages of Route 53 name it.
    pub(super) fn in_words(&self) -> String {
        let identifier = self.set_identifier.as_ref();
        let identifier = identifier.map(|id| format!(", set identifier='{id}'")).unwrap_or_default();
        format!("[name='{}', type='{}'{identifier}]", self.name, self.record_type)
    }
}

/// Where an alias leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alias {
    /// The zone of the target.
    pub zone: String,
    /// The target's name.
    pub name: String,
    /// Whether the target's health counts.
    pub evaluate_target_health: bool,
}

/// What a record set answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Values.
    Values {
        /// Seconds.
        ttl: u32,
        /// In the order given.
        values: Vec<String>,
    },
    /// The answer of something else.
    Alias(Alias),
}

/// Which of a failover pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Failover {
    /// Served while healthy.
    Primary,
    /// Served otherwise.
    Secondary,
}

impl Failover {
    /// As the API writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Primary => "PRIMARY",
            Self::Secondary => "SECONDARY",
        }
    }
}

/// A record set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordSet {
    /// Which.
    pub key: RecordKey,
    /// `None` is a simple record, or a weighted one.
    pub failover: Option<Failover>,
    /// For weighted records.
    pub weight: Option<u32>,
    /// What it answers.
    pub answer: Answer,
    /// Whether it is served depends on this check.
    pub health_check: Option<String>,
}

impl RecordSet {
    /// A simple record set.
    #[must_use]
    pub fn simple(name: &str, record_type: &str, ttl: u32, values: &[&str]) -> Self {
        Self {
            key: RecordKey {
                name: Name::new(name),
                record_type: record_type.to_owned(),
                set_identifier: None,
            },
            failover: None,
            weight: None,
            answer: Answer::Values { ttl, values: values.iter().map(|value| (*value).to_owned()).collect() },
            health_check: None,
        }
    }

    /// The same as one of a failover pair.
    #[must_use]
    pub fn as_failover(mut self, role: Failover, set_identifier: &str, health_check: Option<&str>) -> Self {
        self.failover = Some(role);
        self.key.set_identifier = Some(set_identifier.to_owned());
        self.health_check = health_check.map(str::to_owned);
        self
    }
}

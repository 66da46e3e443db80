//! What DNS answers.
//!
//! Only what is INSYNC. Of a failover pair the healthy one, the primary first; the primary if both are unhealthy
//! (Route 53 guide, "How Route 53 chooses records when health checking is configured").

use super::super::Account;
use super::bare;
use super::name::Name;
use super::record::{Answer, Failover, RecordKey, RecordSet};
use crate::Millis;

/// Aliases and CNAMEs in a chain; more is a loop.
const LONGEST_CHAIN: usize = 8;

impl Account {
    /// The values for a name and type, in order; empty if there are none. Aliases and CNAMEs are followed inside the
    /// zone; one that leaves it answers with the name it leads to. This is the data plane: no call, no failure.
    #[must_use]
    pub fn resolve(&self, now: Millis, zone: &str, name: &str, record_type: &str) -> Vec<String> {
        let Some(zone) = self.dns.zones.get(bare(zone)) else { return Vec::new() };
        let served_at = now.checked_sub(self.settings.dns_propagation);
        let Some(records) = served_at.and_then(|time| zone.records.at(time)) else { return Vec::new() };
        let of = |name: &Name, wanted: &str| -> Vec<&RecordSet> {
            let first =
                RecordKey { name: name.clone(), record_type: wanted.to_owned(), set_identifier: None };
            let same = |key: &RecordKey| key.name == *name && key.record_type == wanted;
            records.range(first..).take_while(|(key, _)| same(key)).map(|(_, set)| set.as_ref()).collect()
        };
        let mut name = Name::new(name);
        for _ in 0..LONGEST_CHAIN {
            let mut sets = of(&name, record_type);
            if sets.is_empty() {
                sets = of(&name, "CNAME");
            }
            let Some(set) = self.served(&sets) else { return Vec::new() };
            let next = match &set.answer {
                Answer::Values { values, .. } if set.key.record_type == record_type => return values.clone(),
                Answer::Values { values, .. } => values.first().cloned().unwrap_or_default(),
                Answer::Alias(alias) => alias.name.clone(),
            };
            name = Name::new(&next);
            if !name.is_within(&zone.name) {
                return vec![name.to_string()];
            }
        }
        Vec::new()
    }

    fn served<'a>(&self, sets: &[&'a RecordSet]) -> Option<&'a RecordSet> {
        let healthy = |set: &&&RecordSet| {
            let checked =
                set.health_check.as_ref().is_none_or(|id| self.dns.health_checks.get(id) != Some(&false));
            checked && self.is_target_healthy(set)
        };
        let rank =
            |set: &&&'a RecordSet| (set.failover == Some(Failover::Secondary), std::cmp::Reverse(set.weight));
        let mut candidates: Vec<&&'a RecordSet> = sets.iter().filter(healthy).collect();
        if candidates.is_empty() {
            candidates = sets.iter().collect();
        }
        candidates.into_iter().min_by_key(rank).copied()
    }

    /// An alias may stand or fall with the load balancer that it leads to.
    fn is_target_healthy(&self, set: &RecordSet) -> bool {
        match &set.answer {
            Answer::Alias(alias) if alias.evaluate_target_health => {
                self.is_balancer_healthy(&alias.name).unwrap_or(true)
            }
            _ => true,
        }
    }
}

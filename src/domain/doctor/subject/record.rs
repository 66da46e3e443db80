//! A record set.

use super::{Cluster, known};
use crate::doctor::check::NotChecked;
use crate::doctor::facts::record::HealthCheck;
use crate::spec::RecordSpec;
use crate::values::record::RecordSet;

/// A record set.
#[derive(Clone, Copy)]
pub struct Record<'a> {
    /// Of which cluster.
    pub cluster: Cluster<'a>,
    /// What is configured.
    pub spec: &'a RecordSpec,
}

impl<'a> Record<'a> {
    /// The record set, if there is one.
    ///
    /// # Errors
    /// If it could not be read.
    pub fn set(&self) -> Result<Option<&'a RecordSet>, NotChecked> {
        let sets = known(self.cluster.its.observed.records.get(&self.spec.key.place))?;
        Ok(sets.iter().find(|set| set.key == self.spec.key))
    }

    /// All record sets of its name and type.
    ///
    /// # Errors
    /// If they could not be read.
    pub fn siblings(&self) -> Result<&'a [RecordSet], NotChecked> {
        known(self.cluster.its.observed.records.get(&self.spec.key.place)).map(Vec::as_slice)
    }

    /// The id of its health check: the configured one, else that of the record set.
    ///
    /// # Errors
    /// If the record set could not be read.
    pub fn health_check_id(&self) -> Result<Option<&'a str>, NotChecked> {
        match &self.spec.health_check_id {
            Some(id) => Ok(Some(id)),
            None => Ok(self.set()?.and_then(|set| set.health_check_id.as_deref())),
        }
    }

    /// Its health check, if it has one, with its id.
    ///
    /// # Errors
    /// If the record set or the health check could not be read.
    pub fn health_check(&self) -> Result<Option<(&'a str, &'a HealthCheck)>, NotChecked> {
        let Some(id) = self.health_check_id()? else { return Ok(None) };
        Ok(Some((id, known(self.cluster.facts.health_checks.get(id))?)))
    }
}

//! A member that was asked.

use super::{Site, known};
use crate::doctor::check::NotChecked;
use crate::doctor::facts::patroni::{ClusterExtra, Health, MemberFacts};
use crate::observed::MemberAnswer;
use crate::values::cluster::{ApiUrl, MemberName};
use crate::values::primary::label;

/// A member that was asked.
#[derive(Clone, Copy)]
pub struct Member<'a> {
    /// Of which site.
    pub site: Site<'a>,
    /// Its REST API.
    pub url: &'a ApiUrl,
    /// What it says beyond what a pass reads.
    pub its: &'a MemberFacts,
}

impl<'a> Member<'a> {
    /// What a pass has read of it.
    #[must_use]
    pub fn answer(&self) -> Option<&'a MemberAnswer> {
        self.site.cluster.its.observed.answers_of(self.site.spec.name.as_ref()).get(self.url)
    }

    /// Its name, where it has said it.
    #[must_use]
    pub fn member_name(&self) -> Option<&'a MemberName> {
        self.answer().and_then(|answer| answer.status.as_ref().ok()?.name.as_ref())
    }

    /// What a reader calls it: by its name, or by its URL.
    #[must_use]
    pub fn name(&self) -> String {
        let name = self.member_name().map_or_else(|| self.url.to_string(), ToString::to_string);
        format!("member {}", label(self.site.spec.name.as_ref(), &name))
    }

    /// Its own JSON.
    ///
    /// # Errors
    /// If it could not be read.
    pub fn health(&self) -> Result<&'a Health, NotChecked> {
        known(Some(&self.its.health))
    }

    /// What its `GET /cluster` says.
    ///
    /// # Errors
    /// If it could not be read.
    pub fn view(&self) -> Result<&'a ClusterExtra, NotChecked> {
        known(Some(&self.its.cluster))
    }
}

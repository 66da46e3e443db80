//! A Lambda function that triggers call.

use super::known;
use crate::doctor::check::NotChecked;
use crate::doctor::facts::function::{self, FunctionConfiguration};
use crate::doctor::facts::network::Network;
use crate::doctor::facts::{Facts, Place};
use crate::values::function::FunctionName;

/// A Lambda function that triggers call.
#[derive(Clone, Copy)]
pub struct Function<'a> {
    /// Everything that was read.
    pub facts: &'a Facts,
    /// As it is called: by its ARN, or by its name where the configuration has that; without a qualifier it is the newest code.
    pub name: &'a FunctionName,
    /// What was read of it.
    pub its: &'a function::Function,
}

/// The functions that triggers call. Where they call a version or an alias, the function without a qualifier is none of them:
/// it has settings of its own for failed invocations.
pub fn functions(facts: &Facts) -> impl Iterator<Item = Function<'_>> {
    let has_qualifier = |name: &FunctionName| name.qualifier().is_some();
    let is_called = move |name: &FunctionName| {
        let is_other = |other: &FunctionName| other.name() == name.name() && has_qualifier(other);
        has_qualifier(name) || !facts.functions.keys().any(is_other)
    };
    let called = facts.functions.iter().filter(move |(name, _)| is_called(name));
    called.map(move |(name, its)| Function { facts, name, its })
}

impl<'a> Function<'a> {
    /// Its configuration.
    ///
    /// # Errors
    /// If it could not be read.
    pub fn configuration(&self) -> Result<&'a FunctionConfiguration, NotChecked> {
        known(Some(&self.its.configuration))
    }

    /// A command that changes its configuration, and how the change comes into effect.
    #[must_use]
    pub fn change(&self, option: &str) -> String {
        let name = self.name.name();
        let change = format!("aws lambda update-function-configuration --function-name {name} {option}");
        match self.name.qualifier() {
            None => change,
            Some(qualifier) => format!(
                "{change}; then aws lambda publish-version --function-name {name}, and aws lambda update-alias --function-name \
                 {name} --name {qualifier} --function-version VERSION"
            ),
        }
    }

    /// The networks where it is.
    ///
    /// # Errors
    /// If its ARN is not known, or if nothing was read there.
    pub fn network(&self) -> Result<&'a Network, NotChecked> {
        let region = self.configuration()?.arn.split(':').nth(3).unwrap_or_default().to_owned();
        let network = self.facts.networks.get(&Place { region, role: None });
        network.ok_or_else(|| NotChecked::Unknown("the network of its Region was not read".to_owned()))
    }
}

//! A topic.

use super::known;
use crate::doctor::check::NotChecked;
use crate::doctor::facts::Facts;
use crate::doctor::facts::attributes::Attributes;
use crate::doctor::facts::topic::{Subscription, TopicFacts};
use crate::values::arn::TopicArn;

/// A topic.
#[derive(Clone, Copy)]
pub struct Topic<'a> {
    /// Everything that was read.
    pub facts: &'a Facts,
    /// Its ARN.
    pub arn: &'a TopicArn,
    /// What was read of it.
    pub its: &'a TopicFacts,
}

impl<'a> Topic<'a> {
    /// Whether it is the one through which callbacks call the Lambda.
    #[must_use]
    pub fn is_callback(&self) -> bool {
        self.facts.configured.callback_topic.as_ref() == Some(self.arn)
    }

    /// Whether alerts are published to it.
    #[must_use]
    pub fn is_of_alerts(&self) -> bool {
        self.facts.configured.alert_topics.contains(self.arn)
    }

    /// Its attributes.
    ///
    /// # Errors
    /// If they could not be read.
    pub fn attributes(&self) -> Result<&'a Attributes, NotChecked> {
        known(Some(&self.its.attributes))
    }

    /// Its subscriptions, where they matter: those of the topic that calls the Lambda.
    ///
    /// # Errors
    /// If they could not be read.
    pub fn subscriptions(&self) -> Result<&'a [Subscription], NotChecked> {
        known(self.its.subscriptions.as_ref()).map(Vec::as_slice)
    }

    /// The confirmed ones that call the Lambda: the configured function, or any where none is configured.
    ///
    /// # Errors
    /// If they could not be read.
    pub fn calls(&self) -> Result<Vec<&'a Subscription>, NotChecked> {
        let is_ours = |its: &&Subscription| {
            its.protocol == "lambda"
                && its.arn.starts_with("arn:")
                && self.facts.configured.is_function(&its.endpoint)
        };
        Ok(self.subscriptions()?.iter().filter(is_ours).collect())
    }
}

//! The section `[alerts]`.

use std::time::Duration;

use toml::Spanned;

use super::{LONGEST_GRACE, Place, Resolver};
use crate::config::file::File;
use crate::config::{Alerts, HeartbeatUrl, Problem};

/// A failover with Patroni's defaults (`ttl` 30) takes 30 s; what lasts longer is not transient.
const GRACE: Duration = Duration::from_mins(1);

impl Resolver<'_> {
    pub(super) fn alerts(&mut self, file: &File) -> Alerts {
        let file = &file.alerts;
        let topic = self
            .text(&["REPOINT_ALERTS_SNS_TOPIC_ARN"], file.sns_topic_arn.as_ref())
            .and_then(|given| self.topic(&given, "alerts.sns_topic_arn"));
        let grace = Duration::ZERO..=LONGEST_GRACE;
        Alerts {
            topic,
            grace: self
                .seconds_within(
                    &["REPOINT_ALERTS_GRACE_SECONDS"],
                    "alerts.grace_seconds",
                    file.grace_seconds.as_ref(),
                    grace.clone(),
                )
                .unwrap_or(GRACE),
            contested_grace: self
                .seconds_within(
                    &["REPOINT_ALERTS_CONTESTED_GRACE_SECONDS"],
                    "alerts.contested_grace_seconds",
                    file.contested_grace_seconds.as_ref(),
                    grace,
                )
                .unwrap_or_default(),
            reminder: self.seconds_within(
                &["REPOINT_ALERTS_REMINDER_SECONDS"],
                "alerts.reminder_seconds",
                file.reminder_seconds.as_ref(),
                Duration::from_nanos(1)..=LONGEST_GRACE,
            ),
            heartbeat: self.heartbeat(file.heartbeat_url.as_ref()),
        }
    }

    /// A problem with it prints neither the value nor its line.
    fn heartbeat(&mut self, file: Option<&Spanned<String>>) -> Option<HeartbeatUrl> {
        const KEY: &str = "alerts.heartbeat_url";
        let given = self.text(&["REPOINT_ALERTS_HEARTBEAT_URL"], file)?;
        let problem = |message| match &given.place {
            Place::File(span) => {
                Problem::of_line(self.path, self.source.line(span), format!("`{KEY}`: {message}"))
            }
            Place::Variable(name) => Problem::of_variable(name, message),
        };
        let url = HeartbeatUrl::parse(&given.value).map_err(problem);
        url.map_err(|problem| self.problems.push(problem)).ok()
    }
}

//! The section `[alerts]`.

use std::time::Duration;

use toml::Spanned;

use super::{Given, LONGEST_GRACE, Place, Resolver};
use crate::config::file::{self, File};
use crate::config::{Alerts, HeartbeatUrl, Problem};
use repoint_domain::alerts::{AlertTopic, Format, Limits};
use repoint_domain::state::{MOST_CHANGES, Severity};

/// A failover with Patroni's defaults (`ttl` 30) takes 30 s; what lasts longer is not transient.
const GRACE: Duration = Duration::from_mins(1);
/// What a topic gets unless it says otherwise.
const FORMAT: Format = Format::Text;
const MIN_SEVERITY: Severity = Severity::Info;
/// What a TOML integer holds.
const MOST_BYTES: u64 = i64::MAX.unsigned_abs();
/// A replica that restarts, is rewound or follows a new leader needs minutes, not seconds.
const REPLICA_GRACE: Duration = Duration::from_mins(5);
/// Maintenance that was planned takes less.
const PAUSED_GRACE: Duration = Duration::from_hours(1);

impl Resolver<'_> {
    pub(super) fn alerts(&mut self, file: &File) -> Alerts {
        let file = &file.alerts;
        let limits = self.limits(file);
        let grace = Duration::ZERO..=LONGEST_GRACE;
        Alerts {
            topics: self.alert_topics(file),
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
                    grace.clone(),
                )
                .unwrap_or_default(),
            replica_grace: self
                .seconds_within(
                    &["REPOINT_ALERTS_REPLICA_GRACE_SECONDS"],
                    "alerts.replica_grace_seconds",
                    file.replica_grace_seconds.as_ref(),
                    grace.clone(),
                )
                .unwrap_or(REPLICA_GRACE),
            paused_grace: self
                .seconds_within(
                    &["REPOINT_ALERTS_PAUSED_GRACE_SECONDS"],
                    "alerts.paused_grace_seconds",
                    file.paused_grace_seconds.as_ref(),
                    grace,
                )
                .unwrap_or(PAUSED_GRACE),
            limits,
            reminder: self.seconds_within(
                &["REPOINT_ALERTS_REMINDER_SECONDS"],
                "alerts.reminder_seconds",
                file.reminder_seconds.as_ref(),
                Duration::from_nanos(1)..=LONGEST_GRACE,
            ),
            heartbeat: self.heartbeat(file.heartbeat_url.as_ref()),
        }
    }

    fn limits(&mut self, file: &file::Alerts) -> Limits {
        let flapping = self.seconds_within(
            &["REPOINT_ALERTS_FLAPPING_SECONDS"],
            "alerts.flapping_seconds",
            file.flapping_seconds.as_ref(),
            Duration::from_secs(1)..=LONGEST_GRACE,
        );
        let replica_lag = self.whole(
            "REPOINT_ALERTS_REPLICA_LAG_BYTES",
            "alerts.replica_lag_bytes",
            file.replica_lag_bytes.as_ref(),
            1..=MOST_BYTES,
        );
        let failover_lag = self.whole(
            "REPOINT_ALERTS_MAXIMUM_LAG_ON_FAILOVER",
            "alerts.maximum_lag_on_failover",
            file.maximum_lag_on_failover.as_ref(),
            0..=MOST_BYTES,
        );
        let changes = self.whole(
            "REPOINT_ALERTS_FLAPPING_CHANGES",
            "alerts.flapping_changes",
            file.flapping_changes.as_ref(),
            2..=MOST_CHANGES as u64,
        );
        let milliseconds = |time: Duration| u64::try_from(time.as_millis()).ok();
        Limits {
            replica_lag_bytes: replica_lag.unwrap_or(Limits::DEFAULT.replica_lag_bytes),
            failover_lag_bytes: failover_lag.unwrap_or(Limits::DEFAULT.failover_lag_bytes),
            flapping_changes: changes
                .and_then(|changes| u32::try_from(changes).ok())
                .unwrap_or(Limits::DEFAULT.flapping_changes),
            flapping_ms: flapping.and_then(milliseconds).unwrap_or(Limits::DEFAULT.flapping_ms),
        }
    }

    /// `sns_topic_arn` is the short form of a topic; beside others it is the first of them.
    fn alert_topics(&mut self, file: &file::Alerts) -> Vec<AlertTopic> {
        let mut topics: Vec<AlertTopic> = Vec::new();
        if let Some(given) = self.text(&["REPOINT_ALERTS_SNS_TOPIC_ARN"], file.sns_topic_arn.as_ref()) {
            let arn = self.topic(&given, "alerts.sns_topic_arn");
            topics.extend(arn.map(|arn| AlertTopic { arn, format: FORMAT, min_severity: MIN_SEVERITY }));
        }
        for entry in &file.topic {
            let span = entry.arn.span();
            let given = Given { value: entry.arn.get_ref().clone(), place: Place::File(span.clone()) };
            let arn = self.topic(&given, "alerts.topic.arn");
            let format = entry
                .format
                .as_ref()
                .and_then(|format| self.one_of(format, "alerts.topic.format", &Format::ALL, Format::as_str));
            let min_severity = entry.min_severity.as_ref().and_then(|severity| {
                self.one_of(severity, "alerts.topic.min_severity", &Severity::ALL, Severity::as_str)
            });
            let Some(arn) = arn else { continue };
            if topics.iter().any(|topic| topic.arn == arn) {
                let message = "the topic is given twice: each alert would be published to it twice";
                self.push_error(&span, "alerts.topic.arn", message);
            }
            topics.push(AlertTopic {
                arn,
                format: format.unwrap_or(FORMAT),
                min_severity: min_severity.unwrap_or(MIN_SEVERITY),
            });
        }
        topics
    }

    /// The one of these that has the given name.
    fn one_of<T: Copy>(
        &mut self,
        given: &Spanned<String>,
        key: &str,
        all: &[T],
        name: fn(T) -> &'static str,
    ) -> Option<T> {
        self.spanned(given, key, |text| {
            let found = all.iter().copied().find(|one| name(*one) == text);
            let names: Vec<&str> = all.iter().map(|one| name(*one)).collect();
            found.ok_or_else(|| format!("use one of {}", names.join(", ")))
        })
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

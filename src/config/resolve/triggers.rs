//! The sections of the entry points: `[watch]`, `[callback]`, `[lambda]`.

use std::time::Duration;

use super::{LONGEST, Resolver};
use crate::config::file::{CallbackModeName, File};
use crate::config::{Callback, CallbackMode, Lambda, Problem, Watch};
use repoint_domain::values::function::FunctionName;

/// Half of it is the average delay of a failover; a request costs a member 1 ms.
const INTERVAL: Duration = Duration::from_secs(1);
/// A shorter interval only loads Patroni's single-threaded REST API (`patroni/api.py`).
const SHORTEST_INTERVAL: Duration = Duration::from_millis(100);
/// An external change to an endpoint is reverted within this time.
const AUDIT_INTERVAL: Duration = Duration::from_mins(1);
/// A pass without failures takes well below 1 s; systemd kills after 90 s (`systemd.service`, `TimeoutStopSec`).
const GRACE: Duration = Duration::from_secs(10);
/// In the folder that systemd creates for a service (`RuntimeDirectory=repoint`).
const SOCKET: &str = "/run/repoint/repoint.sock";

impl Resolver<'_> {
    pub(super) fn watch(&mut self, file: &File) -> Watch {
        let file = &file.watch;
        Watch {
            interval: self
                .seconds_within(
                    &["REPOINT_WATCH_INTERVAL_SECONDS"],
                    "watch.interval_seconds",
                    file.interval_seconds.as_ref(),
                    SHORTEST_INTERVAL..=LONGEST,
                )
                .unwrap_or(INTERVAL),
            audit_interval: self
                .seconds(
                    &["REPOINT_WATCH_AUDIT_INTERVAL_SECONDS"],
                    "watch.audit_interval_seconds",
                    file.audit_interval_seconds.as_ref(),
                )
                .unwrap_or(AUDIT_INTERVAL),
            grace: self
                .seconds(&["REPOINT_WATCH_GRACE_SECONDS"], "watch.grace_seconds", file.grace_seconds.as_ref())
                .unwrap_or(GRACE),
            socket: {
                let given = self.text(&["REPOINT_WATCH_SOCKET"], file.socket.as_ref());
                given.map_or_else(|| SOCKET.into(), |given| self.path_of(&given, "watch.socket"))
            },
        }
    }

    pub(super) fn callback(&mut self, file: &File) -> Callback {
        let file = &file.callback;
        let topic = self.text(&["REPOINT_CALLBACK_SNS_TOPIC_ARN"], file.sns_topic_arn.as_ref());
        let topic_place = file.mode.as_ref().map(toml::Spanned::span);
        let topic = topic.and_then(|given| self.topic(&given, "callback.sns_topic_arn"));
        let mode = match self.environment.get(&["REPOINT_CALLBACK_MODE"]) {
            Some((_, "daemon")) => CallbackModeName::Daemon,
            Some((_, "sns")) => CallbackModeName::Sns,
            Some((_, "self")) => CallbackModeName::Detached,
            Some((name, other)) => {
                let message = format!("`{other}` is not a mode: use daemon, sns or self");
                self.problems.push(Problem::of_variable(name, message));
                CallbackModeName::Daemon
            }
            None => file.mode.as_ref().map_or(CallbackModeName::Daemon, |name| *name.get_ref()),
        };
        let mode = match (mode, topic) {
            (CallbackModeName::Daemon, _) => CallbackMode::Daemon,
            (CallbackModeName::Detached, _) => CallbackMode::Detached,
            (CallbackModeName::Sns, Some(topic)) => CallbackMode::Sns(topic),
            (CallbackModeName::Sns, None) => {
                let message = "`mode = \"sns\"` requires `sns_topic_arn`";
                let problem = match topic_place {
                    Some(span) => self.source.problem(&span, Some("callback.mode"), message),
                    None => Problem::of_variable("REPOINT_CALLBACK_MODE", message),
                };
                self.problems.push(problem);
                CallbackMode::Daemon
            }
        };
        Callback { mode }
    }

    pub(super) fn lambda(&mut self, file: &File) -> Lambda {
        let file = &file.lambda;
        let function = self.text(&["REPOINT_LAMBDA_FUNCTION"], file.function.as_ref());
        let function = function.and_then(|given| {
            let function = self.parsed(&given, "lambda.function", FunctionName::parse)?;
            if let Some(partition) = function.partition() {
                self.is_of_partition(partition, &given.place, "lambda.function");
            }
            Some(function)
        });
        let group = self.text(&["REPOINT_LAMBDA_SCHEDULE_GROUP"], file.schedule_group.as_ref());
        Lambda {
            fail_on_hold: self.boolean("REPOINT_LAMBDA_FAIL_ON_HOLD", file.fail_on_hold.as_ref(), false),
            function,
            schedule_group: group
                .and_then(|given| self.parsed(&given, "lambda.schedule_group", schedule_group)),
        }
    }
}

/// A group's name (`EventBridge` Scheduler API, `CreateScheduleGroup`, `Name`).
fn schedule_group(text: &str) -> Result<String, &'static str> {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if (1..=64).contains(&text.len()) && text.bytes().all(is_part) {
        Ok(text.to_owned())
    } else {
        Err("it must be the name of a schedule group: up to 64 letters, digits, `-`, `_` or `.`")
    }
}

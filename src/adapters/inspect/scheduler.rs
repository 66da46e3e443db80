//! Schedules of `EventBridge` Scheduler.

use futures::future::try_join_all;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Inspect, text};
use repoint_domain::doctor::facts::function::{Requested, Schedule};
use repoint_domain::observed::Read;

const LIST: &str = "scheduler:ListSchedules";
const SCHEDULE: &str = "scheduler:GetSchedule";

impl Inspect {
    /// The schedules of a group.
    ///
    /// # Errors
    /// AWS's error, or a timeout: of the list, or of one of them.
    pub async fn schedules(&self, group: &str) -> Read<Vec<Schedule>> {
        let listed = pages!(
            self,
            self.settings_key(),
            LIST,
            group,
            self.scheduler.list_schedules().group_name(group),
            set_next_token,
            next_token,
            schedules
        );
        try_join_all(listed.iter().filter_map(|listed| Some(self.schedule(group, listed.name()?)))).await
    }

    async fn schedule(&self, group: &str, name: &str) -> Read<Schedule> {
        let request = self.scheduler.get_schedule().group_name(group).name(name);
        let answer = send!(self, self.settings_key(), SCHEDULE, &format!("{group}/{name}"), request)?;
        Ok(Schedule {
            name: name.to_owned(),
            state: text(answer.state().map(|state| state.as_str())),
            expression: text(answer.schedule_expression()),
            target: text(answer.target().map(|target| target.arn())),
            requests: requested(answer.target().and_then(|target| target.input())),
        })
    }
}

/// The direct form of an event, as the Lambda reads it (`lambda/src/event.rs`).
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    cluster: Option<Vec<String>>,
    #[serde(default)]
    dry_run: bool,
}

/// What the Lambda does with this event.
fn requested(input: Option<&str>) -> Requested {
    let Some(input) = input else { return Requested::default() };
    let event: Value = serde_json::from_str(input).unwrap_or(Value::Null);
    // The envelope that Scheduler sends if it has no input of its own.
    if event["detail-type"] == "Scheduled Event" {
        return Requested::default();
    }
    if event == json!({ "test_alert": true }) {
        return Requested::TestAlert;
    }
    let unknown = || Requested::Unknown(input.to_owned());
    if !event.is_object() {
        return unknown();
    }
    match serde_json::from_value(event) {
        Ok(Order { cluster: Some(none), .. }) if none.is_empty() => unknown(),
        Ok(Order { cluster, dry_run }) => {
            Requested::Pass { clusters: cluster.unwrap_or_default(), is_dry_run: dry_run }
        }
        Err(_) => unknown(),
    }
}

#[cfg(test)]
mod tests {
    use super::{Requested, requested};

    #[test]
    fn an_event_is_read_as_the_function_reads_it() {
        let pass = |clusters: &[&str], is_dry_run| {
            let clusters = clusters.iter().map(ToString::to_string).collect();
            Requested::Pass { clusters, is_dry_run }
        };
        assert_eq!(requested(None), pass(&[], false));
        assert_eq!(requested(Some("{}")), pass(&[], false));
        assert_eq!(requested(Some(r#"{"cluster": ["batman"], "dry_run": true}"#)), pass(&["batman"], true));
        assert_eq!(requested(Some(r#"{"test_alert": true}"#)), Requested::TestAlert);
        for odd in
            [r#"{"clusters": ["batman"]}"#, "not JSON", "[]", r#"{"test_alert": 1}"#, r#"{"cluster": []}"#]
        {
            assert_eq!(requested(Some(odd)), Requested::Unknown(odd.to_owned()));
        }
    }
}

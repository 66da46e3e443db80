//! Schedules of `EventBridge` Scheduler.

use futures::future::try_join_all;

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
            requests: Requested::of(answer.target().and_then(|target| target.input())),
        })
    }
}

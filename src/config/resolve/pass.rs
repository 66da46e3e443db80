//! The section `[pass]`.

use std::time::Duration;

use super::{LONGEST, Place, Resolver};
use crate::config::file::File;

/// Time for a promotion to finish and for further requests to AWS, and less than the minute of a cron job.
const DEADLINE: Duration = Duration::from_secs(30);
/// A pass needs at least 1 s before its first request.
const SHORTEST_WAIT: Duration = Duration::from_secs(2);

impl Resolver<'_> {
    /// The deadline, and how long of it a pass may wait for Route 53's servers.
    pub(super) fn pass(&mut self, file: &File) -> (Duration, Option<Duration>) {
        const WAIT: [&str; 1] = ["REPOINT_PASS_WAIT_INSYNC_SECONDS"];
        let (file, key) = (&file.pass, "pass.wait_insync_seconds");
        let deadline = self
            .seconds(
                &["REPOINT_PASS_DEADLINE_SECONDS"],
                "pass.deadline_seconds",
                file.deadline_seconds.as_ref(),
            )
            .unwrap_or(DEADLINE);
        let wait =
            self.seconds_within(&WAIT, key, file.wait_insync_seconds.as_ref(), SHORTEST_WAIT..=LONGEST);
        if let Some(wait) = wait.filter(|wait| *wait > deadline) {
            let place = match (self.environment.get(&WAIT), &file.wait_insync_seconds) {
                (None, Some(spanned)) => Place::File(spanned.span()),
                _ => Place::Variable(WAIT[0].to_owned()),
            };
            let message = format!(
                "{} s exceed the deadline of a pass: also raise `pass.deadline_seconds` ({})",
                wait.as_secs_f64(),
                deadline.as_secs_f64()
            );
            let problem = self.problem(&place, key, message);
            self.problems.push(problem);
        }
        (deadline, wait)
    }
}

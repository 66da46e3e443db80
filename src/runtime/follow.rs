//! Following a cluster until it has a primary and its endpoints point there: what a callback asks for.
//!
//! Law: bounded (10). A callback comes before the promotion is finished, and on the old primary perhaps before anybody is
//! promoted, so one look is not enough.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::observe::members;
use super::pass::{Mode, Settings, pass};
use crate::domain::intent::Intent;
use crate::domain::report::{ClusterReport, VerdictReport};
use crate::domain::sight::Sight;
use crate::ports::Ports;

/// Between two looks at Patroni, while nobody is the primary.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Passes until one names a primary, or time runs out; the last one's report.
pub async fn follow(intent: &Intent, ports: impl Fn() -> Ports, settings: &Settings) -> ClusterReport {
    let deadline = Instant::now() + settings.limit;
    loop {
        let ports = ports();
        let sight = Sight::of(intent, members(intent, &ports, deadline).await);
        let limit = deadline.saturating_duration_since(Instant::now());
        let report = pass(intent, &ports, &Settings { limit, ..*settings }, Mode::Apply).await;
        if matches!(report.verdict, VerdictReport::Primary(_)) {
            return report;
        }
        loop {
            let next = Instant::now() + LOOK_EVERY;
            if next >= deadline {
                return report;
            }
            sleep_until(next).await;
            if !Sight::of(intent, members(intent, &ports, deadline).await).agrees(&sight) {
                break;
            }
        }
    }
}

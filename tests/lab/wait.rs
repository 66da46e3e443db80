//! Waiting for something to become true, with a deadline and a message that says what was seen last.

use std::time::Duration;

use anyhow::bail;
use tokio::time::{MissedTickBehavior, interval, timeout};

const PACE: Duration = Duration::from_millis(100);

/// Repeats `attempt` until it succeeds. An error means "not yet" and says what was found.
pub async fn wait_until<T>(
    what: &str,
    deadline: Duration,
    mut attempt: impl AsyncFnMut() -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let mut last_seen = String::from("nothing: the first attempt never ended");
    let mut ticks = interval(PACE);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);

    let attempts = async {
        loop {
            ticks.tick().await;
            match attempt().await {
                Ok(value) => return value,
                Err(not_yet) => last_seen = format!("{not_yet:#}"),
            }
        }
    };
    if let Ok(value) = timeout(deadline, attempts).await {
        return Ok(value);
    }
    bail!("{what}: not within {deadline:?}; last seen: {last_seen}")
}

//! Stopping a process, and letting it go on.

use std::sync::Arc;
use std::time::Duration;

use repoint::runtime::commit::ACT_WITHIN;
use repoint::runtime::lease_wait::TAKE_OVER_AFTER;
use repoint_sandbox::http::sandbox::News;
use rustix::process::{Pid, Signal, kill_process};
use tokio::time::sleep;

use super::Moment;
use super::site::{SAVED_AFTER, Site, State};

/// How often memory is looked at for a commit.
const LOOK_EVERY: Duration = Duration::from_micros(50);
/// What had left a process when it was stopped has arrived after that.
const ARRIVED: Duration = Duration::from_millis(30);

/// When in its life a process is stopped, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    pub when: When,
    pub stays: Duration,
}

#[derive(Clone, Copy, Debug)]
pub enum When {
    /// So long after its start.
    After(Duration),
    /// So long after its n-th request to AWS came in.
    Request(usize, Duration),
    /// So long after memory says that it has leave to write.
    Commit(Duration),
}

/// A stop that was.
#[derive(Clone, Debug)]
pub struct Stopped {
    /// The access key of the process.
    pub by: String,
    pub plan: Plan,
    pub from: Moment,
    pub until: Moment,
    /// It had leave to write.
    pub has_leave: bool,
    /// How many writes of it had reached AWS.
    pub written: usize,
}

impl Plan {
    pub fn draw(rng: &mut fastrand::Rng, state: State) -> Self {
        let within = |rng: &mut fastrand::Rng, micros| Duration::from_micros(rng.u64(0..micros));
        let when = match rng.u32(0..100) {
            0..15 => When::After(within(rng, 400_000)),
            15..35 => When::Request(rng.usize(1..9), within(rng, 5_000)),
            // From the commit to the first write.
            _ if state == State::File => When::Commit(within(rng, 2_000)),
            _ => When::Commit(within(rng, 2_000 + u64::try_from(SAVED_AFTER.as_micros()).unwrap())),
        };
        // Shorter than the leave, longer than that, longer than others wait.
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap();
        let (leave, waited) = (millis(ACT_WITHIN), millis(TAKE_OVER_AFTER));
        let stays = Duration::from_millis(match rng.u32(0..10) {
            0..2 => rng.u64(300..leave),
            2..4 => rng.u64(leave + 300..waited),
            _ => rng.u64(waited + 300..waited + 2_000),
        });
        Self { when, stays }
    }

    /// Waits until it is time. Never ends if that never comes; the process then ends before.
    pub async fn is_due(self, process: u32, by: &str, site: &Arc<Site>) {
        match self.when {
            When::After(delay) => exactly(delay).await,
            When::Request(count, delay) => {
                requests(by, site, |seen, _| seen == count).await;
                exactly(delay).await;
            }
            When::Commit(delay) if site.state() == State::Table => {
                requests(by, site, |_, action| action == "PutItem").await;
                exactly(delay).await;
            }
            When::Commit(delay) => {
                let site = site.clone();
                exactly_when(move || site.has_leave(process), delay).await;
            }
        }
    }
}

/// Waits for a request of that process to AWS.
async fn requests(by: &str, site: &Site, is_it: impl Fn(usize, &str) -> bool) {
    let mut news = site.sandbox.news();
    let mut seen = 0;
    loop {
        match news.recv().await {
            Ok(News::Asked(asked)) if asked.by == by => {
                seen += 1;
                if is_it(seen, &asked.action) {
                    return;
                }
            }
            Ok(_) => {}
            Err(_) => return std::future::pending().await,
        }
    }
}

/// The runtime's timers are no finer than a millisecond.
async fn exactly(delay: Duration) {
    exactly_when(|| true, delay).await;
}

#[expect(clippy::disallowed_methods, reason = "a thread of its own may sleep for microseconds")]
async fn exactly_when(is_so: impl Fn() -> bool + Send + 'static, delay: Duration) {
    let (alive, watched) = std::sync::mpsc::channel::<()>();
    let waiting = tokio::task::spawn_blocking(move || {
        while !is_so() {
            // Nobody waits any more: the process has ended.
            if watched.try_recv() == Err(std::sync::mpsc::TryRecvError::Disconnected) {
                return;
            }
            std::thread::sleep(LOOK_EVERY);
        }
        std::thread::sleep(delay);
    });
    waiting.await.unwrap();
    drop(alive);
}

/// Stops the process for as long as planned; `None` if it had ended. `stopped` is told meanwhile whether it has leave.
pub async fn stop(
    plan: Plan,
    process: u32,
    by: &str,
    site: &Site,
    stopped: impl FnOnce(bool),
) -> Option<Stopped> {
    let pid = Pid::from_raw(process.cast_signed())?;
    kill_process(pid, Signal::STOP).ok()?;
    let from = site.sandbox.now();
    sleep(ARRIVED).await;
    let has_leave = site.has_leave(process);
    let written = site.writes().iter().filter(|write| write.by == by).count();
    stopped(has_leave);
    sleep(plan.stays.saturating_sub(ARRIVED)).await;
    let until = site.sandbox.now();
    kill_process(pid, Signal::CONT).ok()?;
    Some(Stopped { by: by.to_owned(), plan, from, until, has_leave, written })
}

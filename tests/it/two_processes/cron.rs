//! One of the two: the real binary, again and again.

use std::process::Stdio;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::process::{Child, Command};
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::Moment;
use super::site::Site;
use super::stop::{Plan, Stopped, stop};

/// What a cron tells.
#[derive(Debug)]
pub enum Notified {
    /// A pass was stopped.
    Stopped { has_leave: bool },
    /// A pass has ended that began at that moment.
    PassOutcome { cron: &'static str, began: Moment, code: i32 },
}

pub struct Cron {
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

struct Shared {
    name: &'static str,
    site: Arc<Site>,
    notify: UnboundedSender<Notified>,
    /// The next pass may be stopped.
    may_stop: AtomicBool,
    passes: AtomicUsize,
    stopped: Mutex<Vec<Stopped>>,
}

impl Cron {
    pub fn start(
        name: &'static str,
        rng: fastrand::Rng,
        site: Arc<Site>,
        notify: UnboundedSender<Notified>,
    ) -> Self {
        let shared = Arc::new(Shared {
            name,
            site,
            notify,
            may_stop: AtomicBool::new(false),
            passes: AtomicUsize::new(0),
            stopped: Mutex::default(),
        });
        let task = tokio::spawn(run(shared.clone(), rng));
        Self { shared, task }
    }

    /// One more pass may be stopped from now on.
    pub fn allow_a_stop(&self) {
        self.shared.may_stop.store(true, Ordering::Relaxed);
    }

    pub fn stopped(&self) -> Vec<Stopped> {
        self.shared.stopped.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Ends it, and says how many passes there were, and which were stopped.
    pub async fn end(self) -> (usize, Vec<Stopped>) {
        self.task.abort();
        if let Err(error) = (self.task).await {
            assert!(error.is_cancelled(), "{error}");
        }
        let stopped = self.shared.stopped.lock().unwrap_or_else(PoisonError::into_inner).clone();
        (self.shared.passes.load(Ordering::Relaxed), stopped)
    }
}

async fn run(cron: Arc<Shared>, mut rng: fastrand::Rng) {
    let mut plan = Plan::draw(&mut rng, cron.site.state());
    loop {
        sleep(Duration::from_millis(rng.u64(0..300))).await;
        let number = cron.passes.fetch_add(1, Ordering::Relaxed);
        // Tells the requests of one pass from those of all others.
        let by = format!("{}{number}", cron.name);
        let began = cron.site.sandbox.now();
        let mut child = start(&cron.site, &by);
        let process = child.id().unwrap();
        let mut is_stopped = false;
        if cron.may_stop.load(Ordering::Relaxed) {
            tokio::select! {
                () = plan.is_due(process, &by, &cron.site) => is_stopped = true,
                status = child.wait() => { status.unwrap(); }
            }
        }
        if is_stopped {
            let notify = |has_leave| drop(cron.notify.send(Notified::Stopped { has_leave }));
            if let Some(stopped) = stop(plan, process, &by, &cron.site, notify).await {
                cron.may_stop.store(false, Ordering::Relaxed);
                cron.stopped.lock().unwrap_or_else(PoisonError::into_inner).push(stopped);
                plan = Plan::draw(&mut rng, cron.site.state());
            }
        }
        let code = child.wait().await.unwrap().code().unwrap_or(-1);
        drop(cron.notify.send(Notified::PassOutcome { cron: cron.name, began, code }));
    }
}

fn start(site: &Site, by: &str) -> Child {
    Command::new(env!("CARGO_BIN_EXE_repoint"))
        .args(["run", "--format", "json", "--config"])
        .arg(site.configuration_of(by))
        .current_dir(site.folder.path())
        .env_clear()
        .env("HOME", site.folder.path())
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_ACCESS_KEY_ID", by)
        .env("AWS_SECRET_ACCESS_KEY", "sandbox")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

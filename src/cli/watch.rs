//! `repoint watch`: the daemon.
//!
//! The daemon always ends: on SIGTERM after the running passes, and no later than the grace period. A configuration
//! that cannot be used never replaces a working one.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use sd_notify::NotifyState;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, interval_at};
use tracing::{error, info, warn};

use super::{Common, print, systemd};
use crate::app::control::{self, Answer, Caller, Control};
use crate::app::{App, Counters, News, Pages, Server, Source, Summary, Watching};
use crate::config::Settings;
use repoint_domain::report::{ClusterReport, Outcome};
use repoint_domain::state::clipped;
use repoint_domain::values::text;

pub const HELP: &str = "\
Examples:
  repoint watch --config /etc/repoint.toml
  repoint watch --format json                             logs as JSON, one object per line

The daemon asks Patroni every second ([watch] interval_seconds). It asks AWS only when something has changed, when a
callback triggers it, when a pass is unfinished, and every minute (audit_interval_seconds). SIGHUP reloads the
configuration; SIGTERM ends the daemon after the running passes. Under systemd it reports readiness and liveness. With
[http] listen it serves a status page at /, /metrics (Prometheus), /livez, /readyz, /api/v1/status and /api/v1/history.
With [[cluster.haproxy]] it leads the HAProxy on this machine, which it asks as often as Patroni.";

/// The interval of checking for stuck clusters if systemd requests no watchdog notifications.
const SIGN_OF_LIFE: Duration = Duration::from_secs(10);
/// The longest status for systemd, in bytes: it is one line of `systemctl status`.
const LONGEST_STATUS: usize = 400;

/// Runs the daemon until a signal ends it. `load` reads the configuration again.
pub async fn main(settings: Settings, load: impl Fn() -> Result<Settings, String>) -> ExitCode {
    // First, so that an early signal does not have its default effect.
    let mut signals = match Signals::new() {
        Ok(signals) => signals,
        Err(error) => return print::error(&format!("signal handlers cannot be installed: {error}")),
    };
    let mut daemon = match Daemon::start(settings).await {
        Ok(daemon) => daemon,
        Err(message) => return print::usage_error(&message),
    };
    let mut sign_of_life = signs_of_life();
    daemon.notified = daemon.status();
    systemd::notify(&[NotifyState::Ready, NotifyState::Status(&daemon.notified)]);
    loop {
        tokio::select! {
            biased;
            _ = signals.terminate.recv() => break,
            _ = signals.interrupt.recv() => break,
            _ = signals.hangup.recv() => {
                let pages = daemon.pages.clone();
                daemon = alive(&pages, Box::pin(daemon.reload(load()))).await;
                daemon.tell_status();
            }
            caller = daemon.control.accept() => daemon.answer(caller).await,
            _ = sign_of_life.tick() => daemon.watchdog(),
            _ = daemon.heartbeats.tick() => daemon.send_heartbeat(),
        }
    }
    info!("ending after the running passes");
    let grace = daemon.app.settings().watch.grace;
    systemd::notify(&[NotifyState::Stopping]);
    systemd::notify(&[systemd::may_take(grace)]);
    print::exit(daemon.stop().await)
}

/// A daemon with `--cluster` has a socket beside that of the daemon of all clusters.
pub fn sharded(mut settings: Settings, common: &Common) -> Settings {
    if !common.cluster.is_empty() {
        settings.watch.socket = control::shard(&settings.watch.socket, &settings.names());
    }
    settings
}

/// The interval of signs of life.
fn sign_of_life() -> Duration {
    sd_notify::watchdog_enabled().map_or(SIGN_OF_LIFE, |limit| limit / 3)
}

fn signs_of_life() -> Interval {
    let mut signs = interval(sign_of_life());
    signs.set_missed_tick_behavior(MissedTickBehavior::Delay);
    signs
}

/// The first heartbeat is due when there was time to check all clusters: a daemon that fails again and again sends
/// none.
fn heartbeats(app: &App) -> Interval {
    let every = app.audit_interval();
    let mut heartbeats = interval_at(Instant::now() + every, every);
    heartbeats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    heartbeats
}

/// Runs something that has a time limit of its own, which may be longer than systemd's watchdog interval.
async fn alive<T>(pages: &Pages, work: impl Future<Output = T>) -> T {
    let (mut work, mut signs) = (pin!(work), signs_of_life());
    loop {
        tokio::select! {
            done = &mut work => return done,
            _ = signs.tick() => {
                pages.alive();
                systemd::notify(&[NotifyState::Watchdog]);
            }
        }
    }
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }
}

struct Daemon {
    app: Arc<App>,
    watching: Watching,
    control: Control,
    /// What is shown over HTTP, and the server, if one is configured.
    pages: Arc<Pages>,
    server: Option<Server>,
    counters: Counters,
    heartbeats: Interval,
    /// Why the last configuration could not be loaded, if so.
    refused: Option<String>,
    /// The status that was last sent to systemd.
    notified: String,
}

impl Daemon {
    async fn start(settings: Settings) -> Result<Self, String> {
        let control = listen(&settings)?;
        let counters = Counters::default();
        let app = new_app(settings, &counters).await?;
        let watching = Watching::start(&app, None, log);
        let source = Source::new(&watching, app.recent());
        let pages = Arc::new(Pages::new(counters.clone(), sign_of_life() * 3, source));
        let server = app.settings().http.listen.map(|listen| serve(listen, &pages)).transpose()?;
        info!(clusters = watching.count(), socket = %control.path().display(), "watching");
        tell_of_http(&app, server.as_ref());
        tell_of_stretching(&app);
        let heartbeats = heartbeats(&app);
        let (refused, notified) = (None, String::new());
        Ok(Self { app, watching, control, pages, server, counters, heartbeats, refused, notified })
    }

    /// Continues with the new configuration, if it is valid.
    async fn reload(mut self, loaded: Result<Settings, String>) -> Self {
        match self.prepare(loaded).await {
            Ok(Prepared { app, control, server }) => {
                let Self { watching, control: before, app: old, pages, counters, notified, .. } = self;
                let known = watching.overview();
                if !watching.stop(old.settings().watch.grace).await {
                    warn!("a pass was cut off because the configuration was reloaded");
                }
                let watching = Watching::start(&app, Some(&known), log);
                pages.reloaded(Source::new(&watching, app.recent()));
                info!(clusters = watching.count(), "SIGHUP: configuration reloaded");
                tell_of_stretching(&app);
                let server = match server {
                    Http::Kept => self.server,
                    Http::Changed(server) => {
                        tell_of_http(&app, server.as_ref());
                        server
                    }
                };
                let (control, heartbeats) = (control.unwrap_or(before), heartbeats(&app));
                Self { app, watching, control, pages, server, counters, heartbeats, refused: None, notified }
            }
            Err(message) => {
                error!("SIGHUP: the new configuration is invalid, and the old one stays in use: {message}");
                let why = text::message(message.lines().next().unwrap_or_default());
                self.pages.refused(&why);
                self.refused = Some(why);
                self
            }
        }
    }

    /// Everything that may fail, before the old configuration is given up.
    async fn prepare(&self, loaded: Result<Settings, String>) -> Result<Prepared, String> {
        let settings = loaded?;
        let server = match settings.http.listen {
            listen if listen == self.app.settings().http.listen => Http::Kept,
            None => Http::Changed(None),
            Some(listen) => Http::Changed(Some(serve(listen, &self.pages)?)),
        };
        let is_elsewhere = settings.watch.socket != self.control.path();
        let control = is_elsewhere.then(|| listen(&settings)).transpose()?;
        Ok(Prepared { app: new_app(settings, &self.counters).await?, control, server })
    }

    async fn answer(&self, caller: io::Result<Caller>) {
        match caller {
            // A client that connects and sends nothing does not delay others.
            Ok(caller) => {
                let (app, wake) = (self.app.clone(), self.watching.wake());
                tokio::spawn(caller.serve(move |scope| {
                    info!(cluster.name = scope, "woken by a trigger");
                    match (wake.wake(scope), app.trouble().or_else(|| wake.blocked(scope))) {
                        (false, _) => Answer::UnknownScope,
                        (true, None) => Answer::Accepted,
                        (true, Some(why)) => Answer::Unable(why),
                    }
                }));
            }
            Err(error) => {
                warn!(%error, "a control connection failed");
                // Such as too many open files: they are closed as passes end.
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }

    /// Reports that the daemon works.
    fn send_heartbeat(&self) {
        if self.watching.is_working() {
            let app = self.app.clone();
            tokio::spawn(async move { app.send_heartbeat().await });
        }
    }

    /// systemd restarts the daemon without these notifications (`systemd.service`, `WatchdogSec`).
    fn watchdog(&mut self) {
        self.pages.alive();
        self.tell_status();
        let stuck = self.watching.stuck();
        if stuck.is_empty() {
            systemd::notify(&[NotifyState::Watchdog]);
        } else {
            let names: Vec<&str> =
                stuck.into_iter().map(repoint_domain::values::cluster::EntryName::as_str).collect();
            error!(
                "no longer watched, because no check has begun for too long, or every check panics: {}",
                names.join(", ")
            );
        }
    }

    fn status(&self) -> String {
        let (wanted, possible) = (self.app.settings().watch.audit_interval, self.app.audit_interval());
        let seldom = (possible > wanted).then(|| format!(", each audited every {} s", possible.as_secs()));
        let Summary { without_primary, held, failed, critical } = self.watching.overview().summary();
        let counted = [
            (without_primary, "without a primary"),
            (held, "held"),
            (failed, "failed"),
            (critical, "with a critical condition"),
        ];
        let counted = counted.into_iter().filter(|(count, _)| *count > 0);
        let counted: Vec<String> = counted.map(|(count, what)| format!(", {count} {what}")).collect();
        let panics = self.watching.panics();
        let panics = (panics > 0).then(|| format!(", restarted after {panics} panics"));
        let stuck = self.watching.stuck().len();
        let stuck = (stuck > 0).then(|| format!(", {stuck} of them no longer watched"));
        let refused = self
            .refused
            .as_ref()
            .map(|why| format!("; the new configuration is invalid, and the old one stays in use: {why}"));
        let more: String =
            [Some(counted.concat()), seldom, panics, stuck, refused].into_iter().flatten().collect();
        clipped(&format!("watching {} clusters{more}", self.watching.count()), LONGEST_STATUS)
    }

    /// Sends changes of the status to systemd.
    fn tell_status(&mut self) {
        let status = self.status();
        if status != self.notified {
            systemd::notify(&[NotifyState::Status(&status)]);
            self.notified = status;
        }
    }

    /// Returns whether all running passes have finished.
    async fn stop(self) -> bool {
        let grace = self.app.settings().watch.grace;
        let is_finished = self.watching.stop(grace).await;
        if !is_finished {
            warn!("passes cut off after {} s; the next pass continues", grace.as_secs());
        }
        is_finished
    }
}

/// What a reload needs, and may fail to get.
struct Prepared {
    app: Arc<App>,
    /// If it listens elsewhere.
    control: Option<Control>,
    server: Http,
}

/// The HTTP server after a reload.
enum Http {
    /// It listens where it did.
    Kept,
    /// It listens elsewhere, or there is none any more.
    Changed(Option<Server>),
}

fn serve(listen: SocketAddr, pages: &Arc<Pages>) -> Result<Server, String> {
    let pages = pages.clone();
    Server::start(listen, Arc::new(move |target: &str| pages.answer(target))).map_err(|error| {
        format!("`http.listen`: {listen} cannot be used: {error}\n  hint: `ss -ltnp` shows which process listens there")
    })
}

fn tell_of_http(app: &App, server: Option<&Server>) {
    if let Some(server) = server {
        info!("serving metrics, health and the status page at http://{}", server.address());
    }
    if let Some(warning) = app.settings().http.warning() {
        warn!("{warning}");
    }
}

/// Warns if there are so many clusters that AWS's limits do not allow the configured audit interval.
fn tell_of_stretching(app: &App) {
    let (wanted, possible) = (app.settings().watch.audit_interval, app.audit_interval());
    if possible > wanted {
        info!(
            "AWS's request limits allow an audit of each cluster every {} s instead of every {} s; a failover does not wait \
             for an audit (infra/guide/fleets.md)",
            possible.as_secs(),
            wanted.as_secs()
        );
    }
}

fn listen(settings: &Settings) -> Result<Control, String> {
    let socket = &settings.watch.socket;
    Control::listen(socket).map_err(|error| {
        format!(
            "the control socket {}: {error}\n  hint: set [watch] socket to a path where this user may write",
            socket.display()
        )
    })
}

/// Counts on with the counters of the process.
async fn new_app(settings: Settings, counters: &Counters) -> Result<Arc<App>, String> {
    let app = App::new(settings).await.map_err(|error| format!("{:#}", anyhow::Error::from(error)))?;
    Ok(Arc::new(app.counting(counters.clone())))
}

fn log(news: &News<'_>) {
    let report = match news {
        News::Checked(_) | News::Unchanged => return,
        News::Passed { reason, report, .. } => {
            log_pass(reason.as_str(), report);
            report
        }
        News::Arrived(report) => {
            log_arrivals(report);
            report
        }
    };
    for warning in &report.warnings {
        warn!(cluster.name = report.name.as_str(), "{warning}");
    }
}

/// Logs when Route 53's servers had a change.
pub fn log_arrivals(report: &ClusterReport) {
    for step in report.steps.iter().filter(|step| step.insync_at_ms.is_some()) {
        let (endpoint, at_ms) = (&step.endpoint, step.insync_at_ms);
        info!(cluster.name = report.name.as_str(), %endpoint, at_ms, "Route 53 has applied the change on all servers");
    }
}

/// Logs each pass: at info level what may interest an operator, and at debug level a pass that changed nothing.
fn log_pass(reason: &str, report: &ClusterReport) {
    let (name, outcome) = (report.name.as_str(), report.outcome.as_str());
    let duration_ms = report.duration_ms;
    match report.outcome {
        Outcome::Converged | Outcome::Planned => {
            tracing::debug!(cluster.name = name, outcome, reason, duration_ms, "pass");
        }
        Outcome::Changed => {
            for step in &report.steps {
                info!(cluster.name = name, endpoint = %step.endpoint, "{}", step.summary());
            }
            info!(cluster.name = name, outcome, reason, duration_ms, "pass");
        }
        Outcome::Held | Outcome::Failed => {
            let why = report.first_trouble().unwrap_or_default();
            warn!(cluster.name = name, outcome, reason, duration_ms, "pass: {why}");
        }
    }
}

//! `repoint status --watch`: the status again and again, in its place on a terminal, and else one report after another.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::future::pending;
use std::io::{self, IsTerminal as _};
use std::pin::pin;
use std::process::ExitCode;
use std::time::Duration;

use serde::Serialize;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, sleep_until};

use super::screen::{self, Shown};
use super::text::{self, Changed};
use crate::app::App;
use crate::cli::progress::Progress;
use crate::cli::{Format, print, stderr, terminal};
use repoint_domain::report::status::{ClusterStatus, Status, changes};
use repoint_domain::values::cluster::EntryName;
use repoint_domain::values::units;
use repoint_domain::values::utc::Utc;

/// The seconds in a screen's first row go on.
const REDRAWN_EVERY: Duration = Duration::from_secs(1);
/// For so long a screen shows what has changed, in milliseconds.
const CHANGES_SHOWN_MS: u64 = 30_000;

/// The alternate screen, without a cursor; and back.
const ENTER: &str = "\x1b[?1049h\x1b[?25l";
const LEAVE: &str = "\x1b[?25h\x1b[?1049l";

/// Until a signal ends it. The exit status is that of the last report; without one it is 1.
pub async fn main(app: &App, wanted: Duration, format: Format) -> ExitCode {
    let started = Signals::new().and_then(|signals| Ok((signals, Watch::new(app, wanted, format)?)));
    let (mut signals, mut watch) = match started {
        Ok(started) => started,
        Err(error) => return print::error(&format!("signal handlers cannot be installed: {error}")),
    };
    let failed = tokio::select! {
        biased;
        () = signals.end() => None,
        code = watch.go_on(app) => Some(code),
    };
    let ended = watch.end();
    failed.unwrap_or(ended)
}

struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    /// Waits for one that ends the program.
    async fn end(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// What has been read, and where it is shown.
struct Watch {
    every: Duration,
    /// Whether that is longer than was asked for.
    is_slowed: bool,
    format: Format,
    screen: Option<Screen>,
    last: Option<Refresh>,
    /// What has changed in which cluster, and when.
    changed: BTreeMap<EntryName, (Utc, Vec<String>)>,
}

/// A status, and how long it took to read it.
struct Refresh {
    status: Status,
    took: Duration,
}

/// The same for programs.
#[derive(Serialize)]
struct Document<'a> {
    version: u32,
    at: Utc,
    took_ms: u128,
    clusters: &'a [ClusterStatus],
}

impl Watch {
    fn new(app: &App, wanted: Duration, format: Format) -> io::Result<Self> {
        let every = app.refresh_interval(wanted);
        let is_drawn = format == Format::Text && terminal::is_drawable(&io::stdout());
        let screen = is_drawn.then(Screen::enter).transpose()?;
        let is_slowed = every > wanted;
        Ok(Self { every, is_slowed, format, screen, last: None, changed: BTreeMap::new() })
    }

    /// Reads and shows until that is no longer possible.
    async fn go_on(&mut self, app: &App) -> ExitCode {
        let mut due = Instant::now();
        loop {
            let next = Instant::now().max(due) + self.every;
            if let Err(code) = self.refresh(app, due).await {
                return code;
            }
            due = next;
        }
    }

    async fn refresh(&mut self, app: &App, due: Instant) -> Result<(), ExitCode> {
        self.meanwhile(None, sleep_until(due)).await?;
        let began = Instant::now();
        let progress = Progress::of(app.settings().clusters.len());
        let status = self.meanwhile(Some(&progress), app.status(|cluster| progress.read(cluster))).await?;
        self.note_changes(&status);
        self.last = Some(Refresh { status, took: began.elapsed() });
        if self.screen.is_some() { self.draw(None).await } else { self.report().await }
    }

    /// Draws the screen again while something is waited for.
    async fn meanwhile<T>(
        &mut self,
        progress: Option<&Progress>,
        work: impl Future<Output = T>,
    ) -> Result<T, ExitCode> {
        let mut work = pin!(work);
        loop {
            tokio::select! {
                biased;
                done = &mut work => return Ok(done),
                is_resized = redraw(self.screen.as_mut()) => {
                    if is_resized || progress.is_some() {
                        self.draw(progress).await?;
                    }
                }
            }
        }
    }

    fn note_changes(&mut self, now: &Status) {
        let at = now.at;
        let shown_ms = if self.screen.is_some() { CHANGES_SHOWN_MS } else { 0 };
        self.changed.retain(|_, (then, _)| at.0.since(then.0) < shown_ms);
        let Some(before) = &self.last else { return };
        for (before, now) in before.status.clusters.iter().zip(&now.clusters) {
            let changes = changes(before, now);
            if !changes.is_empty() {
                self.changed.insert(now.name.clone(), (at, changes));
            }
        }
    }

    /// Prints one more report.
    async fn report(&self) -> Result<(), ExitCode> {
        let Some(Refresh { status, took }) = &self.last else { return Ok(()) };
        let report = match self.format {
            Format::Json => {
                let Status { version, at, clusters } = status;
                let document = Document { version: *version, at: *at, took_ms: took.as_millis(), clusters };
                match serde_json::to_string(&document) {
                    Ok(json) => json + "\n",
                    Err(failure) => {
                        return Err(print::error(&format!(
                            "the output cannot be written as JSON: {failure}"
                        )));
                    }
                }
            }
            Format::Text => {
                let text = |cluster| text::cluster(cluster, self.changed_of(cluster), status.at);
                let clusters: Vec<String> = status.clusters.iter().map(text).collect();
                format!("{}\n\n{}\n", self.head(None), clusters.join("\n"))
            }
        };
        let is_good = status.is_good();
        unblocked(move || print::part(&report, is_good)).await
    }

    async fn draw(&self, progress: Option<&Progress>) -> Result<(), ExitCode> {
        let size = terminal::size(&io::stdout());
        let rows = self.rows(progress, size);
        let is_full = rows.len() >= size.rows;
        // Each row is erased before it is written; after a last character in the last column, that would erase it.
        let rows: Vec<String> = rows.into_iter().map(|row| format!("\x1b[2K{row}")).collect();
        let rest = if is_full { "" } else { "\r\n\x1b[J" };
        let text = format!("\x1b[H{}{rest}", rows.join("\r\n"));
        let is_good = self.is_good();
        unblocked(move || print::screen(&text, is_good)).await
    }

    fn rows(&self, progress: Option<&Progress>, size: terminal::Size) -> Vec<String> {
        let mut shown = Vec::new();
        if let Some(Refresh { status, .. }) = &self.last {
            let mut clusters: Vec<&ClusterStatus> = status.clusters.iter().collect();
            clusters.sort_by_key(|cluster| Reverse(cluster.trouble()));
            shown.extend(clusters.into_iter().map(|cluster| Shown {
                is_in_trouble: cluster.trouble().is_some(),
                text: print::for_stdout(&text::cluster(cluster, self.changed_of(cluster), status.at)),
                line: print::for_stdout(&text::headline(cluster)),
            }));
        }
        screen::rows(&self.head(progress), &shown, size)
    }

    /// When it was read and how long that took; and how far the next reading is, if that takes long.
    fn head(&self, progress: Option<&Progress>) -> String {
        let reading =
            progress.filter(|progress| self.last.is_none() || progress.is_long()).map(Progress::words);
        let Some(Refresh { status, took }) = &self.last else {
            return format!("repoint status: {}", reading.unwrap_or_default());
        };
        let took = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        let read =
            format!("repoint status at {} UTC, took {}", units::time(status.at), units::duration(took));
        if self.screen.is_none() {
            return read;
        }
        let limits = if self.is_slowed { " by AWS's rate limits" } else { "" };
        let every = units::seconds(self.every.as_secs());
        let in_trouble = status.clusters.iter().filter(|cluster| cluster.trouble().is_some()).count();
        let all = status.clusters.len();
        let next = reading.map_or_else(String::new, |reading| format!("; next: {reading}"));
        format!("{read}, every {every}{limits}; in trouble: {in_trouble} of {all}{next}")
    }

    fn changed_of(&self, cluster: &ClusterStatus) -> Option<Changed<'_>> {
        self.changed.get(&cluster.name).map(|(at, changes)| (*at, &changes[..]))
    }

    fn is_good(&self) -> bool {
        self.last.as_ref().is_some_and(|last| last.status.is_good())
    }

    /// Leaves the screen; what was on it last stays on the terminal.
    fn end(mut self) -> ExitCode {
        let is_good = self.is_good();
        let Some(screen) = self.screen.take() else { return print::exit(is_good) };
        drop(screen);
        let rows = self.rows(None, terminal::size(&io::stdout()));
        match print::screen(&(rows.join("\n") + "\n"), is_good) {
            Ok(()) => print::exit(is_good),
            Err(code) => code,
        }
    }
}

/// Waits until the screen is to be drawn again, since it has another size or for its seconds; without one for ever.
async fn redraw(screen: Option<&mut Screen>) -> bool {
    let Some(Screen { resized, redraws }) = screen else { return pending().await };
    tokio::select! {
        _ = resized.recv() => true,
        _ = redraws.tick() => false,
    }
}

/// Prints beside the runtime: a reader that does not read holds up no signal.
async fn unblocked(print: impl FnOnce() -> Result<(), ExitCode> + Send + 'static) -> Result<(), ExitCode> {
    spawn_blocking(print).await.unwrap_or(Ok(()))
}

/// The alternate screen of the terminal, until it is dropped.
struct Screen {
    resized: Signal,
    redraws: Interval,
}

impl Screen {
    fn enter() -> io::Result<Self> {
        let mut redraws = interval(REDRAWN_EVERY);
        redraws.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let screen = Self { resized: signal(SignalKind::window_change())?, redraws };
        if io::stderr().is_terminal() {
            stderr::hold();
        }
        // What cannot be written is noticed by the first frame.
        let _entered = print::screen(ENTER, true);
        Ok(screen)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let _left = print::screen(LEAVE, true);
        stderr::release();
    }
}

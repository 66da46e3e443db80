//! Events, printed one at a time as they happen.
//!
//! What the cluster and AWS did comes before what `repoint` reports of it.

use std::pin::Pin;
use std::time::Duration;

use repoint_sandbox::Millis;
use repoint_sandbox::aws::log::Ending;
use repoint_sandbox::aws::sns::Published;
use repoint_sandbox::http::sandbox::{Action, News, Site, Write};
use repoint_sandbox::patroni::EventKind;
use serde_json::Value;
use tokio::sync::broadcast::Receiver;
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::Stage;
use crate::page::{Page, Tone, Voice};

/// Time passes this often even without news.
const TICK: Duration = Duration::from_millis(20);

/// One thing that happened.
pub enum Turn {
    /// Time went by, or something happened in the world.
    World,
    /// A pass has ended.
    Pass {
        /// When it began.
        began: Millis,
        /// Its report of the one cluster.
        report: Value,
    },
}

impl Turn {
    /// Whether it is a pass that holds for that reason.
    pub fn holds_for(&self, kind: &str) -> bool {
        matches!(self, Self::Pass { report, .. } if report["verdict"]["kind"] == kind)
    }

    /// Whether it is a pass that began after that and found nothing to do.
    pub fn converged_after(&self, since: Option<Millis>) -> bool {
        matches!(self, Self::Pass { began, report }
            if since.is_some_and(|since| *began >= since) && report["outcome"] == "converged")
    }
}

/// A run of `repoint` that is under way: when it began, and what it will report.
type Run<'a> = Pin<Box<dyn Future<Output = (Millis, Result<Value, String>)> + 'a>>;

/// The stage, watched; `repoint run` is begun again and again meanwhile.
pub struct Watch<'a> {
    stage: &'a Stage,
    news: Receiver<News>,
    timer: Interval,
    tick: Interval,
    run: Option<Run<'a>>,
    /// The last pass's line, so that it is printed once.
    said: String,
    /// How many passes have ended.
    pub passes: usize,
    /// How many of them held.
    pub passes_held: usize,
}

impl<'a> Watch<'a> {
    /// From now on, with a run of `repoint` begun `every` so often, one at a time.
    pub fn new(stage: &'a Stage, every: Duration) -> Self {
        let lazy = |period| {
            let mut timer = interval(period);
            timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
            timer
        };
        Self {
            stage,
            news: stage.sandbox.news(),
            timer: lazy(every),
            tick: lazy(TICK),
            run: None,
            said: String::new(),
            passes: 0,
            passes_held: 0,
        }
    }

    /// Prints the next event.
    pub async fn next(&mut self, page: &mut Page) -> Turn {
        loop {
            let is_idle = self.run.is_none();
            tokio::select! {
                biased;
                news = self.news.recv() => {
                    if let Ok(news) = news && self.print(&news, page) {
                        return Turn::World;
                    }
                }
                (began, answer) = ended(&mut self.run) => {
                    self.run = None;
                    if let Some(turn) = self.answered(began, answer, page) {
                        return turn;
                    }
                }
                _ = self.timer.tick(), if is_idle => {
                    let stage = self.stage;
                    let began = stage.sandbox.now();
                    self.run = Some(Box::pin(async move { (began, stage.program.ask("run").await) }));
                }
                _ = self.tick.tick() => return Turn::World,
            }
        }
    }

    /// Whether there was anything to print.
    fn print(&self, news: &News, page: &mut Page) -> bool {
        match news {
            News::Cluster(event) => {
                page.says(event.at, Voice::Cluster, tone_of(event.what), &event.to_string());
            }
            News::Wrote(write) => {
                let words = self.stage.sandbox.with(|site| described(site, write));
                // Refusals are many when AWS is throttled, and counted there.
                if write.is_done() {
                    page.says(write.at, Voice::Aws, Tone::Plain, &words);
                }
            }
            News::Published(message) => {
                page.says(message.at, Voice::Sns, severity(message), &subject(message));
            }
            News::Asked(_) => return false,
        }
        true
    }

    fn answered(&mut self, began: Millis, answer: Result<Value, String>, page: &mut Page) -> Option<Turn> {
        self.passes += 1;
        let now = self.stage.sandbox.now();
        let mut answer = match answer {
            Ok(answer) => answer,
            Err(error) => {
                page.says(now, Voice::Repoint, Tone::Bad, &error);
                return None;
            }
        };
        let report = answer["clusters"][0].take();
        let (tone, words) = summary(&report);
        self.passes_held += usize::from(report["outcome"] == "held");
        let is_quiet = report["outcome"] == "converged" && self.said.is_empty();
        if words != self.said && !is_quiet {
            page.says(now, Voice::Repoint, tone, &words);
        }
        self.said = if report["outcome"] == "changed" { String::new() } else { words };
        Some(Turn::Pass { began, report })
    }
}

async fn ended(run: &mut Option<Run<'_>>) -> (Millis, Result<Value, String>) {
    match run {
        Some(run) => run.await,
        None => std::future::pending().await,
    }
}

fn tone_of(what: EventKind) -> Tone {
    match what {
        EventKind::Crashed | EventKind::SplitBrainForced(_) => Tone::Bad,
        EventKind::Promoted(_) => Tone::Strong,
        _ => Tone::Plain,
    }
}

/// What a pass came to, in one line.
fn summary(report: &Value) -> (Tone, String) {
    let took = format!("{} ms", report["duration_ms"]);
    match report["outcome"].as_str().unwrap_or_default() {
        "converged" => (Tone::Good, "every endpoint is right".to_owned()),
        "changed" => {
            let cause = report["cause"].as_str().map_or(String::new(), |cause| format!("{cause}: "));
            let steps = report["steps"].as_array().map_or(0, Vec::len);
            (Tone::Good, format!("{cause}{steps} changes done, the whole pass in {took}"))
        }
        "held" => {
            let hold = &report["holds"][0];
            let reason = hold["reason"].as_str().unwrap_or("held");
            let message = hold["message"].as_str().unwrap_or_default();
            (Tone::Notice, format!("holds, {reason}: {message}"))
        }
        other => {
            let steps = report["steps"].as_array().map(Vec::as_slice).unwrap_or_default();
            let error = steps.iter().find_map(|step| step["error"].as_str()).unwrap_or_default();
            (Tone::Bad, format!("{other}: {error}"))
        }
    }
}

/// A write, with the names of members.
fn described(site: &Site, write: &Write) -> String {
    let name = |address: &String| {
        let member = site.member_at(address).map(|member| site.name(member).to_owned());
        member.map_or_else(|| address.clone(), |name| format!("{name} {address}"))
    };
    let names = |addresses: &[String]| addresses.iter().map(name).collect::<Vec<_>>().join(", ");
    let words = match &write.action {
        Action::Register { targets, .. } => format!("target group + {}", names(targets)),
        Action::Deregister { targets, .. } => format!("target group - {}", names(targets)),
        Action::Change { changes, .. } => {
            let of = |action| changes.iter().find(|change| change.action == action);
            let after = of("CREATE").map_or(String::new(), |change| names(&change.values));
            match of("DELETE") {
                Some(before) => format!("record       {} -> {after}", names(&before.values)),
                None => format!("record       = {after}"),
            }
        }
    };
    if write.ending == Ending::Done { words } else { format!("{words}  (answer lost)") }
}

fn subject(message: &Published) -> String {
    message.message.subject.clone().unwrap_or_default()
}

fn severity(message: &Published) -> Tone {
    let attribute = |name: &str| message.message.attributes.get(name).map(String::as_str);
    match (attribute("status"), attribute("severity")) {
        (Some("resolved"), _) => Tone::Good,
        (_, Some("critical")) => Tone::Bad,
        (_, Some("warning")) => Tone::Notice,
        _ => Tone::Plain,
    }
}

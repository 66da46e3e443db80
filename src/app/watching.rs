//! Every configured cluster, watched at the same time.
//!
//! Law: clusters do not wait for each other, and what is wrong with one slows down that one.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch as channel};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use super::App;
use crate::domain::cluster::EntryName;
use crate::domain::intent::Intent;
use crate::domain::report::ClusterReport;
use crate::runtime::watch::{Lines, News, Pace, Settings, watch};

/// A watched cluster that has not looked for so long beyond what its passes may take is stuck.
const STUCK_AFTER: Duration = Duration::from_secs(30);

/// The watched clusters.
pub struct Watching {
    tasks: JoinSet<()>,
    stop: channel::Sender<bool>,
    bell: Bell,
    beats: BTreeMap<EntryName, channel::Receiver<Instant>>,
    /// The longest that a cluster may go without looking.
    longest: Duration,
}

/// Lets clusters look at once.
#[derive(Clone, Debug, Default)]
pub struct Bell(Arc<Vec<(Intent, Arc<Notify>)>>);

impl Bell {
    /// Wakes every entry of that scope, one that has a site of that scope, and one of that name; `false` if none is
    /// watched.
    #[must_use]
    pub fn ring(&self, scope: &str) -> bool {
        let is_meant = |intent: &Intent| intent.has_scope(scope) || intent.name.as_str() == scope;
        let meant = self.0.iter().filter(|(intent, _)| is_meant(intent));
        meant.inspect(|(_, poke)| poke.notify_one()).count() > 0
    }
}

impl Watching {
    /// Begins to watch. `tell` hears of each pass.
    pub fn start(app: &Arc<App>, tell: fn(News, &ClusterReport)) -> Self {
        let interval = app.settings.watch.interval;
        let settings = Settings {
            pace: Pace { interval, audit_interval: app.audit_interval() },
            pass: app.pass_settings(app.limits()),
        };
        let (stop, stopped) = channel::channel(false);
        let mut tasks = JoinSet::new();
        let (mut pokes, mut beats) = (Vec::new(), BTreeMap::new());
        // The first looks are spread over an interval, as later ones are by chance; passes wait for their turn.
        let apart = interval / u32::try_from(app.settings.clusters.len()).unwrap_or(u32::MAX).max(1);
        for (number, intent) in (0..).zip(&app.settings.clusters) {
            let (beat, heard) = channel::channel(Instant::now());
            beats.insert(intent.name.clone(), heard);
            let poke: Arc<Notify> = Arc::default();
            pokes.push((intent.clone(), poke.clone()));
            let lines = Lines { poke, stop: stopped.clone(), beat: Arc::new(beat) };
            let (app, intent) = (app.clone(), intent.clone());
            tasks.spawn(async move {
                watch(&intent, || app.ports(), &settings, lines, apart * number, &app.insync, tell).await;
            });
        }
        let longest = settings.pace.interval + settings.pass.limit * 2 + settings.pass.tell_within;
        Self { tasks, stop, bell: Bell(Arc::new(pokes)), beats, longest: longest + STUCK_AFTER }
    }

    /// What lets a cluster look at once.
    #[must_use]
    pub fn bell(&self) -> Bell {
        self.bell.clone()
    }

    /// Clusters that should have looked long ago.
    #[must_use]
    pub fn stuck(&self) -> Vec<&EntryName> {
        let is_stuck = |beat: &channel::Receiver<Instant>| beat.borrow().elapsed() > self.longest;
        self.beats.iter().filter(|(_, beat)| is_stuck(beat)).map(|(name, _)| name).collect()
    }

    /// How many clusters are watched.
    #[must_use]
    pub fn count(&self) -> usize {
        self.beats.len()
    }

    /// Ends: what is under way is finished if that takes no longer than `grace`; whether it was.
    pub async fn stop(mut self, grace: Duration) -> bool {
        self.stop.send_replace(true);
        timeout(grace, async { while self.tasks.join_next().await.is_some() {} }).await.is_ok()
    }
}

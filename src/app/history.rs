//! Reading the history. No pass does.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::join_all;
use futures::stream::{self, StreamExt as _};
use tokio::time::Instant;

use super::App;
use crate::adapters::clock::SystemClock;
use crate::adapters::history_event::parse;
use crate::ports::{Clock as _, Ports};
use crate::runtime::load_state::load_state;
use repoint_domain::history::{ClusterHistory, History, Promotions, Reading};
use repoint_domain::observed::{Read, TimelineEnd};
use repoint_domain::report::VERSION;
use repoint_domain::spec::Spec;
use repoint_domain::state::{PendingEvent, State};
use repoint_domain::values::cluster::{ApiUrl, EntryName, SiteName};
use repoint_domain::values::failure::Failure;
use repoint_domain::values::timestamp::Timestamp;
use repoint_domain::values::utc::Utc;

/// How many states are loaded at the same time, and how many clusters' members are asked.
const AT_ONCE: usize = 32;
/// The most members of a site that are asked: configured ones, and those that the state knows.
const MOST_MEMBERS: usize = 64;

/// Where a reader begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Since {
    /// So long ago.
    Ago(Duration),
    /// Then.
    At(Utc),
}

impl Since {
    /// The point in time.
    #[must_use]
    pub fn utc(self) -> Utc {
        match self {
            Self::At(utc) => utc,
            Self::Ago(ago) => {
                let ago = u64::try_from(ago.as_millis()).unwrap_or(u64::MAX);
                Utc(Timestamp(SystemClock.now().0.saturating_sub(ago)))
            }
        }
    }
}

impl App {
    /// The history of every cluster, with what Patroni's members say of when primaries were promoted.
    pub async fn history(&self, since: Option<Utc>) -> History {
        let ports = &self.ports();
        let (states, History { version, clusters }) = self.read_history(ports, since).await;
        let joined = self.settings.clusters.iter().zip(clusters).map(|(spec, mut history)| {
            let state = states.get(&spec.name).and_then(|state| state.as_ref().ok());
            async move {
                let sites = history.promoted_sites().into_iter();
                let promotions = sites.map(|site| async move {
                    let ends = promotions(spec, state, site.as_ref(), ports).await;
                    (site, ends)
                });
                let promotions: Promotions = join_all(promotions).await.into_iter().collect();
                history.join(&promotions);
                history
            }
        });
        let joined = stream::iter(joined.collect::<Vec<_>>()).buffered(AT_ONCE);
        History { version, clusters: joined.collect().await }
    }

    async fn read_history(
        &self,
        ports: &Ports,
        since: Option<Utc>,
    ) -> (BTreeMap<EntryName, Read<State>>, History) {
        let deadline = Instant::now() + self.settings.deadline;
        let loads = self.settings.clusters.iter().map(|spec| async move {
            let state = load_state(spec, ports, deadline).await;
            (spec.name.clone(), state)
        });
        let loads = stream::iter(loads.collect::<Vec<_>>()).buffer_unordered(AT_ONCE);
        let states: BTreeMap<EntryName, Read<State>> = loads.collect().await;
        let last = |(entry, state): (&EntryName, &Read<State>)| {
            (entry.clone(), state.as_ref().map_or(0, |state| state.last_event))
        };
        let mut readings = ports.history.stored(&states.iter().map(last).collect(), None).await;
        let of = |spec: &Spec| {
            let reading = readings.remove(&spec.name).unwrap_or_else(|| Ok(Reading::default()));
            history_of(spec, reading, states.get(&spec.name), since)
        };
        let clusters = self.settings.clusters.iter().map(of).collect();
        (states, History { version: VERSION, clusters })
    }
}

/// What is stored, and what waits to be.
fn history_of(
    spec: &Spec,
    reading: Read<Reading>,
    state: Option<&Read<State>>,
    since: Option<Utc>,
) -> ClusterHistory {
    let waiting = state.and_then(|state| state.as_ref().ok());
    let waiting = waiting.map_or(&[][..], |state| &state.pending_events);
    let mut history = merged(spec, reading, waiting, since);
    if let Some(Err(failure)) = state {
        history.error.get_or_insert_with(|| with_hint(failure));
    }
    history
}

/// What was read, and the events that are not stored yet.
pub(super) fn merged(
    spec: &Spec,
    reading: Read<Reading>,
    waiting: &[PendingEvent],
    since: Option<Utc>,
) -> ClusterHistory {
    let error = reading.as_ref().err().map(with_hint);
    let mut reading = reading.unwrap_or_default();
    for event in waiting {
        match parse(&event.json) {
            Ok(event) => reading.events.push(event),
            Err(error) => {
                reading.damaged.push(format!("event {} in the state is damaged ({error})", event.number));
            }
        }
    }
    ClusterHistory { error, ..ClusterHistory::new(&spec.scope, &spec.name, reading, since) }
}

fn with_hint(failure: &Failure) -> String {
    let hint = failure.hint.as_ref().map_or(String::new(), |hint| format!(" ({hint})"));
    format!("{failure}{hint}")
}

/// What the member says that has seen the newest timeline. Each answers from its own copy of what is in the DCS.
async fn promotions(
    spec: &Spec,
    state: Option<&State>,
    site: Option<&SiteName>,
    ports: &Ports,
) -> Read<Vec<TimelineEnd>> {
    let configured = spec.site(site).map_or(&[][..], |site| &site.members);
    let known =
        state.map(|state| state.members_of(site).values().filter_map(|member| member.api_url.as_ref()));
    let mut urls: Vec<&ApiUrl> = configured.iter().collect();
    for url in known.into_iter().flatten() {
        if !urls.contains(&url) {
            urls.push(url);
        }
    }
    urls.truncate(MOST_MEMBERS);
    let mut answers = join_all(urls.into_iter().map(|url| ports.members.patroni.history(url))).await;
    let newest = |answer: &Read<Vec<TimelineEnd>>| {
        answer.as_ref().ok().map(|ends| ends.iter().map(|end| end.timeline).max())
    };
    answers.sort_by_key(newest);
    answers.pop().unwrap_or_else(|| Ok(Vec::new()))
}

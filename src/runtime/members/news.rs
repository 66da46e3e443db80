//! Seeing soon that there is a new primary: within milliseconds where one is expected, and within a second or so in a pass that
//! waits for AWS.
//!
//! For each `GET /cluster` a member reads the DCS, and for `GET /primary` it makes one query to its own PostgreSQL (Patroni,
//! `api.py`, `do_GET_cluster`, `get_postgresql_status`). So while there is no primary and one may be there at any moment, the
//! members are asked for the second alone, and often. What one says then takes the place of what it said of itself, and if that
//! is not enough for a primary, all are asked for everything.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use futures::future::select_all;
use tokio::time::{Instant, sleep, sleep_until};

use super::{FRESH_FOR, Members, Place};
use crate::ports::{MemberPorts, Patroni};
use repoint_domain::decide::snapshot::Snapshot;
use repoint_domain::decide::verdict::{HoldKind, Verdict, verdict};
use repoint_domain::observed::{Answers, MemberStatus, Observed};
use repoint_domain::spec::Spec;
use repoint_domain::state::State;
use repoint_domain::values::cluster::SiteName;

/// How often each member is asked while any may become the primary, if it answers that soon.
const EVERY: Duration = Duration::from_millis(25);
/// The same while one that does not answer holds the leader key: half as often, since that lasts for seconds.
const HELD_EVERY: Duration = Duration::from_millis(50);
/// How often they are asked for everything while a pass waits for AWS.
const AGAIN_AFTER: Duration = Duration::from_secs(1);
/// How often the one is asked that is being promoted, which takes a second or two.
const PROMOTING_EVERY: Duration = Duration::from_millis(10);

/// What a member says of itself now.
pub struct News(Place, MemberStatus);

impl Members {
    /// Waits until a member says something else of itself than it did last; for ever if that is not to be expected.
    pub fn news(&self, spec: &Spec, ports: &MemberPorts) -> impl Future<Output = News> + use<> {
        let (asked, every) = candidates(spec, &self.observed(spec));
        let patroni = ports.patroni.clone();
        async move {
            if asked.is_empty() {
                return pending().await;
            }
            let says_other = |(place, said)| Box::pin(says_other(patroni.clone(), place, said, every));
            let (news, ..) = select_all(asked.into_iter().map(says_other)).await;
            news
        }
    }

    /// Asks every member, and waits for the answers; unless some news completes what they have just said, and there is a primary.
    pub async fn look(&mut self, news: Option<News>, spec: &Spec, ports: &MemberPorts, until: Instant) {
        if news.is_some_and(|news| self.completes(news, spec)) {
            return;
        }
        self.ask(spec, ports, Duration::ZERO, until);
        self.settle(spec, ports, until).await;
    }

    /// The news are younger than the answer that they become a part of, whose age stands: evidence that is too old is asked for
    /// again before it is acted on.
    fn completes(&mut self, News(place, status): News, spec: &Spec) -> bool {
        if let Some((answer, _)) = self.seats.get_mut(&place).and_then(|seat| seat.answer.as_mut()) {
            answer.status = Ok(status);
        }
        let verdict = verdict(spec, &self.observed(spec), &State::default());
        self.are_fresh(FRESH_FOR) && matches!(verdict, Verdict::Primary(_))
    }

    /// Asks for everything again each second, and returns when members name another primary than they did. Cancel-safe.
    pub async fn name_another(&mut self, spec: &Spec, ports: &MemberPorts, than: &Snapshot, until: Instant) {
        loop {
            let news = tokio::select! {
                biased;
                news = self.news(spec, ports) => Some(news),
                () = sleep(AGAIN_AFTER) => None,
            };
            self.look(news, spec, ports, until).await;
            // A request that was cut off does not show that its member is unreachable.
            if Instant::now() >= until {
                return pending().await;
            }
            let now = Snapshot::of(spec, self.sites(spec));
            if now.names_a_primary() && !now.agrees(than) {
                return;
            }
        }
    }
}

/// Those that may become the primary, what they say of themselves, and how often to ask. A leader that does not answer keeps
/// its key for up to a `ttl`, and the next one may be promoted a tenth of a second after that. Other holds, as of a standby
/// cluster, do not end by themselves.
fn candidates(spec: &Spec, observed: &Observed) -> (Vec<(Place, MemberStatus)>, Duration) {
    let Verdict::Hold(hold) = verdict(spec, observed, &State::default()) else { return (Vec::new(), EVERY) };
    let mut asked = statuses(observed);
    match hold.kind() {
        HoldKind::NoPrimary => (asked, EVERY),
        HoldKind::Unreachable => (asked, HELD_EVERY),
        HoldKind::Promoting => {
            asked.retain(|(_, said)| said.answers_primary);
            (asked, PROMOTING_EVERY)
        }
        _ => (Vec::new(), EVERY),
    }
}

/// What those said of themselves that answer.
fn statuses(observed: &Observed) -> Vec<(Place, MemberStatus)> {
    let of_site = |(site, answers): (&Option<SiteName>, &Answers)| {
        let said = answers.iter().filter_map(|(url, answer)| Some((url, answer.status.as_ref().ok()?)));
        said.map(|(url, said)| ((site.clone(), url.clone()), said.clone())).collect::<Vec<_>>()
    };
    observed.sites.iter().flat_map(of_site).collect()
}

/// Asks a member until it does not say the same. One that stops answering has said nothing new.
async fn says_other(patroni: Arc<dyn Patroni>, place: Place, said: MemberStatus, every: Duration) -> News {
    let mut next = Instant::now();
    loop {
        next = Instant::now().max(next + every);
        sleep_until(next).await;
        match patroni.status(&place.1).await {
            Ok(now) if gist(&now) != gist(&said) => return News(place, now),
            Ok(_) | Err(_) => {}
        }
    }
}

/// What a verdict rests on.
fn gist(status: &MemberStatus) -> impl PartialEq + use<'_> {
    (status.answers_primary, &status.role, &status.state, status.timeline)
}

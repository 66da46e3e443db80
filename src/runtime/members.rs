//! What each member of a cluster said last.
//!
//! Invariant 15: each member is asked on its own, and an answer that cannot matter is not waited for. The usual loss on EC2
//! is a host that drops packets: neither an answer nor a refusal. A member that was silent last time is asked beside the
//! others and not waited for; until it answers it is unreadable, whatever it said before.

mod answers;
mod discovery;
mod news;
mod seat;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout_at};

use self::answers::{as_clients_reach, is_asked, is_seen_by_others, listed, unasked};
use self::discovery::Discovery;
use self::seat::{GRACE, Rest, Seat, unanswered};
use super::deadline::too_late;
use crate::limits::Asked;
use crate::ports::MemberPorts;
use repoint_domain::decide::seeds::{self, Counted, Known};
use repoint_domain::decide::verdict::{HoldKind, Verdict, verdict};
use repoint_domain::observed::{Answers, Discovered, MemberAnswer, Observed, Sites};
use repoint_domain::spec::{Site, Spec};
use repoint_domain::state::State;
use repoint_domain::values::cluster::{ApiUrl, MemberName, SiteName, SystemId, Timeline};
use repoint_domain::values::primary::Primary;

/// The most members of a site that are asked: far above any real cluster, and a bound on the requests that a faulty
/// `/cluster` can cause.
const MOST_MEMBERS: usize = 64;
/// The same, once another member names that primary and every member that Patroni lists has answered. A member that is not
/// listed has not reached the DCS for a `ttl` (`dcs/__init__.py`, `touch_member`): a former primary, which could add a
/// warning, or a restored clone, which must not be followed.
const UNLISTED_GRACE: Duration = Duration::from_millis(25);
/// How much longer the others may take once a member is seen to be promoting: it is asked again then, and they with it.
const PROMOTING_GRACE: Duration = Duration::from_millis(25);
/// A request that failed after so long was met by silence; a host that is there refuses within a round trip.
pub const SILENT_AFTER: Duration = Duration::from_millis(300);
/// A silent member's request of that age is sent again where there is doubt: the member may be back, and the first request
/// lost.
const ASKED_LONG_AGO: Duration = Duration::from_millis(500);
/// How old an answer may be at the moment of the commit; the members are asked again for what is older, which costs AWS
/// nothing.
pub const FRESH_FOR: Duration = Duration::from_millis(250);

/// A member's key: its site, and where its REST API is.
type Place = (Option<SiteName>, ApiUrl);

/// A member's answer, and when it came: it may be taken note of much later.
type Answered = (Place, MemberAnswer, Instant);

/// The state that an observation may begin with.
#[derive(Debug)]
pub enum KnownState {
    /// It was loaded for this observation.
    Loaded(State),
    /// As this process has last loaded or saved it: what it leads to is only known to be right once it was committed.
    Remembered(State),
}

/// The members of one cluster, in one process. They remain known from one observation to the next; dropping it ends every
/// request under way.
#[derive(Debug, Default)]
pub struct Members {
    seats: BTreeMap<Place, Seat>,
    asking: JoinSet<Answered>,
    /// Notified when a request has been sent.
    sent: Arc<Notify>,
    /// The members that the state knows, and their names.
    loaded: BTreeMap<Place, MemberName>,
    /// The highest timeline that was acted for, if the state has been loaded.
    applied: Option<Timeline>,
    /// The system that the state knows.
    system_id: Option<SystemId>,
    state: Option<Box<KnownState>>,
    discovery: Discovery,
}

impl Members {
    /// Adds what the state knows: members to ask as well, and the timeline that a new primary must be above.
    pub fn add_known(&mut self, spec: &Spec, state: &State) {
        self.applied = state.highest_timeline;
        self.system_id.clone_from(&state.system_id);
        let of_site = |site: &Option<SiteName>| {
            let known = state.members_of(site.as_ref()).iter();
            let places = known
                .filter_map(|(name, known)| Some(((site.clone(), known.api_url.clone()?), name.clone())));
            places.collect::<Vec<_>>()
        };
        self.loaded = spec.sites.iter().flat_map(|site| of_site(&site.name)).collect();
    }

    /// Keeps the state for the next observation.
    pub fn keep(&mut self, state: KnownState) {
        self.state = Some(Box::new(state));
    }

    /// The state that was kept, for one observation.
    pub fn take_state(&mut self) -> Option<KnownState> {
        self.state.take().map(|state| *state)
    }

    /// Asks every member that is not being asked, and whose answer is older than that. A request ends by `until`.
    pub fn ask(&mut self, spec: &Spec, ports: &MemberPorts, older_than: Duration, until: Instant) {
        self.discovery.take();
        self.discovery.ask(spec, ports);
        self.forget(spec);
        for place in self.due(spec) {
            let seat = self.seats.entry(place.clone()).or_default();
            let is_old = seat.answer.as_ref().is_none_or(|(_, at)| at.elapsed() > older_than);
            if seat.question.is_none() && is_old {
                self.ask_one(place, ports, until);
            }
        }
    }

    /// Waits until every member that can matter has answered, or until `until`. Members that only `/cluster` or discovery
    /// names are asked as soon as it does.
    pub async fn settle(&mut self, spec: &Spec, ports: &MemberPorts, until: Instant) {
        let mut promoting: Option<Instant> = None;
        loop {
            while let Some(answered) = self.asking.try_join_next() {
                self.take(answered);
            }
            self.discovery.take();
            for place in self.newly_found(spec).into_iter().chain(self.newly_listed(spec)) {
                self.ask_one(place, ports, until);
            }
            let (rest, is_doubtful) = self.rest(spec);
            for place in self.asked_long_ago().filter(|_| is_doubtful).collect::<Vec<_>>() {
                self.ask_one(place, ports, until);
            }
            let needless = self.needless(spec);
            let seats = || self.seats.iter().filter(|(place, _)| !needless.contains(place));
            let awaited = |seat: &Seat| seat.awaited_until(rest, is_doubtful, until);
            let last = seats().filter_map(|(_, seat)| awaited(seat)).max();
            let discovering = self.needs_discovery(spec).then_some(until);
            let Some(last) = last.max(discovering) else { return self.give_up(rest) };
            let is_queued = |seat: &Seat| seat.asked().is_none() && awaited(seat).is_some();
            let is_sending = seats().any(|(_, seat)| is_queued(seat));
            promoting = (rest == Rest::Promoting).then(|| promoting.unwrap_or_else(Instant::now));
            let end = promoting.map_or(last, |since| last.min(since + PROMOTING_GRACE));
            tokio::select! {
                biased;
                answered = self.asking.join_next(), if !self.asking.is_empty() => match answered {
                    Some(answered) => self.take(answered),
                    None => return,
                },
                () = self.discovery.next(), if discovering.is_some() => {}
                // A grace has begun.
                () = self.sent.notified(), if is_sending => {}
                () = sleep_until(end) => return self.give_up(rest),
            }
        }
    }

    /// Members whose grace has ended are not waited for again before they answer.
    fn give_up(&mut self, rest: Rest) {
        if matches!(rest, Rest::Grace(_)) {
            for seat in self.seats.values_mut() {
                seat.is_silent |= seat.asked().is_some();
            }
        }
    }

    /// What the members of each site say.
    #[must_use]
    pub fn sites(&self, spec: &Spec) -> Sites {
        let answers = |site: &Site| as_clients_reach(site, self.counted(site).answers);
        spec.sites.iter().map(|site| (site.name.clone(), answers(site))).collect()
    }

    /// The same, and what discovery says; nothing else.
    #[must_use]
    pub fn observed(&self, spec: &Spec) -> Observed {
        let discovered = self.discovery.answered.clone();
        let alone = self.discoverable(spec).filter(|(_, counted)| counted.found_alone);
        let found_alone = alone.map(|(site, _)| site.name.clone()).collect();
        Observed { sites: self.sites(spec), discovered, found_alone, ..Observed::default() }
    }

    /// What discovery says, waiting for what it has not answered yet.
    pub async fn discovered(&mut self, until: Instant) -> Discovered {
        while self.discovery.is_asking() && timeout_at(until, self.discovery.next()).await.is_ok() {}
        self.discovery.answered.clone()
    }

    /// Whether no answer is older than that.
    #[must_use]
    pub fn are_fresh(&self, within: Duration) -> bool {
        let answered = self.seats.values().filter(|seat| seat.question.is_none());
        answered
            .filter_map(|seat| seat.answer.as_ref())
            .all(|(answer, at)| (answer.status.is_err() && answer.view.is_err()) || at.elapsed() <= within)
    }

    fn answers(&self, site: Option<&SiteName>) -> Answers {
        let here = self.seats.iter().filter(|((its, _), _)| its.as_ref() == site);
        here.filter_map(|((_, url), seat)| Some((url.clone(), seat.known(url)?))).collect()
    }

    /// The answers that count: where members are discovered, any machine may be found.
    fn counted(&self, site: &Site) -> Counted {
        let answers = self.answers(site.name.as_ref());
        if site.discover.is_none() {
            return Counted { answers, found_alone: false };
        }
        let urls = self.loaded.keys().filter(|(its, _)| *its == site.name).map(|(_, url)| url.clone());
        let known = Known { urls: urls.collect(), system_id: self.system_id.clone() };
        seeds::counted(site, &known, self.discovery.answered.get(&site.name), answers)
    }

    /// The sites where members may be discovered, and the answers there that count.
    fn discoverable<'a>(&self, spec: &'a Spec) -> impl Iterator<Item = (&'a Site, Counted)> {
        let sites = spec.sites.iter().filter(|site| site.discover.is_some());
        sites.map(move |site| (site, self.counted(site)))
    }

    /// Those that need not be waited for: only discovery names them, and a member speaks that is known.
    fn needless(&self, spec: &Spec) -> BTreeSet<Place> {
        let spoken = self.discoverable(spec).filter(|(_, counted)| speaks(&counted.answers));
        let needless = spoken.flat_map(|(site, Counted { answers, .. })| {
            let here = self.seats.keys().filter(|(its, _)| *its == site.name);
            here.filter(|(_, url)| !answers.contains_key(url)).cloned().collect::<Vec<_>>()
        });
        needless.collect()
    }

    /// Whether discovery is under way where no member speaks.
    fn needs_discovery(&self, spec: &Spec) -> bool {
        let mut silent = self.discoverable(spec).filter(|(_, counted)| !speaks(&counted.answers));
        silent.any(|(site, _)| self.discovery.is_under_way(site))
    }

    /// What discovery has found and has not been asked under any name.
    fn newly_found(&self, spec: &Spec) -> Vec<Place> {
        let of_site = |site: &Site| {
            let answers = self.last_answers(site);
            let unasked = self.discovery.found(site).filter(|url| !is_asked(&answers, url));
            unasked.map(|url| (site.name.clone(), url.clone())).collect::<Vec<_>>()
        };
        spec.sites.iter().filter(|site| site.discover.is_some()).flat_map(of_site).collect()
    }

    /// What each said last, whether it is being asked again or not.
    fn last_answers(&self, site: &Site) -> Answers {
        let here = self.seats.iter().filter(|((its, _), _)| *its == site.name);
        let last = |seat: &Seat| seat.answer.as_ref().map(|(answer, _)| (**answer).clone());
        here.filter_map(|((_, url), seat)| Some((url.clone(), last(seat).or_else(|| seat.known(url))?)))
            .collect()
    }

    /// The members that are configured, in the state, discovered, or known from an earlier observation.
    fn due(&self, spec: &Spec) -> BTreeSet<Place> {
        let mut due: BTreeSet<Place> = self.seats.keys().cloned().collect();
        for site in &spec.sites {
            due.extend(site.members.iter().map(|url| (site.name.clone(), url.clone())));
            let answers = self.answers(site.name.as_ref());
            let here = self.loaded.keys().filter(|(its, _)| *its == site.name);
            due.extend(here.filter(|(_, url)| !is_asked(&answers, url)).cloned());
        }
        due.extend(self.newly_found(spec));
        due
    }

    /// Forgets the members that no configuration, state, `/cluster` or discovery names any more, and those whose URL turned out
    /// to be that of a configured member, or of one that is named otherwise where discovery alone names it.
    fn forget(&mut self, spec: &Spec) {
        let mut named: BTreeSet<Place> = self.loaded.keys().cloned().collect();
        for site in &spec.sites {
            let answers = self.counted(site).answers;
            let (seeds, others): (Answers, Answers) = answers
                .iter()
                .map(|(url, answer)| (url.clone(), answer.clone()))
                .partition(|(url, _)| site.members.contains(url));
            named.extend(listed(&site.scope, &answers).map(|url| (site.name.clone(), url.clone())));
            for url in others.keys().filter(|url| is_asked(&seeds, url)) {
                named.remove(&(site.name.clone(), url.clone()));
            }
            named.extend(site.members.iter().map(|url| (site.name.clone(), url.clone())));
            let mut answers = self.last_answers(site);
            answers.retain(|url, _| named.contains(&(site.name.clone(), url.clone())));
            let found = self.discovery.found(site).filter(|url| !is_asked(&answers, url));
            named.extend(found.map(|url| (site.name.clone(), url.clone())));
        }
        self.seats.retain(|place, _| named.contains(place));
    }

    /// The members that some `/cluster` lists, and that have not been asked under any name.
    fn newly_listed(&self, spec: &Spec) -> Vec<Place> {
        let of_site = |site: &Site| {
            let answers = self.counted(site).answers;
            let room = MOST_MEMBERS.saturating_sub(answers.len());
            let unasked = unasked(&site.scope, &answers).into_iter().take(room);
            unasked.map(|url| (site.name.clone(), url)).collect::<Vec<_>>()
        };
        spec.sites.iter().flat_map(of_site).collect()
    }

    fn asked_long_ago(&self) -> impl Iterator<Item = Place> {
        let is_so =
            |seat: &Seat| seat.is_silent && seat.asked().is_some_and(|at| at.elapsed() >= ASKED_LONG_AGO);
        self.seats.iter().filter(move |(_, seat)| is_so(seat)).map(|(place, _)| place.clone())
    }

    /// Asks a member; an earlier request is given up.
    fn ask_one(&mut self, place: Place, ports: &MemberPorts, until: Instant) {
        let patroni = ports.patroni.clone();
        let seat = self.seats.entry(place.clone()).or_default();
        let question = Asked::notifying(&self.sent);
        seat.question = Some(question.clone());
        let asking = self.asking.spawn(async move {
            let answer = timeout_at(until, patroni.ask(&place.1, &question)).await;
            let answer = answer.unwrap_or_else(|_| match question.at() {
                Some(_) => MemberAnswer {
                    peer: None,
                    status: Err(too_late("GET /primary", &place.1)),
                    view: Err(too_late("GET /cluster", &place.1)),
                },
                None => unanswered(&place.1, &question),
            });
            (place, answer, Instant::now())
        });
        if let Some(earlier) = seat.under_way.replace(asking) {
            earlier.abort();
        }
    }

    fn take(&mut self, answered: Result<Answered, tokio::task::JoinError>) {
        let (place, answer, at) = match answered {
            Ok(answered) => answered,
            // A panic of the task is a panic of the pass.
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => return,
            },
        };
        // A member that is no longer named may still answer.
        let Some(seat) = self.seats.get_mut(&place) else { return };
        let asked = seat.asked();
        seat.question = None;
        // A request that was never sent has not been met by silence.
        if let Some(asked) = asked {
            let took = at.saturating_duration_since(asked);
            seat.is_silent = answer.status.is_err() && answer.view.is_err() && took >= SILENT_AFTER;
        }
        seat.answer = Some((Box::new(answer), at));
    }

    /// How long the members are waited for that have not answered yet, by what the others say; and whether there is doubt that
    /// even a member that was silent last time may settle: a restored clone at the address of a dead member may answer before
    /// every member that would contradict it.
    fn rest(&self, spec: &Spec) -> (Rest, bool) {
        let observed = self.observed(spec);
        match verdict(spec, &observed, &State::default()) {
            Verdict::Primary(primary) => {
                let answers = observed.answers_of(primary.site.as_ref());
                let is_seen = is_seen_by_others(primary.member.as_ref(), answers);
                let is_confirmed = is_seen || self.is_known(&primary, answers);
                let rest = if is_confirmed && self.is_new(&primary, spec, answers) {
                    Rest::Grace(if is_seen && self.have_the_listed_answered(spec) {
                        UNLISTED_GRACE
                    } else {
                        GRACE
                    })
                } else {
                    Rest::Whole
                };
                (rest, !is_seen)
            }
            Verdict::Hold(hold) if hold.kind() == HoldKind::Promoting => (Rest::Promoting, false),
            Verdict::Hold(_) => (Rest::Whole, false),
        }
    }

    /// Whether a primary's timeline is above all that was acted for, and it has no rival.
    fn is_new(&self, primary: &Primary, spec: &Spec, answers: &Answers) -> bool {
        let Some(site) = spec.site(primary.site.as_ref()) else { return false };
        // A remembered member takes the place of a configured one where members are discovered.
        let remembered = self.loaded.keys().filter(|(its, _)| site.discover.is_some() && *its == site.name);
        let mut seeds = site.members.iter().chain(remembered.map(|(_, url)| url));
        let has_answered = |url: &ApiUrl| answers.get(url).is_some_and(|answer| answer.status.is_ok());
        self.applied.is_some_and(|applied| primary.timeline > applied)
            && primary.rivals.is_empty()
            && seeds.any(has_answered)
    }

    /// Whether each site's Patroni is readable, and no member that it lists is still being asked.
    fn have_the_listed_answered(&self, spec: &Spec) -> bool {
        spec.sites.iter().all(|site| {
            let answers = self.counted(site).answers;
            let listed: BTreeSet<&ApiUrl> = listed(&site.scope, &answers).collect();
            let mut here = self.seats.iter().filter(|((its, _), _)| *its == site.name);
            !listed.is_empty()
                && here.all(|((_, url), seat)| seat.question.is_none() || !listed.contains(url))
        })
    }

    /// Whether the state knows it where it answers.
    fn is_known(&self, primary: &Primary, answers: &Answers) -> bool {
        let claims = |answer: &MemberAnswer| answer.status.as_ref().is_ok_and(|own| own.answers_primary);
        let mut claimants = answers.iter().filter(|(_, answer)| claims(answer));
        claimants.any(|(url, _)| {
            let known = self.loaded.get(&(primary.site.clone(), url.clone()));
            known.is_some() && known == primary.member.as_ref()
        })
    }
}

/// Whether any of them answers.
fn speaks(answers: &Answers) -> bool {
    answers.values().any(|answer| answer.status.is_ok() || answer.view.is_ok())
}

/// What every member says that is configured or discovered, or listed by one that is.
pub async fn configured(spec: &Spec, ports: &MemberPorts, deadline: Instant) -> Observed {
    let mut members = Members::default();
    members.ask(spec, ports, Duration::ZERO, deadline);
    members.settle(spec, ports, deadline).await;
    members.observed(spec)
}

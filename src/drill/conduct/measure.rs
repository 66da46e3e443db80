//! While the primary changes: the request, the members, the clients.

use std::collections::BTreeSet;
use std::pin::pin;
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval};
use tracing::{info, warn};

use super::{ASKED_EVERY, Drill, Operator, Stopped};
use crate::adapters::patroni::switchover::SwitchoverAnswer;
use crate::app::Survey;
use repoint_domain::decide::verdict::Verdict;
use repoint_domain::drill::attempts::Health;
use repoint_domain::drill::gates::{Switch, members_are_whole};
use repoint_domain::drill::report::Outcome;
use repoint_domain::observed::Observed;
use repoint_domain::report::status::member_reports;
use repoint_domain::state::State;
use repoint_domain::values::units::{duration, seconds};

/// How long clients have to be good until it is over: longer than one attempt may take.
const SETTLED_AFTER_MS: u64 = 3000;
/// How long it may take from the request until it is over: Patroni's own limit, and time for endpoints and records.
const SWITCHED_WITHIN: Duration = Duration::from_mins(3);
/// How long the primary is waited for after an unclear answer: Patroni itself waits no longer with a `loop_wait` of 30 s.
const UNCLEAR_WITHIN: Duration = Duration::from_mins(1);
/// From when on a reader is warned that endpoints do not follow.
const FOLLOWED_WITHIN_MS: u64 = 15_000;
/// How long a failover is waited for that another cause has.
const OBSERVED_WITHIN: Duration = Duration::from_hours(1);

/// How it ended.
pub struct Measured {
    /// In a sentence.
    pub message: String,
    /// Whether the primary changed and every client is good.
    pub is_good: bool,
}

impl<O: Operator> Drill<'_, O> {
    /// Requests the switchover, and watches until it is over.
    pub async fn measure(&mut self, switch: &Switch, state: Option<&State>) -> Result<Measured, Stopped> {
        let (from, to) = (&switch.from, &switch.to);
        let (app, auth) = (self.app, self.request.auth.as_ref());
        let requested = Instant::now();
        self.record.requested_ms = Some(self.stopwatch.ms());
        self.record.did(self.stopwatch.ms(), format!("requested a switchover from {from} to {to}"));
        info!("requested a switchover from {from} to {to}");
        let mut request = pin!(app.switchover(switch, auth));
        let mut members = self.app.member_watch(self.request.spec, state);
        let mut ticks = interval(ASKED_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut answer: Option<SwitchoverAnswer> = None;
        let mut answered_at = requested;
        let mut has_warned = false;
        loop {
            tokio::select! {
                biased;
                () = self.operator.interrupted() => {
                    return Err(Stopped::by_signal(&self.state_of(switch, answer.as_ref())));
                }
                answered = &mut request, if answer.is_none() => {
                    self.answered(&answered)?;
                    answer = Some(answered);
                    answered_at = Instant::now();
                }
                (observed, verdict) = async { ticks.tick().await; members.observe().await } => {
                    let had_promoted = self.record.promoted_ms.is_some();
                    self.record.members(self.stopwatch.ms(), &observed, &verdict);
                    if !had_promoted && self.record.promoted_ms.is_some() {
                        let to = self.record.to.as_ref().map_or("another member", |to| to.as_str());
                        info!("{to} is the primary, {} after the request", since(requested));
                    }
                }
            }
            let health = self.clients.health();
            let (good, all) = (settled(&health, requested.elapsed()), health.len());
            self.operator.progress(format!(
                "{}, {good} of {all} clients are good again, {}",
                if self.record.promoted_ms.is_some() {
                    "the primary has changed"
                } else {
                    "the switchover is under way"
                },
                since(requested)
            ));
            let bad = health.iter().filter(|client| client.good_for_ms.is_none()).count();
            let promoted = self.record.promoted_ms;
            if bad > 0
                && !has_warned
                && promoted.is_some_and(|ms| self.stopwatch.ms() > ms + FOLLOWED_WITHIN_MS)
            {
                has_warned = true;
                warn!(
                    "{bad} clients are not good {} after the primary changed: if no repoint process runs, `repoint run` moves \
                     the endpoints now",
                    duration(FOLLOWED_WITHIN_MS)
                );
            }
            let is_over = promoted.is_some() && good == all;
            if is_over && answer.is_some() {
                return Ok(Measured { message: self.changed(), is_good: true });
            }
            let is_unclear = matches!(answer, Some(SwitchoverAnswer::Unclear(_)));
            let has_failed = is_unclear && promoted.is_none() && answered_at.elapsed() >= UNCLEAR_WITHIN;
            if has_failed || requested.elapsed() >= SWITCHED_WITHIN {
                let state = self.state_of(switch, answer.as_ref());
                let message = if self.record.promoted_ms.is_some() {
                    format!(
                        "{}, but {} of {all} clients are not good after {}",
                        self.changed(),
                        all - good,
                        since(requested)
                    )
                } else {
                    format!("the primary has not changed after {}; {state}", since(requested))
                };
                return Ok(Measured { message, is_good: false });
            }
        }
    }

    /// An answer that nothing was changed ends the drill; one that is unclear does not, and is not asked for again.
    fn answered(&mut self, answer: &SwitchoverAnswer) -> Result<(), Stopped> {
        let at_ms = self.stopwatch.ms();
        match answer {
            SwitchoverAnswer::Done(said) => {
                self.record.did(at_ms, format!("Patroni answered {said}"));
                info!("Patroni answered {said}");
                Ok(())
            }
            SwitchoverAnswer::Unclear(why) => {
                self.record.did(at_ms, format!("Patroni's answer is unclear: {why}"));
                self.record.notes.push(format!(
                    "Patroni's answer was unclear ({why}), so the members were asked; the request was not repeated"
                ));
                warn!(
                    "Patroni's answer is unclear: {why}; the members are asked, and the request is not repeated"
                );
                Ok(())
            }
            SwitchoverAnswer::Refused(why) => {
                self.record.did(at_ms, format!("Patroni refused: {why}"));
                Err(Stopped::new(
                    Outcome::Refused,
                    format!("Patroni refused the switchover, and nothing was changed: {why}"),
                ))
            }
            SwitchoverAnswer::NotSent(why) => {
                self.record.did(at_ms, format!("the request was not sent: {why}"));
                let message =
                    format!("the request could not be sent to the leader, and nothing was changed: {why}");
                Err(Stopped::new(Outcome::Refused, message))
            }
        }
    }

    /// Who leads, as far as it is known, and what became of the request.
    fn state_of(&self, switch: &Switch, answer: Option<&SwitchoverAnswer>) -> String {
        let request = match answer {
            None => {
                "the switchover was requested and Patroni has not answered: it may go on without the drill"
            }
            Some(SwitchoverAnswer::Done(_)) => "Patroni has made the switchover",
            Some(_) => "Patroni's answer to the switchover was unclear",
        };
        let primary = self
            .record
            .primary
            .as_ref()
            .and_then(|primary| Some((primary.member.as_ref()?, primary.timeline)));
        let leads = match primary {
            Some((member, timeline)) => format!("{member} was the last primary seen, on timeline {timeline}"),
            None => format!("no primary was seen since {} led", switch.from),
        };
        format!("{request}; {leads}; `repoint status` shows what is so now")
    }

    fn changed(&self) -> String {
        let name = |member: &Option<_>| {
            member.as_ref().map_or_else(
                || "unknown".to_owned(),
                |member: &repoint_domain::values::cluster::MemberName| member.to_string(),
            )
        };
        let after = self.record.requested_ms.zip(self.record.promoted_ms);
        let after = after.map_or(String::new(), |(requested, promoted)| {
            format!(", {} after the request", duration(promoted.saturating_sub(requested)))
        });
        format!("the primary changed from {} to {}{after}", name(&self.record.from), name(&self.record.to))
    }

    /// Watches until something has happened and is over, until a signal comes, or for [`OBSERVED_WITHIN`].
    pub async fn watch(&mut self, survey: &Survey) -> Measured {
        let at_first: BTreeSet<String> = names(&survey.observation.observed);
        let mut members = self.app.member_watch(self.request.spec, survey.observation.state.as_ref().ok());
        let mut ticks = interval(ASKED_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let began = Instant::now();
        info!("observing: Ctrl-C ends it, and prints the report");
        self.record.did(self.stopwatch.ms(), "began to observe");
        let begun_ms = self.stopwatch.ms();
        let mut has_happened = false;
        loop {
            let (observed, verdict) = tokio::select! {
                biased;
                () = self.operator.interrupted() => break,
                answered = async { ticks.tick().await; members.observe().await } => answered,
            };
            self.record.members(self.stopwatch.ms(), &observed, &verdict);
            let health = self.clients.health();
            let good = settled(&health, began.elapsed());
            has_happened |= self.record.promoted_ms.is_some() || self.clients.has_failed_since(begun_ms);
            let whole = self.is_whole(&observed, &verdict, &at_first);
            if has_happened && good == health.len() && whole.is_ok() {
                self.record.rejoined_ms = self.record.promoted_ms.map(|_| self.stopwatch.ms());
                break;
            }
            let state = match (has_happened, whole) {
                (false, _) => "nothing has happened yet".to_owned(),
                (true, Ok(())) => "every member streams".to_owned(),
                (true, Err(why)) => why,
            };
            self.operator.progress(format!(
                "observing: {good} of {} clients are good, {state} ({})",
                health.len(),
                seconds(began.elapsed().as_secs())
            ));
            if began.elapsed() >= OBSERVED_WITHIN {
                break;
            }
        }
        let bad = self.clients.health().iter().filter(|client| client.good_for_ms.is_none()).count();
        let what = if self.record.promoted_ms.is_some() {
            self.changed()
        } else {
            "the primary did not change".to_owned()
        };
        let message = if bad == 0 { what } else { format!("{what}; {bad} clients are not good at the end") };
        Measured { message, is_good: bad == 0 }
    }

    /// Whether every member that was there at first is there, and streams.
    fn is_whole(
        &self,
        observed: &Observed,
        verdict: &Verdict,
        at_first: &BTreeSet<String>,
    ) -> Result<(), String> {
        members_are_whole(self.request.spec, observed, verdict)?;
        let now = names(observed);
        match at_first.iter().find(|name| !now.contains(*name)) {
            Some(missing) => Err(format!("{missing} is gone")),
            None => Ok(()),
        }
    }
}

fn names(observed: &Observed) -> BTreeSet<String> {
    member_reports(observed).into_iter().map(|member| member.member).collect()
}

/// How many clients have been good for long enough, since it began.
fn settled(health: &[Health], elapsed: Duration) -> usize {
    let is_long = elapsed >= Duration::from_millis(SETTLED_AFTER_MS);
    let is_good = |client: &&Health| client.good_for_ms.is_some_and(|ms| ms >= SETTLED_AFTER_MS);
    if is_long { health.iter().filter(is_good).count() } else { 0 }
}

fn since(began: Instant) -> String {
    duration(u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX))
}

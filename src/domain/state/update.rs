//! What a pass leaves in memory, and what people are to be told of it.
//!
//! Law: alert once (12). A condition is told when it has lasted as long as its grace, at the configured interval, and
//! when it has ended, if its beginning was told. Whoever saves the result publishes the alerts, and nobody else.

use super::{Condition, ConditionKind, KnownMember, LastPrimary, State, Unknown};
use crate::alerts::{self, Alert, Phase};
use crate::decide::verdict::Verdict;
use crate::observed::member::{Member, members};
use crate::observed::{ClusterMember, ClusterView, Observed};
use crate::report::{ClusterReport, StepReport, StepResult};
use crate::spec::Spec;
use crate::values::cluster::{SiteName, Timeline};
use crate::values::moves::Move;
use crate::values::primary::Primary;
use crate::values::timestamp::Timestamp;

use super::condition::{Findings, own_subject};
use super::followed::{Followed, followed};

/// How long another entry's word that this state is not its own is kept, so that it is not told each time.
const OTHERS_KEPT_FOR_MS: u64 = 24 * 60 * 60 * 1000;

/// When people are told. All in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// How long a condition that often passes by itself must last.
    pub grace_ms: u64,
    /// How long a contested cluster must last.
    pub contested_grace_ms: u64,
    /// How often they are told again; never if unset.
    pub reminder_ms: Option<u64>,
}

impl Rules {
    fn grace_of(&self, kind: ConditionKind) -> u64 {
        match kind {
            ConditionKind::Contested => self.contested_grace_ms,
            kind if kind.is_transient() => self.grace_ms,
            _ => 0,
        }
    }
}

/// What one pass saw and did.
#[derive(Clone, Debug)]
pub struct PassOutcome<'a> {
    /// What is configured.
    pub spec: &'a Spec,
    /// Its report.
    pub report: &'a ClusterReport,
    /// What was remembered when it looked; nothing where memory was out of reach.
    pub loaded: Loaded,
    /// What it saw.
    pub observed: &'a Observed,
    /// Whom it named.
    pub verdict: &'a Verdict,
    /// What is wrong.
    pub findings: &'a Findings,
    /// What was moved, and why.
    pub moves: Option<&'a Move>,
    /// The revision of the commit that it ends: its own, or that of one that died.
    pub committed: Option<u64>,
}

/// Of what was remembered, what tells whether it still holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Loaded {
    /// The highest timeline. Only an adoption sets it back.
    pub timeline: Option<Timeline>,
    /// The site that was followed. It changes by a commit for another one.
    pub site: Option<SiteName>,
}

impl From<&State> for Loaded {
    fn from(state: &State) -> Self {
        Self { timeline: state.highest_timeline, site: state.site.clone() }
    }
}

/// The next memory, unless nothing is new; and what people are to be told.
#[must_use]
pub fn next_state(
    state: &State,
    pass: &PassOutcome,
    rules: &Rules,
    now: Timestamp,
) -> (Option<State>, Vec<Alert>) {
    let mut alerts = Vec::new();
    let is_of_others = state.is_of_others(pass.spec);
    if is_of_others != pass.findings.is_of_others() {
        // It has changed hands since the pass looked.
        return (None, alerts);
    }
    let mut next = State { revision: state.revision + 1, ..state.clone() };
    if is_of_others {
        // It holds what another entry needs: all that is added is that people were told.
        next.conditions = conditions(state, pass, rules, now, &mut alerts);
        return ((next.conditions != state.conditions).then_some(next), alerts);
    }
    next = next.kept_for(pass.spec);
    if next.lease.as_ref().is_some_and(|lease| Some(lease.revision) == pass.committed) {
        next.lease = None;
    }
    if !is_overtaken(state, pass) {
        if let Some(leader) = pass.verdict.leader() {
            next.leader = state.led_by(leader, now);
        }
        if let Verdict::Primary(primary) = pass.verdict {
            let followed = followed(pass.spec, pass.report, primary);
            remember(&mut next, primary, pass, followed.as_ref());
            let is_ours_to_tell = next.lease.is_none() && !others_saw_it(state, pass, primary);
            if let (Some(moves), Some(Followed { left })) = (pass.moves.filter(|_| is_ours_to_tell), followed)
            {
                alerts.push(alerts::retargeted(pass.report, moves, &left));
            }
        }
        next.conditions = conditions(state, pass, rules, now, &mut alerts);
    }
    let next = next.bounded();
    let is_new = State { revision: state.revision, ..next.clone() } != *state;
    ((is_new || !alerts.is_empty()).then_some(next), alerts)
}

/// Whether somebody has acted for a later primary since the pass looked: what is wrong now is for the next pass to see.
fn is_overtaken(state: &State, pass: &PassOutcome) -> bool {
    let Some(primary) = pass.verdict.leader() else { return false };
    if state.highest_timeline < pass.loaded.timeline {
        return true;
    }
    // Timelines of two sites cannot be compared; that another one was committed for meanwhile can be seen.
    if state.site != pass.loaded.site && state.site != primary.site {
        return true;
    }
    let is_ours = state.system_id.as_ref().is_none_or(|known| *known == primary.system_id);
    !is_ours || state.highest_timeline.is_some_and(|highest| primary.timeline < highest)
}

fn remember(next: &mut State, primary: &Primary, pass: &PassOutcome, followed: Option<&Followed>) {
    let site = primary.site.as_ref();
    let seen = members(pass.observed.answers_of(site));
    let own = seen.iter().find(|member| primary.member.is_some() && member.name == primary.member);
    // One that does not say its name is known by what it claims, and by whom its own list has for the leader.
    let own = own.or_else(|| {
        let leads = |view: &ClusterView| {
            primary.member.as_ref().and_then(|name| view.member(name)).is_some_and(|own| own.role.leads())
        };
        seen.iter().find(|member| {
            member.name.is_none() && member.answers_primary() && member.view().is_some_and(leads)
        })
    });
    if let Some(view) = own.and_then(Member::view) {
        // Who is configured will be asked again, listed or not.
        let seeds = pass.spec.site(site).map_or(&[][..], |site| &site.members);
        let known = next.members_of_mut(site);
        // A member may be listed without its host for a while: at the same URL it is where it was.
        let where_it_was = |listed: &ClusterMember| {
            let before = known.get(&listed.name).filter(|before| before.api_url == listed.api_url)?;
            before.address.clone()
        };
        let listed = view.members.iter().map(|listed| {
            let address = listed.address.clone().or_else(|| where_it_was(listed));
            (listed.name.clone(), KnownMember { api_url: listed.api_url.clone(), address })
        });
        let listed: Vec<_> = listed.collect();
        known.retain(|_, known| known.api_url.as_ref().is_some_and(|url| seeds.contains(url)));
        known.extend(listed);
    }
    // How other sites stand to the one that is followed, however its endpoints fare.
    if next.site == primary.site {
        next.superseded = next.superseded_by(primary);
    }
    // Where another one is acting, its move is remembered and told when that ends, by whoever ends it.
    if followed.is_some() && next.lease.is_none() {
        next.superseded = next.superseded_by(primary);
        next.site.clone_from(&primary.site);
        next.highest_timeline = Some(primary.timeline);
        next.system_id = Some(primary.system_id.clone());
        next.primary = Some(LastPrimary {
            site: primary.site.clone(),
            member: primary.member.clone(),
            address: primary.address.clone(),
            timeline: primary.timeline,
        });
    }
}

/// Whether the move was told already: by what moved, not by what is still held or refused, which may last for a year.
fn others_saw_it(state: &State, pass: &PassOutcome, primary: &Primary) -> bool {
    let steps = &pass.report.steps;
    let is_done = |step: &StepReport| {
        let mut same = steps.iter().filter(|other| other.endpoint == step.endpoint);
        same.all(|other| other.result == StepResult::Done)
    };
    let nothing_moved = !steps.is_empty() && !steps.iter().any(is_done);
    state.primary.as_ref().is_some_and(|last| {
        last.timeline == primary.timeline
            && last.site == primary.site
            && last.member == primary.member
            && (pass.committed.is_none() || nothing_moved)
    })
}

/// Whether it was put there by an entry that this state is not kept for.
fn is_of_another_entry(condition: &Condition, pass: &PassOutcome) -> bool {
    condition.kind == ConditionKind::StateOfOtherEndpoints && condition.subject != own_subject(pass.spec)
}

/// Whether a condition is this entry's to tell: in the state of another entry it is only that its state is another's.
fn is_ours_to_tell(condition: &Condition, pass: &PassOutcome) -> bool {
    let is_of_others = condition.kind == ConditionKind::StateOfOtherEndpoints;
    !is_of_another_entry(condition, pass) && (is_of_others || !pass.findings.is_of_others())
}

fn conditions(
    state: &State,
    pass: &PassOutcome,
    rules: &Rules,
    now: Timestamp,
    alerts: &mut Vec<Alert>,
) -> Vec<Condition> {
    let mut open = Vec::new();
    for known in &state.conditions {
        match pass.findings.message(known.kind, known.subject.as_deref()) {
            Some(message) => open.push(Condition { message: message.to_owned(), ..known.clone() }),
            None if is_of_another_entry(known, pass) => {
                // That entry refreshes nothing here, and may long have a state of its own.
                let is_kept = now.since(known.since) < OTHERS_KEPT_FOR_MS;
                open.extend(is_kept.then(|| known.clone()));
            }
            None if !pass.findings.knows(known.kind, known.subject.as_deref()) => open.push(known.clone()),
            None if known.notified.is_some() => {
                alerts.push(alerts::of_condition(pass.report, known, Phase::Ended, now));
            }
            None => {}
        }
    }
    for (kind, subject, message) in pass.findings.present() {
        if !open.iter().any(|known| known.kind == *kind && known.subject == *subject) {
            let (subject, message) = (subject.clone(), message.clone());
            open.push(Condition {
                kind: *kind,
                subject,
                message,
                since: now,
                notified: None,
                unknown: Unknown::new(),
            });
        }
    }
    open.sort_by(|a, b| (a.kind, &a.subject).cmp(&(b.kind, &b.subject)));
    for condition in open.iter_mut().filter(|condition| is_ours_to_tell(condition, pass)) {
        restart_what_is_to_come(condition, now);
        let phase = match condition.notified {
            // Whoever knows it tells of it.
            _ if condition.kind == ConditionKind::Unrecognized => continue,
            None if now.since(condition.since) >= rules.grace_of(condition.kind) => Phase::Began,
            Some(notified) if rules.reminder_ms.is_some_and(|interval| now.since(notified) >= interval) => {
                Phase::Lasts
            }
            _ => continue,
        };
        alerts.push(alerts::of_condition(pass.report, condition, phase, now));
        condition.notified = Some(now);
    }
    open
}

/// A time that is still to come was written by a clock that was ahead, or the own clock was set back. It is counted from
/// now, so that nothing is told later than by one grace, or one reminder.
fn restart_what_is_to_come(condition: &mut Condition, now: Timestamp) {
    if condition.since.is_ahead_of(now) {
        condition.since = now;
    }
    if condition.notified.is_some_and(|notified| notified.is_ahead_of(now)) {
        condition.notified = Some(now);
    }
}

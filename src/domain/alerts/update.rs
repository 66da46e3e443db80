//! The state that a pass leaves behind, and the events that are to be alerted.
//!
//! Invariant 12, alert once: the process that saves the state publishes the alerts, and no other process does.

use std::collections::BTreeMap;

use super::conditions::{Rules, conditions};
use super::event::Event;
use super::findings::Findings;
use super::followed::{Followed, followed};
use super::outcome::PassOutcome;
use crate::decide::verdict::Verdict;
use crate::observed::member::{Member, members};
use crate::observed::{ClusterMember, ClusterView};
use crate::report::{StepReport, StepResult};
use crate::state::{KnownMember, LastPrimary, State, SurplusTarget};
use crate::values::primary::Primary;
use crate::values::target::{GroupKind, TargetGroup};
use crate::values::timestamp::Timestamp;

/// The next state, unless nothing is new; and what is to be alerted.
#[must_use]
pub fn next_state(
    state: &State,
    pass: &PassOutcome,
    rules: &Rules,
    now: Timestamp,
) -> (Option<State>, Vec<Event>) {
    let mut events = Vec::new();
    let is_of_others = state.is_of_others(pass.spec);
    if is_of_others != pass.findings.is_of_others {
        // Another entry has taken the state over since the pass loaded it, or has left it.
        return (None, events);
    }
    let mut next = State { revision: state.revision + 1, ..state.clone() };
    if is_of_others {
        // It has what another entry needs: all that is added is that this was alerted.
        next.conditions = conditions(state, pass, rules, now, &mut events);
        return ((next.conditions != state.conditions).then_some(next), events);
    }
    next = next.kept_for(pass.spec);
    if next.lease.as_ref().is_some_and(|lease| Some(lease.revision) == pass.committed) {
        next.lease = None;
    }
    if !is_superseded(state, pass) {
        if let Some(leader) = pass.verdict.leader() {
            next.leader = state.led_by(leader, now);
            next.changes = state.changes_with(leader, now);
        }
        if let Verdict::Primary(primary) = pass.verdict {
            let followed = followed(pass, primary);
            record(&mut next, primary, pass, followed.as_ref());
            let is_ours_to_alert = next.lease.is_none() && !was_alerted(state, pass, primary);
            if let (Some(moves), Some(Followed { left })) =
                (pass.moves.filter(|_| is_ours_to_alert), followed)
            {
                next.retargets.count(moves, primary.label(), now);
                events.push(Event::Moved { moves: moves.clone(), left });
            }
        }
        next.surplus = surplus(state, pass.findings, now);
        next.group_kinds = group_kinds(state, pass);
        next.conditions = conditions(state, pass, rules, now, &mut events);
    }
    let next = next.bounded();
    let is_new = State { revision: state.revision, ..next.clone() } != *state;
    ((is_new || !events.is_empty()).then_some(next), events)
}

/// Whether another process has acted for a later primary since the pass loaded the state: the next pass tells what is wrong
/// now.
fn is_superseded(state: &State, pass: &PassOutcome) -> bool {
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

/// Records where the members are, and which primary the endpoints follow.
fn record(next: &mut State, primary: &Primary, pass: &PassOutcome, followed: Option<&Followed>) {
    let site = primary.site.as_ref();
    let seen = members(pass.observed.answers_of(site));
    let own = seen.iter().find(|member| primary.member.is_some() && member.name == primary.member);
    // A member that does not say its name is recognised by its claim, and by the leader in its own list.
    let own = own.or_else(|| {
        let leads = |view: &ClusterView| {
            primary.member.as_ref().and_then(|name| view.member(name)).is_some_and(|own| own.role.leads())
        };
        seen.iter().find(|member| {
            member.name.is_none() && member.answers_primary() && member.view().is_some_and(leads)
        })
    });
    if let Some(view) = own.and_then(Member::view) {
        // A configured member will be asked again, listed or not.
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
    // Where another process holds the lease, its move is recorded and alerted by the process that ends the lease.
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

/// Whether the move was alerted already. That rests on what moved, not on what is still held or refused, which may last for
/// a year.
fn was_alerted(state: &State, pass: &PassOutcome, primary: &Primary) -> bool {
    let steps = pass.steps;
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

/// The kinds of the groups that a new primary joins before they are read; what could not be read is as it was.
fn group_kinds(state: &State, pass: &PassOutcome) -> BTreeMap<String, GroupKind> {
    let joined = pass.spec.groups.iter().filter(|group| group.holds_primary_alone());
    let kinds = joined.filter_map(|group| {
        let arn = group.arn.to_string();
        let read = pass.observed.groups.get(&group.arn).and_then(|read| read.as_ref().ok());
        let kind = read.map(TargetGroup::kind).or_else(|| state.group_kinds.get(&arn).cloned())?;
        Some((arn, kind))
    });
    kinds.collect()
}

/// Since when each target belongs to no member. A time ahead of now was written by a clock that was ahead: it counts from
/// now.
fn surplus(state: &State, findings: &Findings, now: Timestamp) -> Vec<SurplusTarget> {
    let found: Vec<SurplusTarget> = findings.surplus(now).collect();
    let stays = |known: &&SurplusTarget| {
        found.iter().any(|found| found.is(&known.group, &known.target)) || !findings.knows_surplus(known)
    };
    let mut surplus: Vec<SurplusTarget> = state.surplus.iter().filter(stays).cloned().collect();
    for found in found {
        if !surplus.iter().any(|known| known.is(&found.group, &found.target)) {
            surplus.push(found);
        }
    }
    for known in surplus.iter_mut().filter(|known| known.since.is_ahead_of(now)) {
        known.since = now;
    }
    surplus.sort_by(|a, b| (&a.group, &a.target).cmp(&(&b.group, &b.target)));
    surplus
}

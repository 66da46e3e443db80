//! Health checks, and `DescribeTargetHealth`.
//!
//! Only targets of groups on a listener are checked, whatever weight the group has there; a state changes after as
//! many results in a row as the group's threshold says.

use super::super::Account;
use super::super::ec2::InstanceState;
use super::super::error::AwsError;
use super::super::service::{Operation, Service};
use super::group::{Group, Members, TargetType};
use super::group_not_found;
use super::target::{Health, Member, Phase, Reason, State, Target, TargetDescription, TargetHealth};
use crate::Millis;

const DESCRIBE: Operation = Operation::elb_read("elasticloadbalancing:DescribeTargetHealth");

/// One health check, for the caller to carry out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe<'a> {
    /// The group's ARN.
    pub group: &'a str,
    /// The target.
    pub target: &'a Target,
    /// `TCP`, `HTTP` or `HTTPS`.
    pub protocol: &'a str,
    /// The port to connect to.
    pub port: u16,
    /// For HTTP.
    pub path: Option<&'a str>,
    /// When the check was due; not after the time given to [`Account::advance`].
    pub at: Millis,
}

impl Account {
    /// Carries out the health checks that are due, in the order of time within a group.
    /// `probe` says whether the target passed.
    pub fn advance(&mut self, now: Millis, probe: &mut dyn FnMut(&Probe<'_>) -> bool) {
        let keep = self.lag(Service::Elbv2);
        for (arn, group) in &mut self.balancing.groups {
            while let Some((at, target)) = next_due(group.members.latest(), now) {
                let check = &group.made.health_check;
                let passed = probe(&Probe {
                    group: arn,
                    target: &target,
                    protocol: &check.protocol,
                    port: check.port.unwrap_or(target.port),
                    path: check.path.as_deref(),
                    at,
                });
                note(group, &target, at, passed, keep);
            }
        }
    }

    /// When the next health check is due; a simulation may skip to it.
    #[must_use]
    pub fn next_health_check(&self) -> Option<Millis> {
        let groups = self.balancing.groups.values();
        groups.filter_map(|group| next_due(group.members.latest(), Millis::MAX)).map(|(at, _)| at).min()
    }

    /// `DescribeTargetHealth`: all targets, or those named, also if they are not registered. May lag.
    ///
    /// # Errors
    /// `TargetGroupNotFound`, `ValidationError`.
    pub fn describe_target_health(
        &mut self,
        now: Millis,
        arn: &str,
        targets: &[TargetDescription],
    ) -> Result<Vec<TargetHealth>, AwsError> {
        self.call(now, DESCRIBE, "*", |account| {
            let seen = now.saturating_sub(account.lag(Service::Elbv2));
            let group = account.group(arn)?;
            let members = group.members.at(seen).ok_or_else(group_not_found)?;
            let all: Vec<TargetHealth> = members
                .targets
                .iter()
                .filter(|(_, member)| !member.is_gone(seen))
                .map(|(target, member)| account.health_of(group, members, target, member, seen))
                .collect();
            if targets.is_empty() {
                return Ok(all);
            }
            Ok(targets
                .iter()
                .map(|asked| {
                    let target = Target { id: asked.id.clone(), port: asked.port.unwrap_or(group.made.port) };
                    all.iter().find(|known| known.target == target).cloned().unwrap_or_else(|| TargetHealth {
                        health_check_port: group.made.health_check.port.unwrap_or(target.port),
                        target,
                        availability_zone: None,
                        state: State::Unused,
                        reason: Some(Reason::NotRegistered),
                    })
                })
                .collect())
        })
    }

    fn health_of(
        &self,
        group: &Group,
        members: &Members,
        target: &Target,
        member: &Member,
        now: Millis,
    ) -> TargetHealth {
        let (state, reason) = self.state_of(group, members, target, member, now);
        TargetHealth {
            target: target.clone(),
            availability_zone: member.zone.clone(),
            health_check_port: group.made.health_check.port.unwrap_or(target.port),
            state,
            reason,
        }
    }

    pub(super) fn state_of(
        &self,
        group: &Group,
        members: &Members,
        target: &Target,
        member: &Member,
        now: Millis,
    ) -> (State, Option<Reason>) {
        let registered = match &member.phase {
            Phase::Draining { .. } => return (State::Draining, Some(Reason::DeregistrationInProgress)),
            Phase::Registered(registered) => registered,
        };
        if members.load_balancer.is_none() {
            return (State::Unused, Some(Reason::NotInUse));
        }
        if group.made.target_type == TargetType::Instance
            && self.instance_state(&target.id) != Some(InstanceState::Running)
        {
            return (State::Unused, Some(Reason::InvalidState));
        }
        match registered.health {
            Health::Unknown if now < registered.ready_at => {
                (State::Initial, Some(Reason::RegistrationInProgress))
            }
            Health::Unknown => (State::Initial, Some(Reason::InitialHealthChecking)),
            Health::Healthy => (State::Healthy, None),
            Health::Unhealthy { since } => {
                let terminates = "target_health_state.unhealthy.connection_termination.enabled";
                let keeps = group.attributes.get(terminates).is_some_and(|value| value == "false");
                let interval = group.seconds("target_health_state.unhealthy.draining_interval_seconds");
                let draining = keeps && now < since + interval;
                let state = if draining { State::UnhealthyDraining } else { State::Unhealthy };
                (state, Some(Reason::FailedHealthChecks))
            }
        }
    }
}

/// The earliest check that is due; the first target of those due at once.
fn next_due(members: &Members, now: Millis) -> Option<(Millis, Target)> {
    members.load_balancer.as_ref()?;
    let due = |(target, member): (&Target, &Member)| match &member.phase {
        Phase::Registered(registered) if registered.next_check <= now => {
            Some((registered.next_check, target.clone()))
        }
        _ => None,
    };
    members.targets.iter().filter_map(due).min()
}

fn note(group: &mut Group, target: &Target, at: Millis, passed: bool, keep: Millis) {
    let check = &group.made.health_check;
    let (interval, healthy, unhealthy) =
        (check.interval(), check.healthy_threshold, check.unhealthy_threshold);
    let member = group.members.latest_mut().targets.get_mut(target);
    let Some(registered) = member.and_then(Member::registered_mut) else { return };
    registered.next_check = at + interval;
    let (last, count) = registered.streak;
    registered.streak = (passed, if passed == last { count + 1 } else { 1 });
    let turns = match registered.health {
        Health::Healthy => !passed,
        Health::Unhealthy { .. } => passed,
        Health::Unknown => true,
    };
    let enough = if passed { healthy } else { unhealthy };
    if turns && registered.streak.1 >= enough {
        let members = group.members.change(at, keep);
        if let Some(registered) = members.targets.get_mut(target).and_then(Member::registered_mut) {
            registered.health = if passed { Health::Healthy } else { Health::Unhealthy { since: at } };
        }
    }
}

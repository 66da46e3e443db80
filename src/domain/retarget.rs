//! Why endpoints move: what the person who reads the alert asks first.
//!
//! Law: the story is told from what was remembered and what is seen; where they do not tell, it says so.

use serde::{Deserialize, Serialize};

use super::cluster::{MemberName, State};
use super::memory::{ConditionKind, Memory};
use super::plan::Plan;
use super::report::{moves_to_primary, previous_primary};
use super::verdict::Primary;
use super::witness::{Witness, witnesses};
use super::world::{Health, World};

/// Why endpoints move.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The first time that repoint sees this cluster.
    Adoption,
    /// Another member was promoted, and the one before it lives on as a replica.
    Switchover,
    /// Another member was promoted after the one before it was lost.
    Failover,
    /// The primary is the one it was: somebody else changed an endpoint.
    Correction,
    /// The primary is the one it was: another standby is pointed at.
    Standby,
    /// Memory was out of reach, so nobody knows what was before.
    Unknown,
}

impl Cause {
    /// In snake case.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Adoption => "adoption",
            Self::Switchover => "switchover",
            Self::Failover => "failover",
            Self::Correction => "correction",
            Self::Standby => "standby",
            Self::Unknown => "unknown",
        }
    }
}

/// A move of endpoints.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retarget {
    /// Why.
    pub cause: Cause,
    /// What the endpoints followed before: a member's name, or an address that no member has.
    pub previous: Option<String>,
}

impl Retarget {
    /// What can be said without memory.
    #[must_use]
    pub fn untold(world: &World, primary: &Primary, plan: &Plan) -> Option<Self> {
        let previous = previous_primary(plan, world, primary);
        (!plan.is_empty()).then_some(Self { cause: Cause::Unknown, previous })
    }
}

/// What a plan means, or what it means that the primary is another one than remembered; `None` if nothing has moved.
#[must_use]
pub fn retarget(memory: &Memory, world: &World, primary: &Primary, plan: &Plan) -> Option<Retarget> {
    let pointed_at = previous_primary(plan, world, primary).map(|host| named(memory, host));
    let Some(last) = &memory.primary else {
        return (!plan.is_empty()).then_some(Retarget { cause: Cause::Adoption, previous: pointed_at });
    };
    let is_same = match (&last.member, &primary.member) {
        (Some(last), Some(now)) => last == now,
        _ => last.address == primary.address,
    };
    if is_same {
        let is_correction = moves_to_primary(plan, world, primary);
        let cause = if is_correction { Cause::Correction } else { Cause::Standby };
        return (!plan.is_empty()).then_some(Retarget { cause, previous: pointed_at });
    }
    let is_planned = last.member.as_ref().is_some_and(|last| lives_on(memory, world, last));
    let name = last.member.as_ref().map(ToString::to_string);
    Some(Retarget {
        cause: if is_planned { Cause::Switchover } else { Cause::Failover },
        previous: name.or(pointed_at),
    })
}

/// Whether a member was never missed, and its Patroni answers and does not speak of a crash (`PostgresqlState` in its
/// `misc.py`): it may still be stopping, or starting as a replica.
fn lives_on(memory: &Memory, world: &World, member: &MemberName) -> bool {
    let was_missed = memory.conditions.iter().any(|condition| {
        condition.kind == ConditionKind::MemberUnreachable
            && condition.subject.as_deref() == Some(member.as_str())
    });
    let witnesses = witnesses(&world.members);
    let own = witnesses.iter().find(|witness| witness.name.as_ref() == Some(member));
    let health = own.and_then(Witness::health);
    let is_broken = |own: &Health| match &own.state {
        State::Other(said) => said.contains("crashed") || said.contains("failed"),
        State::Running | State::Streaming | State::ArchiveRecovery => own.answers_primary,
    };
    !was_missed && health.is_some_and(|own| !is_broken(own))
}

/// The name of the member that was known at an address.
fn named(memory: &Memory, host: String) -> String {
    let known = memory
        .members
        .iter()
        .find(|(_, known)| known.address.as_ref().is_some_and(|address| address.host == host));
    known.map_or(host, |(name, _)| name.to_string())
}

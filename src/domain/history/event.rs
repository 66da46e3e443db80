//! One event of the history, as it is stored: later versions read it, and earlier ones skip what they do not know.
//!
//! So words are text and not enums here, unknown fields are ignored, and an event of an unknown kind is no error.

use serde::{Deserialize, Serialize};

use crate::values::cluster::{EntryName, MemberName, SiteName, SystemId, Timeline};
use crate::values::moves::MoveCause;
use crate::values::utc::Utc;

/// The version of the format. It rises when the meaning of something changes; an older reader then knows no more than the
/// [`Head`].
pub const VERSION: u32 = 1;

/// Something that has happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryEvent {
    /// What every version reads.
    #[serde(flatten)]
    pub head: Head,
    /// What happened.
    #[serde(flatten)]
    pub happened: Happened,
}

/// The part of an event that no version changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// [`VERSION`] of the process that made it.
    pub version: u32,
    /// The cluster's events are counted from 1, for as long as its state lives.
    pub number: u64,
    /// What no other event of the cluster has; the alert's own id, where it was alerted.
    pub id: String,
    /// The entry of the configuration.
    pub cluster: EntryName,
    /// When: for a move, when its last change was done.
    pub at: Utc,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Happened {
    /// Endpoints have moved.
    Moved(MoveEvent),
    /// A condition was alerted, or has ended.
    Condition(ConditionEvent),
    /// `repoint adopt` was run.
    Adopted(Adoption),
    /// Something that a newer version knows.
    #[serde(other)]
    Unrecognized,
}

/// A move of endpoints.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MoveEvent {
    /// Why.
    pub cause: MoveCause,
    /// The primary before, or an address that no member has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The primary that endpoints follow now, by its name in the whole cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Its own name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member: Option<MemberName>,
    /// Its site, where the cluster spans several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site: Option<SiteName>,
    /// Its timeline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeline: Option<Timeline>,
    /// When a pass first found no primary before this one, if one did: a failover between two passes is not seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub no_primary_since: Option<Utc>,
    /// From the beginning of the pass to its last change, in milliseconds; absent where a process that died made the changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub took_ms: Option<u64>,
    /// What was done, and where.
    #[serde(default)]
    pub steps: Vec<Step>,
    /// The endpoints that were left behind, since they are held or their change failed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left: Vec<String>,
    /// How many steps and endpoints are missing here, since an event has a limit.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub left_out: usize,
}

/// One change of an endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// As in a report: `register_target` and so on.
    pub action: String,
    /// The endpoint.
    pub endpoint: String,
    /// The target, the target group that gets the connections, or the record's new value.
    pub target: String,
    /// What it replaces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<String>,
    /// As in a report: `done` and so on.
    pub result: String,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// When it ended, in milliseconds since the pass began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_ms: Option<u64>,
    /// From the request to its answer, in milliseconds, repetitions included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub took_ms: Option<u64>,
}

/// The beginning or the end of a condition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConditionEvent {
    /// The name of its kind, which is its heading in the runbook.
    pub condition: String,
    /// `triggered` or `resolved`, as in its alert.
    pub status: String,
    /// `info`, `warning` or `critical`.
    pub severity: String,
    /// What it is about, where it is not the whole cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// What is or was wrong, in a sentence.
    pub message: String,
    /// When it was first seen.
    pub since: Utc,
    /// How long it had lasted by then, in milliseconds.
    pub lasted_ms: u64,
}

/// An operator has accepted another system identifier, an older timeline, other endpoints or a left site.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Adoption {
    /// The primary, by its name in the whole cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Its system identifier.
    pub system_id: SystemId,
    /// Its timeline.
    pub timeline: Timeline,
    /// The system identifier before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system_id_before: Option<SystemId>,
    /// The highest timeline before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeline_before: Option<Timeline>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants it")]
fn is_zero(number: &usize) -> bool {
    *number == 0
}

impl HistoryEvent {
    /// What is left of an event that only a newer version understands.
    #[must_use]
    pub fn unrecognized(head: Head) -> Self {
        Self { head, happened: Happened::Unrecognized }
    }

    /// Leaves out one more step or endpoint; `false` if nothing can be left out. What was done goes before what was not.
    pub fn shorten(&mut self) -> bool {
        let Happened::Moved(MoveEvent { steps, left, left_out, .. }) = &mut self.happened else {
            return false;
        };
        let is_shorter = if left.len() > steps.len() {
            left.pop().is_some()
        } else {
            let done = steps.iter().rposition(|step| step.error.is_none());
            let last = done.or(steps.len().checked_sub(1));
            last.is_some_and(|last| {
                steps.remove(last);
                true
            })
        };
        *left_out += usize::from(is_shorter);
        is_shorter
    }
}

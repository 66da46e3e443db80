//! What was left alone, and why.
//!
//! Law: each reason is typed, and comes with a sentence for people and with what helps (11).

use serde::Serialize;

use crate::decide::verdict::{HoldKind, Verdict};
use crate::plan::{EndpointHold, EndpointReason, EndpointReasonKind, Plan};
use crate::state::{Lease, State};
use crate::values::endpoint::Endpoint;
use crate::values::failure::{Failure, Kind};

/// Why something was left alone: the whole cluster, or one endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HoldReport {
    /// Why.
    pub reason: Reason,
    /// The endpoint; absent where it is the whole cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<Endpoint>,
    /// Why, for people.
    pub message: String,
    /// What helps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// The reason of a hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Reason {
    /// Nobody can be named the primary.
    Verdict(HoldKind),
    /// There is a primary, but this endpoint cannot follow it.
    Endpoint(EndpointReasonKind),
    /// There is a primary, but nothing may be written now.
    Pass(PassHoldKind),
}

/// Why a pass that knows the primary writes nothing; its `Display` is the sentence for people.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PassHold {
    /// Memory cannot be read or written.
    #[error("state store unavailable, so changes are blocked: {0}")]
    StateUnavailable(Failure),
    /// Another reconciler has committed, and may be writing.
    #[error("another repoint ({}) has been acting for this cluster all the while", .0.by)]
    Locked(Lease),
    /// Every time this pass had decided, something had changed or too much time had gone by.
    #[error("what was seen was out of date each time it should have been acted on")]
    Conflict,
    /// Writes for other clusters went first, for as long as this pass could wait.
    #[error("AWS takes only so many changes a second, and other clusters' went first")]
    RateLimited,
    /// The auditor refused the plan.
    #[error("the plan was refused, and nothing of it was done: {0}")]
    Refused(String),
    /// What is remembered was kept for endpoints none of which is configured; some of them.
    #[error(
        "the state of this name is kept for other endpoints ({}), none of which is configured here, so nothing is moved",
        .0.join(", ")
    )]
    StateOfOtherEndpoints(Vec<String>),
}

/// The name of a [`PassHold`] in reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PassHoldKind {
    /// [`PassHold::StateUnavailable`].
    StateUnavailable,
    /// [`PassHold::Locked`].
    Locked,
    /// [`PassHold::Conflict`].
    Conflict,
    /// [`PassHold::RateLimited`].
    RateLimited,
    /// [`PassHold::Refused`].
    Refused,
    /// [`PassHold::StateOfOtherEndpoints`].
    StateOfOtherEndpoints,
}

/// How many endpoints of another entry are named: enough to know it by.
const OTHERS_NAMED: usize = 2;

impl PassHold {
    /// The state is kept for other endpoints than those that are configured.
    #[must_use]
    pub fn of_others(state: &State) -> Self {
        Self::StateOfOtherEndpoints(state.endpoints.iter().take(OTHERS_NAMED).cloned().collect())
    }

    fn kind(&self) -> PassHoldKind {
        match self {
            Self::StateUnavailable(_) => PassHoldKind::StateUnavailable,
            Self::Locked(_) => PassHoldKind::Locked,
            Self::Conflict => PassHoldKind::Conflict,
            Self::RateLimited => PassHoldKind::RateLimited,
            Self::Refused(_) => PassHoldKind::Refused,
            Self::StateOfOtherEndpoints(_) => PassHoldKind::StateOfOtherEndpoints,
        }
    }

    /// The hold in a report.
    #[must_use]
    pub fn report(&self) -> HoldReport {
        let hint = match self {
            Self::StateUnavailable(failure) => {
                let without = "`[state] required = false` lets repoint act without memory";
                match &failure.hint {
                    // The configuration is wrong, and mending it costs no safety.
                    Some(hint) if matches!(failure.kind, Kind::Invalid | Kind::NotFound) => hint.clone(),
                    Some(hint) => format!("{hint}; {without}"),
                    None => without.to_owned(),
                }
            }
            Self::Locked(_) | Self::Conflict | Self::RateLimited => "the next pass looks again".to_owned(),
            Self::Refused(_) => {
                "this is a mistake in repoint: please report it with this message, and move the endpoints by hand"
                    .to_owned()
            }
            Self::StateOfOtherEndpoints(_) => {
                "give each entry its own `name`, or each configuration its own state file or table; if the endpoints were \
                 replaced, `repoint adopt NAME` accepts the new ones"
                    .to_owned()
            }
        };
        HoldReport {
            reason: Reason::Pass(self.kind()),
            endpoint: None,
            message: self.to_string(),
            hint: Some(hint),
        }
    }
}

/// What is said where memory is out of reach and need not be there.
#[must_use]
pub fn without_state(failure: &Failure) -> String {
    format!(
        "state store unavailable: {failure}; changes are made without it, since `[state] required = false`: an old primary is \
         not recognised by its timeline"
    )
}

/// Everything that was left alone.
#[must_use]
pub fn holds(verdict: &Verdict, plan: &Plan) -> Vec<HoldReport> {
    let whole = match verdict {
        Verdict::Primary(_) => None,
        Verdict::Hold(_) if plan.needs_no_primary => None,
        Verdict::Hold(hold) => Some(HoldReport {
            reason: Reason::Verdict(hold.kind()),
            endpoint: None,
            message: hold.to_string(),
            hint: Some(hold.kind().remedy().to_owned()),
        }),
    };
    let endpoints = plan.holds.iter().map(|EndpointHold { endpoint, reason }| HoldReport {
        reason: Reason::Endpoint(reason.kind()),
        endpoint: Some(endpoint.clone()),
        message: reason.to_string(),
        hint: match reason {
            EndpointReason::Unreadable(failure) => failure.hint.clone(),
            _ => None,
        },
    });
    whole.into_iter().chain(endpoints).collect()
}

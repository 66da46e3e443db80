//! The calls that clients made, as an audit trail has them.
//!
//! Every call is in it once, also one that was refused or lost.

use crate::Millis;

/// One call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// When.
    pub at: Millis,
    /// As IAM names it, e.g. `elasticloadbalancing:RegisterTargets`.
    pub action: &'static str,
    /// An ARN, as IAM would see it; the name of what is to be made; or `*`.
    pub resource: String,
    /// How it ended.
    pub ending: Ending,
}

/// How a call ended, as AWS saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Carried out, and the caller knows.
    Done,
    /// Refused with this code.
    Refused(String),
    /// The request never arrived.
    RequestLost,
    /// AWS answered (`None`), or refused with this code, and the answer never arrived.
    AnswerLost(Option<String>),
}

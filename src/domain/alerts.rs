//! What is alerted: what is wrong, since when, and the message about it.
//!
//! The table of kinds is [`ConditionKind`](crate::state::ConditionKind) (`state/kinds.rs`), since the state stores them.
//! Here are the detectors (`detect`), what becomes of conditions from pass to pass (`conditions`), the state that a pass
//! leaves behind (`update`), the message (`message`, `cut`), and its
//! formats (`topic`, `chatbot`, `alarm`).

mod alarm;
mod alert;
mod chatbot;
mod conditions;
mod cut;
mod detect;
mod event;
mod findings;
mod followed;
mod message;
mod outcome;
mod subject;
mod topic;
mod update;

pub use alarm::Alarm;
pub use alert::{Alert, Document, LeftOut};
pub use chatbot::Notification;
pub use conditions::{Limits, Rules};
pub use cut::CUTS;
pub use detect::findings;
pub use event::{Event, Phase};
pub use findings::Findings;
pub use outcome::{Loaded, PassOutcome};
pub use topic::{AlertTopic, Format};
pub use update::next_state;

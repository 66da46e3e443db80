//! The pass: observe, decide, commit, apply, notify.
//!
//! Only here do decisions and calls meet. Calls go through [`ports`](crate::ports) alone; no adapter is known.

pub mod adopt;
pub mod ahead;
pub mod apply;
pub mod backoff;
pub mod commit;
pub mod deadline;
pub mod endpoints;
pub mod fleet;
pub mod follow;
pub mod history;
pub mod insync;
pub mod lease_wait;
pub mod load_state;
pub mod members;
pub mod notify;
pub mod observe;
pub mod pass;
pub mod save;
pub mod settings;
pub mod supervise;
pub mod watch;
pub mod zone_batcher;

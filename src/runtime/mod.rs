//! The pass: observe, decide, apply, tell.
//!
//! Law: this is the only place where deciding and talking meet. It talks through [`ports`](crate::ports) alone and
//! knows no adapter.

pub mod adopt;
pub mod apply;
pub mod commit;
pub mod deadline;
pub mod endpoints;
pub mod fleet;
pub mod follow;
pub mod insync;
pub mod lease_wait;
pub mod load_state;
pub mod members;
pub mod notify;
pub mod observe;
pub mod pass;
pub mod save;
pub mod supervise;
pub mod watch;
pub mod zone_batcher;

//! What the tests have in common.

pub mod cases;
pub mod changes;
pub mod evidence;
pub mod history;
pub mod setup;
pub mod sites;

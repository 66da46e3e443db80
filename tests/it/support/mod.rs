//! What the tests have in common.

pub mod browser;
pub mod command;
#[path = "../../../src/domain/tests/it/support/evidence.rs"]
#[allow(dead_code, reason = "the tests of the core use the rest")]
pub mod evidence;
pub mod http;
pub mod sandbox;
pub mod site;
pub mod table;
pub mod terminal;

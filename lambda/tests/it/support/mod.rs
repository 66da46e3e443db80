//! What the tests have in common.

pub mod bootstrap;
pub mod proxy;
pub mod runtime_api;
pub mod site;

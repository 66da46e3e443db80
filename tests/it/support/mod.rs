//! What the tests have in common.

pub mod cases;
pub mod command;
pub mod diary;
pub mod evidence;
pub mod http;
pub mod sandbox;
pub mod site;
pub mod sites;
pub mod table;

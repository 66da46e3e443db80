//! What the tests have in common.

pub mod cases;
pub mod diary;
pub mod evidence;
pub mod sites;

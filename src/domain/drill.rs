//! A rehearsed switchover: whether it may begin, what clients saw of it, and the report.
//!
//! Times are milliseconds since the drill began, by one monotonic clock.

pub mod attempts;
pub mod gates;
pub mod picture;
pub mod report;
pub mod rows;
mod text;
pub mod timeline;

pub use text::{gates as gates_text, text};

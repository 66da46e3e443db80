//! A rehearsed switchover: what is judged before it, and what is computed of it.

mod attempts;
mod gates;
mod report;

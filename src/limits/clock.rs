//! The date.

use repoint_domain::values::timestamp::Timestamp;

/// The date.
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> Timestamp;
}

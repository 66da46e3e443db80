//! Seeded nights: reconcilers against failovers, faults and operators' edits.
//!
//! Law: one seed, one night. Everything that happens is in the [`Scenario`]'s list of events or drawn from its seed, so
//! that a night can be had again, and made shorter.

mod event;
mod laws;
mod night;
mod nights;
mod reconciler;
mod scenario;
mod shrink;
mod world;

pub use event::Event;
pub use laws::{Broken, Law};
pub use night::{Ending, Figures, Night, spend};
pub use nights::nights;
pub use scenario::Scenario;
pub use shrink::shrink;
pub use world::{Deed, World};

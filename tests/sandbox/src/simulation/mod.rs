//! Seeded nights: reconcilers against failovers, faults and operators' edits.
//!
//! Law: one seed, one night. Everything that happens is in the [`Scenario`]'s list of events or drawn from its seed, so
//! that a night can be had again, and made shorter.

mod clones;
mod event;
mod happen;
mod laws;
mod morning;
mod night;
mod nights;
mod prompt;
mod reconciler;
mod replaced;
mod scenario;
mod second_entry;
mod shrink;
mod sites;
mod truth;
mod world;

pub use event::{Event, Mishap};
pub use laws::{Broken, Law};
pub use night::{Ending, Figures, Night, spend};
pub use nights::nights;
pub use scenario::{Beside, Scenario, SecondEntry};
pub use shrink::shrink;
pub use sites::{Away, Node, Side};
pub use world::{Answering, Deed, World};

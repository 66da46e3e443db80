//! Seeded runs: reconcilers against failovers, faults and operators' edits.
//!
//! One seed, one run. Everything that happens is in the [`Scenario`]'s list of events or drawn from its seed, so
//! that a run can be reproduced, and made shorter.

mod alerts;
mod apply;
mod clones;
mod discovery;
mod event;
mod heal;
mod invariants;
mod promptness;
mod reconciler;
mod replaced;
mod run;
mod runs;
mod scenario;
mod second_entry;
mod shrink;
mod sites;
mod stretch;
mod truth;
mod world;

pub use event::{Event, Fault};
pub use invariants::{Invariant, Violation};
pub use run::{Ending, Figures, Run, run};
pub use runs::runs;
pub use scenario::{Scenario, SecondEntry, SecondSite};
pub use shrink::shrink;
pub use sites::{Away, Node, Side};
pub use stretch::Far;
pub use world::{Action, Answering, World};

//! What repoint decides: who is the primary, what differs, whether it may be changed, what is reported and alerted.
//!
//! Everything here is pure and synchronous. It may use `std`, `serde`, `serde_json` and `thiserror`; it must never read a
//! clock, the environment, a file or the network, and it must never log: the [`report`] is the log.
//!
//! Each layer imports only those above it in this list:
//!
//! ```text
//! values     names, ARNs, addresses, record sets, failures
//! spec       what the configuration asks for
//! observed   what Patroni's members and the endpoints say
//! state      what earlier passes have stored
//! decide     who is the primary, who may be read from, what moved
//! plan       what differs
//! audit      whether the plan breaks an invariant
//! report     what was done, and what was not and why
//! alerts     what a person is notified of
//! history    what has happened, for a reader
//! doctor     what is wrong with the set-up
//! drill      a rehearsed switchover: whether it may begin, and what clients saw of it
//! clients    where clients connect, and in which form they take that
//! ```

pub mod alerts;
pub mod audit;
pub mod clients;
pub mod decide;
pub mod doctor;
pub mod drill;
pub mod history;
pub mod observed;
pub mod plan;
pub mod rates;
pub mod report;
pub mod spec;
pub mod state;
pub mod values;

//! The entry points on one host: the daemon, Patroni's callback and cron, as real processes against the sandbox.

mod callback;
mod cron;
mod daemon;
mod fleet;
mod heartbeat;
mod http;
mod iam;
mod insync;
pub mod place;
mod terminal;
mod textfile;

//! Accounts, roles, partitions, and credentials that change.

mod credentials;
mod endpoints;
mod roles;
mod world;

//! `repoint drill`: connection strings, the request to Patroni, the command line.

mod clients;
mod command;
mod dsn;
mod server;
mod switchover;

//! The implementations of the [`ports`](crate::ports): all input and output, and no decisions.
//!
//! No type of an SDK or an HTTP client leaves this module, and every answer is checked before it is passed on.

pub mod aws;
pub mod clock;
pub mod control;
pub mod discovery;
#[cfg(feature = "ec2")]
pub mod ec2;
pub mod elbv2;
pub mod haproxy;
pub mod heartbeat;
pub mod history_event;
pub mod http_server;
#[cfg(feature = "doctor")]
pub mod inspect;
pub mod log_stream;
#[cfg(feature = "doctor")]
pub mod node;
pub mod open_files;
pub mod panics;
pub mod patroni;
pub mod resolver;
pub mod route53;
pub mod service_file;
pub mod single_flight;
pub mod sns;
pub mod state_dynamodb;
pub mod state_file;
pub mod textfile;
pub mod tls;

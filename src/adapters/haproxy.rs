//! HAProxy's Unix socket: its backends as they are, and the commands that change their servers.
//!
//! Each connection takes one line of commands and is closed after the answers, each of which an empty line ends. Commands
//! answer in prose, or with nothing where they succeed, so what was asked for is read back: a port of 99999 is accepted, and
//! is another one afterwards.
//!
//! Source: HAProxy's Management Guide, 9.3 ("Unix Socket commands").

mod commands;
mod state;

use std::io::ErrorKind;
use std::time::Duration;

use async_trait::async_trait;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::time::{Instant, sleep, timeout};

use crate::limits::LeaseGuard;
use crate::ports::Backends;
use repoint_domain::observed::Read;
use repoint_domain::values::failure::{Failure, Kind};
use repoint_domain::values::haproxy::{Backend, BackendKey, ServerChange};
use repoint_domain::values::text;

const READ: &str = "show servers state";
const CHANGE: &str = "set server";
/// How long HAProxy may take to answer: it does so within a millisecond, unless it is stopped.
const ANSWERS_WITHIN: Duration = Duration::from_secs(1);
/// Since 2.9 an address is changed after the answer, by a task of its own (`server.c`).
const TAKES_EFFECT_WITHIN: Duration = Duration::from_millis(100);
const LOOK_EVERY: Duration = Duration::from_millis(2);
/// The longest answer that is read: about 200 bytes for each server, in two lists.
const LONGEST_ANSWER: u64 = 4 * 1024 * 1024;

/// The sockets of this machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct Haproxy;

#[async_trait]
impl Backends for Haproxy {
    async fn read(&self, key: &BackendKey) -> Read<Backend> {
        let said = say(key, READ, &commands::read(&key.backend)).await?;
        state::backend(&said).map_err(|why| Failure::new(Kind::Invalid, READ, key.to_string(), why))
    }

    async fn change(
        &self,
        key: &BackendKey,
        change: &ServerChange,
        guard: &LeaseGuard,
    ) -> Result<(), Failure> {
        guard.check(CHANGE, key)?;
        let said = say(key, CHANGE, &commands::change(&key.backend, change)).await?;
        let until = Instant::now() + TAKES_EFFECT_WITHIN;
        loop {
            let backend = self.read(key).await?;
            let server = backend.servers.iter().find(|server| server.name == change.server);
            let Some(wrong) = state::differs(server, &change.after) else { return Ok(()) };
            if Instant::now() >= until {
                return Err(ineffective(key, &said, &wrong));
            }
            sleep(LOOK_EVERY).await;
        }
    }
}

/// HAProxy's answers to one line of commands.
async fn say(key: &BackendKey, call: &str, line: &str) -> Result<String, Failure> {
    let failure = |message: String| Failure::new(Kind::Unavailable, call, key.to_string(), message);
    let exchange = async {
        let mut stream = UnixStream::connect(&key.socket).await?;
        stream.write_all(format!("{line}\n").as_bytes()).await?;
        let mut said = String::new();
        stream.take(LONGEST_ANSWER).read_to_string(&mut said).await?;
        Ok::<_, std::io::Error>(said)
    };
    match timeout(ANSWERS_WITHIN, exchange).await {
        Ok(Ok(said)) => Ok(said),
        Ok(Err(error)) => {
            let failed = failure(error.to_string());
            Err(match error.kind() {
                ErrorKind::NotFound | ErrorKind::ConnectionRefused => {
                    failed.with_hint("HAProxy does not run, or its `stats socket` is another one")
                }
                ErrorKind::PermissionDenied => Failure { kind: Kind::Denied, ..failed }.with_hint(
                    "add a socket for the user that repoint runs as: `stats socket PATH user USER mode 600 level admin`",
                ),
                _ => failed,
            })
        }
        Err(_) => Err(failure("no answer within 1 s".to_owned())),
    }
}

/// A command that was answered, and did not do what it says.
fn ineffective(key: &BackendKey, said: &str, wrong: &str) -> Failure {
    let said: Vec<&str> = said.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let said = if said.is_empty() { "nothing".to_owned() } else { text::message(&said.join("; ")) };
    let failed =
        Failure::new(Kind::Invalid, CHANGE, key.to_string(), format!("{wrong}; HAProxy answered: {said}"));
    if said.contains("Permission denied") {
        return Failure { kind: Kind::Denied, ..failed }.with_hint("give the `stats socket` the level admin");
    }
    failed
}

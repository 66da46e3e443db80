//! The daemon's control socket: one line in, one line out.
//!
//! A client of the socket can trigger a check, and nothing else (invariant 1). Only the daemon's own user and group
//! may open its file.

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream as BlockingStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::Mode;
use rustix::process::umask;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader as AsyncBufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::time::timeout;

use repoint_domain::values::text;

mod shards;
pub use shards::{shard, sockets};

/// The longest line; a scope is a path in the DCS, and far shorter.
const LONGEST_LINE: u64 = 1024;
/// The longest answer of the daemon: the client's line and a message about it.
const LONGEST_ANSWER: u64 = 4 * LONGEST_LINE;
/// How long a client may take to send its line.
const LINE_WITHIN: Duration = Duration::from_secs(2);
/// The trigger, before the scope.
const CHECK: &str = "check ";
const DONE: &str = "ok";

/// The daemon's end of the socket.
pub struct Control {
    listener: UnixListener,
    path: PathBuf,
}

impl Control {
    /// Listens at `path`. A socket that a dead daemon has left behind is replaced.
    ///
    /// # Errors
    /// If another daemon listens there, or the path cannot be written.
    pub fn listen(path: &Path) -> io::Result<Self> {
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder)?;
        }
        let listener = match bind(path) {
            Err(error) if error.kind() == ErrorKind::AddrInUse => {
                if BlockingStream::connect(path).is_ok() {
                    return Err(io::Error::new(
                        ErrorKind::AddrInUse,
                        "another `repoint watch` listens on it",
                    ));
                }
                std::fs::remove_file(path)?;
                bind(path)?
            }
            bound => bound?,
        };
        Ok(Self { listener, path: path.to_owned() })
    }

    /// The path of the socket.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Waits for a client.
    ///
    /// # Errors
    /// If no more connections can be accepted.
    pub async fn accept(&self) -> io::Result<Caller> {
        let (stream, _) = self.listener.accept().await?;
        Ok(Caller { stream })
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        // A socket that is left behind is replaced by the next daemon.
        drop(std::fs::remove_file(&self.path));
    }
}

/// Creates the socket with a mode that keeps other users out from the start.
fn bind(path: &Path) -> io::Result<UnixListener> {
    let before = umask(Mode::RWXO | Mode::XUSR | Mode::XGRP);
    let bound = UnixListener::bind(path);
    umask(before);
    bound
}

/// The daemon's answer to a trigger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The daemon checks the cluster, and can act.
    Accepted,
    /// The daemon checks the cluster, but an AWS call or the state store that it needs for acting has failed last;
    /// the reason.
    Unable(String),
    /// The daemon does not watch the cluster.
    UnknownScope,
}

/// A connected client.
pub struct Caller {
    stream: UnixStream,
}

impl Caller {
    /// Reads the trigger and answers it: `check` gets the scope, and returns the answer.
    pub async fn serve(self, check: impl FnOnce(&str) -> Answer) {
        let mut stream = AsyncBufReader::new(self.stream);
        let mut line = String::new();
        let read = timeout(LINE_WITHIN, (&mut stream).take(LONGEST_LINE).read_line(&mut line)).await;
        let Ok(Ok(1..)) = read else { return };
        let answer = match line.trim_end().strip_prefix(CHECK).map(|scope| (scope, check(scope))) {
            Some((_, Answer::Accepted)) => DONE.to_owned(),
            Some((scope, Answer::UnknownScope)) => {
                format!("the daemon does not watch the cluster `{}`", text::message(scope))
            }
            // A callback treats every answer but the first as a refusal, and then checks the cluster itself.
            Some((_, Answer::Unable(why))) => {
                format!("the daemon cannot act: {}", text::message(&why))
            }
            None => format!("unknown request `{}`", text::message(&line)),
        };
        // A client that does not wait for the answer has triggered the check all the same.
        drop(timeout(LINE_WITHIN, stream.write_all(format!("{answer}\n").as_bytes())).await);
    }
}

/// Triggers the daemon that listens at `path` to check a cluster, and waits up to `within` for its answer.
///
/// # Errors
/// If no daemon listens there, or it does not answer in time, or it refuses.
pub fn observe(path: &Path, scope: &str, within: Duration) -> io::Result<()> {
    let mut stream = BlockingStream::connect(path)?;
    stream.set_read_timeout(Some(within))?;
    stream.set_write_timeout(Some(within))?;
    stream.write_all(format!("{CHECK}{scope}\n").as_bytes())?;
    let mut answer = String::new();
    BufReader::new(stream).take(LONGEST_ANSWER).read_line(&mut answer).map_err(|error| {
        match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::TimedOut => {
                io::Error::new(ErrorKind::TimedOut, format!("no answer within {} ms", within.as_millis()))
            }
            _ => error,
        }
    })?;
    match answer.trim_end() {
        DONE => Ok(()),
        "" => Err(io::Error::new(ErrorKind::UnexpectedEof, "the daemon closed the connection")),
        refusal => Err(io::Error::other(text::message(refusal))),
    }
}

//! The daemon's control socket: one line in, one line out.
//!
//! Law: whoever can reach the socket can say "look", and nothing else. Its file is for the daemon's own user and group.

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
/// The longest answer of the daemon: a line and what is said of it.
const LONGEST_ANSWER: u64 = 4 * LONGEST_LINE;
/// Whoever connects and says nothing is not waited for.
const LINE_WITHIN: Duration = Duration::from_secs(2);
/// What is asked of the daemon, before the scope.
const LOOK: &str = "look ";
const DONE: &str = "ok";

/// The daemon's end.
pub struct Control {
    listener: UnixListener,
    path: PathBuf,
}

impl Control {
    /// Listens at `path`. A socket that a dead daemon has left is replaced.
    ///
    /// # Errors
    /// If another daemon listens there, or the place cannot be written.
    pub fn listen(path: &Path) -> io::Result<Self> {
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder)?;
        }
        let listener = match bind(path) {
            Err(error) if error.kind() == ErrorKind::AddrInUse => {
                if BlockingStream::connect(path).is_ok() {
                    return Err(io::Error::new(
                        ErrorKind::AddrInUse,
                        "another `repoint watch` listens there",
                    ));
                }
                std::fs::remove_file(path)?;
                bind(path)?
            }
            bound => bound?,
        };
        Ok(Self { listener, path: path.to_owned() })
    }

    /// Where it listens.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Somebody who wants something.
    ///
    /// # Errors
    /// If no more connections can be had.
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

/// Nobody else may connect, from the first moment on.
fn bind(path: &Path) -> io::Result<UnixListener> {
    let before = umask(Mode::RWXO | Mode::XUSR | Mode::XGRP);
    let bound = UnixListener::bind(path);
    umask(before);
    bound
}

/// What comes of a call to look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Looks {
    /// The daemon looks, and can act.
    Able,
    /// It looks, but what it needs for acting was refused or unavailable when it was last needed; what that was.
    Unable(String),
    /// It watches no such cluster.
    Unknown,
}

/// Somebody who has connected.
pub struct Caller {
    stream: UnixStream,
}

impl Caller {
    /// Hears what is wanted, and answers: `observation` is given the scope, and says what comes of it.
    pub async fn serve(self, check: impl FnOnce(&str) -> Looks) {
        let mut stream = AsyncBufReader::new(self.stream);
        let mut line = String::new();
        let read = timeout(LINE_WITHIN, (&mut stream).take(LONGEST_LINE).read_line(&mut line)).await;
        let Ok(Ok(1..)) = read else { return };
        let answer = match line.trim_end().strip_prefix(LOOK).map(|scope| (scope, check(scope))) {
            Some((_, Looks::Able)) => DONE.to_owned(),
            Some((scope, Looks::Unknown)) => {
                format!("the daemon watches no cluster `{}`", text::message(scope))
            }
            // A callback takes every answer but the first for a refusal, and looks by itself.
            Some((_, Looks::Unable(why))) => {
                format!("the daemon cannot act at present: {}", text::message(&why))
            }
            None => format!("`{}` means nothing to the daemon", text::message(&line)),
        };
        // Who does not wait for the answer has been heard all the same.
        drop(timeout(LINE_WITHIN, stream.write_all(format!("{answer}\n").as_bytes())).await);
    }
}

/// Tells the daemon that listens at `path` to look at a cluster, and waits for its word, `within` at the longest.
///
/// # Errors
/// If nobody listens there, nobody answers in time, or the daemon refuses.
pub fn observe(path: &Path, scope: &str, within: Duration) -> io::Result<()> {
    let mut stream = BlockingStream::connect(path)?;
    stream.set_read_timeout(Some(within))?;
    stream.set_write_timeout(Some(within))?;
    stream.write_all(format!("{LOOK}{scope}\n").as_bytes())?;
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
        "" => Err(io::Error::new(ErrorKind::UnexpectedEof, "it hung up")),
        refusal => Err(io::Error::other(text::message(refusal))),
    }
}

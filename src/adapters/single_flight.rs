//! One process does a job that several processes of this machine want done.
//!
//! No request is lost: the owner answers each request, and the round that it begins afterwards covers it; a process
//! without an answer does the job itself. The name is an abstract socket of the kernel (`unix(7)`): it disappears
//! with its process, so nothing has to be created, owned or cleaned up. Every user of the machine can take such a
//! name, so a process of another user does not count as the owner.

use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::time::Duration;

use futures::FutureExt as _;
use rustix::process::geteuid;
use tokio::io::AsyncReadExt as _;
use tokio::net::{UnixListener, UnixStream};
use tokio::time::{sleep, timeout};

/// The owner answers within 1 ms, unless it is stopped.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);
/// A name without a listener is short-lived: its owner has just ended, or is about to listen.
const ATTEMPTS: u32 = 20;
const BETWEEN_ATTEMPTS: Duration = Duration::from_millis(5);
const ANSWER: [u8; 3] = *b"ok\n";

/// The right and the duty to do the job.
#[derive(Debug)]
pub struct Flight(Option<UnixListener>);

/// Becomes the owner of a job; `None` if another process is, and begins another round.
///
/// # Errors
/// If it is unknown whether another process owns the job. The caller should then do the job.
pub async fn join(work: &str) -> io::Result<Option<Flight>> {
    let name = PathBuf::from(format!("\0repoint/{}/{work}", geteuid().as_raw()));
    let mut last = ErrorKind::AddrInUse.into();
    for _ in 0..ATTEMPTS {
        match UnixListener::bind(&name) {
            Ok(listener) => return Ok(Some(Flight(Some(listener)))),
            Err(error) if error.kind() == ErrorKind::AddrInUse => {}
            Err(error) => return Err(error),
        }
        match timeout(ANSWER_WITHIN, ask(&name)).await {
            Ok(Ok(())) => return Ok(None),
            Ok(Err(error)) if is_gone(&error) => last = error,
            Ok(Err(error)) => return Err(error),
            Err(_) => {
                let message = format!("no answer within {} s", ANSWER_WITHIN.as_secs());
                return Err(io::Error::new(ErrorKind::TimedOut, message));
            }
        }
        sleep(BETWEEN_ATTEMPTS).await;
    }
    Err(last)
}

impl Flight {
    /// For a process that does not know whether another one owns the job.
    #[must_use]
    pub fn alone() -> Self {
        Self(None)
    }

    /// Does the job, and repeats it for requests that arrive meanwhile; returns the last result.
    pub async fn work<F: Future>(self, mut work: impl FnMut() -> F) -> F::Output {
        loop {
            // A request that is already waiting is covered by the round that begins now.
            while self.is_wanted().now_or_never().is_some() {}
            let mut done = pin!(work());
            let mut again = false;
            let result = loop {
                tokio::select! {
                    biased;
                    () = self.is_wanted() => again = true,
                    result = &mut done => break result,
                }
            };
            if !again {
                return result;
            }
        }
    }

    /// Waits for the request of another process, and answers it.
    async fn is_wanted(&self) {
        let Some(listener) = &self.0 else { return std::future::pending().await };
        loop {
            match listener.accept().await {
                // A process that has not waited for the answer does the job, too.
                Ok((other, _)) if is_of_this_user(&other) => return drop(answer(other)),
                Ok(_) => {}
                // Such as too many open files: they are closed as the job goes on.
                Err(_) => sleep(BETWEEN_ATTEMPTS).await,
            }
        }
    }
}

/// Asks the owner for another round.
async fn ask(name: &Path) -> io::Result<()> {
    let mut owner = UnixStream::connect(name).await?;
    if !is_of_this_user(&owner) {
        return Err(io::Error::new(ErrorKind::PermissionDenied, "a process of another user holds the name"));
    }
    let mut answer = ANSWER;
    owner.read_exact(&mut answer).await.map(drop)
}

/// A new socket has room for these few bytes.
fn answer(other: UnixStream) -> io::Result<()> {
    other.into_std()?.write_all(&ANSWER)
}

fn is_of_this_user(other: &UnixStream) -> bool {
    other.peer_cred().is_ok_and(|peer| peer.uid() == geteuid().as_raw())
}

/// Whether the owner has ended since its name was seen, or has no room for another connection.
fn is_gone(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionRefused
            | ErrorKind::ConnectionReset
            | ErrorKind::UnexpectedEof
            | ErrorKind::WouldBlock
    )
}

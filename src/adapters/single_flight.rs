//! The same work, wanted by several processes of this machine, done by one of them.
//!
//! Law: no wish is lost. The process that leads answers each one that comes, and what it does next begins after its last
//! answer; who gets no answer does the work itself. The name is one of the kernel's abstract sockets (`unix(7)`): it goes
//! with its process, however that ends, and there is nothing to be made, owned or cleaned up. Any user of the machine can
//! take such a name, so a process of another user is taken for none.

use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::time::Duration;

use futures::FutureExt as _;
use rustix::process::geteuid;
use tokio::io::AsyncReadExt as _;
use tokio::net::{UnixListener, UnixStream};
use tokio::time::{sleep, timeout};

/// The leader answers within a millisecond, unless it was stopped.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);
/// The name is taken and nobody answers only for a moment: the leader has just ended, or not begun yet.
const ATTEMPTS: u32 = 20;
const BETWEEN_ATTEMPTS: Duration = Duration::from_millis(5);
const ANSWER: [u8; 3] = *b"ok\n";

/// The right, and the duty, to do the work.
#[derive(Debug)]
pub struct Lead(Option<UnixListener>);

/// Takes the lead in some work; `None` if another process has it, and begins anew what it does.
///
/// # Errors
/// If it cannot be told whether there is another one. The work is to be done then.
pub async fn lead(work: &str) -> io::Result<Option<Lead>> {
    let name = PathBuf::from(format!("\0repoint/{}/{work}", geteuid().as_raw()));
    let mut last = ErrorKind::AddrInUse.into();
    for _ in 0..ATTEMPTS {
        match UnixListener::bind(&name) {
            Ok(listener) => return Ok(Some(Lead(Some(listener)))),
            Err(error) if error.kind() == ErrorKind::AddrInUse => {}
            Err(error) => return Err(error),
        }
        match timeout(ANSWER_WITHIN, ask(&name)).await {
            Ok(Ok(())) => return Ok(None),
            Ok(Err(error)) if is_gone(&error) => last = error,
            Ok(Err(error)) => return Err(error),
            Err(_) => {
                let message = format!("it has not answered for {} s", ANSWER_WITHIN.as_secs());
                return Err(io::Error::new(ErrorKind::TimedOut, message));
            }
        }
        sleep(BETWEEN_ATTEMPTS).await;
    }
    Err(last)
}

impl Lead {
    /// That of one who could not be told whether there are others.
    #[must_use]
    pub fn alone() -> Self {
        Self(None)
    }

    /// Does the work, and again for those who come while it is under way; what came of it last.
    pub async fn work<F: Future>(self, mut work: impl FnMut() -> F) -> F::Output {
        loop {
            // Whoever waits already is served by what begins now.
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

    /// Waits for another process that wants the work done, and answers it.
    async fn is_wanted(&self) {
        let Some(listener) = &self.0 else { return std::future::pending().await };
        loop {
            match listener.accept().await {
                // Who has not waited for the answer does the work, too.
                Ok((other, _)) if is_of_this_user(&other) => return drop(answer(other)),
                Ok(_) => {}
                // Such as too many open files: they are closed as the work goes on.
                Err(_) => sleep(BETWEEN_ATTEMPTS).await,
            }
        }
    }
}

/// Asks the leader to begin anew.
async fn ask(name: &Path) -> io::Result<()> {
    let mut leader = UnixStream::connect(name).await?;
    if !is_of_this_user(&leader) {
        return Err(io::Error::new(ErrorKind::PermissionDenied, "another user's process has its name"));
    }
    let mut answer = ANSWER;
    leader.read_exact(&mut answer).await.map(drop)
}

/// A socket that is new has room for the few bytes.
fn answer(other: UnixStream) -> io::Result<()> {
    other.into_std()?.write_all(&ANSWER)
}

fn is_of_this_user(other: &UnixStream) -> bool {
    other.peer_cred().is_ok_and(|peer| peer.uid() == geteuid().as_raw())
}

/// Whether the leader has ended since its name was seen, or is too busy for one more.
fn is_gone(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionRefused
            | ErrorKind::ConnectionReset
            | ErrorKind::UnexpectedEof
            | ErrorKind::WouldBlock
    )
}

//! The streams of log lines.
//!
//! Logging never stops or delays a pass. A line that the stream does not accept (a full disk, a closed pipe) is
//! dropped, and so is a line for which a pipe has no room: its reader may be stopped, and a write would block for as
//! long.

use std::io::{self, Write};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

/// A pipe with room accepts this many bytes at once (`PIPE_BUF` of Linux).
const CHUNK: usize = 4096;
/// How long to wait for a busy reader. After a wait in vain there is none until it reads again.
const ROOM_WITHIN: Duration = Duration::from_millis(250);

/// A stream of log lines. Every write to it succeeds.
#[derive(Debug)]
pub struct LogStream<S> {
    stream: S,
    is_stalled: AtomicBool,
}

impl LogStream<io::Stderr> {
    /// For programs that write data to stdout.
    #[must_use]
    pub fn stderr() -> Self {
        Self::new(io::stderr())
    }
}

impl LogStream<io::Stdout> {
    /// For a Lambda function, whose log is stdout.
    #[must_use]
    pub fn stdout() -> Self {
        Self::new(io::stdout())
    }
}

impl<S: AsFd> LogStream<S> {
    /// Writes to the file descriptor directly, without a buffer.
    pub fn new(stream: S) -> Self {
        Self { stream, is_stalled: AtomicBool::new(false) }
    }

    /// Writes as much of the line as the stream accepts.
    pub fn line(&self, bytes: &[u8]) {
        let wait = if self.is_stalled.load(Ordering::Relaxed) { Duration::ZERO } else { ROOM_WITHIN };
        let has_room = self.within(wait, bytes);
        self.is_stalled.store(!has_room, Ordering::Relaxed);
    }

    /// Writes what there is room for now.
    pub fn at_once(&self, bytes: &[u8]) {
        self.within(Duration::ZERO, bytes);
    }

    /// Whether there was room for all of it.
    fn within(&self, wait: Duration, mut bytes: &[u8]) -> bool {
        while !bytes.is_empty() {
            if !self.has_room(wait) {
                return false;
            }
            match rustix::io::write(&self.stream, &bytes[..bytes.len().min(CHUNK)]) {
                Ok(0) => break,
                Ok(written) => bytes = &bytes[written..],
                Err(Errno::INTR) => {}
                Err(_) => break,
            }
        }
        true
    }

    /// Whether a write would not block. It may still fail.
    fn has_room(&self, wait: Duration) -> bool {
        let wait = Timespec::try_from(wait).ok();
        loop {
            match poll(&mut [PollFd::new(&self.stream, PollFlags::OUT)], wait.as_ref()) {
                Ok(ready) => return ready > 0,
                Err(Errno::INTR) => {}
                Err(_) => return false,
            }
        }
    }
}

impl<S: AsFd> Write for &LogStream<S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.line(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

//! stderr: the lines of the log, and below them one line that is drawn again and again in its place.
//!
//! Nothing here waits for a terminal longer than the log does, and nothing fails.

use std::io::{self, Write};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use crate::app::LogStream;

/// To the first column, and what is there is erased.
const ERASE: &str = "\r\x1b[K";
/// The most lines that wait while a screen is shown; the oldest go first.
const MOST_WAITING: usize = 100;

static STDERR: LazyLock<Stderr> = LazyLock::new(|| Stderr {
    stream: LogStream::stderr(),
    shown: Mutex::new(Shown { drawn: String::new(), waiting: None }),
});

struct Stderr {
    stream: LogStream<io::Stderr>,
    shown: Mutex<Shown>,
}

struct Shown {
    /// The line that is drawn, if it is not empty.
    drawn: String,
    /// The lines of the log while they would be written over a screen.
    waiting: Option<Vec<Vec<u8>>>,
}

/// What the log writes to.
#[derive(Clone, Copy, Debug)]
pub struct Log;

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        line(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes a line of the log, above the line that is drawn.
pub fn line(bytes: &[u8]) {
    let mut shown = STDERR.lock();
    let Shown { drawn, waiting } = &mut *shown;
    match waiting {
        Some(waiting) => {
            waiting.push(bytes.to_owned());
            let surplus = waiting.len().saturating_sub(MOST_WAITING);
            waiting.drain(..surplus);
        }
        None if drawn.is_empty() => STDERR.stream.line(bytes),
        None => STDERR.stream.line(&[ERASE.as_bytes(), bytes, drawn.as_bytes()].concat()),
    }
}

/// Draws a line in the place of the last one; an empty one only erases that.
pub fn draw(line: String) {
    let mut shown = STDERR.lock();
    if shown.drawn != line {
        STDERR.stream.at_once(format!("{ERASE}{line}").as_bytes());
        shown.drawn = line;
    }
}

/// Keeps the lines of the log until [`release`].
pub fn hold() {
    STDERR.lock().waiting = Some(Vec::new());
}

/// Writes the lines that were kept.
pub fn release() {
    let waiting = STDERR.lock().waiting.take();
    STDERR.stream.line(&waiting.unwrap_or_default().concat());
}

impl Stderr {
    /// A panic leaves nothing half done: what is held is only replaced.
    fn lock(&self) -> MutexGuard<'_, Shown> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

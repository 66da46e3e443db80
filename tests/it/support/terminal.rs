//! A terminal of a program: a pseudo-terminal, and what its screen shows.

use std::io::Read as _;
use std::os::fd::OwnedFd;
use std::process::Stdio;

use rustix::pty::{OpenptFlags, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::timeout;

use crate::entry_points::place::PATIENCE;

/// The side of the user.
pub struct Terminal {
    user: OwnedFd,
    written: UnboundedReceiver<Vec<u8>>,
    pub screen: Screen,
    /// All that was written.
    pub bytes: Vec<u8>,
}

impl Terminal {
    /// Of that size; and what a program takes as its streams.
    pub fn open(rows: u16, columns: u16) -> (Self, impl Fn() -> Stdio) {
        let user = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        unlockpt(&user).unwrap();
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let program = ioctl_tiocgptpeer(&user, flags).unwrap();
        let mut reader = std::fs::File::from(user.try_clone().unwrap());
        let (write, written) = unbounded_channel();
        std::thread::spawn(move || {
            let mut chunk = [0; 4096];
            // An error when the last program has closed it.
            while let Ok(read @ 1..) = reader.read(&mut chunk) {
                if write.send(chunk[..read].to_vec()).is_err() {
                    return;
                }
            }
        });
        let screen = Screen::new(rows.into(), columns.into());
        let terminal = Self { user, written, screen, bytes: Vec::new() };
        terminal.set_size(rows, columns);
        (terminal, move || program.try_clone().unwrap().into())
    }

    fn set_size(&self, rows: u16, columns: u16) {
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&self.user, size).unwrap();
    }

    /// The user changes its size; a program without a session of its own has to be sent `SIGWINCH`.
    pub fn resize(&mut self, rows: u16, columns: u16) {
        self.set_size(rows, columns);
        self.screen =
            Screen { is_alternate: self.screen.is_alternate, ..Screen::new(rows.into(), columns.into()) };
    }

    /// Waits until the screen shows that.
    #[track_caller]
    pub fn until(&mut self, is_so: impl Fn(&Screen) -> bool) -> impl Future<Output = ()> {
        let place = std::panic::Location::caller();
        async move {
            while !is_so(&self.screen) {
                match timeout(PATIENCE, self.written.recv()).await {
                    Ok(Some(bytes)) => self.take(&bytes),
                    _ => panic!("{place}: it never came to that:\n{}", self.screen.text()),
                }
            }
        }
    }

    /// Waits until no program has it open any longer; `program` is what [`open`](Self::open) gave.
    pub async fn ends(&mut self, program: impl Fn() -> Stdio) {
        drop(program);
        while let Some(bytes) = timeout(PATIENCE, self.written.recv()).await.unwrap() {
            self.take(&bytes);
        }
    }

    fn take(&mut self, bytes: &[u8]) {
        self.bytes.extend(bytes);
        self.screen.write(bytes);
    }
}

/// What a terminal shows: of the sequences, those that `repoint` uses.
pub struct Screen {
    rows: Vec<Vec<char>>,
    columns: usize,
    at: (usize, usize),
    /// A sequence that has not ended.
    begun: Option<String>,
    /// Bytes of a character that has not ended.
    pending: Vec<u8>,
    pub is_alternate: bool,
    pub has_cursor: bool,
    /// What the alternate screen hides, and where the cursor was there.
    main: (Vec<Vec<char>>, (usize, usize)),
}

impl Screen {
    fn new(rows: usize, columns: usize) -> Self {
        let rows = vec![vec![' '; columns]; rows];
        Self {
            main: (rows.clone(), (0, 0)),
            rows,
            columns,
            at: (0, 0),
            begun: None,
            pending: Vec::new(),
            is_alternate: false,
            has_cursor: true,
        }
    }

    /// The rows, up to the last one that is not empty.
    pub fn text(&self) -> String {
        let rows: Vec<String> =
            self.rows.iter().map(|row| row.iter().collect::<String>().trim_end().to_owned()).collect();
        rows.join("\n").trim_end().to_owned()
    }

    fn write(&mut self, bytes: &[u8]) {
        self.pending.extend(bytes);
        let whole = match std::str::from_utf8(&self.pending) {
            Ok(text) => text.len(),
            Err(error) => error.valid_up_to(),
        };
        let text: Vec<u8> = self.pending.drain(..whole).collect();
        String::from_utf8(text).unwrap().chars().for_each(|one| self.put(one));
    }

    fn put(&mut self, one: char) {
        if let Some(mut begun) = self.begun.take() {
            begun.push(one);
            if begun.len() > 1 && one.is_ascii_alphabetic() {
                self.obey(&begun);
            } else {
                self.begun = Some(begun);
            }
            return;
        }
        match one {
            '\u{1b}' => self.begun = Some(String::new()),
            '\r' => self.at.1 = 0,
            '\n' => self.line_feed(),
            _ => {
                if self.at.1 == self.columns {
                    self.at.1 = 0;
                    self.line_feed();
                }
                self.rows[self.at.0][self.at.1] = one;
                self.at.1 += 1;
            }
        }
    }

    fn line_feed(&mut self) {
        if self.at.0 + 1 < self.rows.len() {
            self.at.0 += 1;
        } else {
            self.rows.remove(0);
            self.rows.push(vec![' '; self.columns]);
        }
    }

    fn obey(&mut self, sequence: &str) {
        let empty = vec![' '; self.columns];
        let (row, column) = (self.at.0, self.at.1.min(self.columns - 1));
        match sequence {
            "[H" => self.at = (0, 0),
            "[K" => self.rows[row][column..].fill(' '),
            "[2K" => self.rows[row] = empty,
            "[J" => {
                self.rows[row][column..].fill(' ');
                self.rows[row + 1..].fill(empty);
            }
            "[?1049h" => {
                self.is_alternate = true;
                let blank = vec![empty; self.rows.len()];
                self.main = (std::mem::replace(&mut self.rows, blank), self.at);
            }
            "[?1049l" => {
                self.is_alternate = false;
                (self.rows, self.at) = self.main.clone();
            }
            "[?25l" => self.has_cursor = false,
            "[?25h" => self.has_cursor = true,
            colour if colour.ends_with('m') => {}
            unknown => panic!("a sequence that the test does not know: {unknown:?}"),
        }
    }
}

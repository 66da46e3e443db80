//! Whether a stream is a terminal that more than lines can be written to, and its size.

use std::io::IsTerminal;
use std::os::fd::AsFd;

use rustix::termios::tcgetwinsize;

/// Rows and columns where a terminal does not say how many it has.
const USUAL: Size = Size { rows: 24, columns: 80 };

/// In characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    pub rows: usize,
    pub columns: usize,
}

/// Whether the cursor of a stream can be moved: it is a terminal, and `TERM` is set and not `dumb`. `NO_COLOR` is about
/// colours.
pub fn is_drawable(stream: &impl IsTerminal) -> bool {
    stream.is_terminal() && anstyle_query::term_supports_ansi_color()
}

/// The size of a terminal now.
pub fn size(stream: &impl AsFd) -> Size {
    let size = tcgetwinsize(stream).ok().filter(|size| size.ws_row > 0 && size.ws_col > 0);
    size.map_or(USUAL, |size| Size { rows: size.ws_row.into(), columns: size.ws_col.into() })
}

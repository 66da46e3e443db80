//! `repoint man`: the manual pages, from the texts of `--help`.

use std::fs;
use std::io;
use std::path::Path;
use std::process::ExitCode;

use clap::builder::Resettable;
use clap::{Command, CommandFactory as _};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, roman};

use super::{Cli, print};

pub const HELP: &str = "\
Example:
  repoint man ~/.local/share/man/man1 && man repoint-plan

The Debian package installs them.";

/// Writes `repoint.1` and a page for each command. No configuration is read.
pub fn main(folder: &Path) -> ExitCode {
    match write(folder) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => print::error(&format!("the pages cannot be written to {}: {error}", folder.display())),
    }
}

fn write(folder: &Path) -> io::Result<()> {
    let mut repoint = Cli::command().disable_help_subcommand(true);
    repoint.build();
    fs::create_dir_all(folder)?;
    for command in repoint.get_subcommands().chain([&repoint]) {
        let name = command.get_display_name().unwrap_or("repoint");
        fs::write(folder.join(format!("{name}.1")), page(command)?)?;
    }
    Ok(())
}

/// Keeps the line breaks of the examples, which `clap_mangen` would fill as prose.
fn page(command: &Command) -> io::Result<Vec<u8>> {
    let mut page = Vec::new();
    Man::new(command.clone().after_help(Resettable::Reset)).render(&mut page)?;

    let notes = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let mut roff = Roff::new();
    roff.control("SH", ["NOTES"]).control("nf", []);
    for line in notes.lines() {
        roff.text([roman(line)]);
    }
    roff.control("fi", []).to_writer(&mut page)?;
    Ok(page)
}

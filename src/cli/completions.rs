//! `repoint completions`: completions of the command line for a shell.

use std::process::ExitCode;

use clap::CommandFactory as _;
use clap_complete::Shell;

use super::{Cli, print};

pub const HELP: &str = "\
Examples:
  source <(repoint completions bash)
  repoint completions zsh > ~/.zfunc/_repoint
  repoint completions fish > ~/.config/fish/completions/repoint.fish

The Debian package installs those of bash, zsh and fish.";

/// Prints the completions. No configuration is read.
pub fn main(shell: Shell) -> ExitCode {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "repoint", &mut script);
    print::bytes(&script, true)
}

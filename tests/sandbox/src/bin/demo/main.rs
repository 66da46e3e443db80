//! `cargo demo`: the real `repoint` in a simulated world, told as it happens.
//!
//! The world is a [`Sandbox`](repoint_sandbox::http::door::Sandbox) on loopback. This program is also the real program:
//! called as `demo repoint …` it is `repoint`, so that whoever has built the demo needs to build nothing else.

mod check;
mod keep;
mod page;
mod program;
mod story;

use std::process::ExitCode;

use clap::Parser;

use crate::page::Page;
use crate::story::{Ending, Stage};

/// Shows repoint at work: a simulated Patroni cluster and AWS account on loopback, and the real reconciler.
#[derive(Debug, Parser)]
#[command(
    name = "demo",
    bin_name = "cargo demo --",
    max_term_width = 100,
    after_help = "\
Examples:
  cargo demo                          the story, in about 25 seconds
  cargo demo -- --keep                the story, then the sandbox stays, to be broken by hand
  cargo demo -- --keep --no-story     the sandbox alone
  cargo demo -- repoint --help        repoint itself, without another build

Nothing leaves this machine.
Exit status: 0 every endpoint ended where it should after each act; 1 it did not, and what is wrong
is said; 130 interrupted."
)]
struct Arguments {
    /// Leave the sandbox running, with `repoint run` every second, until Ctrl-C
    #[arg(long)]
    keep: bool,
    /// Do not tell the story
    #[arg(long, requires = "keep")]
    no_story: bool,
}

/// Interrupted, as a shell names it: 128 + SIGINT.
const INTERRUPTED: u8 = 130;

fn main() -> ExitCode {
    let arguments: Vec<std::ffi::OsString> = std::env::args_os().skip(1).collect();
    if arguments.first().is_some_and(|first| first == "repoint") {
        return program::main(arguments);
    }
    demonstrate(&Arguments::parse())
}

#[tokio::main]
async fn demonstrate(arguments: &Arguments) -> ExitCode {
    let mut page = Page::new();
    let stage = match Stage::new() {
        Ok(stage) => stage,
        Err(error) => {
            page.wrong(&[format!("the sandbox cannot be started: {error}")]);
            return ExitCode::FAILURE;
        }
    };
    let code = tokio::select! {
        code = play(arguments, &stage, &mut page) => code,
        _ = tokio::signal::ctrl_c() => {
            Page::new().interrupted();
            if arguments.no_story { ExitCode::SUCCESS } else { ExitCode::from(INTERRUPTED) }
        }
    };
    stage.program.finish().await;
    code
}

async fn play(arguments: &Arguments, stage: &Stage, page: &mut Page) -> ExitCode {
    let mut code = ExitCode::SUCCESS;
    if !arguments.no_story
        && let Ending::Badly(wrong) = story::tell(stage, page).await
    {
        page.wrong(&wrong);
        code = ExitCode::FAILURE;
    }
    if arguments.keep {
        keep::keep(stage, page).await;
    }
    code
}

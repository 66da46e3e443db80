//! `cargo demo`: the real `repoint` against a simulated cluster and account, with each event printed.
//!
//! The world is a [`Sandbox`] on loopback. This program is also the real program:
//! called as `demo repoint …` it is `repoint`, so that the demo is the only build.

mod check;
mod keep;
mod page;
mod program;
mod scenario;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use repoint_sandbox::http::sandbox::{Sandbox, Setup};
use repoint_sandbox::transport::Shape;

use crate::page::Page;
use crate::scenario::{Ending, Stage};

/// Shows repoint at work: a simulated Patroni cluster and AWS account on loopback, and the real reconciler.
#[derive(Debug, Parser)]
#[command(
    name = "demo",
    bin_name = "cargo demo --",
    max_term_width = 100,
    after_help = "\
Examples:
  cargo demo                          the scenario, in about 25 seconds
  cargo demo -- --keep                the scenario, then the sandbox stays, to be broken by hand
  cargo demo -- --keep --no-scenario  the sandbox alone
  cargo demo -- --serve /tmp/there    the same without repoint, for a repoint of your own
  cargo demo -- repoint --help        repoint itself, without another build

Nothing leaves this machine.
Exit status: 0 every endpoint was right after each step; 1 one was not, and the difference
is printed; 130 interrupted."
)]
struct Arguments {
    /// Leave the sandbox running, with `repoint run` every second, until Ctrl-C
    #[arg(long)]
    keep: bool,
    /// Skip the scenario
    #[arg(long, requires = "keep")]
    no_scenario: bool,
    /// Run no repoint: write repoint.toml and the URL of the sandbox's controls (`control`) into this folder, until Ctrl-C
    #[arg(long, value_name = "FOLDER", conflicts_with = "keep")]
    serve: Option<PathBuf>,
}

/// Interrupted, as a shell names it: 128 + SIGINT.
const INTERRUPTED: u8 = 130;

fn main() -> ExitCode {
    let arguments: Vec<std::ffi::OsString> = std::env::args_os().skip(1).collect();
    if arguments.first().is_some_and(|first| first == "repoint") {
        return program::main(arguments);
    }
    let arguments = Arguments::parse();
    match &arguments.serve {
        Some(folder) => serve(folder),
        None => demonstrate(&arguments),
    }
}

#[tokio::main]
async fn serve(folder: &Path) -> ExitCode {
    let served = async {
        let shape = Shape { is_filled: true, ..Shape::default() };
        let sandbox = Sandbox::start(Setup { shape, ..Setup::quick() })?;
        std::fs::write(folder.join("repoint.toml"), sandbox.configuration("/var/lib/repoint/state.json"))?;
        // Last: a script that waits for it finds the other file, too.
        std::fs::write(folder.join("control"), sandbox.control_url())?;
        tokio::signal::ctrl_c().await
    };
    match served.await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            Page::new().wrong(&[format!("the sandbox cannot be served from {}: {error}", folder.display())]);
            ExitCode::FAILURE
        }
    }
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
            if arguments.no_scenario { ExitCode::SUCCESS } else { ExitCode::from(INTERRUPTED) }
        }
    };
    stage.program.finish().await;
    code
}

async fn play(arguments: &Arguments, stage: &Stage, page: &mut Page) -> ExitCode {
    let mut code = ExitCode::SUCCESS;
    if !arguments.no_scenario
        && let Ending::Failed(wrong) = scenario::play(stage, page).await
    {
        page.wrong(&wrong);
        code = ExitCode::FAILURE;
    }
    if arguments.keep {
        keep::keep(stage, page).await;
    }
    code
}

//! `repoint`: parse, run, exit.

use std::process::ExitCode;

use clap::Parser;
use repoint::cli::{self, Cli};
use repoint::config::Environment;
use tracing_subscriber::EnvFilter;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    let filter =
        EnvFilter::try_from_env("REPOINT_LOG").unwrap_or_else(|_| EnvFilter::new("error,repoint=info"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false).init();
    // A variable that is not UTF-8 cannot be one of ours.
    let variables = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    cli::main(cli, &Environment::from_variables(variables)).await
}

//! `repoint`: parse, run, exit.

use std::process::ExitCode;

use repoint::cli;
use repoint::config::Environment;

fn main() -> ExitCode {
    let cli = match cli::parse() {
        Ok(cli) => cli,
        Err(code) => return code,
    };
    // A variable that is not UTF-8 cannot be one of ours.
    let variables = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    cli::main(cli, &Environment::from_variables(variables))
}

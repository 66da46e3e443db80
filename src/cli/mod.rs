//! The command line: one file per command.
//!
//! Law: data goes to stdout, everything else to stderr. Exit 0: every cluster is as it should be; 1: some cluster was
//! held or failed; 2: usage or configuration.

mod adopt;
mod check;
mod plan;
mod print;
mod run;
mod status;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::config::{self, Environment, Settings};

/// Keeps NLB target groups and Route 53 records pointing at the primary of Patroni clusters.
#[derive(Debug, Parser)]
#[command(
    version,
    about,
    max_term_width = 100,
    after_help = "\
Examples:
  repoint check                      is the configuration sound? (asks nobody)
  repoint plan                       what would be changed, and why (changes nothing)
  repoint run                        change it, once; for cron
  repoint run --cluster batman --format json
  repoint adopt batman               accept its new system identifier
  repoint status                     members, verdict and endpoints, as a table

Exit status: 0 every cluster is as it should be; 1 some cluster was held or failed; 2 usage or configuration.
Logs go to stderr; REPOINT_LOG sets their level (error, warn, info, debug, trace)."
)]
pub struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Args)]
struct Common {
    /// The configuration
    #[arg(
        long,
        short,
        global = true,
        value_name = "FILE",
        env = "REPOINT_CONFIG",
        default_value = "repoint.toml"
    )]
    config: PathBuf,
    /// Only this cluster; may be given several times
    #[arg(long, global = true, value_name = "SCOPE")]
    cluster: Vec<String>,
    /// How the answer is written
    #[arg(long, global = true, value_enum, default_value_t = Format::Text)]
    format: Format,
}

/// How an answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Text,
    /// For programs
    Json,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show what one pass would change, and why; change nothing
    #[command(after_help = "\
Examples:
  repoint plan
  repoint plan --cluster batman --format json | jq '.clusters[].steps'")]
    Plan,
    /// Make one pass: point every endpoint at its primary, and tell SNS
    #[command(after_help = "\
Examples:
  repoint run                                             once
  * * * * *  postgres  repoint run --config /etc/repoint.toml     in a crontab
  repoint run --dry-run                                   the same as `repoint plan`")]
    Run {
        /// Change nothing, only say what would be changed
        #[arg(long)]
        dry_run: bool,
    },
    /// Show members, verdict and endpoints as a table
    #[command(after_help = "\
Examples:
  repoint status
  watch --color repoint status --cluster batman")]
    Status,
    /// Accept a cluster's new system identifier, or an older timeline after a restore; moves nothing
    #[command(after_help = "\
Example:
  repoint adopt batman && repoint plan --cluster batman

A cluster that was made anew or restored to an earlier point is held (`wrong_cluster`, `stale`) until somebody says
that this is meant: an old copy of a database that comes back must not get the traffic by itself.")]
    Adopt {
        /// The cluster
        scope: String,
    },
    /// Check the configuration and print it as it was understood, without asking anybody
    #[command(after_help = "\
Examples:
  repoint check --config /etc/repoint.toml
  repoint check --format json")]
    Check,
}

/// Does what the command line says.
pub async fn main(cli: Cli, environment: &Environment) -> ExitCode {
    let format = cli.common.format;
    let settings = match settings(&cli.common, environment) {
        Ok(settings) => settings,
        Err(message) => return print::usage_error(&message),
    };
    match cli.command {
        Command::Plan | Command::Run { dry_run: true } => plan::main(settings, format).await,
        Command::Run { dry_run: false } => run::main(settings, format).await,
        Command::Status => status::main(settings, format).await,
        Command::Adopt { scope } => adopt::main(settings, &scope, format).await,
        Command::Check => check::main(&settings, format),
    }
}

/// The configuration, with only the chosen clusters.
fn settings(common: &Common, environment: &Environment) -> Result<Settings, String> {
    let mut settings = config::load(&common.config, environment).map_err(|error| error.to_string())?;
    let known: BTreeSet<String> = settings.clusters.iter().map(|cluster| cluster.scope.to_string()).collect();
    let chosen: BTreeSet<&String> = common.cluster.iter().collect();
    if let Some(unknown) = chosen.iter().find(|scope| !known.contains(**scope)) {
        let known: Vec<String> = known.into_iter().collect();
        return Err(format!(
            "--cluster {unknown}: {} has no such cluster; it has {}",
            common.config.display(),
            known.join(", ")
        ));
    }
    settings.clusters.retain(|cluster| chosen.is_empty() || chosen.contains(&cluster.scope.to_string()));
    Ok(settings)
}

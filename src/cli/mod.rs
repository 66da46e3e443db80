//! The command line: one file per command.
//!
//! Law: data goes to stdout, everything else to stderr. Exit 0: every cluster is as it should be; 1: some cluster was
//! held or failed, or the answer could not be printed; 2: usage or configuration. Nothing is printed before the work is
//! done, and no failure of stdout or stderr changes what is done.

mod adopt;
mod bundle;
mod callback;
mod check;
mod completions;
mod detached;
mod iam;
mod job;
mod man;
mod plan;
mod print;
mod run;
mod status;
mod systemd;
mod test_alert;
mod watch;

use std::collections::BTreeSet;
use std::future::Future;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use tokio::runtime::Builder;
use tracing_subscriber::EnvFilter;

use crate::app::{LogStream, panics};
use crate::config::{self, Environment, LogFilter, LogLevel, Rights, Settings};
use repoint_domain::values::cluster::EntryName;

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
  repoint watch                      change it whenever it has to be; for systemd
  repoint run --cluster batman --format json
  repoint adopt batman               accept its new system identifier
  repoint status                     members, verdict and endpoints, as a table
  repoint test-alert                 does an alert reach you?

Exit status: 0 every cluster is as it should be; 1 some cluster was held or failed,
or the answer could not be printed; 2 usage or configuration; 3 changes are planned
(`plan --exit-code`).
Logs go to stderr; REPOINT_LOG sets their level (off, error, warn, info, debug, trace)."
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
    /// Only this cluster, by its name or scope; may be given several times
    #[arg(long, global = true, value_name = "NAME")]
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

/// How the answer of a pass is written.
#[derive(Clone, Copy, Debug)]
struct Printing {
    format: Format,
    /// Not at all, if there is nothing to say.
    quiet: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    #[command(flatten)]
    Work(Work),
    /// Print completions for a shell
    #[command(after_help = "\
Examples:
  source <(repoint completions bash)
  repoint completions zsh > ~/.zfunc/_repoint
  repoint completions fish > ~/.config/fish/completions/repoint.fish

The Debian package brings those of bash, zsh and fish along.")]
    Completions {
        /// Which shell
        shell: Shell,
    },
    /// Write the manual pages: repoint(1), and one for each command
    #[command(after_help = "\
Example:
  repoint man ~/.local/share/man/man1 && man repoint-plan

The Debian package brings them along.")]
    Man {
        /// Where to; made if need be
        folder: PathBuf,
    },
}

/// What takes a configuration.
#[derive(Debug, Subcommand)]
enum Work {
    /// Show what one pass would change, and why; change nothing
    #[command(after_help = "\
Examples:
  repoint plan
  repoint plan --cluster batman --format json | jq '.clusters[].steps'
  repoint plan --exit-code || echo \"not converged\"       in a pipeline

Exit status with --exit-code: 0 nothing would be changed, and nothing is held; 3 changes are planned, and nothing is
held; 1 some cluster is held or failed; 2 usage or configuration.")]
    Plan {
        /// Exit with 3 if changes are planned, with 0 only if there are none
        #[arg(long)]
        exit_code: bool,
        /// Print and log nothing but warnings where nothing would be changed, is held or failed
        #[arg(long, short)]
        quiet: bool,
    },
    /// Make one pass: point every endpoint at its primary, and tell SNS
    #[command(after_help = "\
Examples:
  repoint run                                             once
  * * * * *  postgres  repoint run --quiet --config /etc/repoint.toml     in /etc/cron.d
  repoint run --dry-run                                   the same as `repoint plan`")]
    Run {
        /// Change nothing, only say what would be changed
        #[arg(long)]
        dry_run: bool,
        /// Print and log nothing but warnings where nothing was changed, held or failed: cron mails what is printed
        #[arg(long, short)]
        quiet: bool,
    },
    /// Watch every cluster for ever, and act within a fraction of a second when its primary changes
    #[command(after_help = "\
Examples:
  repoint watch --config /etc/repoint.toml
  repoint watch --format json                             logs as JSON, one object a line

It asks Patroni every second ([watch] interval_seconds), and AWS only when something has changed, when a callback
says so, when something is unfinished, and every minute (audit_interval_seconds). SIGHUP loads the configuration
anew; SIGTERM ends it after the pass under way. Under systemd it tells when it is ready and that it is alive.")]
    Watch,
    /// Be Patroni's callback: hand over to whoever looks, and return within milliseconds
    #[command(after_help = "\
In patroni.yml, as the user that runs Patroni:
  postgresql:
    callbacks:
      on_role_change: repoint callback --config /etc/repoint.toml
      on_start: repoint callback --config /etc/repoint.toml

Patroni appends the action, the role and the scope. What they say is not believed: they only mean that it is time to
look. [callback] mode says who looks: `daemon` (a `repoint watch` on this host, or repoint itself if there is
none), `sns` (a topic that calls the Lambda) or `self` (a process of its own, which Patroni cannot kill).")]
    Callback {
        /// What Patroni appends: ACTION ROLE SCOPE
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true, num_args = 3..)]
        arguments: Vec<String>,
        /// This is the process to which a callback has handed over
        #[arg(long, hide = true)]
        detached: bool,
    },
    /// Show members, verdict and endpoints as a table
    #[command(after_help = "\
Examples:
  repoint status
  watch --color repoint status --cluster batman")]
    Status,
    /// Publish a test to the topic of alerts; look at nothing, change nothing
    #[command(after_help = "\
Example:
  repoint test-alert && echo published

It is published as an alert would be, with the attributes event=test and severity=info. Of the Lambda, ask for one by
the event {\"test_alert\": true}.")]
    TestAlert,
    /// Accept a cluster's new system identifier, or an older timeline after a restore; moves nothing
    #[command(after_help = "\
Example:
  repoint adopt batman && repoint plan --cluster batman

A cluster that was made anew or restored to an earlier point is held (`wrong_cluster`, `stale`) until somebody says
that this is meant: an old copy of a database that comes back must not get the traffic by itself.")]
    Adopt {
        /// The cluster, by its name; or by its scope, if only one entry has it
        name: String,
    },
    /// Print the IAM policy that this configuration needs, and no more
    #[command(after_help = "\
Examples:
  repoint iam > policy.json                     for run, watch and the Lambda
  repoint iam --for plan                        looking only
  repoint iam --for callback                    nodes that only call the Lambda ([callback] mode = \"sns\")
  repoint iam --role self                       the process's own policy, where roles are configured (role_arn)
  repoint iam --role arn:aws:iam::210987654321:role/repoint-dns     that of a role which it assumes
  aws iam create-policy --policy-name repoint --policy-document file://policy.json

Where the configuration has roles, it prints {\"policies\": [{\"role_arn\", \"policy\"}, …]}, the process's own first, with a
null for its role. AWS is not asked. When AWS refuses a call, repoint names the statement that is missing.")]
    Iam {
        /// Who is to be allowed
        #[arg(long = "for", value_enum, default_value_t = For::Run)]
        whom: For,
        /// No target group holds instances: leave out ec2:DescribeInstances
        #[arg(long)]
        no_instances: bool,
        /// Only the policy of this role, or of the process's own credentials: `self`
        #[arg(long, value_name = "ARN")]
        role: Option<String>,
    },
    /// Print the configuration and what follows from it as one JSON document, for infra/terraform
    #[command(after_help = "\
Examples:
  repoint bundle > bundle.json                  then in Terraform: bundle = file(\"bundle.json\")
  repoint bundle --no-instances > bundle.json   if every target group is of type `ip`
  jq .policy bundle.json                        what the function will be allowed

It holds the configuration's text, the policy, and the names of clusters, scopes, target groups, listeners, Regions, zones,
topics, table and services. Nothing is asked of AWS or Patroni. Print it anew whenever the configuration changes.")]
    Bundle {
        /// No target group holds instances: leave out ec2:DescribeInstances
        #[arg(long)]
        no_instances: bool,
    },
    /// Check the configuration and print it as it was understood, without asking anybody
    #[command(after_help = "\
Examples:
  repoint check --config /etc/repoint.toml
  repoint check --format json")]
    Check,
}

impl Work {
    fn is_quiet(&self) -> bool {
        matches!(self, Self::Plan { quiet: true, .. } | Self::Run { quiet: true, .. })
    }
}

/// Who is to be allowed something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum For {
    /// `run`, `watch`, the Lambda, and a callback that does not hand over to it
    Run,
    /// `plan` and `status`
    Plan,
    /// `callback`, where it hands over to the Lambda
    Callback,
}

impl For {
    fn rights(self) -> Rights {
        match self {
            Self::Run => Rights::Pass,
            Self::Plan => Rights::Plan,
            Self::Callback => Rights::Callback,
        }
    }
}

/// The command line.
///
/// # Errors
/// The exit status, where there is nothing more to do: help was asked for, or the command line is wrong.
pub fn parse() -> Result<Cli, ExitCode> {
    Cli::try_parse().map_err(|error| print::instead_of_a_command(&error))
}

/// Does what the command line says.
#[must_use]
pub fn main(cli: Cli, environment: &Environment) -> ExitCode {
    match cli.command {
        Command::Work(work) => self::work(work, &cli.common, environment),
        Command::Completions { shell } => completions::main(shell),
        Command::Man { folder } => man::main(&folder),
    }
}

fn work(work: Work, common: &Common, environment: &Environment) -> ExitCode {
    let format = common.format;
    let filter = match LogFilter::from_environment(environment) {
        Ok(filter) => filter.unwrap_or(LogFilter::ours(LogLevel::Info)),
        Err(problem) => return print::usage_error(&problem.to_string()),
    };
    let filter = if work.is_quiet() { filter.at_most(LogLevel::Warn) } else { filter };
    log_to_stderr(&filter, format == Format::Json && matches!(work, Work::Watch));
    let settings = match settings(common, environment) {
        Ok(settings) => settings,
        Err(message) => return print::usage_error(&message),
    };
    match work {
        Work::Plan { exit_code, quiet } => {
            block_on(plan::main(settings, Printing { format, quiet }, exit_code))
        }
        Work::Run { dry_run: true, quiet } => {
            block_on(plan::main(settings, Printing { format, quiet }, false))
        }
        Work::Run { dry_run: false, quiet } => {
            run::main(settings, &common.config, Printing { format, quiet })
        }
        Work::Watch => {
            let load =
                || self::settings(common, environment).map(|settings| watch::sharded(settings, common));
            block_on(watch::main(watch::sharded(settings, common), load))
        }
        Work::Callback { arguments, detached: false } => {
            callback::main(&settings, &common.config, &arguments)
        }
        Work::Callback { arguments, detached: true } => detached::main(settings, &common.config, &arguments),
        Work::Status => block_on(status::main(settings, format)),
        Work::TestAlert => block_on(test_alert::main(settings, format)),
        Work::Adopt { name } => block_on(adopt::main(settings, &name, format)),
        Work::Iam { whom, no_instances, role } => {
            iam::main(&settings, whom.rights(), cfg!(feature = "ec2") && !no_instances, role.as_deref())
        }
        Work::Bundle { no_instances } => {
            let has_instances = cfg!(feature = "ec2") && !no_instances;
            bundle::main(&settings, &common.config, !common.cluster.is_empty(), has_instances)
        }
        Work::Check => check::main(&settings, format),
    }
}

fn log_to_stderr(filter: &LogFilter, as_json: bool) {
    let log = tracing_subscriber::fmt()
        .log_internal_errors(false)
        .with_env_filter(EnvFilter::new(filter.to_string()))
        .with_ansi(print::is_stderr_painted())
        .with_writer(Arc::new(LogStream::stderr()));
    let begun = if as_json {
        log.json().flatten_event(true).with_target(false).try_init()
    } else {
        log.with_target(false).try_init()
    };
    // It fails only where something logs already.
    drop(begun);
    panics::log();
}

/// Runs it to its end, and waits for nothing that it has left behind, such as a look-up of a name that hangs.
fn block_on(main: impl Future<Output = ExitCode>) -> ExitCode {
    match Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => {
            let code = runtime.block_on(main);
            runtime.shutdown_background();
            code
        }
        Err(error) => print::usage_error(&format!("the runtime cannot be started: {error}")),
    }
}

/// The configuration, with only the chosen clusters.
fn settings(common: &Common, environment: &Environment) -> Result<Settings, String> {
    let mut settings = config::load(&common.config, environment).map_err(|error| error.to_string())?;
    let mut chosen: BTreeSet<EntryName> = BTreeSet::new();
    for wanted in &common.cluster {
        let called = settings.entries_called(wanted);
        if called.is_empty() {
            let known: BTreeSet<String> = settings.names().into_iter().collect();
            return Err(format!(
                "--cluster {wanted}: {} has no such cluster; it has {}",
                common.config.display(),
                known.into_iter().collect::<Vec<_>>().join(", ")
            ));
        }
        chosen.extend(called.into_iter().map(|spec| spec.name.clone()));
    }
    settings.clusters.retain(|spec| chosen.is_empty() || chosen.contains(&spec.name));
    Ok(settings)
}

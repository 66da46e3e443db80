//! The command line: one file per command.
//!
//! Data goes to stdout, everything else to stderr. Exit status 0: every cluster is as it should be; 1: some cluster
//! was held or failed, or the output could not be printed; 2: usage or configuration. Nothing is printed before the
//! work is done, and no failure of stdout or stderr changes what is done.

mod adopt;
mod bundle;
mod callback;
mod check;
mod completions;
mod detached;
#[cfg(feature = "doctor")]
mod doctor;
#[cfg(feature = "drill")]
mod drill;
mod history;
mod iam;
mod job;
mod man;
mod plan;
mod primary;
mod print;
mod progress;
mod run;
mod status;
mod stderr;
mod systemd;
mod terminal;
mod test_alert;
mod watch;

use std::collections::BTreeSet;
use std::future::Future;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::builder::{EnumValueParser, TypedValueParser};
use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use tokio::runtime::Builder;
use tracing_subscriber::EnvFilter;

#[cfg(feature = "doctor")]
use crate::app::DoctorOptions;
use crate::app::{HISTORY_EVENTS, Since, panics};
use crate::config::{self, Environment, LogFilter, LogLevel, Rights, Settings};
use primary::ClientFormat;
use repoint_domain::spec::Spec;
use repoint_domain::values::cluster::EntryName;

/// Keep NLB target groups and Route 53 records pointing at the primary of Patroni clusters.
#[derive(Debug, Parser)]
#[command(
    version,
    about,
    max_term_width = 100,
    after_help = "\
Examples:
  repoint check                      check the configuration (makes no requests)
  repoint plan                       show what would be changed, and why (changes nothing)
  repoint run                        make one pass; for cron
  repoint watch                      make passes whenever something changes; for systemd
  repoint run --cluster batman --format json
  repoint adopt batman               accept the cluster's new system identifier
  repoint status --watch             show members, verdict and endpoints, again and again
  repoint history --since 12h        show what has moved, and what was held
  repoint doctor                     find what is wrong with the set-up, before a failover does
  repoint test-alert                 publish a test alert
  repoint drill batman               rehearse a switchover, and measure what clients see
  repoint primary                    print where the primary is, for psql and other clients

Exit status: 0 every cluster is as it should be; 1 some cluster was held or failed,
or the output could not be printed; 2 usage or configuration; 3 changes are planned
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
    /// Path of the configuration file
    #[arg(
        long,
        short,
        global = true,
        value_name = "FILE",
        env = "REPOINT_CONFIG",
        default_value = "repoint.toml"
    )]
    config: PathBuf,
    /// Only this cluster, by name or scope; may be repeated
    #[arg(long, global = true, value_name = "NAME")]
    cluster: Vec<String>,
    /// Output format
    #[arg(long, global = true, value_parser = FormatOption::of_reports(), default_value = "text")]
    format: FormatOption,
}

/// The value of `--format`: `primary` has formats of its own under the same name, and clap one type for both.
#[derive(Clone, Copy, Debug)]
enum FormatOption {
    Report(Format),
    Client(ClientFormat),
}

impl FormatOption {
    fn of_reports() -> impl TypedValueParser<Value = Self> {
        EnumValueParser::<Format>::new().map(Self::Report)
    }

    fn of_clients() -> impl TypedValueParser<Value = Self> {
        EnumValueParser::<ClientFormat>::new().map(Self::Client)
    }

    /// What every other command prints.
    fn of_report(self) -> Format {
        match self {
            Self::Report(format) => format,
            Self::Client(_) => Format::Text,
        }
    }
}

/// The format of the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Text for a terminal
    Text,
    /// JSON for programs
    Json,
}

/// The output of a pass.
#[derive(Clone, Copy, Debug)]
struct Printing {
    format: Format,
    /// Prints nothing if nothing was changed, held or failed.
    quiet: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    #[command(flatten)]
    Work(Work),
    /// Print completions for a shell
    #[command(after_help = completions::HELP)]
    Completions {
        /// Shell to print completions for
        shell: Shell,
    },
    /// Write the manual pages: repoint(1) and one for each command
    #[command(after_help = man::HELP)]
    Man {
        /// Folder to write to; created if it does not exist
        folder: PathBuf,
    },
}

/// The commands that need a configuration.
#[derive(Debug, Subcommand)]
enum Work {
    /// Show what one pass would change, and why, without changing anything
    #[command(after_help = plan::HELP)]
    Plan {
        /// Exit with status 3 if changes are planned, and with 0 only if none are
        #[arg(long)]
        exit_code: bool,
        /// Print nothing, and log only warnings, if nothing would be changed, is held or failed
        #[arg(long, short)]
        quiet: bool,
    },
    /// Make one pass: point every endpoint at its primary, and publish alerts
    #[command(after_help = run::HELP)]
    Run {
        /// Show what would be changed, without changing anything
        #[arg(long)]
        dry_run: bool,
        /// Print nothing, and log only warnings, if nothing was changed, held or failed: cron mails all output
        #[arg(long, short)]
        quiet: bool,
    },
    /// Watch all clusters, and make a pass within a fraction of a second when a primary changes
    #[command(after_help = watch::HELP)]
    Watch,
    /// Handle a Patroni callback: trigger a check and return
    #[command(after_help = callback::HELP)]
    Callback {
        /// Arguments that Patroni appends: ACTION ROLE SCOPE
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true, num_args = 3..)]
        arguments: Vec<String>,
        /// Set for the process that a callback starts
        #[arg(long, hide = true)]
        detached: bool,
    },
    /// Show members with their lag, verdict, endpoints, open conditions and the last move
    #[command(after_help = status::HELP)]
    Status {
        /// Repeat it every 2 seconds, or every SECONDS (1 to 3600)
        #[arg(long, value_name = "SECONDS", num_args = 0..=1, require_equals = true, default_missing_value = "2",
            value_parser = clap::value_parser!(u64).range(1..=3600))]
        watch: Option<u64>,
    },
    /// Show what has moved, why and how long it took, and which conditions were alerted
    #[command(after_help = history::HELP)]
    History {
        /// Only what happened since then: a duration (90m, 12h, 3d, 2w), or a date or time (UTC without an offset)
        #[arg(long, value_name = "WHEN", value_parser = history::since)]
        since: Option<Since>,
    },
    /// Find what is wrong with the set-up, before the next failover does; changes nothing
    #[cfg(feature = "doctor")]
    #[command(after_help = doctor::HELP)]
    Doctor {
        /// Also read what only this node has: patroni.yml, callbacks, watchdog, units, clock, hosts file
        #[arg(long)]
        local: bool,
        /// Also make the checks that are not reads; they have no effect
        #[arg(long)]
        probe: bool,
        /// Ignore this check; may be repeated. With a reason: [[doctor.ignore]] in the configuration
        #[arg(long, value_name = "ID")]
        ignore: Vec<String>,
    },
    /// Rehearse a switchover, and measure what clients see of it
    #[cfg(feature = "drill")]
    #[command(after_help = drill::HELP)]
    Drill(drill::Arguments),
    /// Print where the primary is, for scripts and clients; asks Patroni alone
    #[command(after_help = primary::HELP)]
    Primary(primary::Arguments),
    /// Publish a test alert, without checking or changing anything
    #[command(after_help = test_alert::HELP)]
    TestAlert {
        /// Only this topic
        #[arg(long, value_name = "ARN")]
        topic: Option<String>,
    },
    /// Accept a cluster's new system identifier, or an older timeline after a restore; changes no endpoint
    #[command(after_help = adopt::HELP)]
    Adopt {
        /// The cluster, by name; or by scope, if only one entry has it
        name: String,
    },
    /// Print the least-privilege IAM policy for this configuration
    #[command(after_help = iam::HELP)]
    Iam {
        /// What the policy is for
        #[arg(long = "for", value_enum, default_value_t = For::Run)]
        whom: For,
        /// Omit ec2:DescribeInstances, because no target group holds instances
        #[arg(long)]
        no_instances: bool,
        /// Print only the policy of this role, or `self` for that of the process's own credentials
        #[arg(long, value_name = "ARN")]
        role: Option<String>,
    },
    /// Print the configuration and what follows from it as one JSON document, for infra/terraform
    #[command(after_help = bundle::HELP)]
    Bundle {
        /// Omit ec2:DescribeInstances, because no target group holds instances
        #[arg(long)]
        no_instances: bool,
    },
    /// Check the configuration and print it with all defaults, without any request
    #[command(after_help = check::HELP)]
    Check,
}

impl Work {
    /// What is logged unless `REPOINT_LOG` says otherwise. A command that prints what it has done does not log it as well.
    fn default_log(&self) -> LogFilter {
        let filter = LogFilter::ours(LogLevel::Info);
        match self {
            Self::Run { .. } | Self::Adopt { .. } => filter.and(HISTORY_EVENTS, LogLevel::Warn),
            _ => filter,
        }
    }

    fn is_quiet(&self) -> bool {
        matches!(self, Self::Plan { quiet: true, .. } | Self::Run { quiet: true, .. })
    }
}

/// What a policy is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum For {
    /// `run`, `watch`, the Lambda, and a callback that makes passes itself
    Run,
    /// `plan`, `status` and `history`
    Plan,
    /// `callback` with mode `sns`
    Callback,
    /// `doctor`
    Doctor,
}

impl For {
    fn rights(self) -> Rights {
        match self {
            Self::Run => Rights::Pass,
            Self::Plan => Rights::Plan,
            Self::Callback => Rights::Callback,
            Self::Doctor => Rights::Doctor,
        }
    }
}

/// Parses the command line.
///
/// # Errors
/// The exit status if nothing remains to be done: help was requested, or the command line is wrong.
pub fn parse() -> Result<Cli, ExitCode> {
    Cli::try_parse().map_err(|error| print::instead_of_a_command(&error))
}

/// Runs the command.
#[must_use]
pub fn main(cli: Cli, environment: &Environment) -> ExitCode {
    match cli.command {
        Command::Work(work) => self::work(work, &cli.common, environment),
        Command::Completions { shell } => completions::main(shell),
        Command::Man { folder } => man::main(&folder),
    }
}

fn work(work: Work, common: &Common, environment: &Environment) -> ExitCode {
    let format = common.format.of_report();
    let filter = match LogFilter::from_environment(environment) {
        Ok(filter) => filter.unwrap_or_else(|| work.default_log()),
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
        Work::Status { watch } => block_on(status::main(settings, watch.map(Duration::from_secs), format)),
        Work::History { since } => block_on(history::main(settings, since, format)),
        #[cfg(feature = "doctor")]
        Work::Doctor { local, probe, ignore } => {
            block_on(doctor::main(settings, DoctorOptions { local, probe }, &ignore, format))
        }
        #[cfg(feature = "drill")]
        Work::Drill(arguments) => block_on(drill::main(settings, arguments, environment, format)),
        Work::Primary(arguments) => block_on(primary::main(settings, arguments)),
        Work::TestAlert { topic } => block_on(test_alert::main(settings, topic.as_deref(), format)),
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
        .with_writer(|| stderr::Log);
    let begun = if as_json {
        log.json().flatten_event(true).with_target(false).try_init()
    } else {
        log.with_target(false).try_init()
    };
    // Fails only if a logger is installed already.
    drop(begun);
    panics::log();
}

/// Runs a future to its end, and waits for nothing that it has left behind, such as a name resolution that hangs.
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

/// The configuration with only the selected clusters.
fn settings(common: &Common, environment: &Environment) -> Result<Settings, String> {
    let mut settings = config::load(&common.config, environment).map_err(|error| error.to_string())?;
    let mut chosen: BTreeSet<EntryName> = BTreeSet::new();
    for wanted in &common.cluster {
        let called = settings.entries_called(wanted);
        if called.is_empty() {
            let known: BTreeSet<String> = settings.names().into_iter().collect();
            return Err(format!(
                "--cluster {wanted}: {} has no such cluster; its clusters are {}",
                common.config.display(),
                known.into_iter().collect::<Vec<_>>().join(", ")
            ));
        }
        chosen.extend(called.into_iter().map(|spec| spec.name.clone()));
    }
    settings.clusters.retain(|spec| chosen.is_empty() || chosen.contains(&spec.name));
    Ok(settings)
}

/// The entry of that name, or the only one of that scope.
fn entry<'a>(settings: &'a Settings, called: &str) -> Result<&'a Spec, String> {
    match &settings.entries_called(called)[..] {
        [] => Err(format!("the configuration has no cluster `{called}`")),
        [only] => Ok(only),
        several => {
            let names: Vec<&str> = several.iter().map(|spec| spec.name.as_str()).collect();
            let names = names.join(", ");
            Err(format!("several entries have the scope `{called}`; use the name of one: {names}"))
        }
    }
}

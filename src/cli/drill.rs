//! `repoint drill`: the command line, the confirmation, the report.

use std::io::{self, BufRead as _, IsTerminal as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::spawn_blocking;

use super::{Format, entry, print, stderr, terminal};
use crate::app::App;
#[cfg(feature = "doctor")]
use crate::app::DoctorOptions;
use crate::config::{Environment, Settings};
use crate::drill::conduct::{Confirmation, Operator, Request, observe, switch_over};
use crate::drill::dsn::DsnError;
use crate::drill::endpoint::Endpoint;
use crate::drill::login;
use crate::drill::table::Table;
use repoint_domain::doctor::report::DoctorReport;
#[cfg(feature = "doctor")]
use repoint_domain::doctor::{checks::CHECKS, examine::examine};
use repoint_domain::drill::gates::{Gate, Switch};
use repoint_domain::drill::picture::svg;
use repoint_domain::drill::report::{DrillReport, Outcome};
use repoint_domain::drill::{gates_text, text};
use repoint_domain::values::cluster::{MemberName, Scope};

pub const HELP: &str = "\
Examples:
  export PGUSER=app PGPASSFILE=~/.pgpass
  repoint drill batman --dsn 'host=writer.db.example.com dbname=app'
  repoint drill batman --dsn postgresql://writer.db.example.com/app --to pg2 --yes batman --format json
  repoint drill batman --dsn 'host=writer.db.example.com' --table drill --svg drill.svg
  repoint drill batman --dsn 'host=writer.db.example.com' --observe      then stop an instance

Clients connect through each --dsn, every 50 ms: a writer over new connections, a writer that stays connected, and a
reader. When every gate lets the drill through and the scope is typed (or given with --yes), Patroni is asked for a
switchover, once. The report has what each client saw, and what Patroni and repoint did. Writers need no table: a
server that gives a transaction id takes writes. With --table, which must not exist, they insert rows, and the report
says how many acknowledged rows are lost; the table is dropped unless some are.

What --dsn does not have comes from PGHOST, PGPORT, PGUSER, PGDATABASE, PGPASSWORD, PGSSLMODE, PGSSLROOTCERT and
~/.pgpass (PGPASSFILE), as for psql. A password does not belong on a command line.

Exit status: 0 the primary changed, every client is good again, and no row was lost; 1 a gate or Patroni refused,
something failed, or a signal ended it; 2 usage or configuration.";

#[derive(Clone, Debug, Args)]
pub struct Arguments {
    /// The cluster, by name; or by scope, if only one entry has it
    name: String,
    /// The member that takes over; by default the replica that is least behind
    #[arg(long, value_name = "MEMBER", conflicts_with = "observe")]
    to: Option<String>,
    /// Where writers connect to: a URL or key=value pairs, as for psql; may be repeated
    #[arg(long, value_name = "DSN")]
    dsn: Vec<String>,
    /// Where a reader connects to; by default the first --dsn; may be repeated
    #[arg(long, value_name = "DSN")]
    read_dsn: Vec<String>,
    /// Create this table, count the commits in it, and drop it
    #[arg(long, value_name = "NAME", value_parser = Table::parse)]
    table: Option<Table>,
    /// Cause nothing: measure a failover that something else causes, until Ctrl-C or until the cluster is whole again
    #[arg(long)]
    observe: bool,
    /// Confirm the switchover, by the cluster's scope
    #[arg(long, value_name = "SCOPE", conflicts_with = "observe")]
    yes: Option<String>,
    /// Write a picture of the report to this file
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

/// Makes a drill, and the way back if an operator wants it.
pub async fn main(
    mut settings: Settings,
    arguments: Arguments,
    environment: &Environment,
    format: Format,
) -> ExitCode {
    let spec = match entry(&settings, &arguments.name) {
        Ok(spec) => spec.clone(),
        Err(message) => return print::usage_error(&message),
    };
    settings.clusters.retain(|one| one.name == spec.name);
    let (writers, readers) = match endpoints(&arguments, environment) {
        Ok(endpoints) => endpoints,
        Err(message) => return print::usage_error(&message),
    };
    if let Some(message) = arguments.svg.as_deref().and_then(unwritable) {
        return print::usage_error(&message);
    }
    let auth = match login(&settings) {
        Ok(auth) => auth.filter(|_| !arguments.observe),
        Err(error) => return print::usage_error(&error.to_string()),
    };
    let app = match App::new(settings).await {
        Ok(app) => app,
        Err(error) => return print::usage_error(&format!("{:#}", anyhow::Error::from(error))),
    };
    let signals = match Signals::new() {
        Ok(signals) => signals,
        Err(error) => return print::error(&format!("signal handlers cannot be installed: {error}")),
    };
    let mut request = Request {
        spec: &spec,
        to: arguments.to.clone().map(MemberName::new),
        writers,
        readers,
        table: arguments.table.clone(),
        auth,
        doctor: None,
        is_way_back: false,
    };
    let mut operator =
        Person { scope: spec.scope.clone(), yes: arguments.yes.clone(), format, signals: signals.clone() };
    let mut code = ExitCode::SUCCESS;
    loop {
        if !arguments.observe {
            request.doctor = tokio::select! {
                biased;
                () = signals.received(1) => {
                    return print::error("a signal ended the drill before it began; nothing was changed");
                }
                report = examined(&app) => report,
            };
        }
        let made = async {
            if arguments.observe {
                observe(&app, &operator, &request).await
            } else {
                switch_over(&app, &operator, &request).await
            }
        };
        let mut report = tokio::select! {
            biased;
            () = signals.received(2) => return cut_off(),
            report = made => report,
        };
        let asks = operator.is_asked() && !request.is_way_back && arguments.yes.is_none();
        let back = report.from.clone().filter(|_| report.outcome == Outcome::Done && !arguments.observe);
        if let Some(back) = back.as_ref().filter(|_| !asks) {
            report.way_back = Some(format!(
                "repoint drill {} --to {back} --yes {}, with the same --dsn, after 10 minutes",
                spec.name, spec.scope
            ));
        }
        let printed = printed(&report, arguments.svg.as_deref(), format);
        code = if code == ExitCode::SUCCESS { printed } else { code };
        let Some(back) = back.filter(|_| asks) else { return code };
        let question =
            format!("Switch back to {back}? Type the scope ({}), or Enter to leave it so: ", spec.scope);
        let typed = tokio::select! {
            biased;
            () = signals.received(1) => return code,
            typed = ask(question) => typed,
        };
        if typed.is_empty() {
            return code;
        }
        operator.yes = Some(typed);
        request.to = Some(back);
        request.is_way_back = true;
    }
}

type Endpoints = (Vec<Endpoint>, Vec<Endpoint>);

/// What the command line and the environment say of where clients connect to.
fn endpoints(arguments: &Arguments, environment: &Environment) -> Result<Endpoints, String> {
    let read = |option: &str, dsn: Option<&String>| {
        let endpoint = Endpoint::read(dsn.map(String::as_str), environment);
        endpoint.map_err(|error: DsnError| format!("{option}: {error}"))
    };
    let of = |option: &'static str, all: &[String]| -> Result<Vec<Endpoint>, String> {
        all.iter().map(|dsn| read(option, Some(dsn))).collect()
    };
    let writers = match &arguments.dsn[..] {
        [] => vec![read("--dsn", None)?],
        all => of("--dsn", all)?,
    };
    Ok((writers, of("--read-dsn", &arguments.read_dsn)?))
}

/// Before anything is done: a picture that cannot be written would be noticed too late.
fn unwritable(file: &Path) -> Option<String> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    (!folder.is_dir()).then(|| format!("--svg: the folder {} does not exist", folder.display()))
}

fn printed(report: &DrillReport, picture: Option<&Path>, format: Format) -> ExitCode {
    let is_good = report.is_good();
    let written = picture.map(|file| (file, std::fs::write(file, svg(report))));
    let printed = match format {
        Format::Json => print::json(report, is_good),
        Format::Text => print::text(&text(report, &print::paint), is_good),
    };
    match written {
        Some((file, Err(error))) => print::error(&format!("{} cannot be written: {error}", file.display())),
        _ => printed,
    }
}

fn cut_off() -> ExitCode {
    stderr::draw(String::new());
    print::error(
        "a second signal ended the drill at once: a table that it created, and its mark in the state (for 15 minutes), \
         may be left; `repoint status` shows who the primary is",
    )
}

/// Reads a line from the terminal.
async fn ask(question: String) -> String {
    stderr::line(question.as_bytes());
    let read = spawn_blocking(|| {
        let mut line = String::new();
        // At the end of the input nothing is confirmed.
        drop(io::stdin().lock().read_line(&mut line));
        line.trim().to_owned()
    });
    read.await.unwrap_or_default()
}

/// The operator at the terminal, or whatever started the program.
struct Person {
    scope: Scope,
    yes: Option<String>,
    format: Format,
    signals: Signals,
}

impl Person {
    fn is_asked(&self) -> bool {
        self.format == Format::Text && io::stdin().is_terminal() && io::stderr().is_terminal()
    }

    fn judged(&self, given: &str, how: &str) -> Confirmation {
        if given == self.scope.as_str() {
            Confirmation::Given
        } else {
            Confirmation::Missing(format!("`{given}` was {how}, and the scope is `{}`", self.scope))
        }
    }
}

impl Operator for Person {
    async fn confirm(&self, switch: &Switch, gates: &[Gate]) -> Confirmation {
        if let Some(yes) = &self.yes {
            return self.judged(yes, "given with --yes");
        }
        if !self.is_asked() {
            let message = format!("not confirmed: give --yes {}, or run it on a terminal", self.scope);
            return Confirmation::Missing(message);
        }
        stderr::draw(String::new());
        stderr::line(gates_text(gates, &print::paint).as_bytes());
        let question =
            format!("Switch over from {} to {}? Type the scope ({}): ", switch.from, switch.to, self.scope);
        self.judged(&ask(question).await, "typed")
    }

    fn progress(&self, mut line: String) {
        if terminal::is_drawable(&io::stderr()) {
            let columns = terminal::size(&io::stderr()).columns.saturating_sub(1);
            line = line.chars().take(columns).collect();
            stderr::draw(line);
        }
    }

    async fn interrupted(&self) {
        self.signals.received(1).await;
    }
}

/// How many signals have come that are to end the program.
#[derive(Clone)]
struct Signals(watch::Receiver<u32>);

impl Signals {
    fn new() -> io::Result<Self> {
        let (mut interrupt, mut terminate) =
            (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        let (count, counted) = watch::channel(0);
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
                count.send_modify(|count| *count += 1);
            }
        });
        Ok(Self(counted))
    }

    async fn received(&self, count: u32) {
        let mut counted = self.0.clone();
        if counted.wait_for(|counted| *counted >= count).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// What the doctor reports; `None` in a build without it.
#[cfg(feature = "doctor")]
async fn examined(app: &App) -> Option<DoctorReport> {
    let facts = app.doctor(DoctorOptions::default(), |_, _, _| {}).await;
    Some(examine(&facts, CHECKS, &app.settings().ignored_findings))
}

#[cfg(not(feature = "doctor"))]
async fn examined(_: &App) -> Option<DoctorReport> {
    None
}

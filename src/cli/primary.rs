//! `repoint primary`: where the primary is, for scripts and clients.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, ValueEnum};
use tokio::time::{Instant, sleep_until};
use tracing::{info, warn};

use super::{Format, FormatOption, entry, history, print};
use crate::app::{Found, MemberWatch, Since, service_file};
use crate::config::Settings;
use repoint_domain::clients::{ClientReport, Wanted, dsn, env, hosts, merged, section, service, url};
use repoint_domain::plan::Plan;
use repoint_domain::report::warnings;
use repoint_domain::spec::Spec;

/// How often the members are asked while there is no primary, at most: they answer within milliseconds.
const ASKED_EVERY: Duration = Duration::from_millis(500);
/// The longest wait.
const LONGEST_WAIT: Duration = Duration::from_hours(24);

pub const HELP: &str = "\
Examples:
  dsn=$(repoint primary) && psql \"$dsn dbname=app user=app\"
  dsn=$(repoint primary batman --format dsn --wait) && pg_dump \"$dsn dbname=app\" > app.sql
  url=$(repoint primary --format url) && psql \"${url}app?user=app\"
  server=$(repoint primary --format env) && env $server createdb app
  repoint primary --format pgservice --write ~/.pg_service.conf && psql service=batman
  repoint primary --readers --format json | jq -r '.nodes[].host'

It asks Patroni's members, and nothing of AWS: it needs no credentials, no Region and no state
table, and a state file only adds what that remembers. The format `hosts` is right after the next
failover, too: libpq tries the members in turn, and takes the one that accepts writes. The formats
`dsn`, `url` and `env` name the one node that is the primary now. infra/guide/clients.md says what
to use when.

Without a primary stdout is empty, and stderr says why. Assign the answer before you use it, as
above: without a host, psql connects to a server on its own machine.

Exit status: 0 the answer is printed or written; 1 there is none; 2 usage or configuration.";

#[derive(Clone, Debug, Args)]
pub struct Arguments {
    /// The cluster, by name; or by scope, if only one entry has it. It may be left out where only one is configured
    name: Option<String>,
    /// Output format
    #[arg(long, value_name = "FORMAT", value_parser = FormatOption::of_clients(), default_value = "hosts")]
    format: FormatOption,
    /// The best standby in the place of the primary, as a record that points to a standby has it
    #[arg(long, conflicts_with = "readers")]
    standby: bool,
    /// The replicas that may be read from in the place of the primary, as endpoints of readers have them
    #[arg(long)]
    readers: bool,
    /// Ask again until there is an answer, for 30 s or DURATION (such as 90s, 5m or 1h)
    #[arg(long, value_name = "DURATION", num_args = 0..=1, require_equals = true, default_missing_value = "30s",
        value_parser = duration)]
    wait: Option<Duration>,
    /// Write the section to this service file, whose other sections stay as they are; print nothing
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
}

/// The form of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ClientFormat {
    /// All members as key=value pairs, with `target_session_attrs`: right after the next failover, too
    Hosts,
    /// The node as key=value pairs
    Dsn,
    /// The node as a URL, to which the name of the database can be added
    Url,
    /// The node as the lines `PGHOST=…` and `PGPORT=…`
    Env,
    /// All members as a section of a service file
    Pgservice,
    /// The verdict, the nodes and every member as JSON
    Json,
}

impl Arguments {
    fn wanted(&self) -> Wanted {
        match (self.standby, self.readers) {
            (true, _) => Wanted::Standby,
            (false, true) => Wanted::Readers,
            (false, false) => Wanted::Primary,
        }
    }

    /// What is given before the command has only the formats of other commands.
    fn format(&self) -> ClientFormat {
        match self.format {
            FormatOption::Client(format) => format,
            FormatOption::Report(Format::Json) => ClientFormat::Json,
            FormatOption::Report(Format::Text) => ClientFormat::Hosts,
        }
    }
}

/// Asks the members, and prints where clients connect.
pub async fn main(settings: Settings, arguments: Arguments) -> ExitCode {
    let spec = match chosen(&settings, arguments.name.as_deref()) {
        Ok(spec) => spec,
        Err(message) => return print::usage_error(&message),
    };
    let (wanted, format) = (arguments.wanted(), arguments.format());
    if arguments.write.is_some() && format != ClientFormat::Pgservice {
        return print::usage_error("--write: it needs `--format pgservice`");
    }
    let mut members = match MemberWatch::open(&settings, spec).await {
        Ok(members) => members,
        Err(error) => return print::usage_error(&format!("{:#}", anyhow::Error::from(error))),
    };
    let found = find(&mut members, wanted, arguments.wait.unwrap_or_default()).await;
    let nodes = match &found.nodes {
        Ok(nodes) => nodes,
        Err(absent) => {
            let remedy = absent.remedy().map_or(String::new(), |remedy| format!("; {remedy}"));
            return print::error(&format!("{}: {absent}{remedy}", spec.name));
        }
    };
    for warning in warnings(&found.verdict, &Plan::default()) {
        warn!("{}: {warning}", spec.name);
    }
    for warning in &nodes.warnings {
        warn!("{}: {warning}", spec.name);
    }
    let service = service(&spec.name, wanted);
    if let Some(file) = &arguments.write {
        return match service_file::update(file, |text| merged(text, &service, nodes)) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => print::error(&format!("{} cannot be written: {error}", file.display())),
        };
    }
    let line = |text: String| print::text(&(text + "\n"), true);
    match format {
        ClientFormat::Hosts => line(hosts(nodes)),
        ClientFormat::Dsn => line(dsn(&nodes.first)),
        ClientFormat::Url => line(url(&nodes.first)),
        ClientFormat::Env => line(env(&nodes.first)),
        ClientFormat::Pgservice => print::text(&section(&service, nodes), true),
        ClientFormat::Json => {
            print::json(&ClientReport::new(spec, &found.observed, &found.verdict, nodes), true)
        }
    }
}

/// The entry of that name, or the only one.
fn chosen<'a>(settings: &'a Settings, name: Option<&str>) -> Result<&'a Spec, String> {
    match (name, &settings.clusters[..]) {
        (Some(name), _) => entry(settings, name),
        (None, [only]) => Ok(only),
        (None, _) => {
            let names = settings.names().join(", ");
            Err(format!("several clusters are configured; use the name of one: {names}"))
        }
    }
}

/// Asks again until there is what is wanted, or for so long.
async fn find(members: &mut MemberWatch<'_>, wanted: Wanted, wait: Duration) -> Found {
    let end = Instant::now() + wait;
    let mut is_logged = false;
    loop {
        let next = Instant::now() + ASKED_EVERY;
        let found = members.find(wanted).await;
        match &found.nodes {
            Err(absent) if next < end => {
                if !std::mem::replace(&mut is_logged, true) {
                    let left = end.saturating_duration_since(Instant::now()).as_secs();
                    info!(seconds_left = left, "{absent}; asking the members again");
                }
            }
            _ => return found,
        }
        sleep_until(next).await;
    }
}

/// Reads `90`, `90s`, `5m` or `1h`.
fn duration(text: &str) -> Result<Duration, String> {
    let seconds = text.parse::<u32>().ok().map(|seconds| Duration::from_secs(u64::from(seconds)));
    let duration = seconds.or_else(|| match history::since(text) {
        Ok(Since::Ago(duration)) => Some(duration),
        Ok(Since::At(_)) | Err(_) => None,
    });
    duration
        .filter(|duration| *duration <= LONGEST_WAIT)
        .ok_or_else(|| "use a duration such as 30s, 5m or 1h, of a day at most".to_owned())
}

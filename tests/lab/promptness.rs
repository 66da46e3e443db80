//! How soon the daemon and the callback, each by itself, have followed once a new primary takes writes, and HAProxy and
//! libpq on the same failovers. The old primary is lost in two ways: it is killed, so that its host refuses connections, or
//! it is stopped, so that its host neither answers nor refuses, which is how EC2 usually loses one. After each failover
//! `repoint run` is started, twice: as it is, and while Route 53, where it has a record too, does not answer. Times are printed,
//! never tested. A failover takes half a minute, so it is done only when asked for: `LAB_FAILOVERS=10` makes ten of each
//! kind.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use libtest_mimic::Trial;
use tokio::process::Command;

use crate::aws::environment;
use crate::callback::BY_ITSELF;
use crate::deployment::Deployment;
use crate::event_log::{LogEntry, count, first, now};
use crate::figures::median;
use crate::haproxy::{self, Proxy};
use crate::lab::Lab;
use crate::latency::Latency;
use crate::member::Member;
use crate::moto::Moto;
use crate::service::{Service, as_postgres, make_directory_for_postgres};
use crate::stage::Stage;

/// Where [`HAPROXY`] listens, and its name in the prober's event log. libpq needs no proxy.
const ROADS: [&str; 4] = [
    "haproxy_1s_2_1=127.0.0.10:6433",
    "haproxy_2s_3_2=127.0.0.10:6432",
    "repoint_warm=127.0.0.10:5000",
    "repoint_exclusive=127.0.0.10:5002",
];
const HAPROXY: &str = include_str!("haproxy.cfg");
const PROBER: &str = include_str!("prober.py");
/// Longer than any pass.
const HANG: Duration = Duration::from_hours(1);

pub fn trials(stage: &Arc<Stage>) -> Vec<Trial> {
    let Ok(failovers) = std::env::var("LAB_FAILOVERS") else { return Vec::new() };
    vec![
        stage
            .trial("promptness::of_each_entry_point_and_of_others_on_the_same_failovers", async move |lab| {
                compare(lab, failovers.parse().context("LAB_FAILOVERS is a number")?).await
            }),
    ]
}

/// One of those that follow.
struct Follower {
    name: &'static str,
    /// The event log that has its actions, and its name there.
    event_log: PathBuf,
    what: String,
    /// How many seconds late it was after each failover, by how the old primary was lost.
    delays: [Vec<f64>; 3],
    /// How many new connections led to a server that took no writes, of all.
    wrong: [usize; 3],
}

/// How a primary is lost.
#[derive(Clone, Copy)]
enum Loss {
    Killed,
    Silent,
    Switched,
}

impl Loss {
    const ALL: [Self; 3] = [Self::Killed, Self::Silent, Self::Switched];

    fn name(self) -> &'static str {
        match self {
            Self::Killed => "killed",
            Self::Silent => "silent",
            Self::Switched => "switched over",
        }
    }

    async fn strike(self, lab: &Lab, member: &Member) -> anyhow::Result<()> {
        match self {
            Self::Killed => lab.cluster.kill9(member).await,
            Self::Silent => lab.cluster.silence(member).await,
            Self::Switched => {
                let next = lab.cluster.replicas().await?.into_iter().next().context("a replica")?;
                lab.cluster.switchover(&next).await
            }
        }
    }

    /// Brings the member back, as a standby.
    async fn heal(self, lab: &Lab, member: &Member) -> anyhow::Result<()> {
        if matches!(self, Self::Silent) {
            // If it went on it would be a second primary, until it had seen that it is none.
            lab.cluster.kill9(member).await?;
        }
        if !matches!(self, Self::Switched) {
            lab.cluster.restart(member).await?;
        }
        lab.cluster.wait_healthy().await
    }
}

impl Follower {
    fn new(name: &'static str, event_log: &Path, what: &str) -> Self {
        Self {
            name,
            event_log: event_log.to_owned(),
            what: what.to_owned(),
            delays: <[Vec<f64>; 3]>::default(),
            wrong: [0; 3],
        }
    }

    /// When it first followed a member after `since`; that must be `primary`.
    async fn follows(&self, primary: &str, since: f64) -> anyhow::Result<f64> {
        let note = first(&self.event_log, since, &self.what).await?;
        ensure!(note.host == primary, "{} went to {}, not to {primary}", self.name, note.host);
        Ok(note.at)
    }
}

/// A `repoint run` that is started once a new primary takes writes.
struct Run<'a> {
    name: &'static str,
    /// Its configuration, beside which its state lies.
    machine: &'static str,
    deployment: Deployment<'a>,
    /// How many seconds after its start the new primary was registered, by how the old one was lost.
    delays: [Vec<f64>; 3],
}

impl<'a> Run<'a> {
    /// With a group of its own, and a state that knows the primary.
    async fn new(
        name: &'static str,
        machine: &'static str,
        deployment: &Deployment<'a>,
    ) -> anyhow::Result<Self> {
        let mut deployment = deployment.clone();
        deployment.store_state_in_file(&format!("{machine}.json"));
        let group = deployment.infra.target_group(machine, "ip").await?;
        deployment.ip_group.clone_from(&group);
        deployment.configure_group(&group)?;
        deployment.configure_record()?;
        let first = deployment.repoint_on(machine, &["run"]).await?;
        ensure!(first.code == 0, "{first:?}");
        Ok(Self { name, machine, deployment, delays: <[Vec<f64>; 3]>::default() })
    }

    async fn follow(&mut self, primary: &str, registrations: &Path, loss: Loss) -> anyhow::Result<()> {
        let started = now()?;
        self.deployment.repoint_on(self.machine, &["run"]).await?;
        let note = first(registrations, started, &self.deployment.ip_group).await?;
        ensure!(note.host == primary, "{} registered {}, not {primary}", self.name, note.host);
        self.delays[loss as usize].push(note.at - started);
        Ok(())
    }
}

async fn compare(lab: &Lab, failovers: u32) -> anyhow::Result<()> {
    let began = now()?;
    let home = lab.dir.join("promptness");
    make_directory_for_postgres(&home).await?;
    let mut watched = Deployment::new(lab).await?;
    let registrations = lab.dir.join("moto.registrations");
    let hangs = Latency::of("GET /2013-04-01/hostedzone", HANG).await?;
    let mut runs = [
        Run::new("run", "promptness-run", &watched).await?,
        Run::new("run, Route 53 hangs", "promptness-hung", &watched).await?,
    ];
    runs[1].deployment.endpoint = hangs.endpoint();
    let mut called = watched.clone();
    called.ip_group = called.infra.target_group("called", "ip").await?;
    for deployment in [&mut watched, &mut called] {
        deployment.configure_group(&deployment.ip_group.clone())?;
    }

    let leader = lab.cluster.leader().await?;
    called.infra.register(&called.ip_group, &[(&leader.host, leader.pg_port)]).await?;
    called.install_callbacks(BY_ITSELF)?;
    let configuration = home.join("repoint.toml");
    watched.write_configuration(&configuration, "[watch]\nsocket = \"repoint.sock\"\n")?;
    let beside = home.join("beside-haproxy");
    make_directory_for_postgres(&beside).await?;
    let proxy = Proxy::start(&beside)?;
    let beside_it = haproxy::configure(lab, &beside)?;
    let _services = [
        daemon(lab, &home, &configuration)?,
        haproxy::daemon(lab, &beside, &beside_it)?,
        checks_alone(&home)?,
        prober(lab, &home, &ROADS)?,
    ];

    let probes = home.join("prober.log");
    let mut followers = [
        Follower::new("watch", &registrations, &watched.ip_group),
        Follower::new("callback", &registrations, &called.ip_group),
        Follower::new("HAProxy inter 1s fall 2 rise 1", &probes, "haproxy_1s_2_1"),
        Follower::new("HAProxy inter 2s fall 3 rise 2", &probes, "haproxy_2s_3_2"),
        Follower::new("HAProxy with repoint, warm", &probes, "repoint_warm"),
        Follower::new("HAProxy with repoint, exclusive", &probes, "repoint_exclusive"),
        Follower::new("libpq, several hosts", &probes, "libpq"),
    ];
    for follower in &followers {
        follower.follows(&leader.host, began).await?;
    }
    for number in 1..=failovers {
        for loss in Loss::ALL {
            let old = lab.cluster.leader().await?;
            let lost = now()?;
            loss.strike(lab, &old).await?;
            let LogEntry { at: writes, host: new, .. } = first(&probes, lost, "writes").await?;
            let mut notified = format!("failover {number} from {}, {}, to {new}:", old.host, loss.name());
            for follower in &mut followers {
                let delay = follower.follows(&new, lost).await? - writes;
                write!(notified, " {} {delay:.2} s;", follower.name)?;
                follower.delays[loss as usize].push(delay);
            }
            for backend in ["postgres_primary", "postgres_exclusive"] {
                let left = proxy.sessions_at(backend, &old.host)?;
                write!(notified, " {left} sessions of {backend} on the old primary;")?;
            }
            for run in &mut runs {
                run.follow(&new, &registrations, loss).await?;
                write!(
                    notified,
                    " {} {:.2} s;",
                    run.name,
                    run.delays[loss as usize].last().unwrap_or(&f64::NAN)
                )?;
            }
            eprintln!("{notified}");
            loss.heal(lab, &old).await?;
            for follower in &mut followers {
                follower.wrong[loss as usize] += count(&probes, lost, &format!("wrong_{}", follower.what))?;
            }
        }
    }
    for follower in followers.iter().filter(|follower| follower.event_log == probes) {
        eprintln!(
            "connections that led to a server without writes: {:32} {:?}",
            follower.name, follower.wrong
        );
    }
    let followers = followers.iter().map(|follower| (follower.name, &follower.delays));
    eprint!("{}", table("from when the new primary takes writes", &followers.collect::<Vec<_>>()));
    let runs = runs.iter().map(|run| (run.name, &run.delays));
    eprint!("{}", table("from the start of the process to the registration", &runs.collect::<Vec<_>>()));
    Ok(())
}

pub fn daemon(lab: &Lab, home: &Path, configuration: &Path) -> anyhow::Result<Service> {
    let mut command = as_postgres(&lab.program);
    command.args(["watch", "--config"]).arg(configuration).envs(environment(&Moto::endpoint()));
    Service::start(command, &home.join("watch.log"))
}

fn checks_alone(home: &Path) -> anyhow::Result<Service> {
    let file = home.join("haproxy.cfg");
    fs::write(&file, HAPROXY)?;
    let mut command = Command::new("/usr/sbin/haproxy");
    command.arg("-db").arg("-f").arg(file);
    Service::start(command, &home.join("haproxy.log"))
}

pub fn prober(lab: &Lab, home: &Path, roads: &[&str]) -> anyhow::Result<Service> {
    let mut command = Command::new(lab.venv.join("bin/python"));
    command
        .args(["-c", PROBER])
        .args(roads)
        .arg("--")
        .args(lab.cluster.members().iter().map(|member| &member.host));
    Service::start(command, &home.join("prober.log"))
}

fn table(what: &str, rows: &[(&str, &[Vec<f64>; 3])]) -> String {
    let count = rows.first().map_or(0, |(_, delays)| delays[0].len());
    let mut table =
        format!("seconds {what}, at the median and at most, of {count} failovers of each kind\n{:32}", "");
    for loss in Loss::ALL {
        let _ = write!(table, "{:>16}", loss.name());
    }
    for (name, losses) in rows {
        let _ = write!(table, "\n{name:32}");
        for delays in *losses {
            let longest = delays.iter().copied().fold(0.0, f64::max);
            let _ = write!(table, "{:>8.2}{longest:>8.2}", median(delays.iter().copied()));
        }
    }
    table + "\n"
}

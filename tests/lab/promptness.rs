//! How soon the daemon and the callback, each by itself, have followed once a new primary takes writes, and HAProxy and
//! libpq on the same failovers. The old primary is lost in two ways: it is killed, so that its host refuses connections, or
//! it is stopped, so that its host neither answers nor refuses, which is how EC2 usually loses one. Times are told, never
//! tested. A failover takes half a minute, so it is done only when asked for: `LAB_FAILOVERS=10` makes ten of each kind.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, ensure};
use libtest_mimic::Trial;
use tokio::process::Command;

use crate::aws::environment;
use crate::callback::BY_ITSELF;
use crate::deployment::Deployment;
use crate::figures::median;
use crate::lab::Lab;
use crate::member::Member;
use crate::moto::Moto;
use crate::notes::{Note, first, now};
use crate::service::{Service, as_postgres, make_directory_for_postgres};
use crate::stage::Stage;

/// Where [`HAPROXY`] listens, and what the prober's notes call it. libpq needs no road.
const ROADS: [&str; 2] = ["haproxy_1s_2_1=127.0.0.10:6433", "haproxy_2s_3_2=127.0.0.10:6432"];
const HAPROXY: &str = include_str!("haproxy.cfg");
const PROBER: &str = include_str!("prober.py");

pub fn trials(stage: &Arc<Stage>) -> Vec<Trial> {
    let Ok(failovers) = std::env::var("LAB_FAILOVERS") else { return Vec::new() };
    vec![stage.trial("promptness::of_each_face_and_of_others_on_the_same_failovers", async move |lab| {
        compare(lab, failovers.parse().context("LAB_FAILOVERS is a number")?).await
    })]
}

/// One of those that follow.
struct Follower {
    name: &'static str,
    /// The file of notes that tells what it did, and what it is called there.
    notes: PathBuf,
    what: String,
    /// How many seconds late it was after each failover, by how the old primary was lost.
    delays: [Vec<f64>; 2],
}

/// How a primary is lost.
#[derive(Clone, Copy)]
enum Loss {
    Killed,
    Silent,
}

impl Loss {
    const ALL: [Self; 2] = [Self::Killed, Self::Silent];

    fn name(self) -> &'static str {
        match self {
            Self::Killed => "killed",
            Self::Silent => "silent",
        }
    }

    async fn strike(self, lab: &Lab, member: &Member) -> anyhow::Result<()> {
        match self {
            Self::Killed => lab.cluster.kill9(member).await,
            Self::Silent => lab.cluster.silence(member).await,
        }
    }

    /// Brings the member back, as a standby.
    async fn mend(self, lab: &Lab, member: &Member) -> anyhow::Result<()> {
        if matches!(self, Self::Silent) {
            // If it went on it would be a second primary, until it had seen that it is none.
            lab.cluster.kill9(member).await?;
        }
        lab.cluster.restart(member).await?;
        lab.cluster.wait_healthy().await
    }
}

impl Follower {
    fn new(name: &'static str, notes: &Path, what: &str) -> Self {
        Self { name, notes: notes.to_owned(), what: what.to_owned(), delays: <[Vec<f64>; 2]>::default() }
    }

    /// When it first followed anybody after `since`; that must be `primary`.
    async fn follows(&self, primary: &str, since: f64) -> anyhow::Result<f64> {
        let note = first(&self.notes, since, &self.what).await?;
        ensure!(note.host == primary, "{} went to {}, not to {primary}", self.name, note.host);
        Ok(note.at)
    }
}

async fn compare(lab: &Lab, failovers: u32) -> anyhow::Result<()> {
    let began = now()?;
    let home = lab.dir.join("promptness");
    make_directory_for_postgres(&home).await?;
    let mut watched = Deployment::new(lab).await?;
    let mut called = watched.clone();
    called.ip_group = called.world.target_group("called", "ip").await?;
    for deployment in [&mut watched, &mut called] {
        deployment.configure_group(&deployment.ip_group.clone())?;
    }

    let leader = lab.cluster.leader().await?;
    called.world.register(&called.ip_group, &[(&leader.host, leader.pg_port)]).await?;
    called.install_callbacks(BY_ITSELF)?;
    let configuration = home.join("repoint.toml");
    watched.write_configuration(&configuration, "[watch]\nsocket = \"repoint.sock\"\n")?;
    let _services = [daemon(lab, &home, &configuration)?, haproxy(&home)?, prober(lab, &home)?];

    let (probes, registrations) = (home.join("prober.log"), lab.dir.join("moto.registrations"));
    let mut followers = [
        Follower::new("watch", &registrations, &watched.ip_group),
        Follower::new("callback", &registrations, &called.ip_group),
        Follower::new("HAProxy inter 1s fall 2 rise 1", &probes, "haproxy_1s_2_1"),
        Follower::new("HAProxy inter 2s fall 3 rise 2", &probes, "haproxy_2s_3_2"),
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
            let Note { at: writes, host: new, .. } = first(&probes, lost, "writes").await?;
            let mut told = format!("failover {number} from {}, {}, to {new}:", old.host, loss.name());
            for follower in &mut followers {
                let delay = follower.follows(&new, lost).await? - writes;
                write!(told, " {} {delay:.2} s;", follower.name)?;
                follower.delays[loss as usize].push(delay);
            }
            eprintln!("{told}");
            loss.mend(lab, &old).await?;
        }
    }
    eprint!("{}", table(&followers));
    Ok(())
}

fn daemon(lab: &Lab, home: &Path, configuration: &Path) -> anyhow::Result<Service> {
    let mut command = as_postgres(&lab.program);
    command.args(["watch", "--config"]).arg(configuration).envs(environment(&Moto::endpoint()));
    Service::start(command, &home.join("watch.log"))
}

fn haproxy(home: &Path) -> anyhow::Result<Service> {
    let file = home.join("haproxy.cfg");
    fs::write(&file, HAPROXY)?;
    let mut command = Command::new("/usr/sbin/haproxy");
    command.arg("-db").arg("-f").arg(file);
    Service::start(command, &home.join("haproxy.log"))
}

fn prober(lab: &Lab, home: &Path) -> anyhow::Result<Service> {
    let mut command = Command::new(lab.venv.join("bin/python"));
    command
        .args(["-c", PROBER])
        .args(ROADS)
        .arg("--")
        .args(lab.cluster.members().iter().map(|member| &member.host));
    Service::start(command, &home.join("prober.log"))
}

fn table(followers: &[Follower]) -> String {
    let mut table = format!(
        "seconds from when the new primary takes writes, at the median and at most, of {} failovers of each kind\n{:32}",
        followers.first().map_or(0, |follower| follower.delays[0].len()),
        ""
    );
    for loss in Loss::ALL {
        let _ = write!(table, "{:>16}", loss.name());
    }
    for follower in followers {
        let _ = write!(table, "\n{:32}", follower.name);
        for delays in &follower.delays {
            let longest = delays.iter().copied().fold(0.0, f64::max);
            let _ = write!(table, "{:>8.2}{longest:>8.2}", median(delays.iter().copied()));
        }
    }
    table + "\n"
}

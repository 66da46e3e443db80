//! How soon the daemon and the callback, each by itself, have followed once a new primary takes writes, and HAProxy on the
//! same failovers. Times are told, never tested. A failover takes half a minute, so it is done only when asked for, with
//! `LAB_FAILOVERS=10`.

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
use crate::moto::Moto;
use crate::notes::{Note, first, now};
use crate::service::{Service, as_postgres, make_directory_for_postgres};
use crate::stage::Stage;

/// Where [`HAPROXY`] listens.
const ROAD: &str = "127.0.0.10:6432";
const HAPROXY: &str = include_str!("haproxy.cfg");
const PROBER: &str = include_str!("prober.py");

pub fn trials(stage: &Arc<Stage>) -> Vec<Trial> {
    let Ok(failovers) = std::env::var("LAB_FAILOVERS") else { return Vec::new() };
    vec![stage.trial("promptness::of_each_face_and_of_haproxy_on_the_same_failovers", async move |lab| {
        compare(lab, failovers.parse().context("LAB_FAILOVERS is a number")?).await
    })]
}

/// One of those that follow.
struct Follower {
    name: &'static str,
    /// The file of notes that tells what it did, and what it is called there.
    notes: PathBuf,
    what: String,
    /// How late it was after each failover, in milliseconds.
    delays: Vec<f64>,
}

impl Follower {
    fn new(name: &'static str, notes: &Path, what: &str) -> Self {
        Self { name, notes: notes.to_owned(), what: what.to_owned(), delays: Vec::new() }
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
        Follower::new("HAProxy", &probes, "road"),
    ];
    for follower in &followers {
        follower.follows(&leader.host, began).await?;
    }
    for number in 1..=failovers {
        let old = lab.cluster.leader().await?;
        let killed = now()?;
        lab.cluster.kill9(&old).await?;
        let Note { at: writes, host: new, .. } = first(&probes, killed, "writes").await?;
        let mut told = format!("failover {number} from {} to {new}:", old.host);
        for follower in &mut followers {
            let delay = (follower.follows(&new, killed).await? - writes) * 1e3;
            write!(told, " {} {delay:.0} ms", follower.name)?;
            follower.delays.push(delay);
        }
        eprintln!("{told}");
        lab.cluster.restart(&old).await?;
        lab.cluster.wait_healthy().await?;
    }
    tell(&followers);
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
    command.args(["-c", PROBER, ROAD]).args(lab.cluster.members().iter().map(|member| &member.host));
    Service::start(command, &home.join("prober.log"))
}

fn tell(followers: &[Follower]) {
    let medians = followers.iter().map(|follower| median(follower.delays.iter().copied()));
    let medians: Vec<f64> = medians.collect();
    for (follower, delay) in followers.iter().zip(&medians) {
        let longest = follower.delays.iter().copied().fold(0.0, f64::max);
        eprintln!(
            "{}: {delay:.0} ms at the median of {}, {longest:.0} at most; of HAProxy's median, {:.3}",
            follower.name,
            follower.delays.len(),
            delay / medians[medians.len() - 1],
        );
    }
}

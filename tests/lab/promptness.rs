//! How soon a writer is back once a new primary takes writes, on the same failovers: through an ideal load balancer
//! (see [`Forwarder`]) whose group the daemon, the callback or a script around boto3 follows; through HAProxy with its
//! checks, or with the daemon beside it; with libpq and several hosts; and with vip-manager where `LAB_VIP_MANAGER`
//! names its program. `LAB_REPOINT_BEFORE` names an earlier build, whose daemon and callback take part, too. The old
//! primary is killed, so that its host refuses connections; or stopped, so that its host neither answers nor refuses,
//! which is how EC2 usually loses one; or it hands over in a planned switchover. After each failover `repoint run` is
//! started, twice: as it is, and while Route 53, where it has a record too, does not answer. Times are printed and
//! recorded, never tested. A failover takes half a minute, so it is done only when asked for: `LAB_FAILOVERS=10` makes
//! ten of each kind.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use libtest_mimic::Trial;
use tokio::process::Command;

use crate::aws::environment;
use crate::callback::BY_ITSELF;
use crate::deployment::{Deployment, NAME};
use crate::event_log::{LogEntry, count, first, now};
use crate::figure::Figure;
use crate::figures::median;
use crate::forwarder::Forwarder;
use crate::haproxy::{self, Proxy};
use crate::lab::{Lab, earlier_callback_home};
use crate::latency::Latency;
use crate::member::Member;
use crate::moto::Moto;
use crate::service::{Service, as_postgres, make_directory_for_postgres};
use crate::stage::Stage;
use crate::versions;
use crate::vip;

/// Where HAProxy listens, and its name in the prober's event log. libpq needs no proxy.
const ROADS: [&str; 4] = [
    "haproxy_1s_2_1=127.0.0.10:6433",
    "haproxy_2s_3_2=127.0.0.10:6432",
    "repoint_warm=127.0.0.10:5000",
    "repoint_exclusive=127.0.0.10:5002",
];
const HAPROXY: &str = include_str!("haproxy.cfg");
const PROBER: &str = include_str!("prober.py");
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/lab/boto3_each_second.py");
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

/// How many seconds something took after each failover, by how the old primary was lost.
type Seconds = [Vec<f64>; 3];

/// One of those that follow.
struct Follower {
    name: &'static str,
    /// Its name in the prober's event log.
    road: &'static str,
    /// The target group that it follows with.
    group: Option<String>,
    /// How late a writer was back.
    delays: Seconds,
    /// How late the group had the new primary.
    registrations: Seconds,
    /// How many new connections led to a server that took no writes, of all.
    wrong: [u32; 3],
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
    fn new(name: &'static str, road: &'static str) -> Self {
        Self {
            name,
            road,
            group: None,
            delays: Seconds::default(),
            registrations: Seconds::default(),
            wrong: [0; 3],
        }
    }

    /// When a writer was first back after `since`, at `primary`.
    async fn follows(&self, probes: &Path, primary: &str, since: f64) -> anyhow::Result<f64> {
        let note = first(probes, since, self.road).await?;
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
    /// How long after its start the new primary was registered.
    delays: Seconds,
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
        Ok(Self { name, machine, deployment, delays: Seconds::default() })
    }

    async fn follow(&mut self, primary: &str, registrations: &Path, loss: Loss) -> anyhow::Result<f64> {
        let started = now()?;
        self.deployment.repoint_on(self.machine, &["run"]).await?;
        let note = first(registrations, started, &self.deployment.ip_group).await?;
        ensure!(note.host == primary, "{} registered {}, not {primary}", self.name, note.host);
        let delay = note.at - started;
        self.delays[loss as usize].push(delay);
        Ok(delay)
    }
}

/// What takes part, and what it needs until the race has ended.
#[derive(Default)]
struct Contenders {
    followers: Vec<Follower>,
    /// Where the prober reaches each, `NAME=HOST:PORT`.
    roads: Vec<String>,
    services: Vec<Service>,
    balancers: Vec<Forwarder>,
    nodes: Option<vip::Nodes>,
}

impl Contenders {
    /// One that follows with a target group, behind a load balancer of its own.
    async fn add(
        &mut self,
        lab: &Lab,
        name: &'static str,
        road: &'static str,
        deployment: &Deployment<'_>,
    ) -> anyhow::Result<()> {
        let group = deployment.ip_group.clone();
        let balancer = Forwarder::start(&lab.dir, &group).await?;
        self.roads.push(format!("{road}={}:{}", balancer.host(), balancer.port()));
        self.balancers.push(balancer);
        self.followers.push(Follower { group: Some(group), ..Follower::new(name, road) });
        Ok(())
    }

    async fn start(lab: &Lab, home: &Path, deployment: &Deployment<'_>) -> anyhow::Result<Self> {
        let mut all = Self::default();
        let leader = lab.cluster.leader().await?;
        let with_group = async |name| {
            let mut deployment = deployment.clone();
            deployment.ip_group = deployment.infra.target_group(name, "ip").await?;
            deployment.infra.register(&deployment.ip_group, &[(&leader.host, leader.pg_port)]).await?;
            deployment.configure_group(&deployment.ip_group.clone())?;
            anyhow::Ok(deployment)
        };
        let watched = with_group("watched").await?;
        all.add(lab, "watch", "watch", &watched).await?;
        all.services.push(watch(&lab.program, home, &watched)?);
        let called = with_group("called").await?;
        all.add(lab, "callback", "callback", &called).await?;
        called.install_callbacks(BY_ITSELF)?;

        if let Some(program) = &lab.earlier {
            let home = home.join("earlier");
            make_directory_for_postgres(&home).await?;
            let watched = with_group("watched-earlier").await?;
            all.add(lab, "watch, earlier build", "watch_earlier", &watched).await?;
            all.services.push(watch(program, &home, &watched)?);
            let called = with_group("called-earlier").await?;
            all.add(lab, "callback, earlier build", "callback_earlier", &called).await?;
            called.install_callbacks_in(&earlier_callback_home(&lab.dir), BY_ITSELF)?;
        }

        let scripted = with_group("scripted").await?;
        all.add(lab, "boto3 script, each second", "script", &scripted).await?;
        all.services.push(script(lab, home, &scripted)?);

        all.services.push(checks_alone(home)?);
        all.roads.extend(ROADS.map(str::to_owned));
        all.followers.extend([
            Follower::new("HAProxy inter 1s fall 2 rise 1", "haproxy_1s_2_1"),
            Follower::new("HAProxy inter 2s fall 3 rise 2", "haproxy_2s_3_2"),
            Follower::new("HAProxy with repoint, warm", "repoint_warm"),
            Follower::new("HAProxy with repoint, exclusive", "repoint_exclusive"),
            Follower::new("libpq, several hosts", "libpq"),
        ]);
        if let Ok(program) = std::env::var("LAB_VIP_MANAGER") {
            all.nodes = Some(vip::Nodes::start(lab, home, &program).await?);
            all.roads.push(vip::ROAD.to_owned());
            all.followers.push(Follower::new("vip-manager", "vip_manager"));
        }
        all.services.push(prober(lab, home, &all.roads)?);
        Ok(all)
    }
}

async fn compare(lab: &Lab, failovers: u32) -> anyhow::Result<()> {
    let began = now()?;
    let home = lab.dir.join("promptness");
    make_directory_for_postgres(&home).await?;
    versions::record(lab).await?;
    let deployment = Deployment::new(lab).await?;
    let registrations = lab.dir.join("moto.registrations");
    let hangs = Latency::of("GET /2013-04-01/hostedzone", HANG).await?;
    let mut runs = [
        Run::new("run", "promptness-run", &deployment).await?,
        Run::new("run, Route 53 hangs", "promptness-hung", &deployment).await?,
    ];
    runs[1].deployment.endpoint = hangs.endpoint();

    let beside = home.join("beside-haproxy");
    make_directory_for_postgres(&beside).await?;
    let proxy = Proxy::start(&beside)?;
    let _beside_it = haproxy::daemon(lab, &beside, &haproxy::configure(lab, &beside)?)?;
    let mut contenders = Contenders::start(lab, &home, &deployment).await?;
    let probes = home.join("prober.log");
    let leader = lab.cluster.leader().await?;
    for follower in &contenders.followers {
        follower.follows(&probes, &leader.host, began).await?;
    }
    for number in 1..=failovers {
        for loss in Loss::ALL {
            let old = lab.cluster.leader().await?;
            let lost = now()?;
            loss.strike(lab, &old).await?;
            if let (Loss::Silent, Some(nodes)) = (loss, &contenders.nodes) {
                nodes.silence(&old.host).await?;
            }
            let LogEntry { at: writes, host: new, .. } = first(&probes, lost, "writes").await?;
            let mut notified = format!("failover {number} from {}, {}, to {new}:", old.host, loss.name());
            for follower in &mut contenders.followers {
                let delay = follower.follows(&probes, &new, lost).await? - writes;
                write!(notified, " {} {delay:.3} s;", follower.name)?;
                follower.delays[loss as usize].push(delay);
                if let Some(group) = &follower.group {
                    let note = first(&registrations, lost, group).await?;
                    ensure!(note.host == new, "{} registered {}, not {new}", follower.name, note.host);
                    follower.registrations[loss as usize].push(note.at - writes);
                }
            }
            for backend in ["postgres_primary", "postgres_exclusive"] {
                let left = proxy.sessions_at(backend, &old.host)?;
                write!(notified, " {left} sessions of {backend} on the old primary;")?;
            }
            for run in &mut runs {
                let delay = run.follow(&new, &registrations, loss).await?;
                write!(notified, " {} {delay:.3} s;", run.name)?;
            }
            eprintln!("{notified}");
            if let (Loss::Silent, Some(nodes)) = (loss, &contenders.nodes) {
                nodes.heal(&old.host).await?;
            }
            loss.heal(lab, &old).await?;
            for follower in &mut contenders.followers {
                follower.wrong[loss as usize] += count(&probes, lost, &format!("wrong_{}", follower.road))?;
            }
        }
    }
    report(&contenders.followers, &runs)
}

fn report(followers: &[Follower], runs: &[Run<'_>]) -> anyhow::Result<()> {
    let delays: Vec<_> = followers.iter().map(|follower| (follower.name, &follower.delays)).collect();
    publish("race", "from when the new primary takes writes until a writer is back", &delays)?;
    let with_group = followers.iter().filter(|follower| follower.group.is_some());
    let registrations: Vec<_> = with_group.map(|follower| (follower.name, &follower.registrations)).collect();
    publish("registration", "from when the new primary takes writes to its registration", &registrations)?;
    let runs: Vec<_> = runs.iter().map(|run| (run.name, &run.delays)).collect();
    publish("run", "from the start of the process to the registration", &runs)?;
    for follower in followers.iter().filter(|follower| follower.road != "libpq") {
        eprintln!(
            "connections that led to a server without writes: {:32} {:?}",
            follower.name, follower.wrong
        );
        record("wrong", follower.name, "connections", &follower.wrong.map(|wrong| vec![f64::from(wrong)]))?;
    }
    Ok(())
}

/// Prints and records a table.
fn publish(bench: &str, what: &str, rows: &[(&str, &Seconds)]) -> anyhow::Result<()> {
    eprint!("{}", table(what, rows));
    let in_ms =
        |delays: &Vec<f64>| delays.iter().map(|seconds| (seconds * 10_000.0).round() / 10.0).collect();
    rows.iter().try_for_each(|(name, delays)| record(bench, name, "ms", &delays.each_ref().map(in_ms)))
}

fn record(bench: &str, what: &str, unit: &str, values: &[Vec<f64>; 3]) -> anyhow::Result<()> {
    for (loss, values) in Loss::ALL.iter().zip(values) {
        Figure { bench, what, kind: loss.name(), unit, values }.record()?;
    }
    Ok(())
}

fn watch(program: &Path, home: &Path, deployment: &Deployment<'_>) -> anyhow::Result<Service> {
    let configuration = home.join("repoint.toml");
    deployment.write_configuration(&configuration, "[watch]\nsocket = \"repoint.sock\"\n")?;
    daemon(program, home, &configuration)
}

pub fn daemon(program: &Path, home: &Path, configuration: &Path) -> anyhow::Result<Service> {
    let mut command = as_postgres(program);
    command.args(["watch", "--config"]).arg(configuration).envs(environment(&Moto::endpoint()));
    Service::start(command, &home.join("watch.log"))
}

fn script(lab: &Lab, home: &Path, deployment: &Deployment<'_>) -> anyhow::Result<Service> {
    let members: Vec<&str> = lab.cluster.members().iter().map(|member| member.rest_url.as_str()).collect();
    let mut command = Command::new(lab.venv.join("bin/python"));
    command
        .args(["-B", SCRIPT])
        .envs(environment(&Moto::endpoint()))
        .env("MEMBERS", members.join(" "))
        .env("GROUP", &deployment.ip_group)
        .env("ZONE", &deployment.zone)
        .env("NAME", NAME)
        .env("TOPIC", &deployment.mailbox.topic);
    Service::start(command, &home.join("script.log"))
}

fn checks_alone(home: &Path) -> anyhow::Result<Service> {
    let file = home.join("haproxy.cfg");
    fs::write(&file, HAPROXY)?;
    let mut command = Command::new("/usr/sbin/haproxy");
    command.arg("-db").arg("-f").arg(file);
    Service::start(command, &home.join("haproxy.log"))
}

pub fn prober(lab: &Lab, home: &Path, roads: &[impl AsRef<OsStr>]) -> anyhow::Result<Service> {
    let mut command = Command::new(lab.venv.join("bin/python"));
    command
        .args(["-c", PROBER])
        .args(roads)
        .arg("--")
        .args(lab.cluster.members().iter().map(|member| &member.host));
    Service::start(command, &home.join("prober.log"))
}

fn table(what: &str, rows: &[(&str, &Seconds)]) -> String {
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
            let _ = write!(table, "{:>8.3}{longest:>8.3}", median(delays.iter().copied()));
        }
    }
    table + "\n"
}

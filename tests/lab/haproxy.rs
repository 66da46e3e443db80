//! HAProxy with the daemon beside it: the configuration of `infra/haproxy`, and a backend of the strategy `exclusive`.
//! Nothing of AWS is configured, and the daemon has no credentials.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use libtest_mimic::Trial;
use serde_json::Value;
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::command::Program;
use crate::event_log::{count, now};
use crate::lab::Lab;
use crate::member::Member;
use crate::network::Place;
use crate::promptness::prober;
use crate::service::{Service, Signal, as_postgres, make_directory_for_postgres};
use crate::stage::Stage;
use crate::wait::wait_until;

const CONFIGURATION: &str = include_str!("../../infra/haproxy/haproxy.cfg");
const NODES: [(&str, &str); 3] =
    [("10.0.1.11", "127.0.0.11"), ("10.0.2.11", "127.0.0.12"), ("10.0.3.11", "127.0.0.13")];
const EXCLUSIVE: &str = "
listen postgres_exclusive
    bind 127.0.0.10:5002
    server primary primary.invalid:5432 disabled init-addr last,192.0.2.1
";
const WITHIN: Duration = Duration::from_secs(20);

pub fn trials(stage: &Arc<Stage>) -> Vec<Trial> {
    vec![
        stage.trial("haproxy::the_daemon_leads_it_and_leaves_nothing_behind", follow),
        stage.long_trial("haproxy::what_clients_see_of_trouble", trouble),
    ]
}

/// HAProxy, whose master reloads it.
pub struct Proxy {
    master: Service,
    home: PathBuf,
}

impl Proxy {
    pub fn start(home: &Path) -> anyhow::Result<Self> {
        let text = NODES.iter().fold(CONFIGURATION.to_owned(), |text, (guide, lab)| text.replace(guide, lab));
        Self::configured(home, &(text + EXCLUSIVE), Place::default())
    }

    /// With that configuration, in that network; its files are in the folder, and its ports on the lab's address.
    pub fn configured(home: &Path, text: &str, place: Place) -> anyhow::Result<Self> {
        let folder = home.to_str().context("a text")?;
        let places = [
            ("/run/haproxy", folder),
            ("/var/lib/haproxy", folder),
            ("bind :", "bind 127.0.0.10:"),
            ("user repoint", "user postgres"),
        ];
        let text = places.iter().fold(text.to_owned(), |text, (there, here)| text.replace(there, here));
        fs::write(home.join("haproxy.cfg"), text)?;
        Ok(Self { master: Self::master(home, place)?, home: home.to_owned() })
    }

    fn master(home: &Path, place: Place) -> anyhow::Result<Service> {
        let mut command = Command::new(program());
        command.args(["-W", "-f"]).arg(home.join("haproxy.cfg"));
        Service::start(place.enter(command), &home.join("haproxy.log"))
    }

    /// As an operator would ask it.
    pub fn say(&self, line: &str) -> anyhow::Result<String> {
        let mut stream = UnixStream::connect(self.home.join("admin.sock"))?;
        stream.set_read_timeout(Some(Duration::from_secs(2)))?;
        stream.write_all(format!("{line}\n").as_bytes())?;
        let mut said = String::new();
        stream.read_to_string(&mut said)?;
        Ok(said)
    }

    /// The servers of a backend that get connections, with where they lead.
    pub fn open(&self, backend: &str) -> anyhow::Result<BTreeMap<String, String>> {
        let said = self.say(&format!("show servers state {backend}"))?;
        let rows = said.lines().map(|line| line.split(' ').collect::<Vec<_>>());
        let servers = rows.filter(|row| row.len() > 18 && row[1] == backend && row[5] == "2");
        Ok(servers.map(|row| (row[3].to_owned(), row[4].to_owned())).collect())
    }

    fn pid(&self) -> anyhow::Result<String> {
        let said = self.say("show info")?;
        Ok(said.lines().find_map(|line| line.strip_prefix("Pid: ")).context("a pid")?.to_owned())
    }

    async fn reload(&self) -> anyhow::Result<()> {
        let before = self.pid()?;
        let reloaded = async |within| {
            self.master.signal(Signal::USR2)?;
            wait_until("another worker answers", within, async || {
                ensure!(self.pid()? != before);
                Ok(())
            })
            .await
        };
        // A signal is lost while the master is still at the end of the reload before, whose worker answers already.
        match reloaded(WITHIN / 10).await {
            Ok(()) => Ok(()),
            Err(_) => reloaded(WITHIN).await,
        }
    }

    /// The sessions of one server.
    fn sessions(&self, backend: &str, server: &str) -> anyhow::Result<u32> {
        let said = self.say(&format!("show stat {backend} 4 -1"))?;
        let mut rows = said.lines().map(|line| line.split(',').collect::<Vec<_>>());
        let current =
            rows.next().context("a header")?.iter().position(|name| *name == "scur").context("scur")?;
        let row = rows.find(|row| row.get(1) == Some(&server)).context("no such server")?;
        Ok(row[current].parse()?)
    }

    /// The sessions of a backend's servers at that address.
    pub fn sessions_at(&self, backend: &str, host: &str) -> anyhow::Result<u32> {
        let said = self.say(&format!("show servers state {backend}"))?;
        let rows = said.lines().map(|line| line.split(' ').collect::<Vec<_>>());
        let there = rows.filter(|row| row.len() > 18 && row[4] == host);
        there.map(|row| self.sessions(backend, row[3])).sum()
    }

    async fn leads(&self, lab: &Lab, primary: &Member) -> anyhow::Result<()> {
        wait_until(&format!("HAProxy leads to {}", primary.name), WITHIN, async || {
            let own = |name: &str| BTreeMap::from([(name.to_owned(), primary.host.clone())]);
            let replicas = lab.cluster.members().iter().filter(|member| member.name != primary.name);
            let replicas: BTreeMap<_, _> =
                replicas.map(|member| (member.name.clone(), member.host.clone())).collect();
            let found = [
                self.open("postgres_primary")?,
                self.open("postgres_exclusive")?,
                self.open("postgres_replicas")?,
            ];
            ensure!(found == [own(&primary.name), own("primary"), replicas], "{found:?}");
            Ok(())
        })
        .await
    }
}

/// `LAB_HAPROXY`, or the distribution's.
pub fn program() -> PathBuf {
    std::env::var_os("LAB_HAPROXY").map_or_else(|| "/usr/sbin/haproxy".into(), PathBuf::from)
}

/// Writes a configuration for those backends, and returns its path.
pub fn configure(lab: &Lab, home: &Path) -> anyhow::Result<PathBuf> {
    let members: Vec<&str> = lab.cluster.members().iter().map(|member| member.rest_url.as_str()).collect();
    let mut text = format!(
        "[state]\nfile = \"state.json\"\n[watch]\nsocket = \"repoint.control\"\n[[cluster]]\nscope = \"batman\"\n\
         members = {members:?}\n"
    );
    for backend in [
        "backend = \"postgres_primary\"",
        "backend = \"postgres_replicas\"\nrole = \"reader\"",
        "backend = \"postgres_exclusive\"\nstrategy = \"exclusive\"\nserver = \"primary\"",
    ] {
        write!(text, "[[cluster.haproxy]]\nsocket = \"repoint.sock\"\n{backend}\n")?;
    }
    let file = home.join("repoint.toml");
    fs::write(&file, text)?;
    Ok(file)
}

pub fn daemon(lab: &Lab, home: &Path, file: &Path) -> anyhow::Result<Service> {
    let mut command = as_postgres(&lab.program);
    command.args(["watch", "--config"]).arg(file).env_clear().env("AWS_EC2_METADATA_DISABLED", "true");
    Service::start(command, &home.join("watch.log"))
}

/// A session that ends when it is cut.
fn session(port: u16) -> anyhow::Result<Child> {
    let mut command = Command::new("psql");
    command
        .args(["--no-psqlrc", "--host", "127.0.0.10", "--port", &port.to_string(), "--username", "postgres"])
        .args(["--dbname", "postgres", "--command", "SELECT pg_sleep(600)"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    Ok(command.spawn()?)
}

async fn follow(lab: &Lab) -> anyhow::Result<()> {
    let home = lab.dir.join("haproxy");
    drop(fs::remove_dir_all(&home));
    make_directory_for_postgres(&home).await?;
    let mut proxy = Proxy::start(&home)?;
    let file = configure(lab, &home)?;
    let leader = lab.cluster.leader().await?;
    wait_until("HAProxy answers", WITHIN, async || proxy.pid().map(drop)).await?;

    let program = Program::new(&lab.program, &home).env("AWS_EC2_METADATA_DISABLED", "true");
    let config = file.to_str().context("a text")?;
    let planned = program.run(&["plan", "--format", "json", "--config", config]).await?;
    let planned: Value = serde_json::from_str(&planned.stdout)?;
    let steps = planned["clusters"][0]["steps"].as_array().context("steps")?;
    ensure!(!steps.is_empty() && steps.iter().all(|step| step["action"] == "set_haproxy"), "{planned:#}");

    let mut watch = daemon(lab, &home, &file)?;
    proxy.leads(lab, &leader).await?;

    // A planned switchover cuts what was connected.
    let mut sessions = [session(5000)?, session(5002)?];
    wait_until("the sessions are there", WITHIN, async || {
        ensure!(
            proxy.sessions("postgres_primary", &leader.name)? == 1
                && proxy.sessions("postgres_exclusive", "primary")? == 1
        );
        Ok(())
    })
    .await?;
    let next = lab.cluster.replicas().await?.into_iter().next().context("a replica")?;
    lab.cluster.switchover(&next).await?;
    proxy.leads(lab, &next).await?;
    for session in &mut sessions {
        timeout(WITHIN, session.wait()).await.context("a session was left")??;
    }
    ensure!(proxy.sessions("postgres_primary", &leader.name)? == 0, "sessions were left on the old primary");

    // A reload forgets everything, and the daemon says it again.
    fs::write(home.join("server-state"), proxy.say("show servers state")?)?;
    proxy.reload().await?;
    proxy.leads(lab, &next).await?;

    // What was forgotten in maintenance would be in the way of the next failover.
    for member in lab.cluster.members() {
        proxy.say(&format!("set server postgres_primary/{} state maint", member.name))?;
    }
    proxy.leads(lab, &next).await?;

    // Without the daemon HAProxy's checks go on alone.
    watch.end(Signal::KILL).await?;
    lab.cluster.wait_healthy().await?;
    lab.cluster.switchover(&leader).await?;
    let alone = BTreeMap::from([(leader.name.clone(), leader.host.clone())]);
    wait_until("its checks have found the primary", WITHIN, async || {
        let open = proxy.open("postgres_primary")?;
        ensure!(open == alone, "{open:?}");
        Ok(())
    })
    .await?;
    let watch = daemon(lab, &home, &file)?;
    proxy.leads(lab, &leader).await?;

    // While HAProxy is away the endpoints are held, and the cluster is not blamed.
    proxy.master.end(Signal::KILL).await?;
    let status = program.run(&["status", "--format", "json", "--config", config]).await?;
    let shown: Value = serde_json::from_str(&status.stdout)?;
    let endpoints = shown["clusters"][0]["endpoints"].as_array().context("endpoints")?;
    ensure!(status.code == 1 && endpoints.iter().all(|endpoint| endpoint["standing"] == "held"), "{shown:#}");
    proxy.master = Proxy::master(&home, Place::default())?;
    proxy.leads(lab, &leader).await?;
    drop(watch);
    Ok(())
}

/// What new connections through each backend saw, one begun every 50 ms: those that failed, and those that led to a server
/// which takes no writes.
async fn trouble(lab: &Lab) -> anyhow::Result<()> {
    const ROADS: [&str; 2] = ["warm=127.0.0.10:5000", "exclusive=127.0.0.10:5002"];
    let home = lab.dir.join("haproxy-trouble");
    drop(fs::remove_dir_all(&home));
    make_directory_for_postgres(&home).await?;
    let mut proxy = Proxy::start(&home)?;
    let file = configure(lab, &home)?;
    let mut watch = daemon(lab, &home, &file)?;
    let leader = lab.cluster.leader().await?;
    proxy.leads(lab, &leader).await?;
    let _prober = prober(lab, &home, &ROADS)?;
    let log = home.join("prober.log");
    let mut table = String::from("connections that failed, and that were led wrong: warm, exclusive\n");
    let mut account = |what: &str, since: f64| -> anyhow::Result<()> {
        let of = |kind: &str, road: &str| count(&log, since, &format!("{kind}_{road}"));
        let (warm, exclusive) = (
            (of("bad", "warm")?, of("wrong", "warm")?),
            (of("bad", "exclusive")?, of("wrong", "exclusive")?),
        );
        writeln!(table, "  {what:40} {warm:?} {exclusive:?}")?;
        Ok(())
    };

    let since = now()?;
    let replica = lab.cluster.replicas().await?.into_iter().next().context("a replica")?;
    lab.cluster.switchover(&replica).await?;
    proxy.leads(lab, &replica).await?;
    lab.cluster.wait_healthy().await?;
    account("a switchover", since)?;

    let since = now()?;
    for _ in 0..5 {
        fs::write(home.join("server-state"), proxy.say("show servers state")?)?;
        proxy.reload().await?;
        proxy.leads(lab, &replica).await?;
    }
    account("five reloads, with the state file", since)?;

    let since = now()?;
    fs::remove_file(home.join("server-state"))?;
    proxy.reload().await?;
    proxy.leads(lab, &replica).await?;
    account("a reload without it", since)?;

    let since = now()?;
    watch.end(Signal::KILL).await?;
    lab.cluster.switchover(&leader).await?;
    lab.cluster.wait_healthy().await?;
    let mut watch = daemon(lab, &home, &file)?;
    proxy.leads(lab, &leader).await?;
    account("a switchover without the daemon", since)?;

    let since = now()?;
    proxy.master.end(Signal::KILL).await?;
    proxy.master = Proxy::master(&home, Place::default())?;
    proxy.leads(lab, &leader).await?;
    account("HAProxy killed and started again", since)?;

    let since = now()?;
    fs::rename(home.join("repoint.sock"), home.join("gone.sock"))?;
    let next = lab.cluster.replicas().await?.into_iter().next().context("a replica")?;
    lab.cluster.switchover(&next).await?;
    lab.cluster.wait_healthy().await?;
    fs::rename(home.join("gone.sock"), home.join("repoint.sock"))?;
    proxy.leads(lab, &next).await?;
    account("a switchover while the socket is gone", since)?;

    // Its PostgreSQL takes writes, and its Patroni says so again when it goes on: two primaries.
    let since = now()?;
    lab.cluster.freeze(&next).await?;
    let new = lab.cluster.wait_new_leader(&next).await?;
    lab.cluster.unfreeze(&next).await?;
    proxy.leads(lab, &new).await?;
    lab.cluster.wait_healthy().await?;
    proxy.leads(lab, &new).await?;
    account("two primaries", since)?;
    eprint!("{table}");
    watch.end(Signal::TERM).await
}

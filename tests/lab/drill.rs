//! `repoint drill` on a real cluster: its figures beside an independent writer's, what it leaves behind when it is cut off,
//! and rows that are really lost.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use libtest_mimic::Trial;
use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

use crate::aws::environment;
use crate::deployment::Deployment;
use crate::forwarder::Forwarder;
use crate::lab::Lab;
use crate::member::Member;
use crate::moto::Moto;
use crate::service::{Service, Signal, as_postgres, make_directory_for_postgres, send};
use crate::stage::Stage;
use crate::wait::wait_until;

const WRITER: &str = include_str!("writer.py");
const HAPROXY: &str = include_str!("haproxy.cfg");
/// Two clients, of which the one begins an attempt every 50 ms and the other every 25 ms, or both 10 ms after one that failed at
/// once, each at moments of its own, differ by less.
const AGREE_WITHIN_MS: f64 = 60.0;
const ENDS_WITHIN: Duration = Duration::from_mins(5);

pub fn trials(stage: &Arc<Stage>) -> Vec<Trial> {
    vec![
        stage.trial("drill::a_drill_agrees_with_an_independent_writer", async |lab| forwarded(lab, 1).await),
        stage.trial("drill::a_signal_leaves_no_doubt_about_what_was_done", signals),
        stage.long_trial("drill::ten_drills_agree_with_an_independent_writer", async |lab| {
            forwarded(lab, 10).await
        }),
        stage.long_trial(
            "drill::three_drills_through_haproxy_agree_with_an_independent_writer",
            through_haproxy,
        ),
        stage.long_trial("drill::a_signal_while_the_old_primary_is_away_says_so", signal_while_rejoining),
        stage.long_trial("drill::a_leader_that_dies_with_the_request_is_not_asked_again", leader_dies),
        stage.long_trial("drill::an_operator_types_the_scope_and_the_way_back", typed),
        stage.long_trial("drill::a_killed_drill_is_seen_by_the_next_one", killed),
        stage.long_trial("drill::a_network_that_is_away_is_measured", network_away),
        stage.long_trial("drill::rows_that_a_failover_loses_are_counted", lost_rows),
    ]
}

/// A daemon that moves a target group, and the folder that drills share the state with.
struct Site<'a> {
    lab: &'a Lab,
    home: PathBuf,
    deployment: Deployment<'a>,
    _daemon: Service,
}

impl<'a> Site<'a> {
    async fn new(lab: &'a Lab, name: &str) -> anyhow::Result<Self> {
        let home = lab.dir.join(name);
        // Another trial's state is about other groups.
        drop(fs::remove_dir_all(&home));
        make_directory_for_postgres(&home).await?;
        let mut deployment = Deployment::new(lab).await?;
        deployment.configure_group(&deployment.ip_group.clone())?;
        let configuration = home.join("repoint.toml");
        // Clients connect through the test's own forwarder.
        deployment.write_configuration(
            &configuration,
            "[watch]\nsocket = \"repoint.sock\"\n\
             [[doctor.ignore]]\nid = \"group_unattached\"\nreason = \"the forwarder is the load balancer\"\n",
        )?;
        let mut command = as_postgres(&lab.program);
        command.args(["watch", "--config"]).arg(&configuration).envs(environment(&Moto::endpoint()));
        let daemon = Service::start(command, &home.join("watch.log"))?;
        let leader = lab.cluster.leader().await?;
        deployment.wait_for_group(&leader).await?;
        let site = Self { lab, home, deployment, _daemon: daemon };
        site.forget_moves().await?;
        Ok(site)
    }

    /// Puts the last move and the last changes an hour into the past: a drill would wait until they are ten minutes old. As a
    /// save of its own, under the lock: one that the daemon has prepared meanwhile is of an older revision, and is made anew.
    async fn forget_moves(&self) -> anyhow::Result<()> {
        let (file, new) = (self.home.join("state.json"), self.home.join("state.json.forgetting"));
        wait_until("the state has the move", Duration::from_secs(20), async || {
            let lock = fs::File::options().write(true).open(self.home.join("state.json.lock"))?;
            lock.lock()?;
            let mut state: Value = serde_json::from_str(&fs::read_to_string(&file)?)?;
            let own = &mut state["clusters"]["batman"];
            ensure!(own["lease"].is_null() && own["retargets"]["last"]["at"].is_string(), "{own}");
            own["revision"] = (own["revision"].as_u64().context("a revision")? + 1).into();
            own["retargets"]["last"]["at"] = "2026-01-01T00:00:00.000Z".into();
            for change in own.get_mut("changes").and_then(Value::as_array_mut).into_iter().flatten() {
                change["at"] = 1.into();
            }
            fs::write(&new, serde_json::to_string_pretty(&state)?)?;
            let owner = fs::metadata(&file)?;
            chown(&new, Some(owner.uid()), Some(owner.gid()))?;
            Ok(fs::rename(&new, &file)?)
        })
        .await
    }

    /// What a drill through that host and port is called with.
    fn arguments(&self, (host, port): (&str, u16), more: &[&str]) -> Vec<String> {
        let configuration = self.home.join("repoint.toml").display().to_string();
        let dsn = format!("host={host} port={port} user=postgres dbname=postgres sslmode=disable");
        let usual = ["drill", "batman", "--config", &configuration, "--dsn", &dsn];
        usual.iter().chain(more).map(ToString::to_string).collect()
    }

    /// Starts a drill, as the user that the daemon has.
    fn start(&self, place: (&str, u16), arguments: &[&str]) -> anyhow::Result<Drill> {
        let mut command = as_postgres(&self.lab.program);
        command.args(self.arguments(place, &[&["--format", "json"], arguments].concat()));
        self.spawn(command)
    }

    /// The same on a terminal, by `script` (util-linux).
    fn start_on_terminal(&self, place: (&str, u16)) -> anyhow::Result<Drill> {
        let mut command = as_postgres("/usr/bin/script");
        let quoted = self
            .arguments(place, &[])
            .iter()
            .fold(format!("exec {}", self.lab.program.display()), |line, argument| {
                format!("{line} '{argument}'")
            });
        command.args(["--quiet", "--return", "--flush", "--command", &quoted, "/dev/null"]);
        self.spawn(command)
    }

    fn spawn(&self, mut command: Command) -> anyhow::Result<Drill> {
        let (stdout, stderr) = (self.home.join("drill.out"), self.home.join("drill.err"));
        command
            .envs(environment(&Moto::endpoint()))
            .env_remove("REPOINT_LOG")
            .stdin(Stdio::piped())
            .stdout(fs::File::create(&stdout)?)
            .stderr(fs::File::create(&stderr)?)
            .kill_on_drop(true);
        Ok(Drill { child: command.spawn()?, stdout, stderr })
    }
}

/// A drill under way.
struct Drill {
    child: Child,
    stdout: PathBuf,
    stderr: PathBuf,
}

impl Drill {
    /// Waits until it has said these words.
    async fn wait_for(&self, words: &str) -> anyhow::Result<()> {
        wait_until(&format!("the drill says `{words}`"), Duration::from_mins(2), async || {
            let said = fs::read_to_string(&self.stderr)? + &fs::read_to_string(&self.stdout)?;
            ensure!(said.contains(words), "{said}");
            Ok(())
        })
        .await
    }

    async fn type_line(&mut self, line: &str) -> anyhow::Result<()> {
        let keyboard = self.child.stdin.as_mut().context("no way to type")?;
        keyboard.write_all(format!("{line}\n").as_bytes()).await?;
        Ok(keyboard.flush().await?)
    }

    async fn exit_code(&mut self) -> anyhow::Result<Option<i32>> {
        Ok(timeout(ENDS_WITHIN, self.child.wait()).await.context("the drill does not end")??.code())
    }

    fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        send(signal, self.child.id().context("the drill has ended")?.cast_signed())
    }

    /// Its exit status and its report.
    async fn ended(&mut self) -> anyhow::Result<(Option<i32>, Value)> {
        let code = self.exit_code().await?;
        let (said, log) = (fs::read_to_string(&self.stdout)?, fs::read_to_string(&self.stderr)?);
        let report = serde_json::from_str(&said).with_context(|| format!("{code:?}: {said}\n{log}"))?;
        Ok((code, report))
    }
}

fn outage_of(report: &Value, client: &str) -> anyhow::Result<f64> {
    let clients = report["clients"].as_array().context("no clients")?;
    let own = clients.iter().find(|own| own["client"] == client).context("no such client")?;
    own["outage_ms"].as_f64().with_context(|| format!("no outage: {own}"))
}

/// The independent writer. Its outage is the longest time from a last good attempt to a first good one, with bad ones alone in
/// between: in the order in which they began, since one that hangs ends after those that began later.
struct Independent {
    service: Service,
    log: PathBuf,
}

impl Independent {
    fn start(lab: &Lab, home: &Path, (host, port): (&str, u16)) -> anyhow::Result<Self> {
        let log = home.join("writer.log");
        drop(fs::remove_file(&log));
        let mut command = Command::new(lab.venv.join("bin/python"));
        command.args(["-c", WRITER, host, &port.to_string()]);
        Ok(Self { service: Service::start(command, &log)?, log })
    }

    async fn outage_ms(mut self) -> anyhow::Result<f64> {
        self.service.end(Signal::KILL).await?;
        let mut attempts: Vec<(f64, f64, bool)> = Vec::new();
        for line in fs::read_to_string(&self.log)?.lines() {
            // The last line may have been cut off.
            if let [began, ended, result] = line.split(' ').collect::<Vec<_>>()[..] {
                attempts.push((began.parse()?, ended.parse()?, result == "good"));
            }
        }
        attempts.sort_by(|one, other| one.0.total_cmp(&other.0));
        let runs: Vec<_> = attempts.chunk_by(|one, next| one.2 == next.2).collect();
        let outages = runs.windows(3).filter(|runs| !runs[1][0].2).map(|runs| {
            let last_good = runs[0].last().map_or(0.0, |good| good.1.min(runs[1][0].0));
            let first_good = runs[2].iter().map(|good| good.1).fold(f64::MAX, f64::min);
            (first_good - last_good) * 1000.0
        });
        Ok(outages.fold(0.0, f64::max))
    }
}

/// Makes so many drills, each beside an independent writer, and prints what both have measured.
async fn compare(site: &Site<'_>, place: (&str, u16), drills: usize) -> anyhow::Result<()> {
    let mut table =
        String::from("outage in ms: drill, independent writer, difference; one connection; reader\n");
    for number in 1..=drills {
        let before = site.lab.cluster.leader().await?;
        let independent = Independent::start(site.lab, &site.home, place)?;
        let picture = site.home.join("drill.svg");
        let picture = picture.to_str().context("a path that is text")?;
        let mut drill = site.start(place, &["--yes", "batman", "--svg", picture])?;
        let (code, report) = drill.ended().await?;
        let theirs = independent.outage_ms().await?;
        ensure!(code == Some(0) && report["outcome"] == "done", "{code:?}: {report:#}");
        ensure!(report["from"] == before.name.as_str(), "{report:#}");
        let after = site.lab.cluster.leader().await?;
        ensure!(report["to"] == after.name.as_str() && after != before, "{} leads: {report:#}", after.name);
        ensure!(fs::read_to_string(picture)?.starts_with("<svg"), "no picture");
        let moved = report["timeline"].to_string().contains("register target");
        ensure!(moved || place.1 == 6433, "the move is missing: {report:#}");

        let ours = outage_of(&report, "new_connections")?;
        let (one, reader) = (outage_of(&report, "one_connection")?, outage_of(&report, "reader")?);
        let difference = ours - theirs;
        writeln!(table, "  {number:2}: {ours:7.0} {theirs:7.0} {difference:+5.0}   {one:7.0} {reader:7.0}")?;
        ensure!(ours > 0.0 && difference.abs() <= AGREE_WITHIN_MS, "they do not agree:\n{table}{report:#}");
        site.lab.cluster.wait_healthy().await?;
        site.forget_moves().await?;
    }
    eprint!("{table}");
    Ok(())
}

async fn forwarded(lab: &Lab, drills: usize) -> anyhow::Result<()> {
    let site = Site::new(lab, "drills").await?;
    let forwarder = Forwarder::start(&lab.dir, &site.deployment.ip_group).await?;
    compare(&site, (&forwarder.host(), forwarder.port()), drills).await
}

async fn through_haproxy(lab: &Lab) -> anyhow::Result<()> {
    let site = Site::new(lab, "drills-haproxy").await?;
    let file = site.home.join("haproxy.cfg");
    // With retries it would hold an attempt up for a second each, and begin them again at moments of its own.
    fs::write(&file, HAPROXY.replace("retries 2", "retries 0"))?;
    let mut command = Command::new("/usr/sbin/haproxy");
    command.arg("-db").arg("-f").arg(file);
    let _haproxy = Service::start(command, &site.home.join("haproxy.log"))?;
    compare(&site, ("127.0.0.10", 6433), 3).await
}

/// Ctrl-C before the request, just after it, and while the old primary rejoins.
async fn signals(lab: &Lab) -> anyhow::Result<()> {
    let site = Site::new(lab, "drill-signals").await?;
    let leader = lab.cluster.leader().await?;
    let forwarder = Forwarder::start(&lab.dir, &site.deployment.ip_group).await?;
    let place = (forwarder.host(), forwarder.port());
    let start = |arguments: &[&str]| site.start((&place.0, place.1), arguments);

    let mut early = start(&["--yes", "batman"])?;
    early.wait_for("3 clients run").await?;
    early.signal(Signal::INT)?;
    let (code, report) = early.ended().await?;
    ensure!(code == Some(1) && report["outcome"] == "interrupted", "{report:#}");
    ensure!(report["message"].to_string().contains("nothing was changed"), "{report:#}");
    ensure!(report["requested_ms"].is_null() && lab.cluster.leader().await? == leader, "{report:#}");

    // A wrong scope is no confirmation, and every gate is reported.
    let mut wrong = start(&["--yes", "robin"])?;
    let (code, report) = wrong.ended().await?;
    ensure!(code == Some(1) && report["outcome"] == "refused", "{report:#}");
    let refused =
        report["gates"].as_array().context("gates")?.iter().filter(|gate| gate["result"] == "refused");
    let refused: Vec<&Value> = refused.map(|gate| &gate["gate"]).collect();
    ensure!(refused == ["scope"], "{report:#}");

    let mut late = start(&["--yes", "batman", "--table", "drill_rows"])?;
    late.wait_for("requested a switchover").await?;
    late.signal(Signal::INT)?;
    let (code, report) = late.ended().await?;
    ensure!(code == Some(1) && report["outcome"] == "interrupted", "{report:#}");
    let message = report["message"].to_string();
    ensure!(
        message.contains("it may go on without the drill") || message.contains("has made the switchover"),
        "{message}"
    );
    // What it has begun it has ended: the table is gone, and the state has no drill.
    ensure!(report["rows"]["lost"] == 0, "{report:#}");
    let state: Value = serde_json::from_str(&fs::read_to_string(site.home.join("state.json"))?)?;
    ensure!(state["clusters"]["batman"]["drill"].is_null(), "{state:#}");
    let new = lab.cluster.wait_new_leader(&leader).await?;
    lab.cluster.wait_healthy().await?;
    let rows = query(&new, "SELECT to_regclass('drill_rows') IS NULL").await?;
    ensure!(rows == "t", "the table is there: {rows}");
    Ok(())
}

/// Ctrl-C while the old primary is away.
async fn signal_while_rejoining(lab: &Lab) -> anyhow::Result<()> {
    let site = Site::new(lab, "drill-rejoining").await?;
    let leader = lab.cluster.leader().await?;
    let forwarder = Forwarder::start(&lab.dir, &site.deployment.ip_group).await?;
    let mut drill = site.start((&forwarder.host(), forwarder.port()), &["--yes", "batman"])?;
    drill.wait_for("is the primary").await?;
    lab.cluster.freeze(&leader).await?;
    drill.wait_for("waiting until every member streams").await?;
    drill.signal(Signal::INT)?;
    let (code, report) = drill.ended().await?;
    ensure!(code == Some(1) && report["outcome"] == "interrupted", "{report:#}");
    let message = report["message"].as_str().context("a message")?;
    let left = format!("a signal ended the drill; {} does not stream yet", leader.name);
    ensure!(message.starts_with("the primary changed from") && message.ends_with(&left), "{message}");
    lab.cluster.unfreeze(&leader).await
}

/// The leader dies with the request: Patroni's answer is lost, and the members say what came of it.
async fn leader_dies(lab: &Lab) -> anyhow::Result<()> {
    let site = Site::new(lab, "drill-dies").await?;
    let leader = lab.cluster.leader().await?;
    let forwarder = Forwarder::start(&lab.dir, &site.deployment.ip_group).await?;
    let mut drill = site.start((&forwarder.host(), forwarder.port()), &["--yes", "batman"])?;
    drill.wait_for("requested a switchover").await?;
    lab.cluster.kill9(&leader).await?;
    let new = lab.cluster.wait_new_leader(&leader).await?;
    lab.cluster.restart(&leader).await?;
    let (code, report) = drill.ended().await?;
    ensure!(code == Some(0) && report["outcome"] == "done", "{code:?}: {report:#}");
    ensure!(report["from"] == leader.name.as_str() && report["to"] == new.name.as_str(), "{report:#}");
    ensure!(report["notes"].to_string().contains("the request was not repeated"), "{report:#}");
    ensure!(!report["rejoined_ms"].is_null(), "{report:#}");
    Ok(())
}

/// An operator types the scope, and then, asked for the way back, again.
async fn typed(lab: &Lab) -> anyhow::Result<()> {
    let site = Site::new(lab, "drill-typed").await?;
    let leader = lab.cluster.leader().await?;
    let forwarder = Forwarder::start(&lab.dir, &site.deployment.ip_group).await?;
    let place = (forwarder.host(), forwarder.port());

    let mut wrong = site.start_on_terminal((&place.0, place.1))?;
    wrong.wait_for("Type the scope (batman): ").await?;
    wrong.type_line("robin").await?;
    ensure!(wrong.exit_code().await? == Some(1), "{}", fs::read_to_string(&wrong.stdout)?);
    wrong.wait_for("`robin` was typed, and the scope is `batman`").await?;
    ensure!(lab.cluster.leader().await? == leader, "it was not confirmed");

    let mut drill = site.start_on_terminal((&place.0, place.1))?;
    drill.wait_for("Type the scope (batman): ").await?;
    drill.type_line("batman").await?;
    let new = lab.cluster.wait_new_leader(&leader).await?;
    drill.wait_for(&format!("Switch back to {}?", leader.name)).await?;
    drill.type_line("batman").await?;
    let said = drill.exit_code().await?;
    ensure!(said == Some(0), "{said:?}: {}", fs::read_to_string(&drill.stdout)?);
    ensure!(lab.cluster.leader().await? == leader, "{} still leads", new.name);
    site.deployment.wait_for_group(&leader).await
}

/// SIGKILL after the request: the mark in the state keeps the next drill from beginning.
async fn killed(lab: &Lab) -> anyhow::Result<()> {
    let site = Site::new(lab, "drill-killed").await?;
    let leader = lab.cluster.leader().await?;
    let forwarder = Forwarder::start(&lab.dir, &site.deployment.ip_group).await?;
    let place = (forwarder.host(), forwarder.port());
    let mut drill = site.start((&place.0, place.1), &["--yes", "batman", "--table", "drill_rows"])?;
    drill.wait_for("requested a switchover").await?;
    drill.signal(Signal::KILL)?;
    drill.child.wait().await?;
    // Patroni goes on.
    let new = lab.cluster.wait_new_leader(&leader).await?;
    lab.cluster.wait_healthy().await?;
    site.deployment.wait_for_group(&new).await?;
    site.forget_moves().await?;
    let mut next = site.start((&place.0, place.1), &["--yes", "batman"])?;
    let (code, report) = next.ended().await?;
    ensure!(code == Some(1) && report["outcome"] == "refused", "{report:#}");
    let gates = report["gates"].as_array().context("gates")?;
    let refused: Vec<&Value> = gates.iter().filter(|gate| gate["result"] == "refused").collect();
    ensure!(refused.len() == 1 && refused[0]["gate"] == "other_drill", "{report:#}");
    ensure!(refused[0]["message"].to_string().contains("began a drill"), "{report:#}");
    // The table is left, and is not taken over.
    ensure!(query(&new, "SELECT count(*) > 0 FROM drill_rows").await? == "t", "no rows");
    query(&new, "DROP TABLE drill_rows").await?;
    Ok(())
}

/// The way to the endpoint is lost for some seconds after the request, and comes back.
async fn network_away(lab: &Lab) -> anyhow::Result<()> {
    const AWAY: Duration = Duration::from_secs(6);
    let site = Site::new(lab, "drill-network").await?;
    let forwarder = Forwarder::start(&lab.dir, &site.deployment.ip_group).await?;
    let mut drill =
        site.start((&forwarder.host(), forwarder.port()), &["--yes", "batman", "--table", "drill_rows"])?;
    drill.wait_for("requested a switchover").await?;
    forwarder.freeze(true);
    sleep(AWAY).await;
    forwarder.freeze(false);
    let (code, report) = drill.ended().await?;
    ensure!(code == Some(0) && report["outcome"] == "done", "{report:#}");
    for client in ["new_connections", "one_connection", "reader"] {
        let outage = outage_of(&report, client)?;
        ensure!((5500.0..9000.0).contains(&outage), "{client}: {outage} ms: {report:#}");
    }
    ensure!(report["clients"].to_string().contains("no answer in time"), "{report:#}");
    ensure!(report["rows"]["lost"] == 0, "{report:#}");
    Ok(())
}

/// Writes that only the primary has, whose machine is then lost with its disk.
async fn lost_rows(lab: &Lab) -> anyhow::Result<()> {
    let site = Site::new(lab, "drill-lost").await?;
    let forwarder = Forwarder::start(&lab.dir, &site.deployment.ip_group).await?;
    let old = lab.cluster.leader().await?;
    let mut drill =
        site.start((&forwarder.host(), forwarder.port()), &["--observe", "--table", "drill_rows"])?;
    drill.wait_for("observing").await?;
    // No replica receives anything any more, and none can come back.
    let rules = old.data_dir().join("pg_hba.conf");
    let before = fs::read_to_string(&rules)?;
    fs::write(&rules, format!("host replication all all reject\n{before}"))?;
    query(&old, "SELECT pg_reload_conf()").await?;
    let streams = "SELECT count(*) FROM pg_stat_replication";
    wait_until("no replica streams", Duration::from_secs(10), async || {
        query(&old, "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_replication").await?;
        ensure!(query(&old, streams).await? == "0", "one streams");
        Ok(())
    })
    .await?;
    sleep(Duration::from_secs(2)).await;
    lab.cluster.kill9(&old).await?;
    fs::remove_dir_all(old.data_dir())?;
    let new = lab.cluster.wait_new_leader(&old).await?;
    site.deployment.wait_for_group(&new).await?;
    lab.cluster.restart(&old).await?;
    let (code, report) = drill.ended().await?;

    let acknowledged = forwarder.acknowledged()?;
    let stored = query(&new, "SELECT string_agg(id::text, ' ') FROM drill_rows").await?;
    let stored: BTreeSet<i64> = stored.split(' ').map(str::parse).collect::<Result<_, _>>()?;
    let lost = acknowledged.difference(&stored).count();
    eprintln!(
        "{} rows were acknowledged, {lost} of them are lost: the drill says {}",
        acknowledged.len(),
        report["rows"]
    );
    ensure!(lost > 10, "nothing was lost: {report:#}");
    ensure!(
        report["rows"]["acknowledged"] == acknowledged.len() && report["rows"]["lost"] == lost,
        "{report:#}"
    );
    ensure!(code == Some(1) && report["outcome"] == "done", "{code:?}: {report:#}");
    ensure!(report["notes"].to_string().contains("is left as it is"), "{report:#}");
    query(&new, "DROP TABLE drill_rows").await?;
    Ok(())
}

/// One value, asked by a program that is not the product.
async fn query(member: &Member, statement: &str) -> anyhow::Result<String> {
    let output = Command::new("psql")
        .args(["--no-psqlrc", "--no-align", "--tuples-only", "--host", &member.host])
        .args(["--username", "postgres", "--dbname", "postgres", "--command", statement])
        .output()
        .await?;
    let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    ensure!(output.status.success(), "{statement}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(said)
}

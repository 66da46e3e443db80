//! A healthy cluster under load: the daemon publishes nothing, for as long as is asked for. `LAB_HEALTHY_MINUTES=120` makes it
//! two hours.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use libtest_mimic::Trial;
use serde_json::Value;
use tokio::process::Command;
use tokio::time::{Instant, sleep};

use crate::aws::environment;
use crate::deployment::Deployment;
use crate::lab::Lab;
use crate::mailbox::events;
use crate::member::Member;
use crate::moto::Moto;
use crate::service::{Service, Signal, as_postgres};
use crate::stage::Stage;

const SERVER: &str = "127.0.0.10:9599";
/// How often what the daemon shows is read, and rows of some 100 MB are written at once.
const PACE: Duration = Duration::from_mins(5);
const BULK: &str = "DROP TABLE IF EXISTS bulk; CREATE TABLE bulk AS SELECT n, repeat('x', 80) FROM generate_series(1, 800000) n";

pub fn trials(stage: &Arc<Stage>) -> Vec<Trial> {
    let Ok(minutes) = std::env::var("LAB_HEALTHY_MINUTES") else { return Vec::new() };
    vec![stage.trial("healthy::a_cluster_under_load_is_silent", async move |lab| {
        let minutes = minutes.parse().context("LAB_HEALTHY_MINUTES is a number")?;
        silent(lab, Duration::from_mins(minutes)).await
    })]
}

async fn silent(lab: &Lab, time: Duration) -> anyhow::Result<()> {
    let leader = lab.cluster.leader().await?;
    let standby = lab.cluster.replicas().await?.into_iter().next().context("a replica")?;
    let mut deployment = Deployment::new(lab).await?;
    // The graces of a configuration that sets none.
    deployment.without_grace_seconds();
    deployment.configure_everything(&leader, &standby).await?;
    ensure!(deployment.run(0).await?["outcome"] == "converged", "it begins in good order");

    let file = lab.dir.join("healthy.toml");
    let sections = format!("[http]\nlisten = \"{SERVER}\"\n\n[watch]\nsocket = \"healthy.sock\"\n");
    deployment.write_configuration(&file, &sections)?;
    let mut command = Command::new(&lab.program);
    command.args(["watch", "--config"]).arg(file).envs(environment(&Moto::endpoint()));
    let mut daemon = Service::start(command, &lab.dir.join("healthy.log"))?;
    pgbench(&leader, &["--initialize", "--scale=10", "--quiet"]).status().await?;
    let seconds = format!("--time={}", time.as_secs());
    let load = ["--client=4", "--rate=100", &seconds];
    let mut load = Service::start(pgbench(&leader, &load), &lab.dir.join("pgbench.log"))?;

    let until = Instant::now() + time;
    let (mut looks, mut most) = (0, 0);
    while Instant::now() < until {
        psql(&leader, BULK).await?;
        let status: Value =
            lab.http.get(format!("http://{SERVER}/api/v1/status")).send().await?.json().await?;
        let cluster = &status["clusters"][0];
        let members = cluster["members"].as_array().context("members")?;
        most = members.iter().filter_map(|member| member["lag_bytes"].as_u64()).fold(most, u64::max);
        let messages = deployment.mailbox.messages().await?;
        ensure!(messages.is_empty(), "after {looks} looks: {:?} {cluster:#}", events(&messages)?);
        looks += 1;
        sleep(PACE.min(until.saturating_duration_since(Instant::now()))).await;
    }
    let messages = deployment.mailbox.messages().await?;
    ensure!(messages.is_empty(), "{:?}", events(&messages)?);
    let history = deployment.repoint(&["history"]).await?;
    ensure!(history.code == 0 && history.stdout.contains("no events"), "{history:?}");
    eprintln!(
        "no message in {} min, {looks} bulk writes; the most lag that was seen: {most} bytes",
        time.as_secs() / 60
    );
    load.end(Signal::TERM).await?;
    daemon.end(Signal::TERM).await
}

fn pgbench(leader: &Member, arguments: &[&str]) -> Command {
    let mut command = as_postgres("/usr/bin/pgbench");
    command.args(arguments).args(["--host", &leader.host, "--username=postgres", "postgres"]);
    command
}

async fn psql(leader: &Member, statements: &str) -> anyhow::Result<()> {
    let mut command = as_postgres("/usr/bin/psql");
    command.args([
        "--quiet",
        "--username=postgres",
        "--host",
        &leader.host,
        "--command",
        statements,
        "postgres",
    ]);
    let output = command.output().await?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

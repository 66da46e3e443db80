//! What the function costs beside a boto3 function that does the same job, both under AWS's own emulator, in turn. Times
//! are printed and not tested. It runs only on request, with `LAB_LAMBDA=20` for the rounds; `LAB_BOOTSTRAP` names
//! the release build, whose zip's size is printed, too.
//!
//! The emulator neither slows a function down to its share of a CPU, nor does it unpack anything, and nothing here uses
//! TLS. `bootstrap` does more: it asks every member, and reads and writes its state.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, ensure};
use libtest_mimic::Trial;
use serde_json::Value;
use tokio::process::Command;

use crate::deployment::{Deployment, NAME};
use crate::figures::{median, millis};
use crate::function::Function;
use crate::lab::Lab;
use crate::member::Member;
use crate::stage::Stage;
use crate::state_table::{TABLE, create_table};

const HANDLER: &str = include_str!("boto3_handler.py");
const EVENT: &str = "{}";

pub fn trials(stage: &Arc<Stage>) -> Vec<Trial> {
    let asked = std::env::var("LAB_LAMBDA").ok().and_then(|rounds| rounds.parse().ok());
    let trial = |rounds: usize| {
        stage.trial("lambda_figures::bootstrap_beside_a_boto3_handler", async move |lab| {
            compare(lab, rounds).await
        })
    };
    asked.map(trial).into_iter().collect()
}

/// A function as it is started.
struct Contender<'a> {
    name: &'static str,
    command: Vec<&'a str>,
    variables: Vec<(&'static str, &'a str)>,
    rounds: Vec<Round>,
}

/// One life of a function: its start and first invocation, which changes nothing, another such one, and a failover.
struct Round {
    cold_ms: f64,
    warm_ms: f64,
    failover_ms: f64,
    peak_kib: f64,
}

/// A name, its unit, and where it stands in a round.
type Figure = (&'static str, &'static str, fn(&Round) -> f64);
const FIGURES: [Figure; 4] = [
    ("cold start and no-op", "ms", |round| round.cold_ms),
    ("warm no-op", "ms", |round| round.warm_ms),
    ("failover", "ms", |round| round.failover_ms),
    ("peak memory", "MiB", |round| round.peak_kib / 1024.0),
];

async fn compare(lab: &Lab, rounds: usize) -> anyhow::Result<()> {
    create_table(lab).await?;
    let leader = lab.cluster.leader().await?;
    let standbys = lab.cluster.replicas().await?;
    let wrong = standbys.first().context("a replica")?;
    let mut deployment = Deployment::new(lab).await?;
    deployment.store_state_in(TABLE);
    deployment.configure_group(&deployment.ip_group.clone())?;
    deployment.configure_pair(&leader, wrong).await?;
    deployment.point_groups_at(&leader).await?;

    fs::write(lab.dir.join("boto3_handler.py"), HANDLER)?;
    let (bootstrap, python) = (Function::bootstrap(), lab.venv.join("bin/python"));
    let members: Vec<&str> = lab.cluster.members().iter().map(|member| member.rest_url.as_str()).collect();
    let members = members.join(" ");
    let mut contenders = [
        Contender {
            name: "bootstrap",
            command: vec![bootstrap.to_str().context("a text")?],
            variables: vec![("REPOINT_CONFIG_INLINE", deployment.configuration())],
            rounds: Vec::new(),
        },
        Contender {
            name: "boto3",
            command: vec![python.to_str().context("a text")?, "-m", "awslambdaric", "boto3_handler.handler"],
            variables: vec![
                ("MEMBERS", &members),
                ("GROUP", &deployment.ip_group),
                ("ZONE", &deployment.zone),
                ("NAME", NAME),
                ("TOPIC", &deployment.mailbox.topic),
            ],
            rounds: Vec::new(),
        },
    ];
    // The first round is for the caches of the disk and of Python.
    for round in 0..=rounds {
        for contender in &mut contenders {
            let measured = measure(lab, &deployment, contender, &leader, wrong)
                .await
                .with_context(|| format!("{} in round {round}", contender.name))?;
            if round > 0 {
                contender.rounds.push(measured);
            }
        }
    }
    print_figures(&contenders);
    if std::env::var_os("LAB_BOOTSTRAP").is_some() {
        let bytes = zipped(lab, &bootstrap).await?;
        eprintln!("{} zipped: {bytes} bytes", bootstrap.display());
    }
    Ok(())
}

async fn measure(
    lab: &Lab,
    deployment: &Deployment<'_>,
    contender: &Contender<'_>,
    leader: &Member,
    wrong: &Member,
) -> anyhow::Result<Round> {
    let function = Function::start(lab, &contender.command, &contender.variables).await?;
    let cold_ms = timed(&function, "converged").await?;
    let warm_ms = timed(&function, "converged").await?;
    deployment.mislead(wrong).await?;
    let failover_ms = timed(&function, "changed").await?;
    let peak_kib = function.peak_kib()?;
    ensure!(deployment.infra.targets(&deployment.ip_group).await? == [(leader.host.clone(), leader.pg_port)]);
    ensure!(deployment.mailbox.messages().await?.len() == 1, "one message per failover");
    function.end().await?;
    Ok(Round { cold_ms, warm_ms, failover_ms, peak_kib })
}

/// How long an invocation takes that has this outcome, in milliseconds.
async fn timed(function: &Function, outcome: &str) -> anyhow::Result<f64> {
    let began = Instant::now();
    let answer = function.invoke(EVENT).await?;
    let took = began.elapsed();
    let reported = answer.get("outcome").unwrap_or(&answer["clusters"][0]["outcome"]);
    ensure!(reported == &Value::from(outcome), "{answer}");
    Ok(millis(&took))
}

fn print_figures(contenders: &[Contender<'_>; 2]) {
    for (name, unit, figure) in FIGURES {
        let [ours, theirs] =
            contenders.each_ref().map(|contender| median(contender.rounds.iter().map(figure)));
        eprintln!(
            "{name}: {} {ours:.1} {unit}, {} {theirs:.1} {unit}, {:.1} times as much",
            contenders[0].name,
            contenders[1].name,
            theirs / ours
        );
    }
}

/// The size of what is uploaded.
async fn zipped(lab: &Lab, binary: &Path) -> anyhow::Result<u64> {
    let zip = lab.dir.join("bootstrap.zip");
    let mut command = Command::new(lab.venv.join("bin/python"));
    let status = command.args(["-m", "zipfile", "-c"]).arg(&zip).arg(binary).status().await?;
    ensure!(status.success(), "no zip");
    Ok(fs::metadata(zip)?.len())
}

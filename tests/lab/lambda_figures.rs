//! What the function costs beside a boto3 function that does the same job, both under AWS's own emulator, in turn: over TLS and
//! without, and with the part of a CPU that Lambda gives by memory. Times are printed and recorded, not tested. It runs only on request,
//! with `LAB_LAMBDA=10` for the rounds; `LAB_BOOTSTRAP` names the release build, whose zip's size is printed, too, and
//! `LAB_BOOTSTRAP_BEFORE` an earlier one, which is measured beside it.
//!
//! Until a function asks for its first event, Lambda does not slow it down to its part of a CPU: AWS does not say so, but it
//! has been measured often (for example L. van Donkersgoed, "When is the Lambda Init Phase Free, and when is it Billed?", 2022).
//! Both ways are measured. The emulator unpacks nothing. `bootstrap` does more: it asks every member, and reads and writes its
//! state.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, ensure};
use libtest_mimic::Trial;
use serde_json::Value;
use tokio::process::Command;

use crate::cpu_share::CpuShare;
use crate::deployment::{Deployment, NAME};
use crate::figure::Figure;
use crate::figures::{median, millis};
use crate::function::Function;
use crate::lab::Lab;
use crate::member::Member;
use crate::stage::Stage;
use crate::state_table::{TABLE, create_table};
use crate::terminator::Terminator;

const HANDLER: &str = include_str!("boto3_handler.py");
const EVENT: &str = "{}";
/// What both log when a pass has ended.
const PASS_ENDED: &str = "pass ended";
/// Enters a control group, says so, and becomes the command that follows.
const ENTER: &str = "echo $$ >\"$0\" && echo 'the program starts' >&2 && exec \"$@\"";
/// Time counts from then on: to enter a group the kernel waits up to 20 ms for every CPU (RCU), which no function has to.
const STARTS: &str = "the program starts";
/// The group of a function with a whole CPU.
const NO_GROUP: &str = "/dev/null";

pub fn trials(stage: &Arc<Stage>) -> Vec<Trial> {
    let asked = std::env::var("LAB_LAMBDA").ok().and_then(|rounds| rounds.parse().ok());
    let trial = |rounds: usize| {
        stage.trial("lambda_figures::bootstrap_beside_a_boto3_handler", async move |lab| {
            compare(lab, rounds).await
        })
    };
    asked.map(trial).into_iter().collect()
}

/// Where a function runs, and how it reaches AWS.
#[derive(Clone, Copy)]
struct Setting {
    name: &'static str,
    is_tls: bool,
    /// As much of a CPU as Lambda gives with so much memory.
    memory_mb: Option<u32>,
    /// Whether the quota holds only once the function has asked for its first event.
    is_start_free: bool,
}

const fn setting(name: &'static str, memory_mb: Option<u32>, is_start_free: bool) -> Setting {
    Setting { name, is_tls: true, memory_mb, is_start_free }
}

const SETTINGS: [Setting; 8] = [
    Setting { is_tls: false, ..setting("without TLS", None, false) },
    setting("TLS", None, false),
    setting("TLS, 512 MB", Some(512), true),
    setting("TLS, 256 MB", Some(256), true),
    setting("TLS, 128 MB", Some(128), true),
    setting("TLS, 512 MB from the start", Some(512), false),
    setting("TLS, 256 MB from the start", Some(256), false),
    setting("TLS, 128 MB from the start", Some(128), false),
];

/// A function as it is started.
struct Contender {
    name: &'static str,
    command: Vec<String>,
    variables: Vec<(&'static str, String)>,
}

/// One life of a function: its start and first invocation, which changes nothing, another such one, and a failover.
struct Round {
    cold_ms: f64,
    /// Of the function alone.
    cold_cpu_ms: f64,
    warm_ms: f64,
    failover_ms: f64,
    peak_kib: f64,
}

/// A name, its unit, and where it stands in a round.
type Measure = (&'static str, &'static str, fn(&Round) -> f64);
/// The page has it of every setting, and the rest of one.
const COLD_START: &str = "cold start and no-op";
const ALL_OF: &str = "TLS";
const FIGURES: [Measure; 5] = [
    (COLD_START, "ms", |round| round.cold_ms),
    ("CPU time of the cold start", "ms", |round| round.cold_cpu_ms),
    ("warm no-op", "ms", |round| round.warm_ms),
    ("failover", "ms", |round| round.failover_ms),
    ("peak memory", "MiB", |round| round.peak_kib / 1024.0),
];

/// What every round needs.
struct Bench<'a> {
    lab: &'a Lab,
    deployment: Deployment<'a>,
    terminator: Terminator,
    share: Option<CpuShare>,
    leader: Member,
    wrong: Member,
}

async fn compare(lab: &Lab, rounds: usize) -> anyhow::Result<()> {
    create_table(lab).await?;
    let leader = lab.cluster.leader().await?;
    let standbys = lab.cluster.replicas().await?;
    let wrong = standbys.first().context("a replica")?.clone();
    let mut deployment = Deployment::new(lab).await?;
    deployment.store_state_in(TABLE);
    deployment.configure_group(&deployment.ip_group.clone())?;
    deployment.configure_pair(&leader, &wrong).await?;
    deployment.point_groups_at(&leader).await?;
    let contenders = contenders(lab, &deployment)?;
    let terminator = Terminator::start(lab).await?;
    let bench = Bench { lab, deployment, terminator, share: CpuShare::new(), leader, wrong };
    for setting in SETTINGS {
        if setting.memory_mb.is_some() && bench.share.is_none() {
            eprintln!("{}: left out, since no control group with a quota can be made here", setting.name);
            continue;
        }
        let mut measured: Vec<Vec<Round>> = contenders.iter().map(|_| Vec::new()).collect();
        // The first round is for the caches of the disk and of Python.
        for round in 0..=rounds {
            for (contender, its) in contenders.iter().zip(&mut measured) {
                let one = measure(&bench, setting, contender).await;
                let one =
                    one.with_context(|| format!("{}: {} in round {round}", setting.name, contender.name))?;
                its.extend((round > 0).then_some(one));
            }
        }
        print_figures(setting, &contenders, &measured);
        record(setting, &contenders, &measured)?;
    }
    bench.terminator.stop().await?;
    if std::env::var_os("LAB_BOOTSTRAP").is_some() {
        let bootstrap = Function::bootstrap();
        let bytes = zipped(lab, &bootstrap).await?;
        eprintln!("{} zipped: {bytes} bytes", bootstrap.display());
    }
    Ok(())
}

/// The function, an earlier one if it is named, and boto3's, which the others are compared with.
fn contenders(lab: &Lab, deployment: &Deployment<'_>) -> anyhow::Result<Vec<Contender>> {
    fs::write(lab.dir.join("boto3_handler.py"), HANDLER)?;
    let text = |path: PathBuf| anyhow::Ok(path.to_str().context("a text")?.to_owned());
    let ours = |name, program| {
        let variables = vec![("REPOINT_CONFIG_INLINE", deployment.configuration().to_owned())];
        anyhow::Ok(Contender { name, command: vec![text(program)?], variables })
    };
    let members: Vec<&str> = lab.cluster.members().iter().map(|member| member.rest_url.as_str()).collect();
    let python = ["-m", "awslambdaric", "boto3_handler.handler"].map(str::to_owned);
    let boto3 = Contender {
        name: "boto3",
        command: [text(lab.venv.join("bin/python"))?].into_iter().chain(python).collect(),
        variables: vec![
            ("MEMBERS", members.join(" ")),
            ("GROUP", deployment.ip_group.clone()),
            ("ZONE", deployment.zone.clone()),
            ("NAME", NAME.to_owned()),
            ("TOPIC", deployment.mailbox.topic.clone()),
        ],
    };
    let before = std::env::var_os("LAB_BOOTSTRAP_BEFORE")
        .map(|program| ours("bootstrap, earlier build", program.into()));
    let contenders = [ours("bootstrap", Function::bootstrap())].into_iter().chain(before);
    contenders.chain([Ok(boto3)]).collect()
}

async fn measure(bench: &Bench<'_>, setting: Setting, contender: &Contender) -> anyhow::Result<Round> {
    let Bench { lab, deployment, terminator, share, leader, wrong } = bench;
    let variables = [terminator.environment(setting.is_tls)?, contender.variables.clone()].concat();
    let variables: Vec<_> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let limited = share.as_ref().filter(|_| setting.memory_mb.is_some());
    let group = limited.map_or_else(|| NO_GROUP.to_owned(), |share| share.members().display().to_string());
    // The emulator itself stays outside.
    let entering = ["/bin/sh", "-c", ENTER, &group].into_iter();
    let command: Vec<&str> = entering.chain(contender.command.iter().map(String::as_str)).collect();
    let limit = |memory_mb| share.as_ref().map_or(Ok(()), |share| share.limit(memory_mb));
    limit(setting.memory_mb.filter(|_| !setting.is_start_free))?;
    let function = Function::start(lab, &command, &variables).await?;
    let started = async {
        function.initialised().await?;
        limit(setting.memory_mb)
    };
    let (cold_ms, ()) = tokio::try_join!(timed(&function, Some(STARTS), 1, "converged"), started)?;
    let cold_cpu_ms = function.cpu_ms()?;
    let warm_ms = timed(&function, None, 2, "converged").await?;
    deployment.mislead(wrong).await?;
    let failover_ms = timed(&function, None, 3, "changed").await?;
    let peak_kib = function.peak_kib()?;
    limit(None)?;
    ensure!(deployment.infra.targets(&deployment.ip_group).await? == [(leader.host.clone(), leader.pg_port)]);
    ensure!(deployment.mailbox.messages().await?.len() == 1, "one message per failover");
    function.end().await?;
    Ok(Round { cold_ms, cold_cpu_ms, warm_ms, failover_ms, peak_kib })
}

/// How long the function's pass number `number` takes, in milliseconds: from the event on, or from when these words are in the
/// log. The emulator needs some 10 ms more until it passes the answer on.
async fn timed(function: &Function, from: Option<&str>, number: usize, outcome: &str) -> anyhow::Result<f64> {
    let ended = async {
        if let Some(words) = from {
            function.logged(words, 1).await?;
        }
        let began = Instant::now();
        function.logged(PASS_ENDED, number).await?;
        anyhow::Ok(began.elapsed())
    };
    let (answer, took) = tokio::try_join!(function.invoke(EVENT), ended)?;
    let reported = answer.get("outcome").unwrap_or(&answer["clusters"][0]["outcome"]);
    ensure!(reported == &Value::from(outcome), "{answer}");
    Ok(millis(&took))
}

/// The median of each contender with its extremes, and how many times as much boto3's is.
fn print_figures(setting: Setting, contenders: &[Contender], measured: &[Vec<Round>]) {
    for (name, unit, figure) in FIGURES {
        let values = |rounds: &[Round]| rounds.iter().map(figure).collect::<Vec<_>>();
        let boto3 = measured.last().map_or(f64::NAN, |rounds| median(values(rounds).into_iter()));
        let each = contenders.iter().zip(measured).map(|(contender, rounds)| {
            let values = values(rounds);
            let (least, most) = values
                .iter()
                .fold((f64::MAX, f64::MIN), |(least, most), one| (least.min(*one), most.max(*one)));
            let middle = median(values.into_iter());
            format!("{} {middle:.1} ({least:.1} to {most:.1}; {:.1})", contender.name, boto3 / middle)
        });
        eprintln!("{}: {name} in {unit}: {}", setting.name, each.collect::<Vec<_>>().join(", "));
    }
}

fn record(setting: Setting, contenders: &[Contender], measured: &[Vec<Round>]) -> anyhow::Result<()> {
    for (name, unit, figure) in FIGURES {
        let (bench, kind) = match name {
            COLD_START => ("lambda", setting.name),
            _ if setting.name == ALL_OF => ("lambda_passes", name),
            _ => continue,
        };
        for (contender, rounds) in contenders.iter().zip(measured) {
            let values: Vec<_> = rounds.iter().map(|round| (figure(round) * 10.0).round() / 10.0).collect();
            Figure { bench, what: contender.name, kind, unit, values: &values }.record()?;
        }
    }
    Ok(())
}

/// The size of what is uploaded.
async fn zipped(lab: &Lab, binary: &Path) -> anyhow::Result<u64> {
    let zip = lab.dir.join("bootstrap.zip");
    let mut command = Command::new(lab.venv.join("bin/python"));
    let status = command.args(["-m", "zipfile", "-c"]).arg(&zip).arg(binary).status().await?;
    ensure!(status.success(), "no zip");
    Ok(fs::metadata(zip)?.len())
}

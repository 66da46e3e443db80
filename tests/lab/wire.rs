//! The sandbox's wire beside the emulator's: one program asks both, and the answers are compared line by line.
//!
//! Where moto is known not to be like AWS, `wire.py` says so, and what AWS answers is expected of the sandbox.

use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use libtest_mimic::Trial;
use repoint_sandbox::aws::{Account, wire};
use repoint_sandbox::http::exchange::{Reply, Request};
use repoint_sandbox::http::server::serve;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::process::Command;
use tokio::time::timeout;

use crate::aws::environment;
use crate::lab::Lab;
use crate::moto::Moto;
use crate::stage::Stage;

const PROGRAM: &str = include_str!("wire.py");
/// boto3 alone takes a second to load.
const DEADLINE: Duration = Duration::from_mins(1);

pub fn trials(stage: &Arc<Stage>) -> Vec<Trial> {
    vec![stage.trial("wire::the_sandbox_answers_as_the_emulator_does", same)]
}

async fn same(lab: &Lab) -> anyhow::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let sandbox = format!("http://{}", listener.local_addr()?);
    let server = tokio::spawn(serve(listener, Arc::new(account())));
    let (ours, theirs) =
        tokio::try_join!(async { ask(lab, &sandbox, &[]).await.context("the sandbox") }, async {
            ask(lab, &Moto::endpoint(), &["--moto"]).await.context("moto")
        },)?;
    server.abort();
    let marked = theirs.iter().filter(|line| line.get("differs").is_some()).count();
    let differences = differences(&ours, &theirs);
    eprintln!(
        "{} answers compared, of which moto is known to give {marked} otherwise than AWS; {} differ",
        ours.len(),
        differences.len()
    );
    ensure!(differences.is_empty(), "{} differences\n{}", differences.len(), differences.join("\n"));
    ensure!(ours.len() > 70, "only {} answers", ours.len());
    Ok(())
}

/// An account in real time.
fn account() -> impl Fn(Request) -> (Duration, Reply) + Send + Sync {
    let (account, began) = (Mutex::new(Account::default()), Instant::now());
    move |request| {
        let now = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let mut account = account.lock().unwrap_or_else(PoisonError::into_inner);
        (Duration::ZERO, wire::answer(&mut account, now, &request))
    }
}

/// Runs the program against an endpoint; the lines that it prints.
async fn ask(lab: &Lab, endpoint: &str, flags: &[&str]) -> anyhow::Result<Vec<Value>> {
    let mut command = Command::new(lab.venv.join("bin/python"));
    command
        .args(["-c", PROGRAM, endpoint])
        .args(flags)
        .envs(environment(endpoint))
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let output = timeout(DEADLINE, command.output()).await.context("no end within the time allowed")??;
    if !output.status.success() {
        bail!("the program failed\n{}", String::from_utf8_lossy(&output.stderr));
    }
    let lines = String::from_utf8(output.stdout)?;
    lines.lines().map(|line| serde_json::from_str(line).context(line.to_owned())).collect()
}

/// What is not as it should be, each with both answers.
fn differences(ours: &[Value], theirs: &[Value]) -> Vec<String> {
    let mut differences = Vec::new();
    for (ours, theirs) in ours.iter().zip(theirs) {
        let mut wanted = theirs.clone();
        let moto = wanted.as_object_mut().and_then(|wanted| wanted.remove("moto"));
        let step = &ours["step"];
        if *ours != wanted {
            differences
                .push(format!("{step}\n  sandbox  {}\n  wanted   {}", ours["answer"], wanted["answer"]));
        }
        if moto.is_some_and(|moto| moto == wanted["answer"]) {
            differences.push(format!("{step} is marked as different, but moto says the same as AWS"));
        }
    }
    if ours.len() != theirs.len() {
        differences.push(format!("{} answers of the sandbox, {} of moto", ours.len(), theirs.len()));
    }
    differences
}

//! The guide's way from nothing to a tested failover (`infra/guide/deploy.md`), followed word for word, as by a new user.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use libtest_mimic::Trial;
use regex::Regex;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::{sleep, timeout};

use crate::aws::environment;
use crate::function::Function;
use crate::lab::{Lab, callback_home};
use crate::mailbox::Mailbox;
use crate::moto::Moto;
use crate::stage::Stage;

const GUIDE: &str = include_str!("../../infra/guide/deploy.md");
const REPOSITORY: &str = env!("CARGO_MANIFEST_DIR");
const REGION: &str = "us-east-1";
/// The guide's nodes, and the lab's.
const NODES: [(&str, &str); 3] =
    [("10.90.0.11", "127.0.0.11"), ("10.90.1.11", "127.0.0.12"), ("10.90.0.12", "127.0.0.13")];
/// Terraform waits for AWS by itself.
const LONGEST_COMMAND: Duration = Duration::from_mins(10);
/// A read-only command is repeated for so long, as a user would.
const TIMEOUT: Duration = Duration::from_mins(1);
/// Ends what a command says. The shell makes it of two parts, so that its own text does not have it.
const END: &str = "==END==";

pub fn trials(stage: &Arc<Stage>) -> Vec<Trial> {
    let is_there = std::env::var_os("LAB_TERRAFORM_PLUGINS").is_some();
    vec![
        stage
            .trial("walkthrough::the_guide_leads_to_a_tested_failover", walk_through)
            .with_ignored_flag(!is_there),
    ]
}

async fn walk_through(lab: &Lab) -> anyhow::Result<()> {
    let steps = steps(GUIDE)?;
    ensure!(steps.len() > 20, "{} commands", steps.len());

    let first = &lab.cluster.members()[0];
    if lab.cluster.leader().await?.name != first.name {
        lab.cluster.switchover(first).await?;
    }
    let mut user = User::new(lab).await?;
    let mut alerts = None;
    let mut subjects = Vec::new();
    for step in &steps {
        if step.command.starts_with("aws sns subscribe") {
            let topic = "arn:aws:sns:us-east-1:123456789012:repoint-alerts";
            alerts = Some(Mailbox::behind(&lab.aws, REGION, topic).await?);
        }
        if step.command.starts_with("terraform destroy") {
            let alerts = alerts.take().context("no subscription")?;
            for message in alerts.messages().await? {
                subjects.push(message["Subject"].as_str().context("a subject")?.to_owned());
            }
            alerts.close().await?;
        }
        user.follow(step).await.with_context(|| user.transcript.clone())?;
    }
    if let Some(path) = std::env::var_os("LAB_TRANSCRIPT") {
        fs::write(path, &user.transcript)?;
    }
    ensure!(subjects.first().is_some_and(|first| first.contains("this is a test")), "{subjects:?}");
    let moved = [" switchover from pg1 to pg2", " failover from pg1 to pg2"];
    let is_notified = subjects.iter().any(|subject| moved.iter().any(|moved| subject.ends_with(moved)));
    ensure!(is_notified, "{subjects:?}");
    Ok(())
}

/// A command, and what the guide says that it prints.
struct Step {
    command: String,
    expected: Vec<String>,
}

/// Those of all `console` blocks.
fn steps(guide: &str) -> anyhow::Result<Vec<Step>> {
    let mut steps: Vec<Step> = Vec::new();
    for block in guide.split("```console\n").skip(1) {
        let (block, _) = block.split_once("```").context("a block without an end")?;
        for line in block.lines() {
            match line.strip_prefix("$ ") {
                Some(command) => steps.push(Step { command: here(command), expected: Vec::new() }),
                None => steps.last_mut().context("a block begins with a command")?.expected.push(here(line)),
            }
        }
    }
    Ok(steps)
}

/// The same about the lab's nodes.
fn here(text: &str) -> String {
    NODES.iter().fold(text.to_owned(), |text, (guide, lab)| text.replace(guide, lab))
}

impl Step {
    /// `…` stands for anything, and alone in a line for any lines.
    fn pattern(&self) -> anyhow::Result<Regex> {
        let mut pattern = String::from("^");
        for line in &self.expected {
            match line.as_str() {
                "…" => pattern.push_str("(?:.*\n)*"),
                line => {
                    let words: Vec<String> = line.split('…').map(regex::escape).collect();
                    writeln!(pattern, "{}", words.join(".*"))?;
                }
            }
        }
        Ok(Regex::new(&format!("{pattern}$"))?)
    }

    /// What takes effect later may be read again.
    fn is_read_only(&self) -> bool {
        ["describe-", "list-"].iter().any(|verb| self.command.contains(verb))
    }
}

/// A user with a shell in a clone of the repository, and an account.
struct User {
    _shell: Child,
    orders: ChildStdin,
    said: Lines<BufReader<ChildStdout>>,
    transcript: String,
}

impl User {
    async fn new(lab: &Lab) -> anyhow::Result<Self> {
        let home = lab.dir.join("walkthrough");
        drop(fs::remove_dir_all(&home));
        let programs = home.join("bin");
        fs::create_dir_all(&programs)?;
        install(lab, &home, &programs)?;
        let clone = home.join("clone");
        clone_to(&clone).await?;
        put_zip(lab, &clone).await?;

        let path = format!("{}:/usr/local/bin:/usr/bin:/bin", programs.display());
        let mut shell = Command::new("bash")
            .args(["--noprofile", "--norc"])
            .current_dir(&clone)
            .env_clear()
            .envs(environment(&Moto::endpoint()))
            .env("AWS_REGION", REGION)
            .env("AWS_DEFAULT_REGION", REGION)
            .envs([("AWS_PAGER", ""), ("CHECKPOINT_DISABLE", "1"), ("TF_CLI_ARGS", "-no-color")])
            .envs([("LANG", "C.UTF-8"), ("HOME", home.to_str().context("a text")?), ("PATH", &path)])
            .env("TF_CLI_CONFIG_FILE", home.join("terraformrc"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let orders = shell.stdin.take().context("no pipe to the shell")?;
        let said = BufReader::new(shell.stdout.take().context("no pipe from the shell")?).lines();
        Ok(Self { _shell: shell, orders, said, transcript: String::new() })
    }

    async fn follow(&mut self, step: &Step) -> anyhow::Result<()> {
        let (pattern, started) = (step.pattern()?, Instant::now());
        loop {
            let (said, status) = self.run(&step.command).await?;
            let is_as_told = status == "0" && pattern.is_match(&said);
            if is_as_told || !step.is_read_only() || started.elapsed() > TIMEOUT {
                writeln!(self.transcript, "$ {}\n{}", step.command, said.trim_end())?;
                ensure!(
                    is_as_told,
                    "it ended with {status}, and the guide says:\n{}",
                    step.expected.join("\n")
                );
                return Ok(());
            }
            sleep(Duration::from_millis(500)).await;
        }
    }

    /// What a command says, and its exit status.
    async fn run(&mut self, command: &str) -> anyhow::Result<(String, String)> {
        let (first, second) = END.split_at(4);
        let order = format!("{{ {command}\n}} </dev/null 2>&1; echo; echo \"{first}\"\"{second}$?\"\n");
        self.orders.write_all(order.as_bytes()).await?;
        let said = async {
            let mut said = String::new();
            while let Some(line) = self.said.next_line().await? {
                if let Some(status) = line.strip_prefix(END) {
                    // The line break before the end is ours.
                    let said = said.strip_suffix('\n').unwrap_or(&said).to_owned();
                    return Ok((said, status.to_owned()));
                }
                said.push_str(&line);
                said.push('\n');
            }
            bail!("the shell has ended: {said}")
        };
        timeout(LONGEST_COMMAND, said).await.with_context(|| format!("`{command}` does not end"))?
    }
}

/// What the user has on the machine, and what stands in for other machines.
fn install(lab: &Lab, home: &Path, programs: &Path) -> anyhow::Result<()> {
    symlink(&lab.program, programs.join("repoint"))?;
    symlink(lab.venv.join("bin/aws"), programs.join("aws"))?;
    let terraform = std::env::var("LAB_TERRAFORM")?;
    script(&programs.join("terraform"), &format!("exec {terraform} \"$@\""))?;
    // A node has its configuration where patronictl reads it.
    let member = lab.cluster.members()[0].config_file();
    let patronictl = lab.venv.join("bin/patronictl");
    script(
        &programs.join("patronictl"),
        &format!("exec {} -c {} \"$@\"", patronictl.display(), member.display()),
    )?;
    // All of the lab's nodes are this machine.
    let node = callback_home(&lab.dir).join("repoint.toml");
    script(&programs.join("scp"), &format!("cp \"$1\" {}", node.display()))?;
    // The lab has no network, and has built them before.
    script(&programs.join("cargo"), "echo \"    Finished\"")?;

    let plugins = std::env::var("LAB_TERRAFORM_PLUGINS")?;
    let mirror =
        format!("provider_installation {{\n  filesystem_mirror {{\n    path = {plugins:?}\n  }}\n}}\n");
    fs::write(home.join("terraformrc"), mirror)?;
    Ok(())
}

fn script(path: &Path, text: &str) -> anyhow::Result<()> {
    fs::write(path, format!("#!/bin/sh\n{text}\n"))?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))?;
    Ok(())
}

/// The files that are in the repository, as they are now.
async fn clone_to(folder: &Path) -> anyhow::Result<()> {
    let copy = "git ls-files -z | xargs -0 cp --parents --target-directory=\"$0\"";
    fs::create_dir(folder)?;
    let copied = Command::new("bash").args(["-c", copy]).arg(folder).current_dir(REPOSITORY).status().await?;
    ensure!(copied.success(), "the repository cannot be copied");
    Ok(())
}

/// Where `cargo lambda` leaves it.
async fn put_zip(lab: &Lab, clone: &Path) -> anyhow::Result<()> {
    let folder = clone.join("target/lambda/bootstrap");
    fs::create_dir_all(&folder)?;
    symlink(Function::bootstrap(), folder.join("bootstrap"))?;
    let made = Command::new(lab.venv.join("bin/python"))
        .args(["-m", "zipfile", "--create", "bootstrap.zip", "bootstrap"])
        .current_dir(&folder)
        .status()
        .await?;
    ensure!(made.success(), "the zip cannot be made");
    Ok(())
}

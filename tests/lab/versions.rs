//! The versions of what a benchmark runs, for its page.

use anyhow::Context as _;
use tokio::process::Command;

use crate::figure::record_version;
use crate::lab::Lab;
use crate::member::postgres_programs;

const OF_PYTHON: &str = "
import importlib.metadata, platform, psycopg2
for name, package in [('boto3', 'boto3'), ('moto', 'moto'), ('Patroni', 'patroni')]:
    print(name, importlib.metadata.version(package))
print('libpq', '{}.{}'.format(*divmod(psycopg2.__libpq_version__, 10000)))
print('Python', platform.python_version())
";

/// Records them of what takes part in the race.
pub async fn record(lab: &Lab) -> anyhow::Result<()> {
    let postgres = postgres_programs()?.join("postgres");
    let mut programs = vec![
        ("repoint", lab.program.clone(), "--version"),
        ("PostgreSQL", postgres, "--version"),
        ("etcd", "etcd".into(), "--version"),
        ("HAProxy", "/usr/sbin/haproxy".into(), "-v"),
    ];
    let vip_manager =
        std::env::var_os("LAB_VIP_MANAGER").map(|program| ("vip-manager", program.into(), "--version"));
    let earlier = lab.earlier.clone().map(|program| ("an earlier build of repoint", program, "--version"));
    programs.extend(vip_manager.into_iter().chain(earlier));
    for (name, program, option) in programs {
        record_version(name, version_in(&said(Command::new(program).arg(option)).await?))?;
    }
    for line in said(Command::new(lab.venv.join("bin/python")).args(["-c", OF_PYTHON])).await?.lines() {
        let (name, version) = line.split_once(' ').context("a name and a version")?;
        record_version(name, version)?;
    }
    Ok(())
}

/// The first word with a digit at its beginning, or the first line.
fn version_in(said: &str) -> &str {
    let is_version =
        |word: &&str| word.trim_start_matches('v').starts_with(|first: char| first.is_ascii_digit());
    said.split_whitespace().find(is_version).or_else(|| said.lines().next()).unwrap_or_default()
}

async fn said(command: &mut Command) -> anyhow::Result<String> {
    let said = command.output().await.with_context(|| format!("{command:?}"))?;
    Ok(String::from_utf8_lossy(&said.stdout).trim().to_owned())
}

//! Everything the tests run against, started once.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use reqwest::Client;
use tokio::process::Command;

use crate::aws::Aws;
use crate::etcd::{self, Etcd};
use crate::member::Software;
use crate::moto::{Moto, TARGETS};
use crate::patroni::{Cluster, DEFAULT_SCOPE, Layout};
use crate::service::make_directory_for_postgres;

pub struct Lab {
    /// For the tests' own files; removed by `tests/run`.
    pub dir: PathBuf,
    /// The Python that has boto3 and Patroni.
    pub venv: PathBuf,
    /// The product, where the user that runs Patroni can read it.
    pub program: PathBuf,
    /// An earlier build of it that takes part in the race, where `LAB_REPOINT_BEFORE` names one.
    pub earlier: Option<PathBuf>,
    /// What the members' Patroni calls; it fails, without consequence, where it has no configuration.
    pub callback: String,
    pub http: Client,
    pub cluster: Cluster,
    pub moto: Moto,
    pub aws: Aws,
    pub etcd: Etcd,
}

impl Lab {
    pub async fn start() -> anyhow::Result<Self> {
        let dir = directory_from("LAB_DIR")?;
        let venv = directory_from("LAB_VENV")?;
        let built = std::env::var("LAB_REPOINT").unwrap_or_else(|_| env!("CARGO_BIN_EXE_repoint").to_owned());
        let program = install(&built, dir.join("repoint"))?;
        let earlier = std::env::var("LAB_REPOINT_BEFORE").ok();
        let earlier = earlier.map(|built| install(&built, dir.join("repoint-earlier"))).transpose()?;
        let mut callback = command(&program, &callback_home(&dir)).await?;
        if let Some(earlier) = &earlier {
            // Patroni starts one command: it starts both, the earlier build first.
            let first = command(earlier, &earlier_callback_home(&dir)).await?;
            callback = format!("/bin/sh -c '{first} \"$@\" & exec {callback} \"$@\"' callbacks");
        }
        let http = Client::builder().no_proxy().timeout(Duration::from_mins(1)).build()?;

        let patroni = async {
            let etcd = Etcd::start(&dir, etcd::HOST, &http).await?;
            let software = Software { venv: venv.clone(), homes: dir.clone(), callback: callback.clone() };
            let cluster = Cluster::start(&software, &http, Layout::usual(DEFAULT_SCOPE)).await?;
            anyhow::Ok((etcd, cluster))
        };
        let ((etcd, cluster), moto) = tokio::try_join!(patroni, Moto::start(&dir, &venv, &http))?;
        let aws = Aws::start(&venv, &Moto::endpoint())?;
        Ok(Self { dir, venv, program, earlier, callback, http, cluster, moto, aws, etcd })
    }

    /// What every test begins with: an empty AWS, and a cluster in good health.
    pub async fn tidy(&self) -> anyhow::Result<()> {
        // A callback of the test before may still be following its cluster.
        for home in [callback_home(&self.dir), earlier_callback_home(&self.dir)] {
            drop(fs::remove_file(home.join("repoint.toml")));
        }
        Command::new("pkill").args(["--signal", "KILL", "--full", "--", "--detached"]).status().await?;
        self.moto.unfreeze()?;
        self.moto.reset().await?;
        drop(fs::remove_file(self.dir.join(TARGETS)));
        self.cluster.start_all().await
    }

    pub async fn stop(mut self) -> anyhow::Result<()> {
        self.cluster.kill_all().await?;
        self.moto.stop().await?;
        self.etcd.stop().await
    }
}

/// A release build can be measured in the place of the one that the tests were built with.
fn install(built: &str, program: PathBuf) -> anyhow::Result<PathBuf> {
    fs::copy(built, &program).with_context(|| format!("cannot copy {built}"))?;
    Ok(program)
}

/// A callback whose configuration and state are in `home`.
async fn command(program: &Path, home: &Path) -> anyhow::Result<String> {
    make_directory_for_postgres(home).await?;
    Ok(format!("{} callback --config {}", program.display(), home.join("repoint.toml").display()))
}

/// Where callbacks have their configuration and state.
pub fn callback_home(dir: &Path) -> PathBuf {
    dir.join("callback")
}

/// The same of the earlier build's.
pub fn earlier_callback_home(dir: &Path) -> PathBuf {
    dir.join("callback-earlier")
}

pub fn directory_from(variable: &str) -> anyhow::Result<PathBuf> {
    let path = std::env::var_os(variable)
        .with_context(|| format!("{variable} is not set: run the lab with `tests/run lab`"))?;
    Ok(PathBuf::from(path))
}

//! Everything the tests run against, started once.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use reqwest::Client;

use crate::aws::Aws;
use crate::etcd::Etcd;
use crate::moto::Moto;
use crate::patroni::{Cluster, DEFAULT_SCOPE};

pub struct Lab {
    /// For the tests' own files; removed by `tests/run`.
    pub dir: PathBuf,
    /// The Python that has boto3 and Patroni.
    pub venv: PathBuf,
    pub cluster: Cluster,
    pub moto: Moto,
    pub aws: Aws,
    pub etcd: Etcd,
}

impl Lab {
    pub async fn start() -> anyhow::Result<Self> {
        let dir = directory_from("LAB_DIR")?;
        let venv = directory_from("LAB_VENV")?;
        let http = Client::builder().no_proxy().timeout(Duration::from_mins(1)).build()?;

        let patroni = async {
            let etcd = Etcd::start(&dir, &http).await?;
            let cluster = Cluster::start(&dir, &venv, &http, DEFAULT_SCOPE).await?;
            anyhow::Ok((etcd, cluster))
        };
        let ((etcd, cluster), moto) = tokio::try_join!(patroni, Moto::start(&dir, &venv, &http))?;
        let aws = Aws::start(&venv, &Moto::endpoint())?;
        Ok(Self { dir, venv, cluster, moto, aws, etcd })
    }

    /// What every test begins with: an empty AWS, and a cluster in good health.
    pub async fn tidy(&self) -> anyhow::Result<()> {
        self.moto.unfreeze()?;
        self.moto.reset().await?;
        self.cluster.start_all().await
    }

    pub async fn stop(mut self) -> anyhow::Result<()> {
        self.cluster.kill_all().await?;
        self.moto.stop().await?;
        self.etcd.stop().await
    }
}

fn directory_from(variable: &str) -> anyhow::Result<PathBuf> {
    let path = std::env::var_os(variable)
        .with_context(|| format!("{variable} is not set: run the lab with `tests/run lab`"))?;
    Ok(PathBuf::from(path))
}

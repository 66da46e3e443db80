//! Finds the primary of a configuration's first cluster, and prints where it is as libpq takes it.
//!
//! ```console
//! $ cargo run --example primary -- /etc/repoint.toml
//! host=10.0.1.12 port=5432
//! ```

#![expect(clippy::print_stdout, reason = "an example prints its answer")]

use std::path::PathBuf;

use anyhow::Context as _;
use repoint::app::MemberWatch;
use repoint::config::{self, Environment};
use repoint_domain::clients::{Wanted, dsn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let path = std::env::args_os().nth(1).map(PathBuf::from).context("usage: primary CONFIGURATION")?;
    let settings = config::load(&path, &Environment::default())?;
    let cluster = settings.clusters.first().context("no cluster is configured")?;
    let mut members = MemberWatch::open(&settings, cluster).await?;
    let nodes = members.find(Wanted::Primary).await.nodes?;
    println!("{}", dsn(&nodes.first));
    Ok(())
}

//! What it costs the nodes that a daemon looks out for the next primary: the processor time of the Patroni and the PostgreSQL that
//! are left, from the loss of a primary to the next one, with a daemon and without. Printed, never tested, and only when asked
//! for: `LAB_FAILOVERS=10` makes ten failovers of each kind.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use libtest_mimic::Trial;

use crate::deployment::Deployment;
use crate::figures::median;
use crate::lab::Lab;
use crate::promptness::daemon;
use crate::service::make_directory_for_postgres;
use crate::stage::Stage;

/// Linux counts processor time in these (`sysconf(_SC_CLK_TCK)`, proc(5)).
const TICK: Duration = Duration::from_millis(10);

pub fn trials(stage: &Arc<Stage>) -> Vec<Trial> {
    let Ok(failovers) = std::env::var("LAB_FAILOVERS") else { return Vec::new() };
    vec![stage.trial("probing::what_a_daemon_costs_the_nodes", async move |lab| {
        measure(lab, failovers.parse().context("LAB_FAILOVERS is a number")?).await
    })]
}

/// Processor time, in milliseconds.
struct Cost {
    patroni: f64,
    postgres: f64,
}

async fn measure(lab: &Lab, failovers: u32) -> anyhow::Result<()> {
    let home = lab.dir.join("probing");
    make_directory_for_postgres(&home).await?;
    let mut deployment = Deployment::new(lab).await?;
    deployment.configure_group(&deployment.ip_group.clone())?;
    let configuration = home.join("repoint.toml");
    deployment.write_configuration(&configuration, "[watch]\nsocket = \"repoint.sock\"\n")?;
    for is_watched in [false, true] {
        let watch = is_watched.then(|| daemon(&lab.program, &home, &configuration)).transpose()?;
        let (mut costs, mut took) = (Vec::new(), Vec::new());
        for _ in 0..failovers {
            let old = lab.cluster.leader().await?;
            lab.cluster.kill9(&old).await?;
            let (began, before) = (Instant::now(), spent(lab).await?);
            lab.cluster.wait_new_leader(&old).await?;
            let after = spent(lab).await?;
            took.push(began.elapsed().as_secs_f64());
            costs.push(Cost {
                patroni: after.patroni - before.patroni,
                postgres: after.postgres - before.postgres,
            });
            lab.cluster.restart(&old).await?;
            lab.cluster.wait_healthy().await?;
        }
        drop(watch);
        eprintln!(
            "{} a daemon, median of {failovers} failovers of {:.1} s: Patroni {:.0} ms and PostgreSQL {:.0} ms of processor time \
             on the two nodes that are left",
            if is_watched { "with" } else { "without" },
            median(took.into_iter()),
            median(costs.iter().map(|cost| cost.patroni)),
            median(costs.iter().map(|cost| cost.postgres)),
        );
    }
    Ok(())
}

/// What the members that run have spent so far.
async fn spent(lab: &Lab) -> anyhow::Result<Cost> {
    let mut cost = Cost { patroni: 0.0, postgres: 0.0 };
    for member in lab.cluster.members() {
        let (Some(patroni), Ok(postmaster)) = (lab.cluster.process(member).await?, member.postmaster())
        else {
            continue;
        };
        cost.patroni += of_process(patroni)?;
        cost.postgres += of_process(postmaster.cast_unsigned())?;
        for entry in fs::read_dir("/proc")? {
            let Some(process) = entry?.file_name().to_str().and_then(|name| name.parse().ok()) else {
                continue;
            };
            // One may end meanwhile; its time is then its parent's.
            if parent_of(process).is_some_and(|parent| parent == postmaster.cast_unsigned()) {
                cost.postgres += of_process(process).unwrap_or_default();
            }
        }
    }
    Ok(cost)
}

/// The fields of `/proc/PID/stat` after the name, which may have spaces.
fn fields(process: u32) -> anyhow::Result<Vec<String>> {
    let stat = fs::read_to_string(Path::new("/proc").join(process.to_string()).join("stat"))?;
    let (_, rest) = stat.rsplit_once(") ").context("a name in parentheses")?;
    Ok(rest.split(' ').map(str::to_owned).collect())
}

fn parent_of(process: u32) -> Option<u32> {
    fields(process).ok()?.get(1)?.parse().ok()
}

/// Its own time, and that of its children that have ended, in milliseconds.
fn of_process(process: u32) -> anyhow::Result<f64> {
    let fields = fields(process)?;
    let times = fields.get(11..15).context("four times")?;
    let ticks: Result<Vec<f64>, _> = times.iter().map(|ticks| ticks.parse::<f64>()).collect();
    Ok(ticks?.iter().sum::<f64>() * TICK.as_secs_f64() * 1000.0)
}

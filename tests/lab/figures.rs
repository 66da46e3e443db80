//! What a pass costs. Times are printed and not tested: compare them within one run only.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use libtest_mimic::Trial;
use serde_json::Value;

use crate::command::Outcome;
use crate::deployment::Deployment;
use crate::lab::Lab;
use crate::latency::Latency;
use crate::member::Member;
use crate::moto::Moto;
use crate::stage::Stage;

const ROUNDS: usize = 7;
const DELAY: Duration = Duration::from_millis(50);

pub fn trials(stage: &Arc<Stage>) -> Vec<Trial> {
    vec![stage.long_trial("figures::a_pass_costs_what_was_promised", passes)]
}

async fn passes(lab: &Lab) -> anyhow::Result<()> {
    let slow = Latency::start(DELAY).await?;
    let leader = lab.cluster.leader().await?;
    let wrong = lab.cluster.replicas().await?.into_iter().next().context("a replica")?;
    let mut start_up = Vec::new();
    for (name, with_instances) in [("ip group and failover pair", false), ("with an instance group", true)] {
        lab.tidy().await?;
        let mut deployment = Deployment::new(lab).await?;
        deployment.configure_group(&deployment.ip_group.clone())?;
        if with_instances {
            deployment.configure_group(&deployment.instance_group.clone())?;
        }
        deployment.configure_record()?;
        for (road, endpoint) in [("as it is", Moto::endpoint()), ("50 ms on every answer", slow.endpoint())] {
            deployment.endpoint = endpoint;
            let (mut failovers, mut no_ops) = (Vec::new(), Vec::new());
            for _ in 0..ROUNDS {
                mislead(&deployment, &wrong).await?;
                failovers.push(deployment.repoint(&["run", "--format", "json"]).await?);
                no_ops.push(deployment.repoint(&["run", "--format", "json"]).await?);
                start_up.push(deployment.repoint(&["--version"]).await?.wall);
            }
            print_figures(&format!("{name}, {road}, failover"), &failovers, "changed")?;
            print_figures(&format!("{name}, {road}, no-op"), &no_ops, "converged")?;
        }
        ensure!(deployment.infra.targets(&deployment.ip_group).await? == [(leader.host.clone(), 5432)]);
    }
    eprintln!("start-up alone (--version): {:.0} ms", median(start_up.iter().map(millis)));
    Ok(())
}

async fn mislead(deployment: &Deployment<'_>, wrong: &Member) -> anyhow::Result<()> {
    deployment.point_groups_at(wrong).await?;
    let mut records = deployment.infra.records(&deployment.zone).await?;
    if let Some(record) = records.as_array_mut().and_then(|records| records.first_mut()) {
        record["ResourceRecords"][0]["Value"] = Value::String(wrong.host.clone());
        deployment.infra.put_records(&deployment.zone, std::slice::from_ref(record)).await?;
    }
    Ok(())
}

fn print_figures(what: &str, outcomes: &[Outcome], expected: &str) -> anyhow::Result<()> {
    let reports = outcomes.iter().map(|outcome| {
        let report: Value = serde_json::from_str(&outcome.stdout).with_context(|| format!("{outcome:?}"))?;
        ensure!(report["clusters"][0]["outcome"] == expected, "{outcome:?}");
        Ok(report["clusters"][0].clone())
    });
    let reports: Vec<Value> = reports.collect::<anyhow::Result<_>>()?;
    let switched = |report: &Value| {
        let steps = report["steps"].as_array().into_iter().flatten();
        steps
            .filter(|step| step["action"] != "deregister_target")
            .filter_map(|step| step["at_ms"].as_f64())
            .fold(0.0, f64::max)
    };
    eprintln!(
        "{what}: writes flow after {:.0} ms, pass {:.0} ms, process {:.0} ms, peak {} KiB, calls {}",
        median(reports.iter().map(switched)),
        median(reports.iter().filter_map(|report| report["duration_ms"].as_f64())),
        median(outcomes.iter().map(|outcome| millis(&outcome.wall))),
        outcomes.iter().map(|outcome| outcome.peak_rss_kib).max().unwrap_or(0),
        reports[reports.len() - 1]["api_calls"],
    );
    Ok(())
}

pub fn millis(duration: &Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

/// Of an even number, the worse of the two in the middle.
pub fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

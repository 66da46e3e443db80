//! The Terraform examples, applied by the real Terraform. Most of its time the provider waits for nothing: what needs
//! nothing of the lab runs meanwhile.

use std::sync::Arc;

use libtest_mimic::Trial;
use tokio::process::Child;
use tokio::sync::Mutex;

use crate::deployed::{self, Tool};
use crate::lab::Lab;
use crate::stage::{Stage, is_long};
use crate::{fleet, regions};

const SCRIPT: &str = "terraform.py";
/// The trials that call no function, and bring an AWS of their own.
const ALONE: [&str; 5] = ["given", "fleet", "refusals", "numbers", "linted"];

/// Those that have begun with another trial, and are waited for in their own.
static BEGUN: Mutex<Vec<(&str, Child)>> = Mutex::const_new(Vec::new());

/// Ignored where `tests/run` has found no Terraform or no provider, and unless [`is_long`]: the walk-through applies the
/// module, too.
pub fn trials(stage: &Arc<Stage>) -> Vec<Trial> {
    let is_there = std::env::var_os("LAB_TERRAFORM_PLUGINS").is_some();
    let trials = [
        stage.trial("terraform::complete", async |lab: &Lab| {
            begin_the_others(lab).await?;
            deployed::complete(lab, &Tool::new(lab, SCRIPT)).await
        }),
        stage.trial("terraform::existing", async |lab: &Lab| {
            deployed::existing(lab, &Tool::new(lab, SCRIPT)).await
        }),
        stage.trial("terraform::two_regions", async |lab: &Lab| {
            regions::follow(lab, &Tool::new(lab, SCRIPT)).await
        }),
        stage.trial("terraform::fleet", async |lab: &Lab| {
            fleet::pass_of_a_shard(lab, &Tool::new(lab, SCRIPT)).await
        }),
        stage.trial("terraform::ten_thousand", async |lab: &Lab| alone(lab, "fleet").await),
        stage.trial("terraform::given", async |lab: &Lab| alone(lab, "given").await),
        stage.trial("terraform::refusals", async |lab: &Lab| alone(lab, "refusals").await),
        stage.trial("terraform::numbers", async |lab: &Lab| alone(lab, "numbers").await),
        stage.trial("terraform::linted", async |lab: &Lab| alone(lab, "linted").await),
    ];
    trials.map(|trial| trial.with_ignored_flag(!is_there || !is_long())).into()
}

async fn begin_the_others(lab: &Lab) -> anyhow::Result<()> {
    let mut begun = BEGUN.lock().await;
    for trial in ALONE {
        begun.push((trial, Tool::new(lab, SCRIPT).start(&[trial])?));
    }
    Ok(())
}

async fn alone(lab: &Lab, trial: &str) -> anyhow::Result<()> {
    let mut begun = BEGUN.lock().await;
    let tool = Tool::new(lab, SCRIPT);
    let child = match begun.iter().position(|(name, _)| *name == trial) {
        Some(position) => begun.swap_remove(position).1,
        None => tool.start(&[trial])?,
    };
    eprint!("{}", tool.finish(child).await?);
    Ok(())
}

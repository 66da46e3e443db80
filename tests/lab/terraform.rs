//! The Terraform examples, applied by the real Terraform.

use std::sync::Arc;

use libtest_mimic::Trial;

use crate::deployed::{self, Tool};
use crate::lab::Lab;
use crate::stage::Stage;

const SCRIPT: &str = "terraform.py";

/// Ignored where `tests/run` has found no Terraform, or no provider.
pub fn trials(stage: &Arc<Stage>) -> Vec<Trial> {
    let is_there = std::env::var_os("LAB_TERRAFORM_PLUGINS").is_some();
    let trials = [
        stage.trial("terraform::complete", async |lab: &Lab| {
            deployed::complete(lab, &Tool::new(lab, SCRIPT)).await
        }),
        stage.trial("terraform::existing", async |lab: &Lab| {
            deployed::existing(lab, &Tool::new(lab, SCRIPT)).await
        }),
        stage.trial("terraform::given", async |lab: &Lab| alone(lab, "given").await),
        stage.trial("terraform::refusals", async |lab: &Lab| alone(lab, "refusals").await),
    ];
    trials.map(|trial| trial.with_ignored_flag(!is_there)).into()
}

/// A trial that calls no function: the program's own.
async fn alone(lab: &Lab, trial: &str) -> anyhow::Result<()> {
    eprint!("{}", Tool::new(lab, SCRIPT).run(&[trial]).await?);
    Ok(())
}

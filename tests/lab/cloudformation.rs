//! The template of `infra/cloudformation`, deployed by AWS's command line.

use std::sync::Arc;

use libtest_mimic::Trial;

use crate::deployed::{self, Tool};
use crate::lab::Lab;
use crate::stage::Stage;

const SCRIPT: &str = "cloudformation.py";

pub fn trials(stage: &Arc<Stage>) -> Vec<Trial> {
    vec![
        stage.long_trial("cloudformation::complete", async |lab: &Lab| {
            deployed::complete(lab, &Tool::new(lab, SCRIPT)).await
        }),
        stage.long_trial("cloudformation::existing", async |lab: &Lab| {
            deployed::existing(lab, &Tool::new(lab, SCRIPT)).await
        }),
        stage.long_trial("cloudformation::given", async |lab: &Lab| alone(lab, "given").await),
        stage.long_trial("cloudformation::refusals", async |lab: &Lab| alone(lab, "refusals").await),
        stage.trial("cloudformation::linted", async |lab: &Lab| alone(lab, "linted").await),
    ]
}

/// A trial that calls no function, and brings an AWS of its own.
async fn alone(lab: &Lab, trial: &str) -> anyhow::Result<()> {
    let tool = Tool::new(lab, SCRIPT);
    eprint!("{}", tool.finish(tool.start(&[trial])?).await?);
    Ok(())
}

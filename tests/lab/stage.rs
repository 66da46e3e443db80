//! Runs asynchronous tests one after another against the one lab.

use std::sync::{Arc, OnceLock};
use std::time::Instant;

use anyhow::Context as _;
use libtest_mimic::{Failed, Trial};
use tokio::runtime::Runtime;

use crate::lab::Lab;

pub struct Stage {
    runtime: Runtime,
    lab: OnceLock<Lab>,
}

impl Stage {
    pub fn new() -> anyhow::Result<Arc<Self>> {
        Ok(Arc::new(Self { runtime: Runtime::new()?, lab: OnceLock::new() }))
    }

    pub fn start_lab(&self) -> anyhow::Result<()> {
        let started = Instant::now();
        let lab = self.runtime.block_on(Lab::start())?;
        eprintln!("lab started in {:.1} s", started.elapsed().as_secs_f64());
        self.lab.set(lab).map_err(|_| anyhow::anyhow!("the lab is started already"))
    }

    pub fn stop_lab(self: Arc<Self>) -> anyhow::Result<()> {
        let stage = Arc::into_inner(self).context("a test is still there")?;
        match stage.lab.into_inner() {
            Some(lab) => stage.runtime.block_on(lab.stop()),
            None => Ok(()),
        }
    }

    /// A test of libtest-mimic that begins in a tidy lab and runs `body`.
    pub fn trial<F>(self: &Arc<Self>, name: &str, body: F) -> Trial
    where
        F: AsyncFnOnce(&Lab) -> anyhow::Result<()> + Send + 'static,
    {
        let (stage, called) = (Arc::clone(self), name.to_owned());
        Trial::test(name, move || stage.run(&called, body))
    }

    /// The same, ignored unless [`is_long`].
    pub fn long_trial<F>(self: &Arc<Self>, name: &str, body: F) -> Trial
    where
        F: AsyncFnOnce(&Lab) -> anyhow::Result<()> + Send + 'static,
    {
        self.trial(name, body).with_ignored_flag(!is_long())
    }

    fn run<F>(&self, name: &str, body: F) -> Result<(), Failed>
    where
        F: AsyncFnOnce(&Lab) -> anyhow::Result<()>,
    {
        let lab = self.lab.get().ok_or("the lab is not started")?;
        let started = Instant::now();
        let result = self.runtime.block_on(async {
            lab.tidy().await.context("the lab is not tidy")?;
            body(lab).await
        });
        eprintln!("{name} took {:.1} s", started.elapsed().as_secs_f64());
        result.map_err(|error| Failed::from(format!("{error:#}")))
    }
}

/// Whether the trials are run that a change may pass without: `tests/run long` runs them, and `tests/run lab FILTER`.
pub fn is_long() -> bool {
    std::env::var_os("LAB_LONG").is_some()
}

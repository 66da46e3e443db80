//! The function, started as Lambda starts it.

use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::{interval, timeout};

use super::runtime_api::{Answer, RuntimeApi};

/// Long enough for a debug build on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// What a test gives to the function besides what Lambda gives it.
pub type Variables<'a> = &'a [(&'a str, &'a str)];

/// A running function.
pub struct Bootstrap {
    pub api: RuntimeApi,
    child: Child,
    stdout: Arc<Mutex<Vec<String>>>,
    reading: tokio::task::JoinHandle<()>,
    invoked: Mutex<u32>,
}

impl Bootstrap {
    /// Starts it, and does not wait for anything.
    pub async fn start(variables: Variables<'_>) -> Self {
        Self::start_from(Path::new(env!("CARGO_BIN_EXE_bootstrap")), variables).await
    }

    /// Starts the binary that lies there.
    pub async fn start_from(binary: &Path, variables: Variables<'_>) -> Self {
        Self::start_on(binary, variables, [Stdio::piped(), Stdio::inherit()]).await
    }

    /// Starts the binary with these for its stdout and stderr, and waits until it takes invocations.
    pub async fn ready_on(variables: Variables<'_>, outputs: [Stdio; 2]) -> Self {
        let binary = Path::new(env!("CARGO_BIN_EXE_bootstrap"));
        let bootstrap = Self::start_on(binary, variables, outputs).await;
        timeout(PATIENCE, bootstrap.api.ready(1)).await.expect("it does not become ready");
        bootstrap
    }

    async fn start_on(binary: &Path, variables: Variables<'_>, [stdout, stderr]: [Stdio; 2]) -> Self {
        let api = RuntimeApi::start().await;
        let mut child = Command::new(binary)
            .env_clear()
            .env("AWS_LAMBDA_RUNTIME_API", api.address.to_string())
            .env("AWS_LAMBDA_FUNCTION_NAME", "repoint")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512")
            .env("AWS_REGION", "us-east-1")
            .envs(repoint_sandbox::http::sandbox::CREDENTIALS)
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(stdout)
            .stderr(stderr)
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let stdout = Arc::new(Mutex::new(Vec::new()));
        let (seen, pipe) = (stdout.clone(), child.stdout.take());
        let reading = tokio::spawn(async move {
            let Some(pipe) = pipe else { return };
            let mut lines = BufReader::new(pipe).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                seen.lock().unwrap_or_else(PoisonError::into_inner).push(line);
            }
        });
        Self { api, child, stdout, reading, invoked: Mutex::default() }
    }

    /// Starts it, and waits until it takes invocations.
    pub async fn ready(variables: Variables<'_>) -> Self {
        let bootstrap = Self::start(variables).await;
        let is_ready = timeout(PATIENCE, bootstrap.api.ready(1)).await.is_ok();
        assert!(is_ready, "it does not become ready: {:#?}", bootstrap.lines());
        bootstrap
    }

    /// Invokes it with all the time that it could want.
    pub async fn invoke(&self, event: &str) -> Answer {
        self.invoke_within(event, PATIENCE).await
    }

    /// Invokes it.
    pub async fn invoke_within(&self, event: &str, within: Duration) -> Answer {
        let id = {
            let mut invoked = self.invoked.lock().unwrap_or_else(PoisonError::into_inner);
            *invoked += 1;
            format!("request-{invoked}")
        };
        self.api.invoke(&id, event, within).await
    }

    /// What it logged so far.
    pub fn lines(&self) -> Vec<String> {
        self.stdout.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until it has logged a line that holds these words.
    pub async fn logged(&self, words: &str) {
        let mut ticks = interval(Duration::from_millis(5));
        let waiting = async {
            while !self.lines().iter().any(|line| line.contains(words)) {
                ticks.tick().await;
            }
        };
        timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("no `{words}`: {:#?}", self.lines()));
    }

    /// Sends it SIGTERM.
    pub fn stop(&self) {
        let id = i32::try_from(self.child.id().expect("it is running")).unwrap();
        let process = rustix::process::Pid::from_raw(id).unwrap();
        rustix::process::kill_process(process, rustix::process::Signal::TERM).unwrap();
    }

    /// Waits for its end: its exit code, and all that it logged.
    pub async fn ended(mut self) -> (Option<i32>, Vec<Value>) {
        let status = timeout(PATIENCE, self.child.wait()).await.expect("it does not end").unwrap();
        self.reading.await.unwrap();
        let lines = self.stdout.lock().unwrap_or_else(PoisonError::into_inner).clone();
        (status.code(), lines.iter().map(|line| parsed(line)).collect())
    }

    /// Sends it SIGTERM, and waits for its end.
    pub async fn stopped(self) -> (Option<i32>, Vec<Value>) {
        self.stop();
        self.ended().await
    }
}

#[track_caller]
fn parsed(line: &str) -> Value {
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
}

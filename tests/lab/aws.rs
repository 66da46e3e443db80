//! An AWS client that shares no code with the product's: a small Python program around boto3.

use std::path::Path;
use std::process::Stdio;

use anyhow::{Context as _, bail};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::Mutex;

pub const REGION: &str = "eu-west-1";
const PROGRAM: &str = include_str!("aws.py");

pub struct Aws {
    pipe: Mutex<Pipe>,
    _client: Child,
}

struct Pipe {
    requests: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

/// An access key; [`Aws::call_as`] signs with it.
#[derive(Clone, Debug)]
pub struct Credentials {
    pub key_id: String,
    pub secret: String,
    /// Only temporary credentials have one.
    pub token: Option<String>,
}

/// What AWS refused, and why.
#[derive(Debug)]
pub struct AwsError {
    pub code: String,
    pub message: String,
}

impl std::fmt::Display for AwsError {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}: {}", self.code, self.message)
    }
}

impl std::error::Error for AwsError {}

impl Aws {
    pub fn start(venv: &Path, endpoint: &str) -> anyhow::Result<Self> {
        let mut client = Command::new(venv.join("bin/python"))
            .args(["-c", PROGRAM])
            .envs(environment(endpoint))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let requests = client.stdin.take().context("no pipe to the client")?;
        let answers = client.stdout.take().context("no pipe from the client")?;
        let answers = BufReader::new(answers).lines();
        Ok(Self { pipe: Mutex::new(Pipe { requests, answers }), _client: client })
    }

    /// Calls `method` of boto3's client for `service`, both as boto3 names them.
    /// A refusal is an [`AwsError`], to be found with `downcast_ref`.
    pub async fn call(&self, service: &str, method: &str, args: Value) -> anyhow::Result<Value> {
        self.send(json!({ "service": service, "method": method, "args": args })).await
    }

    /// The same in another Region than [`REGION`].
    pub async fn call_in(
        &self,
        region: &str,
        service: &str,
        method: &str,
        args: Value,
    ) -> anyhow::Result<Value> {
        let options = json!({ "region_name": region });
        let request = json!({ "service": service, "method": method, "args": args, "options": options });
        self.send(request).await
    }

    /// The same under other credentials.
    pub async fn call_as(
        &self,
        who: &Credentials,
        service: &str,
        method: &str,
        args: Value,
    ) -> anyhow::Result<Value> {
        let options = json!({
            "aws_access_key_id": who.key_id,
            "aws_secret_access_key": who.secret,
            "aws_session_token": who.token,
        });
        let request = json!({
            "service": service, "method": method, "args": args, "options": options,
        });
        self.send(request).await
    }

    async fn send(&self, request: Value) -> anyhow::Result<Value> {
        let mut pipe = self.pipe.lock().await;
        pipe.requests.write_all(format!("{request}\n").as_bytes()).await?;
        let line = pipe.answers.next_line().await?.context("the AWS client has ended")?;
        let mut answer: Value = serde_json::from_str(&line)?;
        if let Some(error) = answer.get("error") {
            let text = |key: &str| error[key].as_str().unwrap_or_default().to_owned();
            let error = AwsError { code: text("code"), message: text("message") };
            let call = format!("{} {}", request["service"], request["method"]);
            return Err(anyhow::Error::new(error).context(call));
        }
        match answer.get_mut("ok") {
            Some(result) => Ok(result.take()),
            None => bail!("not an answer: {line}"),
        }
    }
}

/// What makes any AWS client, the product's too, talk to the emulator at `endpoint`.
pub fn environment(endpoint: &str) -> Vec<(String, String)> {
    [
        ("AWS_ENDPOINT_URL", endpoint),
        ("AWS_REGION", REGION),
        ("AWS_DEFAULT_REGION", REGION),
        ("AWS_ACCESS_KEY_ID", "lab"),
        ("AWS_SECRET_ACCESS_KEY", "lab"),
        ("AWS_EC2_METADATA_DISABLED", "true"),
        ("AWS_CONFIG_FILE", "/dev/null"),
        ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .to_vec()
}

//! The real binary, run as an operator would.

use std::path::PathBuf;
use std::process::Stdio;

use tempfile::TempDir;
use tokio::process::Command;

/// A folder with a `repoint.toml`, and the environment that the binary gets.
pub struct Repoint {
    folder: TempDir,
    variables: Vec<(String, String)>,
}

/// What a run gave.
pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    /// The answer for programs.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self}"))
    }
}

impl std::fmt::Display for Ran {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "exit {}\n--- stdout\n{}--- stderr\n{}", self.code, self.stdout, self.stderr)
    }
}

impl Ran {
    /// What a person sees, without what changes from run to run.
    pub fn seen(&self) -> String {
        let mut text = self.to_string();
        for (pattern, with) in [
            (r"\d+ ms", "N ms"),
            (r"127\.0\.0\.1:\d+", "127.0.0.1:PORT"),
            (r"_ms=\d+", "_ms=N"),
            (r"(after|for) \d+ s\b", "$1 N s"),
            (r"\d{4}-\d\d-\d\dT[^ ]+Z", "TIME"),
            (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", "TIME UTC"),
            (r"\d+ s ago", "N s ago"),
        ] {
            text = regex::Regex::new(pattern).unwrap().replace_all(&text, with).into_owned();
        }
        text
    }
}

impl Repoint {
    /// With that configuration.
    pub fn new(configuration: impl AsRef<[u8]>) -> Self {
        let folder = TempDir::new().unwrap();
        std::fs::write(folder.path().join("repoint.toml"), configuration).unwrap();
        let credentials = [
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
            ("NO_COLOR", "1"),
            ("REPOINT_STATE_FILE", "state.json"),
        ];
        let variables = credentials.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        Self { folder, variables }
    }

    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn without(mut self, name: &str) -> Self {
        self.variables.retain(|(known, _)| known != name);
        self
    }

    /// The state file, if no other one is named.
    pub fn state_file(&self) -> PathBuf {
        self.folder.path().join("state.json")
    }

    /// Runs it in the folder, with nothing in its environment but what was given.
    pub async fn run(&self, arguments: &[&str]) -> Ran {
        let output = Command::new(env!("CARGO_BIN_EXE_repoint"))
            .args(arguments)
            .current_dir(self.folder.path())
            .env_clear()
            .env("HOME", self.folder.path())
            // No credentials from the instance that the tests run on.
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await
            .unwrap();
        Ran {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

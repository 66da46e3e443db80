//! A sandbox, and a host with `repoint` on it.

use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use repoint_sandbox::http::faults::{Effect, Reach, Rule};
use repoint_sandbox::http::sandbox::{Asked, CREDENTIALS, News, Sandbox, Setup, Site};
use repoint_sandbox::patroni::{MemberId, Settings};
use repoint_sandbox::transport::Shape;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::timeout;

pub const PG1: MemberId = MemberId(0);
pub const PG2: MemberId = MemberId(1);
pub const PG3: MemberId = MemberId(2);
/// Far longer than anything here takes, and shorter than anybody waits for a test.
pub const PATIENCE: Duration = Duration::from_mins(1);

const ROBIN: &str = r#"
[[cluster]]
scope = "robin"
members = ["http://127.0.0.1:1"]

  [[cluster.target_group]]
  arn = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/robin/057ddce98af07a33"
"#;

/// One world and one host.
pub struct Place {
    pub sandbox: Sandbox,
    pub folder: TempDir,
    variables: Vec<(String, String)>,
}

impl Place {
    /// pg1 leads, and the endpoints point at it. `sections` are added to the configuration.
    pub fn new(sections: &str) -> Self {
        Self::with(sections, Setup::quick().patroni)
    }

    pub fn with(sections: &str, patroni: Settings) -> Self {
        let shape = Shape { is_filled: true, ..Shape::default() };
        Self::of(sections, Setup { patroni, shape, ..Setup::quick() })
    }

    pub fn of(sections: &str, setup: Setup) -> Self {
        let sandbox = Sandbox::start(setup).unwrap();
        let place = Self { sandbox, folder: TempDir::new().unwrap(), variables: Vec::new() };
        place.configure(sections);
        place
    }

    pub fn set(&mut self, name: &str, value: &str) {
        self.variables.push((name.to_owned(), value.to_owned()));
    }

    /// Writes the configuration anew.
    pub fn configure(&self, sections: &str) {
        let state = self.folder.path().join("state.json");
        let text = self.sandbox.configuration(state.to_str().unwrap());
        let socket = if sections.contains("socket") { "" } else { "socket = \"repoint.sock\"\n" };
        let sections = match sections.split_once("[watch]\n") {
            Some((before, after)) => format!("{before}[watch]\n{socket}{after}"),
            None => format!("[watch]\n{socket}{sections}"),
        };
        std::fs::write(self.folder.path().join("repoint.toml"), format!("{sections}\n{text}")).unwrap();
    }

    /// Another cluster, whose members answer nobody.
    pub fn add_robin(&self) {
        let path = self.folder.path().join("repoint.toml");
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(path, format!("{text}{ROBIN}")).unwrap();
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_repoint"));
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env_clear()
            .envs(CREDENTIALS)
            .env("HOME", self.folder.path())
            .env("NO_COLOR", "1")
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .kill_on_drop(true);
        command
    }

    /// Runs to the end: the exit status and what was said on stderr.
    pub async fn run(&self, arguments: &[&str]) -> (i32, String) {
        let output = timeout(PATIENCE, self.command(arguments).output()).await.unwrap().unwrap();
        (output.status.code().unwrap_or(-1), String::from_utf8(output.stderr).unwrap())
    }

    /// Starts it, and hears what it says on stderr.
    pub fn start(&self, arguments: &[&str]) -> Running {
        let mut child = self.command(arguments).stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let (notify, said) = unbounded_channel();
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                // Nobody may be listening any more.
                drop(notify.send(line));
            }
        });
        Running { child, said, last_error: Vec::new() }
    }

    /// A daemon that has begun to watch.
    pub async fn daemon(&self) -> Running {
        let mut daemon = self.start(&["watch"]);
        daemon.says("watching").await;
        daemon
    }

    /// Waits for something in the world.
    #[track_caller]
    pub fn until(&self, is_so: impl FnMut(&mut Site) -> bool) -> impl Future<Output = ()> {
        let place = std::panic::Location::caller();
        let mut is_so = is_so;
        async move {
            let found = self.sandbox.until(PATIENCE, |site| is_so(site).then_some(())).await;
            if found.is_none() {
                let (targets, leader) = self.sandbox.with(|site| (site.targets(), site.cluster.leader()));
                panic!("{place}: it never came to that; the group holds {targets:?}, {leader:?} leads");
            }
        }
    }

    /// Waits until the group holds that member and nobody else.
    #[track_caller]
    pub fn until_right(&self, member: MemberId) -> impl Future<Output = ()> {
        self.until(move |site| {
            let host = site.cluster.spec(member).postgres.0.to_string();
            site.targets() == [host]
        })
    }

    /// Waits until a switchover can be asked for, and asks.
    pub async fn switchover(&self, to: MemberId) {
        self.until(|site| site.cluster.is_settled(site.now)).await;
        self.sandbox.with(|site| site.cluster.switchover(site.now, to)).unwrap();
    }

    /// Somebody takes the primary out of the group, and puts another member in.
    pub fn meddle(&self, member: MemberId) {
        use repoint_sandbox::aws::elbv2::target::TargetDescription;
        self.sandbox.with(|site| {
            let group = site.resources.ip_group.clone();
            let target = |host: &str| [TargetDescription::new(host, 5432)];
            let host = site.cluster.spec(member).postgres.0.to_string();
            let before = site.targets();
            site.account.register_targets(site.now, &group, &target(&host)).unwrap();
            for host in before {
                site.account.deregister_targets(site.now, &group, &target(&host)).unwrap();
            }
        });
    }

    /// Every answer to that action comes late.
    pub fn delay(&self, action: &str, time: Duration) {
        let rule = Rule {
            service: String::new(),
            action: action.to_owned(),
            member: String::new(),
            reach: Reach::All,
            effect: Effect::Latency(time),
        };
        self.sandbox.with(|site| site.aws_faults.add(rule));
    }

    /// What AWS is asked from now on.
    pub fn asked(&self) -> LastError {
        self.asked_of(|whom| whom == "aws")
    }

    /// What members are asked from now on.
    pub fn asked_of_members(&self) -> LastError {
        self.asked_of(|whom| whom != "aws")
    }

    fn asked_of(&self, is_meant: fn(&str) -> bool) -> LastError {
        let (mut news, last_error) = (self.sandbox.news(), LastError::default());
        let keep = last_error.0.clone();
        tokio::spawn(async move {
            while let Ok(news) = news.recv().await {
                if let News::Asked(asked) = news
                    && is_meant(&asked.whom)
                {
                    keep.lock().unwrap_or_else(PoisonError::into_inner).push(asked);
                }
            }
        });
        last_error
    }
}

/// What was asked.
#[derive(Clone, Default)]
pub struct LastError(Arc<Mutex<Vec<Asked>>>);

impl LastError {
    pub fn count(&self, action: &str) -> usize {
        let asked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        asked.iter().filter(|asked| asked.action == action).count()
    }
}

/// A process under way.
pub struct Running {
    pub child: Child,
    said: UnboundedReceiver<String>,
    last_error: Vec<String>,
}

impl Running {
    /// Waits for a line with these words.
    pub async fn says(&mut self, words: &str) -> String {
        loop {
            let line = timeout(PATIENCE, self.said.recv()).await.ok().flatten();
            let Some(line) = line else {
                panic!("it never said `{words}`, but\n{}", self.last_error.join("\n"))
            };
            self.last_error.push(line.clone());
            if line.contains(words) {
                return line;
            }
        }
    }

    pub fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.child.id().expect("it is alive")).unwrap();
        kill_process(Pid::from_raw(id).unwrap(), signal).unwrap();
    }

    /// Waits for its end, and gives its exit status.
    pub async fn ends(&mut self) -> i32 {
        timeout(PATIENCE, self.child.wait()).await.unwrap().unwrap().code().unwrap_or(-1)
    }
}

//! The sandbox of one world, and what is known of it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use repoint_sandbox::http::faults::{Effect, Reach, Rule};
use repoint_sandbox::http::sandbox::{Asked, News, Sandbox, Setup, Write};
use repoint_sandbox::patroni::rest::Silence;
use repoint_sandbox::patroni::{EventKind, MemberId, Settings};
use repoint_sandbox::transport::Shape;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::cron::Cron;
use super::stop::Stopped;
use super::{Moment, PROMOTED_WITHIN};

/// The timeline on which pg1 leads at the beginning.
const FIRST_TIMELINE: u32 = 4;
/// How much faster than life the models are. Leave to write is counted in seconds of real time.
const SPEED: u32 = 20;
const TABLE: &str = "repoint";
/// How long the answer to a save in the table is on its way: there is time to be stopped in.
pub const SAVED_AFTER: Duration = Duration::from_millis(3);

/// Where the two remember.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// In one file.
    File,
    /// In the sandbox's DynamoDB.
    Table,
}

/// Milliseconds of real time.
pub fn real_ms(span: Moment) -> f64 {
    f64::from(u32::try_from(span).unwrap()) / f64::from(SPEED)
}

/// One world.
pub struct Site {
    pub sandbox: Sandbox,
    pub folder: TempDir,
    configuration: String,
    state: State,
    /// What was asked of AWS, and by whom.
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Site {
    pub fn start(state: State) -> Arc<Self> {
        let quick = Setup::quick();
        let setup = Setup {
            timeline: FIRST_TIMELINE,
            patroni: Settings { ttl: 3_000, ..quick.patroni.clone() },
            shape: Shape { is_filled: true, ..Shape::default() },
            speed: SPEED,
            ..quick
        };
        let sandbox = Sandbox::start(setup).unwrap();
        let folder = TempDir::new().unwrap();
        let file = folder.path().join("state.json").to_str().unwrap().to_owned();
        let mut configuration = sandbox.configuration(&file);
        if state == State::Table {
            sandbox.with(|site| site.account.create_table(site.now, TABLE, "scope").unwrap());
            let table =
                configuration.replace(&format!("file = {file:?}"), &format!("dynamodb_table = {TABLE:?}"));
            assert_ne!(table, configuration);
            let late = Rule {
                service: "dynamodb".to_owned(),
                action: "PutItem".to_owned(),
                member: String::new(),
                reach: Reach::All,
                effect: Effect::Latency(SAVED_AFTER),
            };
            sandbox.with(|site| site.aws_faults.add(late));
            configuration = table;
        }
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (mut news, last_error) = (sandbox.news(), asked.clone());
        tokio::spawn(async move {
            // Ends with the sandbox, or with news missed, which `Site::asked` finds out by their absence.
            while let Ok(news) = news.recv().await {
                if let News::Asked(asked) = news
                    && asked.whom == "aws"
                {
                    last_error.lock().unwrap_or_else(PoisonError::into_inner).push(asked);
                }
            }
        });
        Arc::new(Self { sandbox, folder, configuration, state, asked })
    }

    pub fn state(&self) -> State {
        self.state
    }

    /// Each has a configuration of its own, as on two machines: with one and the same, runs are kept apart.
    pub fn configuration_of(&self, name: &str) -> PathBuf {
        let path = self.folder.path().join(format!("{name}.toml"));
        if !path.exists() {
            std::fs::write(&path, &self.configuration).unwrap();
        }
        path
    }

    fn state_file(&self) -> PathBuf {
        self.folder.path().join("state.json")
    }

    /// What is between a commit and the end of its writes, as memory has it: by whom, and its revision.
    pub fn lease(&self) -> Option<(String, u64)> {
        let state = match self.state {
            State::File => {
                let text = std::fs::read(self.state_file()).ok()?;
                serde_json::from_slice::<Value>(&text).ok()?["clusters"]["batman"].take()
            }
            State::Table => self.sandbox.with(|site| {
                let key = [("scope".to_owned(), json!({"S": "batman"}))];
                let item =
                    site.account.get_item(site.now, TABLE, &key.into_iter().collect(), true).ok()??;
                serde_json::from_str(item.get("state")?["S"].as_str()?).ok()
            })?,
        };
        let lease = &state["lease"];
        Some((lease["by"].as_str()?.to_owned(), lease["revision"].as_u64()?))
    }

    /// Whether memory says that the process of that id has leave to write.
    pub fn has_leave(&self, process: u32) -> bool {
        self.lease().is_some_and(|(by, _)| by.contains(&format!(" process {process} ")))
    }

    /// Kills the primary and waits for the next one; the dead one comes back. When it was promoted.
    pub async fn fail_over(&self, silence: Silence) -> Moment {
        let settled = self.sandbox.until(PROMOTED_WITHIN, |site| {
            let ready = site.cluster.is_settled(site.now);
            site.cluster.leader().filter(|_| ready)
        });
        let (old, timeline) = settled.await.expect("a cluster that is settled");
        self.sandbox.with(|site| site.cluster.crash(site.now, old, silence));
        let promoted = self.sandbox.until(PROMOTED_WITHIN, |site| {
            site.cluster.leader().filter(|(_, now)| *now > timeline).map(|_| site.now)
        });
        let promoted = promoted.await.expect("a new primary");
        self.sandbox.with(|site| site.cluster.start(site.now, old));
        promoted
    }

    /// Whether every endpoint points at the one that takes writes.
    pub fn is_right(&self) -> bool {
        self.sandbox.with(|site| {
            let Some((leader, _)) = site.cluster.leader() else { return false };
            let truth = vec![site.cluster.spec(leader).postgres.0.to_string()];
            site.targets() == truth && site.values().values().all(|values| *values == truth)
        })
    }

    /// Who was made a primary, by address, on which timeline, and when.
    pub fn promotions(&self) -> Vec<(Moment, String, u32)> {
        self.sandbox.with(|site| {
            let first = (0, site.cluster.spec(MemberId(0)).postgres.0.to_string(), FIRST_TIMELINE);
            let later = site.events().iter().filter_map(|event| match (event.what, &event.member) {
                (EventKind::Promoted(timeline), Some(name)) => {
                    let member = site.cluster.member(name)?;
                    Some((event.at, site.cluster.spec(member).postgres.0.to_string(), timeline))
                }
                _ => None,
            });
            std::iter::once(first).chain(later).collect()
        })
    }

    /// The targets that there were at the beginning.
    pub fn beginning(&self) -> Vec<String> {
        vec![self.promotions()[0].1.clone()]
    }

    pub fn writes(&self) -> Vec<Write> {
        self.sandbox.with(|site| site.writes().to_vec())
    }

    /// What a process asked of AWS from that moment on, in order.
    pub fn asked(&self, by: &str, from: Moment) -> Vec<Asked> {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.iter().filter(|asked| asked.by == by && asked.at >= from).cloned().collect()
    }

    /// Everything that happened, in order.
    pub fn history(&self, crons: &[Cron]) -> String {
        let stops: Vec<Stopped> = crons.iter().flat_map(Cron::stopped).collect();
        self.history_of(&stops)
    }

    pub fn history_of(&self, stops: &[Stopped]) -> String {
        let mut lines: BTreeMap<Moment, Vec<String>> = BTreeMap::new();
        let mut note = |at, line| lines.entry(at).or_default().push(line);
        for stop in stops {
            note(stop.from, format!("{} is stopped {stop:?}", stop.by));
            note(stop.until, format!("{} goes on", stop.by));
        }
        for asked in &*self.asked.lock().unwrap_or_else(PoisonError::into_inner) {
            note(asked.at, format!("{} asks {}", asked.by, asked.action));
        }
        for write in self.writes() {
            note(write.at, format!("{} writes {}: {:?}", write.by, write.action, write.ending));
        }
        self.sandbox.with(|site| {
            for event in site.events() {
                note(event.at, event.to_string());
            }
        });
        let mut text = String::new();
        for (at, lines) in lines {
            for line in lines {
                let _ = writeln!(text, "{:>8.3} s  {line}", real_ms(at) / 1000.0);
            }
        }
        text
    }
}

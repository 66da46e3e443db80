//! A cluster whose endpoints are right, with memory in DynamoDB.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use repoint_sandbox::http::exchange::Reply;
use repoint_sandbox::http::faults::{Effect, Reach, Rule};
use repoint_sandbox::http::sandbox::{Asked, News, Sandbox, Setup};
use repoint_sandbox::patroni::rest::Silence;
use repoint_sandbox::transport::Shape;
use serde_json::Value;
use tempfile::TempDir;

use super::bootstrap::{Bootstrap, PATIENCE};

/// How much faster than life the models are.
const SPEED: u32 = 20;
const TABLE: &str = "repoint";

/// One world.
pub struct Site {
    pub sandbox: Sandbox,
    folder: TempDir,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Site {
    /// A cluster of three, whose first member leads.
    pub fn start() -> Self {
        let setup =
            Setup { shape: Shape { is_filled: true, ..Shape::default() }, speed: SPEED, ..Setup::quick() };
        let sandbox = Sandbox::start(setup).unwrap();
        sandbox.with(|site| site.account.create_table(site.now, TABLE, "scope").unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (mut news, last_error) = (sandbox.news(), asked.clone());
        tokio::spawn(async move {
            // Ends with the sandbox.
            while let Ok(news) = news.recv().await {
                if let News::Asked(asked) = news {
                    last_error.lock().unwrap_or_else(PoisonError::into_inner).push(asked);
                }
            }
        });
        Self { sandbox, folder: TempDir::new().unwrap(), asked }
    }

    /// The configuration that points at it.
    pub fn configuration(&self) -> String {
        let text = self.sandbox.configuration("STATE");
        text.replace("file = \"STATE\"", &format!("dynamodb_table = {TABLE:?}"))
    }

    /// Writes a file, and gives its path.
    pub fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// The function, configured for this world and ready.
    pub async fn function(&self) -> Bootstrap {
        self.function_with("").await
    }

    /// The function with more in its configuration.
    pub async fn function_with(&self, more: &str) -> Bootstrap {
        let path = self.file("repoint.toml", &format!("{more}\n{}", self.configuration()));
        Bootstrap::ready(&[("REPOINT_CONFIG", path.to_str().unwrap())]).await
    }

    /// Another member takes over, and every member knows: its name.
    pub async fn switch_over(&self) -> String {
        let leader = self.sandbox.until(PATIENCE, |site| {
            let leader = site.cluster.leader().filter(|_| site.cluster.is_settled(site.now));
            // Patroni refuses while the candidate is still on its way.
            leader.filter(|(old, _)| {
                let candidate = site.cluster.ids().find(|member| member != old).unwrap();
                site.cluster.switchover(site.now, candidate).is_ok()
            })
        });
        let (_, timeline) = leader.await.expect("a switchover");
        let promoted = self.sandbox.until(PATIENCE, |site| {
            let leader = site.cluster.leader().filter(|_| site.cluster.is_settled(site.now));
            leader.filter(|(_, now)| *now > timeline).map(|(member, _)| site.name(member).to_owned())
        });
        promoted.await.expect("a new primary")
    }

    /// Nobody answers any more.
    pub fn lose_every_member(&self) {
        self.sandbox.with(|site| {
            for member in site.cluster.ids().collect::<Vec<_>>() {
                site.cluster.crash(site.now, member, Silence::Refused);
            }
        });
    }

    /// From now on AWS takes these requests and never answers; an empty service or action is any.
    pub fn hang_aws(&self, service: &str, action: &str) {
        self.sandbox.with(|site| site.aws_faults.add(rule(service, action, Effect::Answer(Reply::Hang))));
    }

    /// From now on Patroni takes requests and never answers.
    pub fn hang_patroni(&self) {
        self.sandbox.with(|site| site.member_faults.add(rule("patroni", "", Effect::Answer(Reply::Hang))));
    }

    /// From now on Patroni's answers come that late.
    pub fn delay_patroni(&self, late: Duration) {
        self.sandbox.with(|site| site.member_faults.add(rule("patroni", "", Effect::Latency(late))));
    }

    /// From now on AWS denies that action.
    pub fn deny(&self, action: &str) {
        self.sandbox.with(|site| site.account.denials.deny(action, ""));
    }

    /// AWS is well again.
    pub fn heal_aws(&self) {
        self.sandbox.with(repoint_sandbox::http::sandbox::Site::heal_aws);
    }

    /// Whether every endpoint points at the one that takes writes, and at nothing else.
    pub fn is_right(&self) -> bool {
        self.sandbox.with(|site| {
            let (leader, _) = site.cluster.leader().expect("a primary");
            let truth = vec![site.cluster.spec(leader).postgres.0.to_string()];
            site.targets() == truth && site.values().values().all(|values| *values == truth)
        })
    }

    /// How many writes of targets and records reached AWS.
    pub fn writes(&self) -> usize {
        self.sandbox.with(|site| site.writes().len())
    }

    /// What was asked of AWS so far.
    pub fn asked(&self) -> Vec<String> {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.iter().filter(|asked| asked.whom == "aws").map(|asked| asked.action.clone()).collect()
    }
}

fn rule(service: &str, action: &str, effect: Effect) -> Rule {
    let (service, action) = (service.to_owned(), action.to_owned());
    Rule { service, action, member: String::new(), reach: Reach::All, effect }
}

/// A sample event.
pub fn event(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("events").join(name).with_extension("json");
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The one cluster of a report.
#[track_caller]
pub fn cluster(report: &Value) -> &Value {
    let clusters = report["clusters"].as_array().unwrap_or_else(|| panic!("no report: {report:#}"));
    assert_eq!((report["version"].as_u64(), clusters.len()), (Some(1), 1), "{report:#}");
    &clusters[0]
}

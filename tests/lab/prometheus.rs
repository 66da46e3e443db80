//! The rules of `infra/prometheus` on a real loss of the primary: Prometheus scrapes the daemon and the members' Patroni.
//!
//! Patroni is paused meanwhile, so that the cluster has no primary for longer than a rule waits; what each rule asks for is
//! printed before, during and after.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use libtest_mimic::Trial;
use serde_json::{Value, json};
use tokio::process::Command;

use crate::aws::environment;
use crate::deployment::Deployment;
use crate::lab::Lab;
use crate::member::Member;
use crate::moto::Moto;
use crate::service::{Service, Signal};
use crate::stage::Stage;
use crate::wait::wait_until;

const DAEMON: &str = "127.0.0.10:9598";
const SERVER: &str = "127.0.0.10:9090";
const RULES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/infra/prometheus/repoint.rules.yml");
/// Longer than the longest rule waits that is to fire here.
const PATIENCE: Duration = Duration::from_mins(3);

pub fn trials(stage: &Arc<Stage>) -> Vec<Trial> {
    vec![stage.long_trial("prometheus::the_rules_fire_without_a_primary_and_end_with_one", rules)]
}

async fn rules(lab: &Lab) -> anyhow::Result<()> {
    let old = lab.cluster.leader().await?;
    let mut deployment = Deployment::new(lab).await?;
    deployment.configure_group(&deployment.ip_group.clone())?;
    deployment.infra.register(&deployment.ip_group, &[(&old.host, old.pg_port)]).await?;
    let mut daemon = daemon(lab, &deployment)?;
    let mut server = Server::start(lab)?;

    // The sixteen rules, each with a query that finds nothing.
    let before =
        server.until("no rule finds anything", |seen| seen.len() == 16 && firing(seen).is_empty()).await?;
    print("before", &before);
    ensure!(before.values().all(|rule| rule.found.is_empty()), "a healthy cluster alarms");

    // Patroni elects nobody while it is paused.
    lab.cluster.configure(&json!({ "pause": true })).await?;
    let replica = lab.cluster.replicas().await?.into_iter().next().context("a replica")?;
    lab.cluster.kill9(&old).await?;
    let expected: BTreeSet<&str> = ["RepointConditionCritical", "RepointNoPrimary"].into();
    let during = server.until("the rules fire", |seen| firing(seen) == expected).await?;
    print("without a primary", &during);

    lab.cluster.configure_through(&replica, &json!({ "pause": null })).await?;
    let new = lab.cluster.wait_new_leader(&old).await?;
    deployment.wait_for_group(&new).await?;
    lab.cluster.restart(&old).await?;
    lab.cluster.wait_healthy().await?;
    let after = server
        .until("every rule has ended", |seen| seen.values().all(|rule| rule.state == "inactive"))
        .await?;
    print("after", &after);
    let moved = server.ask("repoint_retargets_total{cause=\"failover\"}").await?;
    ensure!(moved.len() == 1 && moved[0].ends_with(" 1"), "{moved:?}");
    let fired = server.ask("max by (alertname) (max_over_time(ALERTS{alertstate=\"firing\"}[15m]))").await?;
    eprintln!("fired in all: {fired:#?}");
    ensure!(fired.len() == expected.len(), "{fired:?}");

    history(lab, &deployment, &new).await?;
    server.service.end(Signal::TERM).await?;
    daemon.end(Signal::TERM).await
}

fn daemon(lab: &Lab, deployment: &Deployment<'_>) -> anyhow::Result<Service> {
    let file = lab.dir.join("scraped.toml");
    let sections = format!("[http]\nlisten = \"{DAEMON}\"\n\n[watch]\nsocket = \"scraped.sock\"\n");
    deployment.write_configuration(&file, &sections)?;
    let mut command = Command::new(&lab.program);
    command.args(["watch", "--config"]).arg(file).envs(environment(&Moto::endpoint()));
    Service::start(command, &lab.dir.join("scraped.log"))
}

/// What repoint has recorded of the move, beside Patroni's account.
async fn history(lab: &Lab, deployment: &Deployment<'_>, new: &Member) -> anyhow::Result<()> {
    eprintln!("{}", deployment.repoint(&["history"]).await?.stdout);
    let of_patroni = lab.cluster.ask(new, "history").await?;
    let last = of_patroni.as_array().and_then(|lines| lines.last()).context("Patroni has a history")?;
    eprintln!("Patroni's /history ends with {last}");
    let outcome = deployment.repoint(&["history", "--format", "json"]).await?;
    let history: Value = serde_json::from_str(&outcome.stdout)?;
    let events = history["clusters"][0]["events"].as_array().context("events")?;
    let moved = events.iter().rfind(|event| event["kind"] == "moved").context("a move")?;
    ensure!(moved["to"] == new.name.as_str() && last[4] == new.name.as_str(), "{moved} {last}");
    let timelines = (moved["timeline"].as_u64(), last[0].as_u64().map(|ended| ended + 1));
    ensure!(timelines.0 == timelines.1, "{moved} {last}");
    let after_promotion = moved["promoted_to_moved_ms"].as_u64().context("when it was promoted")?;
    let without = moved["without_primary_ms"].as_u64().context("how long there was no primary")?;
    eprintln!("moved {after_promotion} ms after the promotion; {without} ms without a primary");
    ensure!(after_promotion < 10_000 && without > 60_000, "{moved}");
    Ok(())
}

/// A rule as Prometheus has it.
struct Rule {
    /// `inactive`, `pending` or `firing`.
    state: String,
    /// What its expression finds now.
    found: Vec<String>,
}

fn firing(seen: &BTreeMap<String, Rule>) -> BTreeSet<&str> {
    let firing = seen.iter().filter(|(_, rule)| rule.state == "firing");
    firing.map(|(name, _)| name.as_str()).collect()
}

fn print(when: &str, seen: &BTreeMap<String, Rule>) {
    eprintln!("{when}:");
    for (name, Rule { state, found }) in seen {
        eprintln!("  {name:28} {state:9} {}", found.join("; "));
    }
}

struct Server<'a> {
    lab: &'a Lab,
    service: Service,
}

impl<'a> Server<'a> {
    /// Scrapes and evaluates every second, by the rules as they are shipped.
    fn start(lab: &'a Lab) -> anyhow::Result<Self> {
        let members: Vec<String> =
            lab.cluster.members().iter().map(|member| format!("{}:8008", member.host)).collect();
        let configuration = json!({
            "global": { "scrape_interval": "1s", "evaluation_interval": "1s" },
            "rule_files": [RULES],
            "scrape_configs": [
                { "job_name": "repoint", "static_configs": [{ "targets": [DAEMON] }] },
                { "job_name": "patroni", "static_configs": [{ "targets": members }] },
            ],
        });
        let (file, data) = (lab.dir.join("prometheus.json"), lab.dir.join("prometheus"));
        fs::write(&file, configuration.to_string())?;
        let program = std::env::var("LAB_PROMETHEUS").context("LAB_PROMETHEUS is not set")?;
        let mut command = Command::new(program);
        command
            .arg(format!("--config.file={}", file.display()))
            .arg(format!("--storage.tsdb.path={}", data.display()))
            .arg(format!("--web.listen-address={SERVER}"));
        let service = Service::start(command, &lab.dir.join("prometheus.log"))?;
        Ok(Self { lab, service })
    }

    async fn get(&self, path: &str, query: &[(&str, &str)]) -> anyhow::Result<Value> {
        let url = url::Url::parse_with_params(&format!("http://{SERVER}/api/v1/{path}"), query)?;
        let answer: Value = self.lab.http.get(url).send().await?.json().await?;
        ensure!(answer["status"] == "success", "{answer}");
        Ok(answer["data"].clone())
    }

    /// The series that an expression finds, each with its value.
    async fn ask(&self, expression: &str) -> anyhow::Result<Vec<String>> {
        let data = self.get("query", &[("query", expression)]).await?;
        let series = data["result"].as_array().context("a vector")?;
        let of =
            |series: &Value| format!("{} {}", series["metric"], series["value"][1].as_str().unwrap_or("?"));
        Ok(series.iter().map(of).collect())
    }

    async fn rules(&self) -> anyhow::Result<BTreeMap<String, Rule>> {
        let data = self.get("rules", &[("type", "alert")]).await?;
        let mut seen = BTreeMap::new();
        for rule in data["groups"][0]["rules"].as_array().context("rules")? {
            let word = |key: &str| rule[key].as_str().map(str::to_owned).context("a word");
            let found = self.ask(&word("query")?).await?;
            seen.insert(word("name")?, Rule { state: word("state")?, found });
        }
        Ok(seen)
    }

    async fn until(
        &mut self,
        what: &str,
        is_so: impl Fn(&BTreeMap<String, Rule>) -> bool,
    ) -> anyhow::Result<BTreeMap<String, Rule>> {
        let waited = wait_until(what, PATIENCE, async || {
            ensure!(!self.ask("up{job=\"repoint\"} == 1").await?.is_empty(), "the daemon is not scraped");
            let seen = self.rules().await?;
            let states: Vec<_> = seen.iter().map(|(name, rule)| format!("{name} {}", rule.state)).collect();
            ensure!(is_so(&seen), "{states:?}");
            Ok(seen)
        });
        waited.await.with_context(|| self.service.log_tail())
    }
}

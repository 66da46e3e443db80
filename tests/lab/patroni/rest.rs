//! What the members of a cluster say over their REST API, waiting for it, and asking for changes.

use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use serde_json::{Value, json};

use super::Cluster;
use crate::member::Member;

/// A member that is alive answers at once.
const PROMPT: Duration = Duration::from_secs(1);

impl Cluster {
    /// The member that holds the leader lock according to its own answer.
    pub async fn leader(&self) -> anyhow::Result<Member> {
        for member in &self.members {
            let answer = self.http.get(format!("{}/leader", member.rest_url)).timeout(PROMPT);
            if answer.send().await.is_ok_and(|answer| answer.status().is_success()) {
                return Ok(member.clone());
            }
        }
        bail!("no member leads")
    }

    /// The members that do not lead.
    pub async fn replicas(&self) -> anyhow::Result<Vec<Member>> {
        let leader = self.leader().await?;
        Ok(self.members.iter().filter(|member| **member != leader).cloned().collect())
    }

    /// Waits for a running leader, of a standby cluster or not, and replicas that stream from it on its timeline.
    pub async fn wait_healthy(&self) -> anyhow::Result<()> {
        self.wait_for("one leader and streaming replicas", async || self.ensure_healthy().await).await
    }

    /// Waits until the leader's PostgreSQL runs and says that it is a `primary` or a `standby_leader`.
    pub async fn wait_role(&self, role: &str) -> anyhow::Result<Member> {
        self.wait_for(&format!("the leader is a {role}"), async || {
            let leader = self.leader().await?;
            let own = self.ask(&leader, "patroni").await?;
            ensure!(own["role"] == role && own["state"] == "running", "{} says {own}", leader.name);
            Ok(leader)
        })
        .await
    }

    /// The timeline that the leader reports.
    pub async fn timeline(&self) -> anyhow::Result<u64> {
        let own = self.ask(&self.leader().await?, "patroni").await?;
        own["timeline"].as_u64().with_context(|| format!("no timeline in {own}"))
    }

    /// Waits until the cluster is a standby cluster that streams on that timeline.
    pub async fn wait_streams_on(&self, timeline: u64) -> anyhow::Result<()> {
        self.wait_for(&format!("a standby leader streams on timeline {timeline}"), async || {
            let own = self.ask(&self.leader().await?, "patroni").await?;
            let streams = own["role"] == "standby_leader" && own["replication_state"] == "streaming";
            ensure!(streams && own["timeline"] == timeline, "{own}");
            Ok(())
        })
        .await
    }

    /// Changes the cluster's dynamic configuration, as `patronictl edit-config` does.
    pub async fn configure(&self, change: &Value) -> anyhow::Result<()> {
        self.configure_through(&self.leader().await?, change).await
    }

    /// The same by the REST API of that member, which any of them takes.
    pub async fn configure_through(&self, member: &Member, change: &Value) -> anyhow::Result<()> {
        let answer = self.http.patch(format!("{}/config", member.rest_url)).json(change).send().await?;
        let (status, text) = (answer.status(), answer.text().await?);
        ensure!(status.is_success(), "configuration of {}: {status} {text}", self.scope);
        Ok(())
    }

    /// Waits for a leader other than `old`.
    pub async fn wait_new_leader(&self, old: &Member) -> anyhow::Result<Member> {
        self.wait_for("a new leader", async || {
            let leader = self.leader().await?;
            ensure!(leader != *old, "{} still leads", old.name);
            Ok(leader)
        })
        .await
    }

    /// Hands the lead to `to` and waits until the old leader streams from it.
    pub async fn switchover(&self, to: &Member) -> anyhow::Result<()> {
        let from = self.leader().await?;
        let answer = self
            .http
            .post(format!("{}/switchover", from.rest_url))
            .json(&json!({ "leader": from.name, "candidate": to.name }))
            .send()
            .await?;
        let (status, text) = (answer.status(), answer.text().await?);
        ensure!(status.is_success(), "switchover to {}: {status} {text}", to.name);
        self.wait_for("the switchover is complete", async || {
            let leader = self.leader().await?;
            ensure!(leader == *to, "{} leads", leader.name);
            self.ensure_healthy().await
        })
        .await
    }

    /// Restarts the member's PostgreSQL, as `patronictl restart` does.
    pub async fn restart_postgres(&self, member: &Member) -> anyhow::Result<()> {
        let answer = self.http.post(format!("{}/restart", member.rest_url)).json(&json!({})).send().await?;
        let (status, text) = (answer.status(), answer.text().await?);
        ensure!(status.is_success(), "restart of {}: {status} {text}", member.name);
        Ok(())
    }

    /// What `GET {path}` of the member's REST API answers, whatever the status.
    pub async fn ask(&self, member: &Member, path: &str) -> anyhow::Result<Value> {
        let url = format!("{}/{path}", member.rest_url);
        let answer = self.http.get(url).timeout(PROMPT).send().await?;
        Ok(answer.json().await?)
    }

    /// The logs of the members' Patroni and of the callbacks.
    pub fn whole_logs(&self) -> String {
        let read = |member: &Member| std::fs::read_to_string(member.log()).unwrap_or_default();
        self.members.iter().map(read).collect()
    }

    pub fn logs(&self) -> String {
        let tails: Vec<String> = self.members.iter().map(Member::log_tail).collect();
        tails.join("\n")
    }

    async fn ensure_healthy(&self) -> anyhow::Result<()> {
        let leader = self.leader().await?;
        let view = self.ask(&leader, "cluster").await?;
        // Since 3.0.4 a replica says whether it streams.
        let has_state = self.ask(&leader, "patroni").await?["patroni"]["version"] != "3.0.2";
        for member in self.in_use().await {
            let own = self.ask(member, "patroni").await?;
            let role = match own["role"].as_str() {
                Some("standby_leader") => "standby_leader",
                _ if *member == leader => "leader",
                _ => "replica",
            };
            let state = if role != "leader" && has_state { "streaming" } else { "running" };
            let published = view["members"].as_array().is_some_and(|members| {
                members.iter().any(|m| m["name"] == *member.name && m["role"] == role && m["state"] == state)
            });
            ensure!(published, "{} is not a {state} {role} in {view}", member.name);

            let streams = role == "leader" || !has_state || own["replication_state"] == "streaming";
            ensure!(own["state"] == "running" && streams, "{} says {own}", member.name);
            ensure!(own["timeline"] == view["members"][0]["timeline"], "timelines: {view}");
        }
        Ok(())
    }
}

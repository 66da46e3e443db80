//! What there was to see during a trial, as it changed: which member takes writes, which one each Region's daemon takes for the
//! primary, and where its endpoints lead.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use futures::future::join_all;

use crate::lab::Lab;
use crate::patroni::Cluster;
use crate::stretched::region::Region;

/// A failover takes `ttl`, 20 s, and a member that comes back some seconds more.
const WITHIN: Duration = Duration::from_mins(1);
const PACE: Duration = Duration::from_millis(100);
/// How long a target group may have both primaries: the new one is registered before the old one is deregistered.
const BOTH_FOR: Duration = Duration::from_secs(2);
/// The longest that a member that is there takes to answer.
const PROMPT: Duration = Duration::from_millis(500);
const NONE: &str = "none";

pub struct Account<'a> {
    lab: &'a Lab,
    cluster: &'a Cluster,
    regions: [&'a Region<'a>; 2],
    since: Instant,
    seen: BTreeMap<String, String>,
    /// Since when each is as it is.
    changed: BTreeMap<String, Instant>,
    /// Since when a target group has two targets.
    both: BTreeMap<&'static str, Instant>,
    lines: Vec<String>,
    /// Whether everything has followed a primary once: from then on it is checked.
    is_settled: bool,
}

impl<'a> Account<'a> {
    /// Waits until everything follows that member first.
    pub async fn once_all_follow(
        member: &str,
        lab: &'a Lab,
        cluster: &'a Cluster,
        regions: [&'a Region<'a>; 2],
    ) -> anyhow::Result<Self> {
        let since = Instant::now();
        let (seen, changed, both, lines) = Default::default();
        let mut account =
            Self { lab, cluster, regions, since, seen, changed, both, lines, is_settled: false };
        account.follow_until(&all_follow(regions, member)).await?;
        account.is_settled = true;
        Ok(account)
    }

    /// A part of the trial begins now.
    pub fn begin(&mut self, what: &str) {
        self.lines = vec![what.to_owned()];
        self.since = Instant::now();
    }

    /// Prints what has changed since it began.
    pub fn print(&self) {
        eprintln!("{}", self.lines.join("\n"));
    }

    /// Adds what is known otherwise.
    pub fn note(&mut self, what: &str) {
        self.lines.push(format!("{:7.1} s  {what}", self.since.elapsed().as_secs_f64()));
    }

    /// Follows what happens for so long.
    pub async fn follow_for(&mut self, long: Duration) -> anyhow::Result<()> {
        let end = Instant::now() + long;
        while Instant::now() < end {
            self.observe().await?;
            tokio::time::sleep(PACE).await;
        }
        Ok(())
    }

    /// Follows what happens until each of these is so.
    pub async fn follow_until(&mut self, expected: &[(String, &str)]) -> anyhow::Result<()> {
        let end = Instant::now() + WITHIN;
        loop {
            self.observe().await?;
            let wrong =
                expected.iter().find(|(what, value)| self.seen.get(what).is_none_or(|it| it != value));
            let Some((what, value)) = wrong else { return Ok(()) };
            if Instant::now() >= end {
                self.print();
                let logs: Vec<String> = self.regions.iter().map(|region| region.log_tail()).collect();
                anyhow::bail!(
                    "{what} is not {value} within {WITHIN:?}:\n{}\n{}",
                    logs.join("\n"),
                    self.cluster.logs()
                );
            }
            tokio::time::sleep(PACE).await;
        }
    }

    /// That is what it is now.
    pub fn is(&self, expected: &[(String, &str)]) -> anyhow::Result<()> {
        for (what, value) in expected {
            let found = self.seen.get(what).with_context(|| format!("nothing of {what}"))?;
            ensure!(found == value, "{what}: {found}, not {value}");
        }
        Ok(())
    }

    /// How long after the one the other became what it is.
    pub fn between(&self, one: &str, other: &str) -> anyhow::Result<Duration> {
        let since = |what: &str| self.changed.get(what).with_context(|| format!("nothing of {what}"));
        Ok(since(other)?.duration_since(*since(one)?))
    }

    async fn observe(&mut self) -> anyhow::Result<()> {
        self.sample().await.inspect_err(|_| self.print())
    }

    async fn sample(&mut self) -> anyhow::Result<()> {
        let claims = self.claimants().await;
        ensure!(!claims.contains(' '), "two members take writes: {claims}");
        self.see("primary".to_owned(), claims);
        for region in self.regions {
            let targets = region.targets().await?;
            self.check_targets(region.name, &targets)?;
            let (targets, open) = (self.names(&targets), self.names(&region.open()?));
            ensure!(!self.is_settled || !open.contains(' '), "{} HAProxy leads to two: {open}", region.name);
            self.see(group(region), targets);
            self.see(proxy(region), open);
            self.see(slot(region), self.names(&region.slot()?));
            let verdict = region.verdict(&self.lab.http).await.unwrap_or_else(|_| "no answer".to_owned());
            self.see(daemon(region), verdict);
        }
        Ok(())
    }

    /// The members that say to the lab that they are the primary.
    async fn claimants(&self) -> String {
        let asked = self.cluster.members().iter().map(|member| async move {
            let answer =
                self.lab.http.get(format!("{}/primary", member.rest_url)).timeout(PROMPT).send().await;
            answer.is_ok_and(|answer| answer.status().is_success()).then_some(member.host.clone())
        });
        self.names(&join_all(asked).await.into_iter().flatten().collect::<Vec<_>>())
    }

    /// A target group is never empty, and has two targets only while it is moved.
    fn check_targets(&mut self, region: &'static str, targets: &[String]) -> anyhow::Result<()> {
        if !self.is_settled || targets.len() == 1 {
            self.both.remove(region);
            return Ok(());
        }
        ensure!(targets.len() == 2, "{region} target group: {targets:?}");
        let since = *self.both.entry(region).or_insert_with(Instant::now);
        ensure!(since.elapsed() < BOTH_FOR, "{region} target group: {targets:?} for {:?}", since.elapsed());
        Ok(())
    }

    fn see(&mut self, what: String, value: String) {
        if self.seen.get(&what) == Some(&value) {
            return;
        }
        let before = self.seen.get(&what).map_or(NONE, String::as_str);
        let line = format!("{:7.1} s  {what}: {before} -> {value}", self.since.elapsed().as_secs_f64());
        self.lines.push(line);
        self.changed.insert(what.clone(), Instant::now());
        self.seen.insert(what, value);
    }

    fn names(&self, hosts: &[String]) -> String {
        let members = self.cluster.members().iter();
        let names: Vec<_> = members
            .filter(|member| hosts.contains(&member.host))
            .map(|member| member.name.as_str())
            .collect();
        if names.is_empty() { NONE.to_owned() } else { names.join(" ") }
    }
}

pub fn primary() -> String {
    "primary".to_owned()
}

pub fn group(region: &Region<'_>) -> String {
    format!("{} target group", region.name)
}

pub fn proxy(region: &Region<'_>) -> String {
    format!("{} HAProxy", region.name)
}

pub fn slot(region: &Region<'_>) -> String {
    format!("{} HAProxy's server without a check", region.name)
}

pub fn daemon(region: &Region<'_>) -> String {
    format!("{} daemon", region.name)
}

/// Both endpoints of the Region lead to that member, and its daemon knows it as the primary.
pub fn follows<'a>(region: &Region<'_>, member: &'a str) -> [(String, &'a str); 3] {
    [(group(region), member), (proxy(region), member), (daemon(region), member)]
}

/// Everything follows that member.
pub fn all_follow<'a>(regions: [&Region<'_>; 2], member: &'a str) -> Vec<(String, &'a str)> {
    let followed = regions.into_iter().flat_map(|region| follows(region, member));
    [(primary(), member)].into_iter().chain(followed).collect()
}

/// Its target group leads to that member, its HAProxy to none, and its daemon holds for that reason.
pub fn holds<'a>(region: &Region<'_>, member: &'a str, why: &'a str) -> [(String, &'a str); 3] {
    [(group(region), member), (proxy(region), NONE), (daemon(region), why)]
}

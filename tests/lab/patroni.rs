//! A Patroni cluster: starting it and breaking it.

mod rest;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, anyhow, ensure};
use reqwest::Client;
use tokio::sync::Mutex;

use crate::etcd;
use crate::member::{Member, Software};
use crate::network::Place;
use crate::postmaster;
use crate::service::{Service, Signal};
use crate::wait::wait_until;

pub const DEFAULT_SCOPE: &str = "batman";
/// A leader that died is replaced after its lock has expired, which takes up to `ttl` (20 s).
const TIMEOUT: Duration = Duration::from_mins(1);

/// What distinguishes a cluster from the others of the lab.
#[derive(Clone, Copy)]
pub struct Layout<'a> {
    pub scope: &'a str,
    pub members: u8,
    /// How many more are prepared, and start when they are restarted.
    pub spares: u8,
    /// The last number of the first member's address; the others' follow.
    pub first_host: u8,
    /// The network and address of each member; of those that have none here, the lab's own and what is said above.
    pub places: &'a [(Place, String)],
    /// The host of its etcd.
    pub dcs: &'a str,
    /// The primary that it replicates from, if it is a standby cluster.
    pub follows: Option<&'a Member>,
}

impl<'a> Layout<'a> {
    /// Three members at the usual addresses.
    pub fn usual(scope: &'a str) -> Self {
        Self { scope, members: 3, spares: 0, first_host: 11, places: &[], dcs: etcd::HOST, follows: None }
    }
}

pub struct Cluster {
    scope: String,
    members: Vec<Member>,
    /// Patroni's processes, in the order of `members`; none before the first start.
    patronis: Mutex<Vec<Option<Service>>>,
    venv: PathBuf,
    http: Client,
}

impl Cluster {
    /// Starts a new cluster: the first member alone, the others as soon as it leads.
    pub async fn start(software: &Software, http: &Client, layout: Layout<'_>) -> anyhow::Result<Self> {
        let mut members = Vec::new();
        for number in 1..=layout.members + layout.spares {
            members.push(Member::prepare(software, layout, number).await?);
        }
        let cluster = Self {
            scope: layout.scope.to_owned(),
            patronis: Mutex::new(members.iter().map(|_| None).collect()),
            members,
            venv: software.venv.clone(),
            http: http.clone(),
        };
        let (first, others) = cluster.members.split_first().context("no members")?;
        cluster.restart(first).await?;
        cluster.wait_for("the first member leads", async || cluster.leader().await).await?;
        for member in &others[..usize::from(layout.members) - 1] {
            cluster.restart(member).await?;
        }
        cluster.wait_healthy().await?;
        Ok(cluster)
    }

    pub fn scope(&self) -> &str {
        &self.scope
    }

    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// Kills the member's Patroni and all of its PostgreSQL at once, as a loss of power would.
    pub async fn kill9(&self, member: &Member) -> anyhow::Result<()> {
        let postmaster = member.postmaster()?;
        self.end(member, Signal::KILL).await?;
        postmaster::kill(postmaster).await
    }

    /// The same, for good, as with the end of its machine: it is no member of the cluster any more.
    pub async fn retire(&self, member: &Member) -> anyhow::Result<()> {
        self.kill9(member).await?;
        self.patronis.lock().await[self.position(member)?] = None;
        Ok(())
    }

    /// Stops the member's Patroni and all of its PostgreSQL where they stand: its address neither answers nor refuses, as
    /// that of a host that hangs. [`Self::kill9`] ends it.
    pub async fn silence(&self, member: &Member) -> anyhow::Result<()> {
        let postmaster = member.postmaster()?;
        self.freeze(member).await?;
        postmaster::stop(postmaster).await
    }

    /// Stops the member's Patroni where it stands; its PostgreSQL goes on.
    pub async fn freeze(&self, member: &Member) -> anyhow::Result<()> {
        self.signal(member, Signal::STOP).await
    }

    pub async fn unfreeze(&self, member: &Member) -> anyhow::Result<()> {
        self.signal(member, Signal::CONT).await
    }

    /// Starts the member's Patroni, which must not be running.
    pub async fn restart(&self, member: &Member) -> anyhow::Result<()> {
        let mut patronis = self.patronis.lock().await;
        let slot = &mut patronis[self.position(member)?];
        let running = slot.as_mut().is_some_and(Service::is_running);
        ensure!(!running, "Patroni of {} is running", member.name);
        *slot = Some(Service::start(member.patroni_command(&self.venv), &member.log())?);
        Ok(())
    }

    /// Stops every member in good order.
    pub async fn stop_all(&self) -> anyhow::Result<()> {
        for member in &self.members {
            let patronis = self.patronis.lock().await;
            if let Some(patroni) = &patronis[self.position(member)?] {
                // One that has ended already takes no signal.
                let _ = patroni.signal(Signal::CONT);
                let _ = patroni.signal(Signal::TERM);
            }
        }
        // Signalled once: a second signal may meet Patroni in the middle of its shutdown.
        for patroni in self.patronis.lock().await.iter_mut().flatten() {
            patroni.ended().await?;
        }
        Ok(())
    }

    /// Ends every member's Patroni at once, without order; for the end of the lab.
    pub async fn kill_all(&self) -> anyhow::Result<()> {
        for member in &self.members {
            self.end(member, Signal::KILL).await?;
        }
        Ok(())
    }

    /// Starts the members that are not running, lets go the frozen, and waits for good health.
    pub async fn start_all(&self) -> anyhow::Result<()> {
        for member in &self.members {
            if self.signal(member, Signal::CONT).await.is_err() {
                self.restart(member).await?;
            }
        }
        self.wait_healthy().await
    }

    /// The members that have been started and not retired.
    async fn in_use(&self) -> Vec<&Member> {
        let patronis = self.patronis.lock().await;
        self.members
            .iter()
            .zip(&*patronis)
            .filter(|(_, its)| its.is_some())
            .map(|(member, _)| member)
            .collect()
    }

    async fn wait_for<T>(
        &self,
        what: &str,
        attempt: impl AsyncFnMut() -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        wait_until(what, TIMEOUT, attempt).await.map_err(|error| anyhow!("{error}\n{}", self.logs()))
    }

    /// The process id of its Patroni, if it runs.
    pub async fn process(&self, member: &Member) -> anyhow::Result<Option<u32>> {
        let mut patronis = self.patronis.lock().await;
        let Some(patroni) = patronis[self.position(member)?].as_mut() else { return Ok(None) };
        if patroni.is_running() { patroni.id().map(Some) } else { Ok(None) }
    }

    async fn signal(&self, member: &Member, signal: Signal) -> anyhow::Result<()> {
        let mut patronis = self.patronis.lock().await;
        let patroni = patronis[self.position(member)?].as_mut().context("never started")?;
        ensure!(patroni.is_running(), "Patroni of {} is not running", member.name);
        patroni.signal(signal)
    }

    async fn end(&self, member: &Member, signal: Signal) -> anyhow::Result<()> {
        let mut patronis = self.patronis.lock().await;
        match patronis[self.position(member)?].as_mut() {
            Some(patroni) => patroni.end(signal).await,
            None => Ok(()),
        }
    }

    fn position(&self, member: &Member) -> anyhow::Result<usize> {
        let mut members = self.members.iter();
        members.position(|known| known == member).context("a member of another cluster")
    }
}

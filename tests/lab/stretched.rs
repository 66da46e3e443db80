//! One cluster over two Regions, of which each is lost: its members neither answer nor refuse, and its daemon stands still.
//! What each endpoint did and when is printed. The majority of the DCS is elsewhere; in the last part it is lost as well.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use libtest_mimic::Trial;

use crate::aws::environment;
use crate::haproxy::Proxy;
use crate::infra::Infra;
use crate::lab::Lab;
use crate::member::Member;
use crate::moto::Moto;
use crate::service::{Service, Signal, as_postgres, make_directory_for_postgres};
use crate::stage::Stage;
use crate::wait::wait_until;

/// A failover takes `ttl`, 20 s, and a member that comes back some seconds more.
const WITHIN: Duration = Duration::from_mins(1);
/// How long it is seen that an endpoint stays as it is: longer than `ttl`.
const STAYS_FOR: Duration = Duration::from_secs(25);

pub fn trials(stage: &Arc<Stage>) -> Vec<Trial> {
    vec![stage.long_trial("stretched::the_loss_of_each_region", lose_each)]
}

/// A Region: its members, its target group, and its HAProxy with the daemon that leads both.
struct Region<'a> {
    name: &'static str,
    members: Vec<Member>,
    infra: Infra<'a>,
    group: String,
    proxy: Proxy,
    watch: Service,
}

impl<'a> Region<'a> {
    async fn new(lab: &'a Lab, name: &'static str, port: u16, members: &[Member]) -> anyhow::Result<Self> {
        let home = lab.dir.join(format!("stretched-{name}"));
        make_directory_for_postgres(&home).await?;
        let infra = Infra::in_region(&lab.aws, name).await?;
        let group = infra.target_group("writers", "ip").await?;
        let proxy = Proxy::configured(&home, &proxy_configuration(lab, port)?)?;
        let watch = daemon(lab, &home, name, &group)?;
        Ok(Self { name, members: members.to_vec(), infra, group, proxy, watch })
    }

    /// Its two endpoints, each with what it leads to.
    async fn endpoints(&self) -> anyhow::Result<[Vec<String>; 2]> {
        let targets = self.infra.targets(&self.group).await?.into_iter().map(|(host, _)| host).collect();
        Ok([targets, self.proxy.open("primary")?.into_values().collect()])
    }

    /// Waits until both lead to that member alone; says how long after `since` each did.
    async fn follows(&self, primary: &Member, since: Instant) -> anyhow::Result<String> {
        let mut said = format!("{}:", self.name);
        for (number, kind) in ["target group", "HAProxy"].into_iter().enumerate() {
            wait_until(&format!("{} {kind} leads to {}", self.name, primary.name), WITHIN, async || {
                let found = self.endpoints().await?;
                ensure!(found[number] == [primary.host.clone()], "{found:?}");
                Ok(())
            })
            .await?;
            write!(said, " {kind} to {} after {:.1} s;", primary.name, since.elapsed().as_secs_f64())?;
        }
        Ok(said)
    }

    async fn lose(&self, lab: &Lab) -> anyhow::Result<()> {
        self.watch.signal(Signal::STOP)?;
        for member in &self.members {
            lab.cluster.silence(member).await?;
        }
        Ok(())
    }

    /// Its machines start again.
    async fn start_again(&self, lab: &Lab) -> anyhow::Result<()> {
        for member in &self.members {
            lab.cluster.kill9(member).await?;
            lab.cluster.restart(member).await?;
        }
        self.watch.signal(Signal::CONT)?;
        lab.cluster.wait_healthy().await
    }
}

async fn lose_each(lab: &Lab) -> anyhow::Result<()> {
    let (there, here) = lab.cluster.members().split_last().context("members")?;
    let first = Region::new(lab, "us-east-1", 7001, here).await?;
    let second = Region::new(lab, "us-west-2", 7002, std::slice::from_ref(there)).await?;
    if lab.cluster.leader().await? == *there {
        lab.cluster.switchover(&here[0]).await?;
    }
    let primary = lab.cluster.leader().await?;
    for region in [&first, &second] {
        region.follows(&primary, Instant::now()).await?;
    }

    second.lose(lab).await?;
    stays(&first, &primary, STAYS_FOR).await.context("with a Region away that has no primary")?;
    eprintln!("the Region without the primary is lost: {} led to {} all the time", first.name, primary.name);
    second.start_again(lab).await?;

    let lost = Instant::now();
    first.lose(lab).await?;
    let new = lab.cluster.wait_new_leader(&primary).await?;
    ensure!(new == *there, "{} was promoted", new.name);
    let promoted = lost.elapsed();
    eprintln!(
        "the Region with the primary is lost: {} leads after {:.1} s; {}",
        new.name,
        promoted.as_secs_f64(),
        second.follows(&new, lost).await?
    );
    let back = Instant::now();
    first.start_again(lab).await?;
    eprintln!("it is back: {}", first.follows(&new, back).await?);

    let lost = Instant::now();
    second.lose(lab).await?;
    lab.etcd.signal(Signal::STOP)?;
    stays(&first, &new, STAYS_FOR).await.context("without the DCS")?;
    eprintln!("the Region with the primary and the DCS are lost: {} kept what it had", first.name);
    let back = Instant::now();
    lab.etcd.signal(Signal::CONT)?;
    let next = lab.cluster.wait_new_leader(&new).await?;
    eprintln!(
        "the DCS is back after {:.1} s: {} leads {:.1} s later; {}",
        (back - lost).as_secs_f64(),
        next.name,
        back.elapsed().as_secs_f64(),
        first.follows(&next, back).await?
    );
    second.start_again(lab).await?;
    second.follows(&next, Instant::now()).await?;
    Ok(())
}

/// The target group leads to that member all the time: an endpoint is never emptied for want of a primary.
async fn stays(region: &Region<'_>, primary: &Member, long: Duration) -> anyhow::Result<()> {
    let end = Instant::now() + long;
    while Instant::now() < end {
        let [targets, _] = region.endpoints().await?;
        ensure!(targets == [primary.host.clone()], "{targets:?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    Ok(())
}

fn proxy_configuration(lab: &Lab, port: u16) -> anyhow::Result<String> {
    let mut text = format!(
        "global\n    stats socket /run/haproxy/admin.sock mode 660 level admin\n    stats socket /run/haproxy/repoint.sock user \
         postgres mode 600 level admin\n    hard-stop-after 5s\ndefaults\n    mode tcp\n    retries 0\n    timeout connect 2s\n    \
         timeout check 2s\n    timeout client 1h\n    timeout server 1h\nlisten primary\n    bind 127.0.0.10:{port}\n    option \
         httpchk OPTIONS /primary\n    default-server inter 1s fall 2 rise 2 on-marked-down shutdown-sessions\n"
    );
    for member in lab.cluster.members() {
        writeln!(text, "    server {} {}:{} check port 8008", member.name, member.host, member.pg_port)?;
    }
    Ok(text)
}

/// The daemon of a Region, with a state of its own.
fn daemon(lab: &Lab, home: &Path, region: &str, group: &str) -> anyhow::Result<Service> {
    let members: Vec<&str> = lab.cluster.members().iter().map(|member| member.rest_url.as_str()).collect();
    let file = home.join("repoint.toml");
    fs::write(
        &file,
        format!(
            "[aws]\nregion = \"{region}\"\n[state]\nfile = \"state.json\"\n[watch]\nsocket = \"repoint.control\"\n[[cluster]]\n\
             scope = \"batman\"\nmembers = {members:?}\n[[cluster.target_group]]\narn = \"{group}\"\n[[cluster.haproxy]]\n\
             socket = \"repoint.sock\"\nbackend = \"primary\"\n"
        ),
    )?;
    let variables: BTreeMap<String, String> = environment(&Moto::endpoint()).into_iter().collect();
    let mut command = as_postgres(&lab.program);
    command.args(["watch", "--config"]).arg(file).envs(variables).env("AWS_REGION", region);
    Service::start(command, &home.join("watch.log"))
}

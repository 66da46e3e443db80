//! One cluster over two Regions with a network each: pg1 and pg2 in the first, pg3 in the second, and the DCS in a third place.
//! The Regions are lost, parted, and cut off from the DCS. What each endpoint did and when is printed.

mod account;
mod region;

use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use libtest_mimic::Trial;
use serde_json::{Value, json};

use crate::aws::REGION;
use crate::deployed::ACCOUNT;
use crate::etcd::Etcd;
use crate::lab::Lab;
use crate::mailbox::{Mailbox, events};
use crate::member::{Member, Software};
use crate::network::{API, DCS, Network, join, part};
use crate::patroni::{Cluster, Layout};
use crate::service::make_directory_for_postgres;
use crate::stage::Stage;
use crate::state_table::{TABLE, create_table, item};
use account::{Account, all_follow, follows, group, holds, primary, proxy, slot};
use region::Region;

/// How long it is seen that nothing moves: longer than `ttl`, 20 s.
const STAYS_FOR: Duration = Duration::from_secs(25);
/// The same where the lock has changed hands already.
const STAYS_ON_FOR: Duration = Duration::from_secs(10);
/// How soon an endpoint follows whose own service answers.
const PROMPTLY: Duration = Duration::from_secs(3);
/// What a daemon says whose members know of no leader that it reaches.
const UNREACHABLE: &str = "hold unreachable";

pub fn trials(stage: &Arc<Stage>) -> Vec<Trial> {
    vec![
        trial(stage, "the_loss_of_each_region", lose_each),
        trial(stage, "a_partition_between_the_regions", partition),
        trial(stage, "cut_off_from_the_dcs_with_its_api", cut_off),
        trial(stage, "a_region_whose_api_hangs", without_api),
        trial(stage, "one_state_for_both_regions", one_state),
    ]
}

/// With a cluster of its own, in the place of the lab's.
fn trial<F>(stage: &Arc<Stage>, name: &'static str, body: F) -> Trial
where
    F: AsyncFnOnce(&Lab, &Stretched) -> anyhow::Result<()> + Send + 'static,
{
    stage.long_trial(&format!("stretched::{name}"), async move |lab: &Lab| {
        lab.cluster.stop_all().await?;
        let stretched = Stretched::start(lab, name).await?;
        let tried = body(lab, &stretched).await;
        tried.and(stretched.end().await)
    })
}

/// The networks, the DCS, and the cluster.
struct Stretched {
    folder: PathBuf,
    networks: [Network; 2],
    etcd: Etcd,
    cluster: Cluster,
}

impl Stretched {
    async fn start(lab: &Lab, name: &str) -> anyhow::Result<Self> {
        let folder = lab.dir.join(name);
        make_directory_for_postgres(&folder).await?;
        let networks = Network::pair(&folder).await?;
        let etcd = Etcd::start(&folder, DCS, &lab.http).await?;
        let [first, second] = &networks;
        let places = [(first, 11), (first, 12), (second, 13)]
            .map(|(network, last)| (network.place(), network.host(last)));
        let software =
            Software { venv: lab.venv.clone(), homes: folder.clone(), callback: lab.callback.clone() };
        let layout = Layout { places: &places, dcs: DCS, ..Layout::usual(name) };
        let cluster = Cluster::start(&software, &lab.http, layout).await?;
        Ok(Self { folder, networks, etcd, cluster })
    }

    async fn regions<'a>(&'a self, lab: &'a Lab) -> anyhow::Result<[Region<'a>; 2]> {
        let [first, second] = &self.networks;
        Ok([
            Region::new(lab, &self.folder, "us-east-1", first, &self.cluster).await?,
            Region::new(lab, &self.folder, "us-west-2", second, &self.cluster).await?,
        ])
    }

    /// Each Region with a daemon that has a file for its state.
    async fn watched<'a>(&'a self, lab: &'a Lab) -> anyhow::Result<[Region<'a>; 2]> {
        let mut regions = self.regions(lab).await?;
        for region in &mut regions {
            let endpoints = region.endpoints();
            region.watch(lab, &self.cluster, "[state]\nfile = \"state.json\"", &endpoints)?;
        }
        Ok(regions)
    }

    fn members(&self) -> anyhow::Result<&[Member; 3]> {
        self.cluster.members().try_into().context("three members")
    }

    async fn end(mut self) -> anyhow::Result<()> {
        for member in self.cluster.members() {
            self.cluster.kill9(member).await?;
        }
        self.etcd.stop().await
    }
}

async fn lose_each(lab: &Lab, stretched: &Stretched) -> anyhow::Result<()> {
    let cluster = &stretched.cluster;
    let [_, _, pg3] = stretched.members()?;
    let [first, second] = &stretched.watched(lab).await?;
    let mut account = Account::once_all_follow("pg1", lab, cluster, [first, second]).await?;

    account.begin("the Region without the primary is lost");
    second.cut_off(first).await?;
    account.follow_for(STAYS_FOR).await?;
    account.is(&follows(first, "pg1"))?;
    account.is(&[(group(second), "pg1"), (proxy(second), "none")])?;
    account.print();
    account.begin("it is back");
    second.come_back(first).await?;
    account.follow_until(&all_follow([first, second], "pg1")).await?;
    cluster.wait_healthy().await?;
    account.print();

    account.begin("the Region with the primary is lost");
    first.cut_off(second).await?;
    account.follow_until(&follows(second, "pg3")).await?;
    account.follow_for(STAYS_ON_FOR).await?;
    account.is(&[(primary(), "pg3"), (group(first), "pg1"), (proxy(first), "none")])?;
    account.print();
    account.begin("it is back");
    first.come_back(second).await?;
    account.follow_until(&all_follow([first, second], "pg3")).await?;
    cluster.wait_healthy().await?;
    account.note("pg1 and pg2 stream from pg3");
    account.print();

    account.begin("the Region with the primary is lost, and the DCS");
    second.cut_off(first).await?;
    part(DCS, &first.addresses()).await?;
    account.follow_for(STAYS_FOR).await?;
    account.is(&[(primary(), "none"), (group(first), "pg3"), (group(second), "pg3")])?;
    account.print();
    account.begin("the DCS is back");
    join(DCS, &first.addresses()).await?;
    let next = cluster.wait_new_leader(pg3).await?;
    account.follow_until(&follows(first, &next.name)).await?;
    account.print();
    account.begin("the Region is back");
    second.come_back(first).await?;
    account.follow_until(&all_follow([first, second], &next.name)).await?;
    cluster.wait_healthy().await?;
    account.note(&format!("the others stream from {}", next.name));
    account.print();
    Ok(())
}

async fn partition(lab: &Lab, stretched: &Stretched) -> anyhow::Result<()> {
    let cluster = &stretched.cluster;
    let [pg1, _, pg3] = stretched.members()?;
    let [first, second] = &stretched.watched(lab).await?;
    let mut account = Account::once_all_follow("pg1", lab, cluster, [first, second]).await?;

    account.begin("the Regions are parted, and both reach the DCS");
    part(&first.addresses(), &second.addresses()).await?;
    account.follow_for(STAYS_FOR).await?;
    account.is(&[&follows(first, "pg1")[..], &holds(second, "pg1", UNREACHABLE)].concat())?;
    for asked in [pg1, pg3] {
        let switchover = json!({ "leader": "pg1", "candidate": "pg3" });
        let answer = lab.http.post(format!("{}/switchover", asked.rest_url)).json(&switchover).send().await?;
        account.note(&format!(
            "a switchover to pg3, asked of {}: {} {}",
            asked.name,
            answer.status(),
            answer.text().await?
        ));
    }
    account.follow_for(STAYS_ON_FOR).await?;
    account.print();

    account.begin("they are joined");
    join(&first.addresses(), &second.addresses()).await?;
    account.follow_until(&all_follow([first, second], "pg1")).await?;
    cluster.wait_healthy().await?;
    account.note("pg2 and pg3 stream from pg1");
    account.print();
    Ok(())
}

async fn cut_off(lab: &Lab, stretched: &Stretched) -> anyhow::Result<()> {
    let cluster = &stretched.cluster;
    let [first, second] = &stretched.watched(lab).await?;
    let mut account = Account::once_all_follow("pg1", lab, cluster, [first, second]).await?;

    account.begin("the Region with the primary reaches its API alone");
    part(&first.addresses(), &second.addresses()).await?;
    part(&first.addresses(), DCS).await?;
    account.follow_until(&follows(second, "pg3")).await?;
    account.follow_for(STAYS_ON_FOR).await?;
    account.is(&[(primary(), "pg3"), (group(first), "pg1"), (proxy(first), "none")])?;
    account.print();

    account.begin("it reaches the DCS again, and not the other Region");
    join(&first.addresses(), DCS).await?;
    account.follow_for(STAYS_ON_FOR).await?;
    account.is(&[&[(primary(), "pg3")][..], &holds(first, "pg1", UNREACHABLE)].concat())?;
    account.print();

    account.begin("it reaches all");
    join(&first.addresses(), &second.addresses()).await?;
    account.follow_until(&all_follow([first, second], "pg3")).await?;
    cluster.wait_healthy().await?;
    account.note("pg1 and pg2 stream from pg3");
    account.print();
    Ok(())
}

/// Requests to the second Region's API are dropped. Its daemon is in a pass that waits for them when the primary changes again,
/// and a server of HAProxy that has no check of its own rests on that daemon alone.
async fn without_api(lab: &Lab, stretched: &Stretched) -> anyhow::Result<()> {
    let cluster = &stretched.cluster;
    let [pg1, pg2, _] = stretched.members()?;
    let [first, second] = &stretched.watched(lab).await?;
    let mut account = Account::once_all_follow("pg1", lab, cluster, [first, second]).await?;
    part(&second.addresses(), API).await?;
    for next in [pg2, pg1, pg2] {
        account.begin(&format!("a switchover to {}, while the second Region's API hangs", next.name));
        let followed = [&follows(first, &next.name)[..], &[(slot(second), &next.name)]].concat();
        tokio::try_join!(cluster.switchover(next), account.follow_until(&followed))?;
        account.print();
        let late = account.between(&primary(), &slot(second))?;
        ensure!(late < PROMPTLY, "the second Region's HAProxy follows {late:?} after the promotion");
        account.follow_for(STAYS_FOR).await?;
    }
    account.begin("it answers again");
    join(&second.addresses(), API).await?;
    account.follow_until(&all_follow([first, second], "pg2")).await?;
    account.print();
    Ok(())
}

/// Both daemons have the same configuration: a state that both reach, both target groups, and a record. HAProxy has its checks.
async fn one_state(lab: &Lab, stretched: &Stretched) -> anyhow::Result<()> {
    let cluster = &stretched.cluster;
    let mut regions = stretched.regions(lab).await?;
    create_table(lab).await?;
    let mailbox = Mailbox::new(&lab.aws, "alerts").await?;
    let zone = regions[0].infra.zone("db.example.test").await?;
    let mut endpoints = format!(
        "[[cluster.record]]\nzone_id = \"{zone}\"\nname = \"writer.db.example.test\"\ntype = \"A\"\npoints_to = \"primary\"\n"
    );
    for region in &regions {
        writeln!(endpoints, "[[cluster.target_group]]\narn = \"{}\"", region.group)?;
    }
    let state = format!(
        "[state]\ndynamodb_table = \"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{TABLE}\"\n[alerts]\nsns_topic_arn = \"{}\"\n\
         grace_seconds = 0",
        mailbox.topic
    );
    for region in &mut regions {
        region.watch(lab, cluster, &state, &endpoints)?;
    }
    let [first, second] = &regions;
    let mut account = Account::once_all_follow("pg1", lab, cluster, [first, second]).await?;
    let name_leads_to = async |member: &Member| {
        let records = first.infra.records(&zone).await?;
        ensure!(records[0]["ResourceRecords"] == json!([{ "Value": member.host }]), "{records}");
        anyhow::Ok(())
    };
    let [pg1, _, pg3] = stretched.members()?;
    name_leads_to(pg1).await?;
    // What the adoption has left to say is said.
    account.follow_for(STAYS_ON_FOR).await?;
    moves(lab, cluster, &mailbox).await?;

    account.begin("the Region with the primary is lost");
    first.cut_off(second).await?;
    account.follow_until(&[&follows(second, "pg3")[..], &[(group(first), "pg3")]].concat()).await?;
    account.follow_for(STAYS_ON_FOR).await?;
    name_leads_to(pg3).await?;
    account.print();
    account.begin("it is back");
    first.come_back(second).await?;
    account.follow_until(&all_follow([first, second], "pg3")).await?;
    cluster.wait_healthy().await?;
    account.follow_for(STAYS_ON_FOR).await?;
    account.print();
    ensure!(moves(lab, cluster, &mailbox).await? == 1, "one failover is reported once");

    account.begin("a switchover to pg1");
    let followed = all_follow([first, second], "pg1");
    tokio::try_join!(cluster.switchover(pg1), account.follow_until(&followed))?;
    account.follow_for(STAYS_ON_FOR).await?;
    name_leads_to(pg1).await?;
    account.print();
    ensure!(moves(lab, cluster, &mailbox).await? == 1, "one switchover is reported once");
    Ok(())
}

/// How many messages of a move have come. The state has the revision that its item has.
async fn moves(lab: &Lab, cluster: &Cluster, mailbox: &Mailbox<'_>) -> anyhow::Result<usize> {
    let item = item(lab, cluster.scope()).await?;
    let state: Value = serde_json::from_str(item["state"]["S"].as_str().context("no state")?)?;
    let revision = state["revision"].to_string();
    ensure!(item["revision"]["N"] == revision.as_str(), "{item}");
    let notified = events(&mailbox.messages().await?)?;
    eprintln!("notified: {notified:?}; revision {} of the state", state["revision"]);
    Ok(notified.iter().filter(|event| *event == "retargeted triggered").count())
}

//! Two sites, the second a real standby cluster: one is lost, the other is promoted, and the lost one returns believing.

use std::sync::Arc;

use anyhow::{Context as _, ensure};
use libtest_mimic::Trial;
use serde_json::{Value, json};

use crate::deployment::{Deployment, NAME, holds};
use crate::infra::Infra;
use crate::lab::Lab;
use crate::mailbox::events;
use crate::member::{Member, Software};
use crate::patroni::{Cluster, Layout};
use crate::service::make_directory_for_postgres;
use crate::stage::Stage;

pub fn trials(stage: &Arc<Stage>) -> Vec<Trial> {
    vec![stage.long_trial("sites::a_lost_site_is_left_and_not_gone_back_to", lost)]
}

async fn lost(lab: &Lab) -> anyhow::Result<()> {
    // The first site has the usual addresses.
    lab.cluster.stop_all().await?;
    let layout = Layout { members: 2, ..Layout::usual("batman-east") };
    let east = start(lab, layout).await?;
    let primary = east.wait_role("primary").await?;
    let layout = Layout { scope: "batman-west", first_host: 21, follows: Some(&primary), ..layout };
    let west = start(lab, layout).await?;
    let notified = lose_and_return(lab, &east, &west).await;
    tokio::try_join!(east.stop_all(), west.stop_all())?;
    notified
}

pub async fn start(lab: &Lab, layout: Layout<'_>) -> anyhow::Result<Cluster> {
    let homes = lab.dir.join(layout.scope);
    make_directory_for_postgres(&homes).await?;
    let software = Software { venv: lab.venv.clone(), homes, callback: lab.callback.clone() };
    Cluster::start(&software, &lab.http, layout).await
}

async fn lose_and_return(lab: &Lab, east: &Cluster, west: &Cluster) -> anyhow::Result<()> {
    let sites = [Site::new(lab, east, "us-east-1").await?, Site::new(lab, west, "us-west-2").await?];
    let deployment = deployed(lab, &sites).await?;
    let [in_east, in_west] = &sites;

    // The standby cluster's leader is not a primary.
    let first = east.leader().await?;
    west.wait_role("standby_leader").await?;
    let report = deployment.run(0).await?;
    ensure!(report["outcome"] == "changed" && report["verdict"]["site"] == in_east.region, "{report}");
    names_lead_to(&deployment, in_east, in_west).await?;
    in_east.holds(&[&first]).await?;
    in_west.holds(&[]).await?;
    lab.moto.start_recording().await?;
    let report = deployment.run(0).await?;
    ensure!(report["outcome"] == "converged", "{report}");
    deployment.mailbox.messages().await?;

    // No member takes writes until the other site is promoted.
    for member in east.members() {
        east.kill9(member).await?;
    }
    let report = deployment.run(1).await?;
    eprintln!("the site is lost: {}", report["holds"]);
    ensure!(report["outcome"] == "held" && holds(&report) == ["unreachable"], "{report}");
    let written = deployment.written().await?;
    ensure!(written.is_empty(), "a standby cluster is not followed: {written:?}");
    names_lead_to(&deployment, in_east, in_west).await?;

    west.configure(&json!({ "standby_cluster": null })).await?;
    let second = west.wait_role("primary").await?;
    let report = deployment.run(0).await?;
    eprintln!("the other is promoted: {report:#}");
    ensure!(report["verdict"]["site"] == in_west.region && report["cause"] == "failover", "{report}");
    let written = deployment.written().await?;
    let mut operations: Vec<&str> = written.iter().map(|call| call.operation.as_str()).collect();
    operations.sort_unstable();
    ensure!(operations == ["ChangeResourceRecordSets", "RegisterTargets"], "{operations:?}");
    names_lead_to(&deployment, in_west, in_east).await?;
    in_west.holds(&[&second]).await?;
    in_east.holds(&[&first]).await?;
    deployment.mailbox.messages().await?;

    // The lost site has a failover of its own, up to the timeline that the other was promoted to.
    let [lost_leader, lost_replica] = east.members() else { anyhow::bail!("two members") };
    east.restart(lost_replica).await?;
    let returned = east.wait_role("primary").await?;
    ensure!(returned == *lost_replica, "{} leads", returned.name);
    east.restart(lost_leader).await?;
    east.wait_healthy().await?;
    let followed = west.timeline().await?;
    ensure!(east.timeline().await? == followed, "the timelines are not of one number");
    lab.moto.start_recording().await?;
    let mut notified = Vec::new();
    for goes_on in [false, true] {
        if goes_on {
            east.switchover(lost_leader).await?;
            ensure!(east.timeline().await? > followed, "a switchover raises the timeline");
        }
        for _ in 0..2 {
            let report = deployment.run(0).await?;
            ensure!(report["verdict"]["site"] == in_west.region && report["steps"] == json!([]), "{report}");
            notified.extend(events(&deployment.mailbox.messages().await?)?);
        }
    }
    eprintln!("the lost site returns: {notified:?}");
    // Once for each member that came to claim it.
    ensure!(notified.iter().filter(|event| *event == "split_brain triggered").count() == 2, "{notified:?}");

    // Not even while no member answers in the site that was followed.
    for member in west.members() {
        west.freeze(member).await?;
    }
    let alone = async {
        for _ in 0..2 {
            let report = deployment.run(1).await?;
            ensure!(holds(&report).contains(&"stale_site"), "{report}");
        }
        anyhow::Ok(())
    };
    let alone = alone.await;
    for member in west.members() {
        west.unfreeze(member).await?;
    }
    alone?;
    let notified = events(&deployment.mailbox.messages().await?)?;
    eprintln!("only the lost site answers: {notified:?}");
    ensure!(notified.iter().filter(|event| *event == "stale_site triggered").count() == 1, "{notified:?}");
    west.wait_healthy().await?;
    deployment.run(0).await?;
    let written = deployment.written().await?;
    ensure!(written.is_empty(), "nothing goes back: {written:?}");
    names_lead_to(&deployment, in_west, in_east).await?;
    let notified = events(&deployment.mailbox.messages().await?)?;
    ensure!(notified.contains(&"stale_site resolved".to_owned()), "{notified:?}");

    // It is made to follow, which Patroni does in earnest from a timeline that the other has not.
    east.configure(&json!({ "standby_cluster": second.followed() })).await?;
    east.wait_streams_on(followed).await?;
    let report = deployment.run(0).await?;
    ensure!(report["verdict"]["site"] == in_west.region && report["steps"] == json!([]), "{report}");
    let notified = events(&deployment.mailbox.messages().await?)?;
    eprintln!("it follows: {notified:?}");
    ensure!(notified.contains(&"split_brain resolved".to_owned()), "{notified:?}");
    Ok(())
}

/// What a site has in its Region.
struct Site<'a> {
    region: &'static str,
    cluster: &'a Cluster,
    infra: Infra<'a>,
    group: String,
    /// Its load balancer, as AWS describes it.
    balancer: Value,
}

impl<'a> Site<'a> {
    async fn new(lab: &'a Lab, cluster: &'a Cluster, region: &'static str) -> anyhow::Result<Self> {
        let infra = Infra::in_region(&lab.aws, region).await?;
        let group = infra.target_group("writers", "ip").await?;
        let balancer = infra.balancer("pg").await?;
        Ok(Self { region, cluster, infra, group, balancer })
    }

    fn configuration(&self) -> String {
        let seeds: Vec<&str> = self.cluster.members().iter().map(|member| member.rest_url.as_str()).collect();
        format!(
            "\n[[cluster.site]]\nregion = \"{}\"\nscope = \"{}\"\nmembers = {seeds:?}\n\
             alias = {{ zone_id = {}, dns_name = {} }}\n\n[[cluster.site.target_group]]\narn = \"{}\"\n",
            self.region,
            self.cluster.scope(),
            self.balancer["CanonicalHostedZoneId"],
            self.balancer["DNSName"],
            self.group
        )
    }

    async fn holds(&self, members: &[&Member]) -> anyhow::Result<()> {
        let expected: Vec<(String, u16)> =
            members.iter().map(|member| (member.host.clone(), member.pg_port)).collect();
        let targets = self.infra.targets(&self.group).await?;
        ensure!(targets == expected, "{}: {targets:?}", self.region);
        Ok(())
    }
}

/// A cluster that spans these sites, with a failover pair that leads to the load balancers.
async fn deployed<'a>(lab: &'a Lab, sites: &[Site<'_>]) -> anyhow::Result<Deployment<'a>> {
    let sites: String = sites.iter().map(Site::configuration).collect();
    let mut deployment = Deployment::of(lab, &format!("scope = \"batman\"\n{sites}")).await?;
    for end in ["PRIMARY", "SECONDARY"] {
        deployment.configure(&format!(
            "\n[[cluster.record]]\nzone_id = \"{}\"\nname = \"{NAME}\"\ntype = \"A\"\nset_identifier = \"{}\"\n\
             failover = \"{end}\"\npoints_to = \"site\"\n",
            deployment.zone,
            end.to_lowercase()
        ));
    }
    Ok(deployment)
}

async fn names_lead_to(
    deployment: &Deployment<'_>,
    first: &Site<'_>,
    second: &Site<'_>,
) -> anyhow::Result<()> {
    let records = deployment.infra.records(&deployment.zone).await?;
    for (end, site) in [("PRIMARY", first), ("SECONDARY", second)] {
        let mut sets = records.as_array().context("a list of records")?.iter();
        let set = sets.find(|set| set["Failover"] == end).with_context(|| format!("{end}: {records}"))?;
        ensure!(set["AliasTarget"]["DNSName"] == site.balancer["DNSName"], "{records}");
    }
    Ok(())
}

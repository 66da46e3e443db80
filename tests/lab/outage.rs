//! What is not there, or not allowed: nothing is made worse, and the rest is served.

use std::sync::Arc;

use anyhow::{Context as _, ensure};
use libtest_mimic::Trial;
use serde_json::{Value, json};

use crate::deployment::{Deployment, NAME, holds};
use crate::lab::Lab;
use crate::stage::Stage;

pub fn trials(stage: &Arc<Stage>) -> Vec<Trial> {
    vec![
        stage.trial("outage::members_that_hang_or_are_gone_move_nothing", no_member),
        stage.trial("outage::aws_out_of_reach_is_said", no_aws),
        stage.trial("outage::a_missing_permission_is_named_and_the_rest_is_served", no_permission),
        stage.trial("outage::a_missing_group_is_named_and_the_rest_is_served", no_group),
        stage.trial("outage::the_emulator_refuses_to_delete_what_has_changed", external_edit),
    ]
}

/// Everything configured, and pointing at a member that is not the primary.
async fn misled(lab: &Lab) -> anyhow::Result<Deployment<'_>> {
    let mut deployment = Deployment::new(lab).await?;
    let replicas = lab.cluster.replicas().await?;
    let wrong = replicas.first().context("a replica")?;
    deployment.configure_everything(wrong, wrong).await?;
    Ok(deployment)
}

async fn no_member(lab: &Lab) -> anyhow::Result<()> {
    let deployment = misled(lab).await?;
    lab.moto.start_recording().await?;
    for member in lab.cluster.members() {
        lab.cluster.freeze(member).await?;
    }
    let hanging = deployment.run(1).await;
    for member in lab.cluster.members() {
        lab.cluster.unfreeze(member).await?;
    }
    let hanging = hanging?;
    ensure!(holds(&hanging) == ["unreachable"], "{hanging}");
    ensure!(hanging["holds"][0]["message"].to_string().contains("within the time allowed"), "{hanging}");

    lab.cluster.stop_all().await?;
    let gone = deployment.run(1).await?;
    ensure!(holds(&gone) == ["unreachable"], "{gone}");
    eprintln!("no member: {}", gone["holds"][0]["message"]);
    ensure!(deployment.written().await?.is_empty());
    Ok(())
}

async fn no_aws(lab: &Lab) -> anyhow::Result<()> {
    let mut deployment = misled(lab).await?;
    "http://127.0.0.10:1".clone_into(&mut deployment.endpoint);
    lab.moto.start_recording().await?;
    let report = deployment.run(1).await?;
    ensure!(report["outcome"] == "failed" && report["verdict"]["kind"] == "primary", "{report}");
    ensure!(holds(&report) == ["unreadable"; 4], "{report}");
    eprintln!("no AWS: {:#}", report["holds"]);
    ensure!(lab.moto.recorded().await?.is_empty());
    Ok(())
}

async fn no_permission(lab: &Lab) -> anyhow::Result<()> {
    let mut deployment = misled(lab).await?;
    let leader = lab.cluster.leader().await?;
    let policy = json!({
        "Version": "2012-10-17",
        "Statement": {
            "Effect": "Allow",
            "Action": [
                "elasticloadbalancing:DescribeTargetHealth", "ec2:DescribeInstances", "sns:Publish",
                "route53:ListResourceRecordSets", "route53:ChangeResourceRecordSets",
            ],
            "Resource": "*",
        },
    });
    deployment.act_as(deployment.infra.user("repoint", &policy).await?);
    lab.moto.enforce_iam().await?;
    let report = deployment.run(1).await;
    lab.moto.stop_enforcing().await?;
    let report = report?;
    ensure!(report["outcome"] == "failed", "{report}");
    let steps = report["steps"].as_array().context("steps")?;
    let of = |action: &str| steps.iter().filter(move |step| step["action"] == action).collect::<Vec<_>>();
    for step in of("register_target") {
        eprintln!("no permission: {} {}", step["error"], step["hint"]);
        ensure!(step["result"] == "failed", "{report}");
        ensure!(step["hint"].to_string().contains("`elasticloadbalancing:RegisterTargets`"), "{report}");
    }
    ensure!(of("deregister_target").iter().all(|step| step["result"] == "skipped"), "{report}");
    let records = of("change_record");
    ensure!(!records.is_empty() && records.iter().all(|step| step["result"] == "done"), "{report}");
    let primary = records.iter().find(|step| step["endpoint"].to_string().contains("/primary"));
    ensure!(primary.is_some_and(|step| step["target"] == *leader.host), "{report}");
    Ok(())
}

async fn no_group(lab: &Lab) -> anyhow::Result<()> {
    let mut deployment = misled(lab).await?;
    let missing = deployment.ip_group.replace("writers-by-ip", "nowhere");
    deployment.configure_group(&missing)?;
    let leader = lab.cluster.leader().await?;
    let report = deployment.run(1).await?;
    ensure!(report["outcome"] == "failed" && holds(&report) == ["unreadable"], "{report}");
    let hold = &report["holds"][0];
    eprintln!("no group: {} {}", hold["message"], hold["hint"]);
    ensure!(
        hold["endpoint"] == *missing && hold["message"].to_string().contains("TargetGroupNotFound"),
        "{report}"
    );
    let standbys = lab.cluster.replicas().await?;
    deployment.ensure_points_at(&leader, &standbys).await
}

/// The rule on which the compare-and-swap rests: DELETE must match what stands there now, not what stood there once.
async fn external_edit(lab: &Lab) -> anyhow::Result<()> {
    let deployment = Deployment::new(lab).await?;
    let set = |value: &str, ttl: u32| json!({ "Name": format!("{NAME}."), "Type": "A", "TTL": ttl, "ResourceRecords": [{ "Value": value }] });
    deployment.infra.put_records(&deployment.zone, &[set("127.0.0.11", 30)]).await?;
    deployment.infra.put_records(&deployment.zone, &[set("127.0.0.11", 60)]).await?;
    let changes = json!([
        { "Action": "DELETE", "ResourceRecordSet": set("127.0.0.11", 30) },
        { "Action": "CREATE", "ResourceRecordSet": set("127.0.0.12", 30) },
    ]);
    let args = json!({ "HostedZoneId": deployment.zone, "ChangeBatch": { "Changes": changes } });
    let refused = lab.aws.call("route53", "change_resource_record_sets", args).await;
    ensure!(refused.is_err(), "{refused:?}");
    ensure!(deployment.infra.records(&deployment.zone).await? == Value::Array(vec![set("127.0.0.11", 60)]));
    Ok(())
}

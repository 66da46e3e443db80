//! Tests of the lab itself: what the other tests rely on.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use libtest_mimic::Trial;
use serde_json::json;

use crate::aws::AwsError;
use crate::infra::{Infra, record};
use crate::lab::Lab;
use crate::latency::Latency;
use crate::moto::Moto;
use crate::recording::writes;
use crate::stage::Stage;

pub fn trials(stage: &Arc<Stage>) -> Vec<Trial> {
    vec![
        stage.trial("harness::recorder_tells_reads_from_writes", recorder_distinguishes_reads_from_writes),
        stage.trial("harness::iam_denies", iam_denies),
        stage.trial("harness::latency_is_added", latency_is_added),
    ]
}

async fn recorder_distinguishes_reads_from_writes(lab: &Lab) -> anyhow::Result<()> {
    let infra = Infra::new(&lab.aws).await?;
    let group = infra.target_group("recorded", "ip").await?;

    lab.moto.start_recording().await?;
    infra.targets(&group).await?;
    let calls = lab.moto.recorded().await?;
    ensure!(calls.len() == 1 && writes(&calls).is_empty(), "{calls:?}");

    infra.register(&group, &[("127.0.0.11", 5432)]).await?;
    let calls = lab.moto.recorded().await?;
    ensure!(calls.len() == 2, "{calls:?}");
    let write = writes(&calls)[0];
    ensure!(write.service == "elasticloadbalancing", "{write:?}");
    ensure!(write.operation == "RegisterTargets", "{write:?}");
    ensure!(write.parameter("Targets.member.1.Id").as_deref() == Some("127.0.0.11"), "{write:?}");
    ensure!(infra.targets(&group).await? == [("127.0.0.11".to_owned(), 5432)]);

    infra.deregister(&group, &[("127.0.0.11", 5432)]).await?;
    ensure!(infra.targets(&group).await?.is_empty());
    Ok(())
}

async fn iam_denies(lab: &Lab) -> anyhow::Result<()> {
    let infra = Infra::new(&lab.aws).await?;
    let zone = infra.zone("example.test").await?;
    let policy = json!({
        "Version": "2012-10-17",
        "Statement": {
            "Effect": "Allow",
            "Action": ["elasticloadbalancing:Describe*", "route53:List*"],
            "Resource": "*",
        },
    });
    let reader = infra.user("reader", &policy).await?;
    let change = json!({ "Changes": [{
        "Action": "UPSERT", "ResourceRecordSet": record("a.example.test.", "A", 30, &["127.0.0.11"]),
    }] });
    let list = json!({ "HostedZoneId": zone });
    let change = json!({ "HostedZoneId": zone, "ChangeBatch": change });

    lab.moto.enforce_iam().await?;
    lab.aws.call_as(&reader, "elbv2", "describe_target_groups", json!({})).await?;
    lab.aws.call_as(&reader, "route53", "list_resource_record_sets", list).await?;
    let publish = json!({ "TopicArn": "arn:aws:sns:eu-west-1:1:x", "Message": "x" });
    for (service, method, args, code) in [
        ("ec2", "describe_instances", json!({}), "UnauthorizedOperation"),
        ("sns", "publish", publish, "AuthorizationError"),
        ("elbv2", "create_target_group", json!({ "Name": "x" }), "AccessDenied"),
        ("route53", "change_resource_record_sets", change, "AccessDenied"),
    ] {
        let refused = lab.aws.call_as(&reader, service, method, args).await;
        let error = refused.err().with_context(|| format!("{service} {method} is allowed"))?;
        let refused = error.downcast_ref::<AwsError>().is_some_and(|error| error.code == code);
        ensure!(refused, "{error:#}");
    }
    lab.moto.stop_enforcing().await?;
    lab.aws.call("ec2", "describe_instances", json!({})).await?;
    Ok(())
}

async fn latency_is_added(lab: &Lab) -> anyhow::Result<()> {
    let latency = Latency::start(Duration::from_millis(300)).await?;
    let http = reqwest::Client::builder().no_proxy().build()?;
    let started = Instant::now();
    let url = format!("{}/moto-api/data.json", latency.endpoint());
    let answer = http.get(url).send().await?.error_for_status()?;
    ensure!(answer.text().await?.starts_with('{'));
    ensure!(started.elapsed() >= Duration::from_millis(300));
    ensure!(latency.requests() == 1);

    lab.moto.freeze()?;
    let url = format!("{}/moto-api/data.json", Moto::endpoint());
    let silent = http.get(url).timeout(Duration::from_millis(300)).send().await;
    ensure!(silent.is_err_and(|error| error.is_timeout()));
    lab.moto.unfreeze()
}

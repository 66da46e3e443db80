//! `repoint doctor` over a whole set-up: with the rights that `repoint iam --for doctor` prints it reads everything, and what is
//! then made wrong through AWS's API, one thing after another, is found.

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::{Context as _, ensure};
use libtest_mimic::Trial;
use serde_json::{Value, json};

use crate::aws::{Aws, REGION};
use crate::deployment::Deployment;
use crate::infra::{Infra, record};
use crate::lab::Lab;
use crate::stage::Stage;
use crate::state_table::TABLE;

const ACCOUNT: &str = "123456789012";
const REST_PORT: u16 = 8008;
const FUNCTION: &str = "repoint";
const NAME: &str = "writer.db.example.test";

pub fn trials(stage: &Arc<Stage>) -> Vec<Trial> {
    vec![stage.trial("doctor::it_reads_everything_and_finds_what_is_wrong", examined)]
}

/// What a set-up consists of, where all of it is right.
struct Everything<'a> {
    deployment: Deployment<'a>,
    balancer: String,
    group: String,
    zone: String,
    /// The rule that lets the load balancer in.
    let_in: Value,
}

/// Calls boto3 once for each of these.
async fn call(aws: &Aws, calls: &[(&str, &str, Value)]) -> anyhow::Result<()> {
    for (service, method, arguments) in calls {
        aws.call(service, method, arguments.clone()).await?;
    }
    Ok(())
}

/// A text of an answer.
fn at(value: &Value, pointer: &str) -> anyhow::Result<String> {
    Ok(value
        .pointer(pointer)
        .and_then(Value::as_str)
        .with_context(|| format!("{pointer} of {value}"))?
        .to_owned())
}

fn attributes(pairs: &[(&str, &str)]) -> Value {
    pairs.iter().map(|(key, value)| json!({ "Key": key, "Value": value })).collect()
}

fn let_in(group: &str, port: u16, from: &[&str]) -> Value {
    let from: Vec<Value> = from.iter().map(|from| json!({ "GroupId": from })).collect();
    let rule = json!({ "IpProtocol": "tcp", "FromPort": port, "ToPort": port, "UserIdGroupPairs": from });
    json!({ "GroupId": group, "IpPermissions": [rule] })
}

async fn everything(lab: &Lab) -> anyhow::Result<Everything<'_>> {
    let aws = &lab.aws;
    let mut deployment = Deployment::new(lab).await?;
    let infra = deployment.infra.clone();
    let leader = lab.cluster.leader().await?;
    let nodes = infra.security_group("nodes").await?;
    let of_balancer = infra.security_group("balancer").await?;
    let of_function = infra.security_group("function").await?;
    for member in lab.cluster.members() {
        let args = json!({ "InstanceId": deployment.instance(member)?, "Groups": [nodes] });
        aws.call("ec2", "modify_instance_attribute", args).await?;
    }
    let clients = json!({ "IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, "IpRanges": [{ "CidrIp": "10.7.0.0/16" }] });
    let rule = let_in(&nodes, leader.pg_port, &[&of_balancer]);
    let ingress = "authorize_security_group_ingress";
    call(
        aws,
        &[
            ("ec2", ingress, rule.clone()),
            ("ec2", ingress, let_in(&nodes, REST_PORT, &[&of_balancer, &of_function])),
            ("ec2", ingress, json!({ "GroupId": of_balancer, "IpPermissions": [clients] })),
        ],
    )
    .await?;
    let (balancer, group) = balancer(aws, &infra, &of_balancer).await?;
    infra.register(&group, &[(&leader.host, leader.pg_port)]).await?;
    let zone = private_zone(aws, &infra).await?;
    infra.put_records(&zone, &[record(&format!("{NAME}."), "A", 30, &[&leader.host])]).await?;
    table(aws).await?;
    let callbacks = aws.call("sns", "create_topic", json!({ "Name": "callbacks" })).await?;
    let callbacks = at(&callbacks, "/TopicArn")?;
    function(aws, &infra, &of_function, &callbacks).await?;

    deployment.store_state_in(TABLE);
    deployment.configure_group(&group)?;
    deployment.configure(&format!(
        "[[cluster.record]]\nzone_id = \"{zone}\"\nname = \"{NAME}\"\ntype = \"A\"\npoints_to = \"primary\"\n\
         [aws]\nregion = \"{REGION}\"\n\
         [callback]\nmode = \"sns\"\nsns_topic_arn = \"{callbacks}\"\n\
         [lambda]\nfunction = \"{FUNCTION}\"\nschedule_group = \"{FUNCTION}\"\n"
    ));
    Ok(Everything { deployment, balancer, group, zone, let_in: rule })
}

/// A load balancer in two zones, a group and a listener, with their attributes.
async fn balancer(aws: &Aws, infra: &Infra<'_>, security_group: &str) -> anyhow::Result<(String, String)> {
    let args =
        json!({ "VpcId": infra.vpc, "CidrBlock": "127.0.1.0/24", "AvailabilityZone": format!("{REGION}b") });
    let second = at(&aws.call("ec2", "create_subnet", args).await?, "/Subnet/SubnetId")?;
    let args = json!({
        "Name": "pg", "Type": "network", "Scheme": "internal", "Subnets": [infra.subnet, second],
        "SecurityGroups": [security_group],
    });
    let made = aws.call("elbv2", "create_load_balancer", args).await?;
    let balancer = at(&made, "/LoadBalancers/0/LoadBalancerArn")?;
    let check = json!({
        "HealthCheckProtocol": "HTTP", "HealthCheckPort": "8008", "HealthCheckPath": "/primary",
        "HealthCheckIntervalSeconds": 5, "HealthCheckTimeoutSeconds": 2, "HealthyThresholdCount": 2,
        "UnhealthyThresholdCount": 2, "Matcher": { "HttpCode": "200" },
    });
    let group = infra.target_group_with("pg-writer", "ip", &check).await?;
    let args = json!({
        "LoadBalancerArn": balancer, "Protocol": "TCP", "Port": 5432,
        "DefaultActions": [{ "Type": "forward", "TargetGroupArn": group }],
    });
    let listener = at(&aws.call("elbv2", "create_listener", args).await?, "/Listeners/0/ListenerArn")?;
    let of_group = attributes(&[
        ("load_balancing.cross_zone.enabled", "true"),
        ("preserve_client_ip.enabled", "false"),
        ("proxy_protocol_v2.enabled", "false"),
        ("deregistration_delay.timeout_seconds", "10"),
        ("deregistration_delay.connection_termination.enabled", "true"),
        ("target_health_state.unhealthy.connection_termination.enabled", "true"),
    ]);
    let of_balancer = attributes(&[
        ("load_balancing.cross_zone.enabled", "true"),
        ("deletion_protection.enabled", "true"),
        ("dns_record.client_routing_policy", "any_availability_zone"),
    ]);
    let of_listener = attributes(&[("tcp.idle_timeout.seconds", "350")]);
    call(
        aws,
        &[
            (
                "elbv2",
                "modify_target_group_attributes",
                json!({ "TargetGroupArn": group, "Attributes": of_group }),
            ),
            (
                "elbv2",
                "modify_load_balancer_attributes",
                json!({ "LoadBalancerArn": balancer, "Attributes": of_balancer }),
            ),
            (
                "elbv2",
                "modify_listener_attributes",
                json!({ "ListenerArn": listener, "Attributes": of_listener }),
            ),
        ],
    )
    .await?;
    Ok((balancer, group))
}

async fn private_zone(aws: &Aws, infra: &Infra<'_>) -> anyhow::Result<String> {
    let args = json!({
        "Name": "db.example.test", "CallerReference": "private",
        "VPC": { "VPCRegion": REGION, "VPCId": infra.vpc }, "HostedZoneConfig": { "PrivateZone": true },
    });
    let made = aws.call("route53", "create_hosted_zone", args).await?;
    Ok(at(&made, "/HostedZone/Id")?.trim_start_matches("/hostedzone/").to_owned())
}

async fn table(aws: &Aws) -> anyhow::Result<()> {
    let args = json!({
        "TableName": TABLE,
        "KeySchema": [{ "AttributeName": "scope", "KeyType": "HASH" }],
        "AttributeDefinitions": [{ "AttributeName": "scope", "AttributeType": "S" }],
        "BillingMode": "PAY_PER_REQUEST",
        "DeletionProtectionEnabled": true,
    });
    aws.call("dynamodb", "create_table", args).await?;
    Ok(())
}

/// The function in the nodes' network with endpoints to AWS, called by the topic and by a schedule.
async fn function(aws: &Aws, infra: &Infra<'_>, security_group: &str, topic: &str) -> anyhow::Result<()> {
    let trust = json!({ "Version": "2012-10-17", "Statement": [] }).to_string();
    let args = json!({ "RoleName": FUNCTION, "AssumeRolePolicyDocument": trust });
    let role = at(&aws.call("iam", "create_role", args).await?, "/Role/Arn")?;
    let args = json!({
        "FunctionName": FUNCTION, "Runtime": "provided.al2023", "Handler": "bootstrap", "Role": role,
        "Code": { "ZipFile": "never run" }, "Timeout": 60, "MemorySize": 512,
        "VpcConfig": { "SubnetIds": [infra.subnet], "SecurityGroupIds": [security_group] },
    });
    let arn = at(&aws.call("lambda", "create_function", args).await?, "/FunctionArn")?;
    let failures = format!("arn:aws:sqs:{REGION}:{ACCOUNT}:failures");
    let destination = json!({ "OnFailure": { "Destination": failures } });
    let invoked = json!({ "FunctionName": FUNCTION, "DestinationConfig": destination });
    let schedule = json!({
        "Name": "every-minute", "GroupName": FUNCTION, "ScheduleExpression": "rate(1 minutes)",
        "FlexibleTimeWindow": { "Mode": "OFF" }, "Target": { "Arn": arn, "RoleArn": role, "Input": "{}" },
    });
    call(
        aws,
        &[
            ("sqs", "create_queue", json!({ "QueueName": "failures" })),
            ("lambda", "put_function_event_invoke_config", invoked),
            ("scheduler", "create_schedule_group", json!({ "Name": FUNCTION })),
            ("scheduler", "create_schedule", schedule),
        ],
    )
    .await?;
    let services = ["elasticloadbalancing", "sns", "dynamodb"]
        .map(|service| format!("com.amazonaws.{REGION}.{service}"));
    for service in services.iter().map(String::as_str).chain(["com.amazonaws.route53"]) {
        let kind = if service.ends_with("dynamodb") { "Gateway" } else { "Interface" };
        let args = json!({ "VpcId": infra.vpc, "ServiceName": service, "VpcEndpointType": kind });
        aws.call("ec2", "create_vpc_endpoint", args).await?;
    }
    let args = json!({
        "TopicArn": topic, "Protocol": "lambda", "Endpoint": arn,
        "Attributes": { "RedrivePolicy": json!({ "deadLetterTargetArn": failures }).to_string() },
    });
    call(aws, &[("sns", "subscribe", args)]).await
}

/// What doctor reports, with the rights that it is said to need.
async fn report(lab: &Lab, deployment: &Deployment<'_>) -> anyhow::Result<Value> {
    lab.moto.enforce_iam().await?;
    let outcome = deployment.repoint(&["doctor", "--format", "json"]).await;
    lab.moto.stop_enforcing().await?;
    let outcome = outcome?;
    serde_json::from_str(&outcome.stdout).with_context(|| format!("{outcome:?}"))
}

/// The ids of what was found.
fn found(report: &Value) -> BTreeSet<&str> {
    let findings = report["findings"].as_array().into_iter().flatten();
    findings.filter_map(|finding| finding["id"].as_str()).collect()
}

/// The calls to AWS that failed: `ACTION on RESOURCE`.
fn unread(report: &Value) -> Vec<&Value> {
    let services =
        ["elasticloadbalancing:", "ec2:", "route53:", "sns:", "lambda:", "scheduler:", "dynamodb:", "sts:"];
    let is_of_aws = |gap: &&Value| {
        gap["call"].as_str().is_some_and(|call| services.iter().any(|service| call.starts_with(service)))
    };
    report["not_checked"].as_array().into_iter().flatten().filter(is_of_aws).collect()
}

async fn examined(lab: &Lab) -> anyhow::Result<()> {
    let mut all = everything(lab).await?;
    let policy = all.deployment.repoint(&["iam", "--for", "doctor"]).await?;
    let policy = serde_json::from_str(&policy.stdout)?;
    let exact = all.deployment.infra.user("doctor", &policy).await?;
    all.deployment.act_as(exact);

    let right = report(lab, &all.deployment).await?;
    ensure!(unread(&right).is_empty(), "{right:#}");
    let wrongs = wrongs(&all);
    let expected: BTreeSet<&str> = wrongs.iter().map(|(id, ..)| *id).collect();
    let early: Vec<_> = found(&right).intersection(&expected).copied().collect();
    ensure!(early.is_empty(), "{early:?} before anything is wrong: {right:#}");

    for (_, service, method, arguments) in wrongs {
        lab.aws.call(service, method, arguments).await?;
    }
    let wrong = report(lab, &all.deployment).await?;
    let missing: Vec<_> = expected.difference(&found(&wrong)).copied().collect();
    ensure!(missing.is_empty() && unread(&wrong).is_empty(), "{missing:?} not found: {wrong:#}");

    // A group that does not exist keeps no other from being read.
    let absent = all.group.replace("pg-writer", "pg-absent");
    all.deployment.configure("[[cluster]]\nscope = \"robin\"\nmembers = [\"http://127.0.0.99:8008\"]\n");
    all.deployment.configure_group(&absent)?;
    let more = report(lab, &all.deployment).await?;
    ensure!(found(&more).contains("resource_missing"), "{more:#}");
    ensure!(found(&more).is_superset(&expected), "{more:#}");
    Ok(())
}

/// The check that finds it, and the call that makes it wrong.
fn wrongs(all: &Everything<'_>) -> Vec<(&'static str, &'static str, &'static str, Value)> {
    let group = |name: &str, value: &str| json!({ "TargetGroupArn": all.group, "Attributes": attributes(&[(name, value)]) });
    let of_group = "modify_target_group_attributes";
    let unprotected = attributes(&[("deletion_protection.enabled", "false")]);
    let unprotected = json!({ "LoadBalancerArn": all.balancer, "Attributes": unprotected });
    let slow = json!({ "TargetGroupArn": all.group, "HealthCheckIntervalSeconds": 30, "UnhealthyThresholdCount": 5 });
    let name = json!({ "FunctionName": FUNCTION });
    let with = |fields: Value| crate::infra::with(name.clone(), &fields);
    let ttl = json!({ "Changes": [{
        "Action": "UPSERT", "ResourceRecordSet": record(&format!("{NAME}."), "A", 3600, &["127.0.0.11"]),
    }] });
    let schedule = json!({ "Name": "every-minute", "GroupName": FUNCTION });
    vec![
        ("client_ip_preserved", "elbv2", of_group, group("preserve_client_ip.enabled", "true")),
        ("proxy_protocol_on", "elbv2", of_group, group("proxy_protocol_v2.enabled", "true")),
        ("balancer_not_protected", "elbv2", "modify_load_balancer_attributes", unprotected),
        ("nodes_closed_to_balancer", "ec2", "revoke_security_group_ingress", all.let_in.clone()),
        (
            "record_ttl_long",
            "route53",
            "change_resource_record_sets",
            json!({ "HostedZoneId": all.zone, "ChangeBatch": ttl }),
        ),
        ("health_check_slow", "elbv2", "modify_target_group", slow),
        ("function_timeout_short", "lambda", "update_function_configuration", with(json!({ "Timeout": 3 }))),
        (
            "function_concurrency_zero",
            "lambda",
            "put_function_concurrency",
            with(json!({ "ReservedConcurrentExecutions": 0 })),
        ),
        (
            "function_without_failure_destination",
            "lambda",
            "delete_function_event_invoke_config",
            name.clone(),
        ),
        ("schedule_missing", "scheduler", "delete_schedule", schedule),
        (
            "table_unprotected",
            "dynamodb",
            "update_table",
            json!({ "TableName": TABLE, "DeletionProtectionEnabled": false }),
        ),
    ]
}

//! The AWS side of a test: a network with the members' machines, target groups, and zones.

use anyhow::Context as _;
use serde_json::{Value, json};

use crate::aws::{Aws, Credentials, REGION};
use crate::member::Member;

#[derive(Clone)]
pub struct Infra<'a> {
    aws: &'a Aws,
    region: &'static str,
    pub vpc: String,
    pub subnet: String,
}

impl<'a> Infra<'a> {
    pub async fn new(aws: &'a Aws) -> anyhow::Result<Self> {
        Self::in_region(aws, REGION).await
    }

    /// A VPC and a subnet that contain the members' loopback addresses.
    pub async fn in_region(aws: &'a Aws, region: &'static str) -> anyhow::Result<Self> {
        Self::in_network(aws, region, "127.0.0.0/16", "127.0.0.0/24").await
    }

    /// A VPC and a subnet of these addresses.
    pub async fn in_network(
        aws: &'a Aws,
        region: &'static str,
        vpc: &str,
        subnet: &str,
    ) -> anyhow::Result<Self> {
        let args = json!({ "CidrBlock": vpc });
        let vpc = aws.call_in(region, "ec2", "create_vpc", args).await?;
        let vpc = text(&vpc["Vpc"]["VpcId"])?;
        let args = json!({ "VpcId": vpc, "CidrBlock": subnet });
        let subnet = aws.call_in(region, "ec2", "create_subnet", args).await?;
        let subnet = text(&subnet["Subnet"]["SubnetId"])?;
        Ok(Self { aws, region, vpc, subnet })
    }

    /// An instance whose private address is the member's; answers its id.
    pub async fn instance(&self, member: &Member) -> anyhow::Result<String> {
        self.instance_with(member, &json!({})).await
    }

    /// The same, with more of what `RunInstances` takes.
    pub async fn instance_with(&self, member: &Member, more: &Value) -> anyhow::Result<String> {
        let args = json!({
            "ImageId": "ami-12345678",
            "InstanceType": "t3.micro",
            "MinCount": 1,
            "MaxCount": 1,
            "SubnetId": self.subnet,
            "PrivateIpAddress": member.host,
        });
        let started = self.call("ec2", "run_instances", with(args, more)).await?;
        text(&started["Instances"][0]["InstanceId"])
    }

    /// The end of an instance.
    pub async fn terminate(&self, instance: &str) -> anyhow::Result<()> {
        self.call("ec2", "terminate_instances", json!({ "InstanceIds": [instance] })).await.map(drop)
    }

    /// A security group; answers its id.
    pub async fn security_group(&self, name: &str) -> anyhow::Result<String> {
        let args = json!({ "GroupName": name, "Description": name, "VpcId": self.vpc });
        text(&self.call("ec2", "create_security_group", args).await?["GroupId"])
    }

    /// A TCP target group of type `ip` or `instance` on PostgreSQL's port; answers its ARN.
    pub async fn target_group(&self, name: &str, kind: &str) -> anyhow::Result<String> {
        self.target_group_with(name, kind, &json!({})).await
    }

    /// The same, with more of what `CreateTargetGroup` takes.
    pub async fn target_group_with(&self, name: &str, kind: &str, more: &Value) -> anyhow::Result<String> {
        let args = json!({
            "Name": name, "Protocol": "TCP", "Port": 5432, "VpcId": self.vpc, "TargetType": kind,
        });
        let made = self.call("elbv2", "create_target_group", with(args, more)).await?;
        text(&made["TargetGroups"][0]["TargetGroupArn"])
    }

    /// Registers each id at the port. Moto knows a target by its id alone, AWS by id and port.
    pub async fn register(&self, group: &str, targets: &[(&str, u16)]) -> anyhow::Result<()> {
        let args = targets_of(group, targets);
        self.call("elbv2", "register_targets", args).await?;
        Ok(())
    }

    pub async fn deregister(&self, group: &str, targets: &[(&str, u16)]) -> anyhow::Result<()> {
        let args = targets_of(group, targets);
        self.call("elbv2", "deregister_targets", args).await?;
        Ok(())
    }

    /// The group's targets, sorted.
    pub async fn targets(&self, group: &str) -> anyhow::Result<Vec<(String, u16)>> {
        let args = json!({ "TargetGroupArn": group });
        let health = self.call("elbv2", "describe_target_health", args).await?;
        let mut targets = Vec::new();
        for described in list(&health["TargetHealthDescriptions"])? {
            let port = described["Target"]["Port"].as_u64().context("no port")?;
            targets.push((text(&described["Target"]["Id"])?, u16::try_from(port)?));
        }
        targets.sort();
        Ok(targets)
    }

    /// A Network Load Balancer, as AWS describes it.
    pub async fn balancer(&self, name: &str) -> anyhow::Result<Value> {
        let args = json!({ "Name": name, "Type": "network", "Subnets": [self.subnet] });
        let made = self.call("elbv2", "create_load_balancer", args).await?;
        Ok(made["LoadBalancers"][0].clone())
    }

    /// A Network Load Balancer with a TCP listener that shares connections out so; answers the listener's ARN.
    pub async fn listener(&self, balancer: &str, shares: &[(&str, u32)]) -> anyhow::Result<String> {
        let balancer = self.balancer(balancer).await?;
        let args = json!({
            "LoadBalancerArn": balancer["LoadBalancerArn"], "Protocol": "TCP", "Port": 5432,
            "DefaultActions": forwards(shares),
        });
        let made = self.call("elbv2", "create_listener", args).await?;
        text(&made["Listeners"][0]["ListenerArn"])
    }

    /// Lets a listener share connections out so.
    pub async fn forward(&self, listener: &str, shares: &[(&str, u32)]) -> anyhow::Result<()> {
        let args = json!({ "ListenerArn": listener, "DefaultActions": forwards(shares) });
        self.call("elbv2", "modify_listener", args).await?;
        Ok(())
    }

    /// A listener's whole description.
    pub async fn described_listener(&self, listener: &str) -> anyhow::Result<Value> {
        let described =
            self.call("elbv2", "describe_listeners", json!({ "ListenerArns": [listener] })).await?;
        Ok(described["Listeners"][0].clone())
    }

    /// The weights of the groups behind a listener, sorted.
    pub async fn shares(&self, listener: &str) -> anyhow::Result<Vec<(String, u64)>> {
        let described = self.described_listener(listener).await?;
        let mut shares = Vec::new();
        for share in list(&described["DefaultActions"][0]["ForwardConfig"]["TargetGroups"])? {
            shares.push((text(&share["TargetGroupArn"])?, share["Weight"].as_u64().context("no weight")?));
        }
        shares.sort();
        Ok(shares)
    }

    /// A hosted zone; answers its id without `/hostedzone/`.
    pub async fn zone(&self, name: &str) -> anyhow::Result<String> {
        let args = json!({ "Name": name, "CallerReference": name });
        let made = self.call("route53", "create_hosted_zone", args).await?;
        Ok(text(&made["HostedZone"]["Id"])?.trim_start_matches("/hostedzone/").to_owned())
    }

    /// A TCP health check of the member's PostgreSQL; answers its id.
    pub async fn health_check(&self, member: &Member) -> anyhow::Result<String> {
        let config = json!({ "Type": "TCP", "IPAddress": member.host, "Port": member.pg_port });
        let args = json!({ "CallerReference": member.name, "HealthCheckConfig": config });
        let made = self.call("route53", "create_health_check", args).await?;
        text(&made["HealthCheck"]["Id"])
    }

    /// Creates or replaces record sets, as [`record`] makes them.
    pub async fn put_records(&self, zone: &str, records: &[Value]) -> anyhow::Result<()> {
        self.change_records(zone, "UPSERT", records).await
    }

    /// The zone's record sets in full, but for the NS and SOA that every zone has.
    pub async fn records(&self, zone: &str) -> anyhow::Result<Value> {
        let args = json!({ "HostedZoneId": zone });
        let listed = self.call("route53", "list_resource_record_sets", args).await?;
        let own = list(&listed["ResourceRecordSets"])?.iter();
        Ok(own.filter(|set| set["Type"] != "NS" && set["Type"] != "SOA").cloned().collect())
    }

    /// A user with this one policy; answers its access key.
    pub async fn user(&self, name: &str, policy: &Value) -> anyhow::Result<Credentials> {
        let user = json!({ "UserName": name });
        self.call("iam", "create_user", user.clone()).await?;
        let args = json!({
            "UserName": name, "PolicyName": name, "PolicyDocument": policy.to_string(),
        });
        self.call("iam", "put_user_policy", args).await?;
        let made = self.call("iam", "create_access_key", user).await?;
        Ok(Credentials {
            key_id: text(&made["AccessKey"]["AccessKeyId"])?,
            secret: text(&made["AccessKey"]["SecretAccessKey"])?,
            token: None,
        })
    }

    async fn call(&self, service: &str, method: &str, args: Value) -> anyhow::Result<Value> {
        self.aws.call_in(self.region, service, method, args).await
    }

    async fn change_records(&self, zone: &str, action: &str, records: &[Value]) -> anyhow::Result<()> {
        let changes: Vec<Value> =
            records.iter().map(|record| json!({ "Action": action, "ResourceRecordSet": record })).collect();
        let args = json!({ "HostedZoneId": zone, "ChangeBatch": { "Changes": changes } });
        self.call("route53", "change_resource_record_sets", args).await?;
        Ok(())
    }
}

/// A plain record set; other fields of Route 53 are added with [`with`].
pub fn record(name: &str, kind: &str, ttl: u32, values: &[&str]) -> Value {
    let values: Vec<Value> = values.iter().map(|value| json!({ "Value": value })).collect();
    json!({ "Name": name, "Type": kind, "TTL": ttl, "ResourceRecords": values })
}

/// `record` with more fields, for example `json!({ "SetIdentifier": "a", "Weight": 10 })`.
pub fn with(mut record: Value, fields: &Value) -> Value {
    for (name, value) in fields.as_object().into_iter().flatten() {
        record[name] = value.clone();
    }
    record
}

fn targets_of(group: &str, targets: &[(&str, u16)]) -> Value {
    let targets: Vec<Value> = targets.iter().map(|(id, port)| json!({ "Id": id, "Port": port })).collect();
    json!({ "TargetGroupArn": group, "Targets": targets })
}

/// A forward action. It is sticky, which the configuration does not say.
fn forwards(shares: &[(&str, u32)]) -> Value {
    let groups: Vec<Value> =
        shares.iter().map(|(group, weight)| json!({ "TargetGroupArn": group, "Weight": weight })).collect();
    let stickiness = json!({ "Enabled": true, "DurationSeconds": 60 });
    let config = json!({ "TargetGroups": groups, "TargetGroupStickinessConfig": stickiness });
    json!([{ "Type": "forward", "ForwardConfig": config }])
}

fn text(value: &Value) -> anyhow::Result<String> {
    Ok(value.as_str().context("the answer lacks a text")?.to_owned())
}

fn list(value: &Value) -> anyhow::Result<&Vec<Value>> {
    value.as_array().context("the answer lacks a list")
}

//! Elastic Load Balancing: the query protocol, version 2015-12-01.

use super::super::Account;
use super::super::elbv2::group::{HealthCheck, IpAddressType, NewTargetGroup, TargetGroup, TargetType};
use super::super::elbv2::listener::{Forward, Listener, LoadBalancer};
use super::super::elbv2::target::{TargetDescription, TargetHealth};
use super::super::error::AwsError;
use super::form::Form;
use super::unknown_action;
use super::xml::Xml;
use crate::Millis;

pub(super) const NAMESPACE: &str = "http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/";

pub(super) fn answer(
    account: &mut Account,
    now: Millis,
    form: &Form,
) -> Result<(&'static str, String), AwsError> {
    let mut xml = Xml::default();
    let arn = || form.need("TargetGroupArn");
    match form.get("Action").unwrap_or_default() {
        "DescribeTargetHealth" => {
            let healths = account.describe_target_health(now, arn()?, &targets(form)?)?;
            xml.list("TargetHealthDescriptions", "member", &healths, target_health);
        }
        "RegisterTargets" => account.register_targets(now, arn()?, &targets(form)?)?,
        "DeregisterTargets" => account.deregister_targets(now, arn()?, &targets(form)?)?,
        "CreateTargetGroup" => {
            let made = account.create_target_group(now, new_group(form)?)?;
            let vpc = account.network.vpc.clone();
            xml.list("TargetGroups", "member", &[made], |xml, it| target_group(xml, it, &vpc));
        }
        "DescribeTargetGroups" => {
            let (arns, names) = (form.texts("TargetGroupArns.member"), form.texts("Names.member"));
            let groups = account.describe_target_groups(now, &arns, &names)?;
            let vpc = account.network.vpc.clone();
            xml.list("TargetGroups", "member", &groups, |xml, it| target_group(xml, it, &vpc));
        }
        "DescribeTargetGroupAttributes" => {
            attributes(&mut xml, account.describe_target_group_attributes(now, arn()?)?);
        }
        "ModifyTargetGroupAttributes" => {
            let pair =
                |it: &Form| Ok((it.need("Key")?.to_owned(), it.get("Value").unwrap_or_default().to_owned()));
            let changes: Vec<(String, String)> =
                form.list("Attributes.member").iter().map(pair).collect::<Result<_, AwsError>>()?;
            attributes(&mut xml, account.modify_target_group_attributes(now, arn()?, &changes)?);
        }
        "CreateLoadBalancer" => {
            let scheme = form.get("Scheme").unwrap_or("internet-facing");
            let made = account.create_load_balancer(now, form.need("Name")?, scheme)?;
            let vpc = account.network.vpc.clone();
            xml.list("LoadBalancers", "member", &[made], |xml, it| load_balancer(xml, it, &vpc));
        }
        "DescribeLoadBalancers" => {
            let (arns, names) = (form.texts("LoadBalancerArns.member"), form.texts("Names.member"));
            let found = account.describe_load_balancers(now, &arns, &names)?;
            let vpc = account.network.vpc.clone();
            xml.list("LoadBalancers", "member", &found, |xml, it| load_balancer(xml, it, &vpc));
        }
        "CreateListener" => {
            let (balancer, protocol) = (form.need("LoadBalancerArn")?, form.get("Protocol").unwrap_or("TCP"));
            let port = form.parse("Port")?.unwrap_or_default();
            let made = account.create_listener(now, balancer, protocol, port, forwards(form)?)?;
            xml.list("Listeners", "member", &[made], listener);
        }
        "ModifyListener" => {
            let arn = form.need("ListenerArn")?;
            let changed = account.modify_listener(now, arn, forwards(form)?, stickiness(form)?)?;
            xml.list("Listeners", "member", &[changed], listener);
        }
        "DescribeListeners" => {
            let arns = form.texts("ListenerArns.member");
            let found = account.describe_listeners(now, form.get("LoadBalancerArn"), &arns)?;
            xml.list("Listeners", "member", &found, listener);
        }
        _ => return Err(unknown_action(form)),
    }
    Ok((NAMESPACE, xml.into_text()))
}

fn targets(form: &Form) -> Result<Vec<TargetDescription>, AwsError> {
    let target = |it: &Form| {
        Ok(TargetDescription {
            id: it.need("Id")?.to_owned(),
            port: it.parse("Port")?,
            availability_zone: it.get("AvailabilityZone").map(str::to_owned),
        })
    };
    form.list("Targets.member").iter().map(target).collect()
}

/// What is left out has the values that a Network Load Balancer's group starts with (ELB API, `CreateTargetGroup`).
fn new_group(form: &Form) -> Result<NewTargetGroup, AwsError> {
    let target_type = match form.get("TargetType") {
        None | Some("instance") => TargetType::Instance,
        Some("ip") => TargetType::Ip,
        Some(other) => {
            return Err(AwsError::new("ValidationError", format!("Target type '{other}' is not simulated")));
        }
    };
    let ip_address_type = match form.get("IpAddressType") {
        Some("ipv6") => IpAddressType::Ipv6,
        _ => IpAddressType::Ipv4,
    };
    let usual = HealthCheck::default();
    let protocol = form.get("HealthCheckProtocol").unwrap_or("TCP");
    let http = protocol != "TCP";
    let port = match form.get("HealthCheckPort") {
        None | Some("traffic-port") => None,
        Some(_) => form.parse("HealthCheckPort")?,
    };
    let health_check = HealthCheck {
        protocol: protocol.to_owned(),
        port,
        path: form.get("HealthCheckPath").or(http.then_some("/")).map(str::to_owned),
        interval_seconds: form.parse("HealthCheckIntervalSeconds")?.unwrap_or(usual.interval_seconds),
        timeout_seconds: form.parse("HealthCheckTimeoutSeconds")?.unwrap_or(if http { 6 } else { 10 }),
        healthy_threshold: form.parse("HealthyThresholdCount")?.unwrap_or(usual.healthy_threshold),
        unhealthy_threshold: form.parse("UnhealthyThresholdCount")?.unwrap_or(usual.unhealthy_threshold),
    };
    Ok(NewTargetGroup {
        name: form.need("Name")?.to_owned(),
        target_type,
        ip_address_type,
        vpc: form.get("VpcId").map(str::to_owned),
        protocol: form.get("Protocol").unwrap_or("TCP").to_owned(),
        port: form.parse("Port")?.unwrap_or_default(),
        health_check,
    })
}

fn forwards(form: &Form) -> Result<Vec<Forward>, AwsError> {
    let mut forwards = Vec::new();
    for action in form.list("DefaultActions.member") {
        let weighted = action.list("ForwardConfig.TargetGroups.member");
        for group in &weighted {
            let weight = Some(group.parse("Weight")?.unwrap_or(1));
            forwards.push(Forward { group: group.need("TargetGroupArn")?.to_owned(), weight });
        }
        if weighted.is_empty() {
            forwards.push(Forward { group: action.need("TargetGroupArn")?.to_owned(), weight: None });
        }
    }
    Ok(forwards)
}

fn stickiness(form: &Form) -> Result<Option<bool>, AwsError> {
    let mut said = None;
    for action in form.list("DefaultActions.member") {
        said = action.parse("ForwardConfig.TargetGroupStickinessConfig.Enabled")?.or(said);
    }
    Ok(said)
}

fn target_health(xml: &mut Xml, it: &TargetHealth) {
    xml.node("Target", |xml| {
        xml.leaf("Id", &it.target.id);
        xml.leaf("Port", it.target.port);
        xml.optional("AvailabilityZone", it.availability_zone.as_ref());
    });
    xml.leaf("HealthCheckPort", it.health_check_port);
    xml.node("TargetHealth", |xml| {
        xml.leaf("State", it.state.as_str());
        xml.optional("Reason", it.reason.map(super::super::elbv2::target::Reason::as_str));
        xml.optional("Description", it.reason.map(super::super::elbv2::target::Reason::description));
    });
}

fn target_group(xml: &mut Xml, it: &TargetGroup, vpc: &str) {
    let check = &it.made.health_check;
    xml.leaf("TargetGroupArn", &it.arn);
    xml.leaf("TargetGroupName", &it.made.name);
    xml.leaf("TargetType", it.made.target_type.as_str());
    xml.leaf("Protocol", &it.made.protocol);
    xml.leaf("Port", it.made.port);
    xml.leaf("VpcId", it.made.vpc.as_deref().unwrap_or(vpc));
    xml.leaf("IpAddressType", it.made.ip_address_type.as_str());
    xml.leaf("HealthCheckEnabled", true);
    xml.leaf("HealthCheckProtocol", &check.protocol);
    xml.leaf(
        "HealthCheckPort",
        check.port.map_or_else(|| "traffic-port".to_owned(), |port| port.to_string()),
    );
    xml.optional("HealthCheckPath", check.path.as_ref());
    if check.path.is_some() {
        xml.node("Matcher", |xml| xml.leaf("HttpCode", "200-399"));
    }
    xml.leaf("HealthCheckIntervalSeconds", check.interval_seconds);
    xml.leaf("HealthCheckTimeoutSeconds", check.timeout_seconds);
    xml.leaf("HealthyThresholdCount", check.healthy_threshold);
    xml.leaf("UnhealthyThresholdCount", check.unhealthy_threshold);
    xml.node("LoadBalancerArns", |xml| it.load_balancers.iter().for_each(|arn| xml.leaf("member", arn)));
}

fn attributes(xml: &mut Xml, attributes: std::collections::BTreeMap<String, String>) {
    let attributes: Vec<(String, String)> = attributes.into_iter().collect();
    xml.list("Attributes", "member", &attributes, |xml, (key, value)| {
        xml.leaf("Key", key);
        xml.leaf("Value", value);
    });
}

fn load_balancer(xml: &mut Xml, it: &LoadBalancer, vpc: &str) {
    xml.leaf("LoadBalancerArn", &it.arn);
    xml.leaf("LoadBalancerName", &it.name);
    xml.leaf("DNSName", &it.dns_name);
    xml.leaf("Scheme", &it.scheme);
    xml.leaf("Type", "network");
    xml.leaf("VpcId", vpc);
    xml.node("State", |xml| xml.leaf("Code", "active"));
}

fn listener(xml: &mut Xml, it: &Listener) {
    xml.leaf("ListenerArn", &it.arn);
    xml.leaf("LoadBalancerArn", &it.load_balancer);
    xml.leaf("Port", it.port);
    xml.leaf("Protocol", &it.protocol);
    xml.node("DefaultActions", |xml| {
        xml.node("member", |xml| {
            xml.leaf("Type", "forward");
            if let [only] = it.forwards.as_slice() {
                xml.leaf("TargetGroupArn", &only.group);
            }
            xml.node("ForwardConfig", |xml| {
                xml.list("TargetGroups", "member", &it.forwards, |xml, forward| {
                    xml.leaf("TargetGroupArn", &forward.group);
                    xml.optional("Weight", forward.weight);
                });
                if let Some(is_sticky) = it.is_sticky {
                    xml.node("TargetGroupStickinessConfig", |xml| xml.leaf("Enabled", is_sticky));
                }
            });
        });
    });
}

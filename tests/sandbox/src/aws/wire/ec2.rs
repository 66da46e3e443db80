//! EC2: its dialect of the query protocol, version 2016-11-15.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use super::super::Account;
use super::super::ec2::{Filter, Instance, InstanceState, Interface};
use super::super::error::AwsError;
use super::form::Form;
use super::xml::Xml;
use super::{Answer, unknown_action};
use crate::Millis;

const NAMESPACE: &str = "http://ec2.amazonaws.com/doc/2016-11-15/";

pub(super) fn answer(
    account: &mut Account,
    now: Millis,
    form: &Form,
    request_id: &str,
) -> Result<Answer, AwsError> {
    let action = form.get("Action").unwrap_or_default();
    let mut inside = Xml::default();
    match action {
        "DescribeInstances" => describe(account, now, form, &mut inside)?,
        "RunInstances" => run(account, now, form, &mut inside)?,
        "StartInstances" => set_state(account, now, form, InstanceState::Running, &mut inside),
        "StopInstances" => set_state(account, now, form, InstanceState::Stopped, &mut inside),
        "TerminateInstances" => set_state(account, now, form, InstanceState::Terminated, &mut inside),
        "DescribeSubnets" => subnets(account, &mut inside),
        "DescribeVpcs" => inside.node("vpcSet", |xml| {
            xml.node("item", |xml| {
                xml.leaf("vpcId", &account.network.vpc);
                xml.leaf("cidrBlock", account.network.block);
                xml.leaf("isDefault", true);
            });
        }),
        _ => return Err(unknown_action(form)),
    }
    let mut xml = Xml::default();
    xml.root(&format!("{action}Response"), NAMESPACE, |xml| {
        xml.leaf("requestId", request_id);
        xml.append(&inside.into_text());
    });
    Ok(Answer::xml(xml.into_text()))
}

fn describe(account: &mut Account, now: Millis, form: &Form, xml: &mut Xml) -> Result<(), AwsError> {
    let filters: Vec<Filter> = form
        .list("Filter")
        .iter()
        .map(|filter| Ok((filter.need("Name")?.to_owned(), filter.texts("Value"))))
        .collect::<Result<_, AwsError>>()?;
    let (found, next) = account.describe_instances(
        now,
        &form.texts("InstanceId"),
        &filters,
        form.parse("MaxResults")?,
        form.get("NextToken"),
    )?;
    xml.list("reservationSet", "item", &found, |xml, it| {
        xml.leaf("reservationId", format!("r-{}", it.id.trim_start_matches("i-")));
        xml.leaf("ownerId", &account.id);
        xml.list("instancesSet", "item", std::slice::from_ref(it), instance);
    });
    xml.optional("nextToken", next);
    Ok(())
}

fn run(account: &mut Account, now: Millis, form: &Form, xml: &mut Xml) -> Result<(), AwsError> {
    let address = form.parse::<Ipv4Addr>("PrivateIpAddress")?;
    let address = address.ok_or_else(|| {
        AwsError::new("MissingParameter", "The request must contain the parameter PrivateIpAddress")
    })?;
    let mut tags = BTreeMap::new();
    for specification in form.list("TagSpecification") {
        for tag in specification.list("Tag") {
            tags.insert(tag.need("Key")?.to_owned(), tag.get("Value").unwrap_or_default().to_owned());
        }
    }
    let started = account.run_instance(now, address, tags)?;
    xml.leaf("reservationId", format!("r-{}", started.id.trim_start_matches("i-")));
    xml.leaf("ownerId", &account.id);
    xml.list("instancesSet", "item", &[started], instance);
    Ok(())
}

fn set_state(account: &mut Account, now: Millis, form: &Form, state: InstanceState, xml: &mut Xml) {
    xml.list("instancesSet", "item", &form.texts("InstanceId"), |xml, id| {
        account.set_instance_state(now, id, state);
        xml.leaf("instanceId", id);
        xml.node("currentState", |xml| state_of(xml, state));
    });
}

fn instance(xml: &mut Xml, it: &Instance) {
    xml.leaf("instanceId", &it.id);
    xml.node("instanceState", |xml| state_of(xml, it.state));
    xml.optional("privateIpAddress", it.private_ip);
    xml.leaf("vpcId", &it.vpc);
    xml.list("networkInterfaceSet", "item", &it.interfaces, interface);
    xml.node("placement", |xml| xml.leaf("availabilityZone", &it.zone));
    let tags: Vec<(&String, &String)> = it.tags.iter().collect();
    xml.list("tagSet", "item", &tags, |xml, (key, value)| {
        xml.leaf("key", key);
        xml.leaf("value", value);
    });
}

fn interface(xml: &mut Xml, it: &Interface) {
    let (v4, v6): (Vec<IpAddr>, Vec<IpAddr>) = it.addresses.iter().partition(|address| address.is_ipv4());
    xml.leaf("vpcId", &it.vpc);
    xml.optional("privateIpAddress", v4.first());
    xml.list("privateIpAddressesSet", "item", &v4, |xml, address| xml.leaf("privateIpAddress", address));
    xml.list("ipv6AddressesSet", "item", &v6, |xml, address| xml.leaf("ipv6Address", address));
}

fn state_of(xml: &mut Xml, state: InstanceState) {
    xml.leaf("code", state.code());
    xml.leaf("name", state.as_str());
}

fn subnets(account: &Account, xml: &mut Xml) {
    xml.list("subnetSet", "item", &account.network.subnets, |xml, subnet| {
        xml.leaf("subnetId", &subnet.id);
        xml.leaf("vpcId", &account.network.vpc);
        xml.leaf("cidrBlock", subnet.block);
        xml.leaf("availabilityZone", &subnet.zone);
    });
}

//! Route 53: REST with XML, version 2013-04-01.

use roxmltree::{Document, Node};

use super::super::Account;
use super::super::error::AwsError;
use super::super::route53::batch::{Change, ChangeAction, ChangeInfo};
use super::super::route53::list::ListFrom;
use super::super::route53::name::Name;
use super::super::route53::record::{Alias, Answer as Answers, Failover, RecordKey, RecordSet};
use super::Answer;
use super::form::Form;
use super::time::iso;
use super::xml::Xml;
use crate::Millis;
use crate::http::exchange::Request;

pub(super) const NAMESPACE: &str = "https://route53.amazonaws.com/doc/2013-04-01/";

/// The operation that a method and path stand for.
pub(super) fn action(request: &Request) -> Option<&'static str> {
    let path = segments(request);
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    match (request.method.as_str(), path.as_slice()) {
        ("GET", ["hostedzone", _, "rrset"]) => Some("ListResourceRecordSets"),
        ("POST", ["hostedzone", _, "rrset"]) => Some("ChangeResourceRecordSets"),
        ("GET", ["change", _]) => Some("GetChange"),
        ("POST", ["hostedzone"]) => Some("CreateHostedZone"),
        ("GET", ["hostedzone"]) => Some("ListHostedZones"),
        ("POST", ["healthcheck"]) => Some("CreateHealthCheck"),
        _ => None,
    }
}

pub(super) fn answer(account: &mut Account, now: Millis, request: &Request) -> Result<Answer, AwsError> {
    let path = segments(request);
    let id = path.get(1).map(String::as_str).unwrap_or_default();
    match action(request) {
        Some("ListResourceRecordSets") => list(account, now, id, request),
        Some("ChangeResourceRecordSets") => {
            let info = account.change_resource_record_sets(now, id, &changes(&request.body)?)?;
            Ok(document("ChangeResourceRecordSetsResponse", |xml| change_info(xml, &info)))
        }
        Some("GetChange") => {
            let info = account.get_change(now, id)?;
            Ok(document("GetChangeResponse", |xml| change_info(xml, &info)))
        }
        Some("CreateHostedZone") => create_zone(account, now, &request.body),
        Some("ListHostedZones") => {
            let zones = account.list_hosted_zones(now)?;
            Ok(document("ListHostedZonesResponse", |xml| {
                xml.list("HostedZones", "HostedZone", &zones, |xml, (id, name)| {
                    hosted_zone(xml, id, name, "");
                });
                xml.leaf("IsTruncated", false);
                xml.leaf("MaxItems", 100);
            }))
        }
        Some("CreateHealthCheck") => {
            let id = account.create_health_check(now)?;
            let mut answer = document("CreateHealthCheckResponse", |xml| {
                xml.node("HealthCheck", |xml| {
                    xml.leaf("Id", &id);
                    xml.leaf("HealthCheckVersion", 1);
                });
            });
            answer.status = 201;
            answer.headers.push(("location".to_owned(), format!("{NAMESPACE}healthcheck/{id}")));
            Ok(answer)
        }
        _ => Err(AwsError::new("InvalidInput", "no such operation is simulated").with_status(404)),
    }
}

/// Without the version in front; a slash at the end is nothing.
fn segments(request: &Request) -> Vec<String> {
    let path = request.path.strip_prefix("/2013-04-01/").unwrap_or_default();
    let decoded = |part: &str| percent_encoding::percent_decode_str(part).decode_utf8_lossy().into_owned();
    path.split('/').filter(|part| !part.is_empty()).map(decoded).collect()
}

fn document(tag: &str, inside: impl FnOnce(&mut Xml)) -> Answer {
    let mut xml = Xml::default();
    xml.root(tag, NAMESPACE, inside);
    Answer::xml(xml.into_text())
}

fn list(account: &mut Account, now: Millis, zone: &str, request: &Request) -> Result<Answer, AwsError> {
    let query = Form::new(request.query.as_bytes());
    let asked = |name| query.get(name).map(str::to_owned);
    let from =
        ListFrom { name: asked("name"), record_type: asked("type"), set_identifier: asked("identifier") };
    let page = account.list_resource_record_sets(now, zone, &from, query.parse("maxitems")?)?;
    Ok(document("ListResourceRecordSetsResponse", |xml| {
        xml.list("ResourceRecordSets", "ResourceRecordSet", &page.sets, record_set);
        xml.leaf("IsTruncated", page.next.is_some());
        xml.leaf("MaxItems", page.max_items);
        if let Some(next) = &page.next {
            xml.leaf("NextRecordName", &next.name);
            xml.leaf("NextRecordType", &next.record_type);
            xml.optional("NextRecordIdentifier", next.set_identifier.as_ref());
        }
    }))
}

fn record_set(xml: &mut Xml, set: &RecordSet) {
    xml.leaf("Name", &set.key.name);
    xml.leaf("Type", &set.key.record_type);
    xml.optional("SetIdentifier", set.key.set_identifier.as_ref());
    xml.optional("Weight", set.weight);
    xml.optional("Failover", set.failover.map(Failover::as_str));
    match &set.answer {
        Answers::Values { ttl, values } => {
            xml.leaf("TTL", ttl);
            xml.list("ResourceRecords", "ResourceRecord", values, |xml, value| xml.leaf("Value", value));
        }
        Answers::Alias(alias) => xml.node("AliasTarget", |xml| {
            xml.leaf("HostedZoneId", &alias.zone);
            xml.leaf("DNSName", &alias.name);
            xml.leaf("EvaluateTargetHealth", alias.evaluate_target_health);
        }),
    }
    xml.optional("HealthCheckId", set.health_check.as_ref());
}

fn change_info(xml: &mut Xml, info: &ChangeInfo) {
    xml.node("ChangeInfo", |xml| {
        xml.leaf("Id", format!("/change/{}", info.id));
        xml.leaf("Status", if info.in_sync { "INSYNC" } else { "PENDING" });
        xml.leaf("SubmittedAt", iso(info.submitted_at));
    });
}

fn hosted_zone(xml: &mut Xml, id: &str, name: &str, reference: &str) {
    xml.leaf("Id", format!("/hostedzone/{id}"));
    xml.leaf("Name", name);
    xml.leaf("CallerReference", reference);
    xml.node("Config", |xml| xml.leaf("PrivateZone", false));
}

fn create_zone(account: &mut Account, now: Millis, body: &[u8]) -> Result<Answer, AwsError> {
    let text = text_of(body)?;
    let request = parsed(&text)?;
    let root = request.root_element();
    let id = account.create_hosted_zone(now, &need(root, "Name")?)?;
    let name = Name::new(&need(root, "Name")?);
    let reference = value(root, "CallerReference").unwrap_or_default();
    let info = ChangeInfo { id: format!("C{id}"), in_sync: true, submitted_at: now };
    let mut answer = document("CreateHostedZoneResponse", |xml| {
        xml.node("HostedZone", |xml| hosted_zone(xml, &id, name.as_str(), &reference));
        change_info(xml, &info);
        xml.node("DelegationSet", |xml| {
            xml.node("NameServers", |xml| xml.leaf("NameServer", "ns-1.awsdns-01.org"));
        });
    });
    answer.status = 201;
    answer.headers.push(("location".to_owned(), format!("{NAMESPACE}hostedzone/{id}")));
    Ok(answer)
}

fn text_of(body: &[u8]) -> Result<String, AwsError> {
    String::from_utf8(body.to_vec()).map_err(|_| invalid("Invalid XML ; not UTF-8"))
}

fn parsed(text: &str) -> Result<Document<'_>, AwsError> {
    Document::parse(text).map_err(|error| invalid(&format!("Invalid XML ; {error}")))
}

fn invalid(words: &str) -> AwsError {
    AwsError::new("InvalidInput", words)
}

fn child<'a, 'i>(node: Node<'a, 'i>, name: &str) -> Option<Node<'a, 'i>> {
    node.children().find(|child| child.has_tag_name((NAMESPACE, name)) || child.has_tag_name(name))
}

fn value(node: Node<'_, '_>, name: &str) -> Option<String> {
    let named = node.children().find(|child| child.is_element() && child.tag_name().name() == name)?;
    Some(named.text().unwrap_or_default().trim().to_owned())
}

fn need(node: Node<'_, '_>, name: &str) -> Result<String, AwsError> {
    value(node, name).ok_or_else(|| invalid(&format!("Invalid XML ; the element '{name}' is missing")))
}

fn number(node: Node<'_, '_>, name: &str) -> Result<Option<u32>, AwsError> {
    let bad = |text: &String| invalid(&format!("Invalid XML ; '{text}' is not a valid value for '{name}'"));
    value(node, name).map(|text| text.parse().map_err(|_| bad(&text))).transpose()
}

fn changes(body: &[u8]) -> Result<Vec<Change>, AwsError> {
    let text = text_of(body)?;
    let request = parsed(&text)?;
    let batch = child(request.root_element(), "ChangeBatch").and_then(|batch| child(batch, "Changes"));
    let batch = batch.ok_or_else(|| invalid("Invalid XML ; the element 'Changes' is missing"))?;
    batch.children().filter(Node::is_element).map(change).collect()
}

fn change(node: Node<'_, '_>) -> Result<Change, AwsError> {
    let action = match need(node, "Action")?.as_str() {
        "CREATE" => ChangeAction::Create,
        "DELETE" => ChangeAction::Delete,
        "UPSERT" => ChangeAction::Upsert,
        other => {
            return Err(invalid(&format!(
                "Invalid XML ; cvc-enumeration-valid: Value '{other}' is not facet-valid with respect to enumeration \
                 '[CREATE, DELETE, UPSERT]'. It must be a value from the enumeration."
            )));
        }
    };
    let set = child(node, "ResourceRecordSet");
    let set = set.ok_or_else(|| invalid("Invalid XML ; the element 'ResourceRecordSet' is missing"))?;
    Ok(Change { action, set: given_set(set)? })
}

fn given_set(set: Node<'_, '_>) -> Result<RecordSet, AwsError> {
    let failover = match value(set, "Failover").as_deref() {
        None => None,
        Some("PRIMARY") => Some(Failover::Primary),
        Some("SECONDARY") => Some(Failover::Secondary),
        Some(other) => return Err(invalid(&format!("Invalid XML ; '{other}' is not a failover role"))),
    };
    let answer = if let Some(alias) = child(set, "AliasTarget") {
        if child(set, "TTL").is_some() || child(set, "ResourceRecords").is_some() {
            return Err(invalid(
                "Invalid request: Expected exactly one of [AliasTarget, all of [TTL, and ResourceRecords], or TrafficPolicyInstanceId], but found more than one",
            ));
        }
        Answers::Alias(Alias {
            zone: need(alias, "HostedZoneId")?,
            name: Name::new(&need(alias, "DNSName")?).to_string(),
            evaluate_target_health: need(alias, "EvaluateTargetHealth")? == "true",
        })
    } else {
        let records = child(set, "ResourceRecords");
        let ttl = number(set, "TTL")?;
        let (Some(records), Some(ttl)) = (records, ttl) else {
            return Err(invalid(
                "Invalid request: Expected exactly one of [AliasTarget, all of [TTL, and ResourceRecords], or TrafficPolicyInstanceId], but found none",
            ));
        };
        let values = records.children().filter(Node::is_element).map(|record| need(record, "Value"));
        Answers::Values { ttl, values: values.collect::<Result<_, _>>()? }
    };
    Ok(RecordSet {
        key: RecordKey {
            name: Name::new(&need(set, "Name")?),
            record_type: need(set, "Type")?,
            set_identifier: value(set, "SetIdentifier"),
        },
        failover,
        weight: number(set, "Weight")?,
        answer,
        health_check: value(set, "HealthCheckId"),
    })
}

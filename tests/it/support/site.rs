//! A cluster of three members and an AWS account with a group, a zone and a topic, both answering over loopback.

use std::sync::Arc;

use serde_json::json as value;

use super::command::Repoint;
use super::http::{Reply, Request, Server, json, xml};

const GROUP: &str =
    "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/pg-writer/057ddce98af07a33";
pub const SYSTEM: &str = "7710341171024913225";

/// Three members, of which pg2 is the primary on timeline 4; each as its own server.
pub async fn patroni() -> Vec<Server> {
    patroni_with(|number, _| {
        let (status, role) = if number == 2 { (200, "primary") } else { (503, "replica") };
        (
            status,
            value!({"state": "running", "role": role, "timeline": 4, "database_system_identifier": SYSTEM,
            "patroni": {"version": "4.1.5", "scope": "batman", "name": format!("pg{number}")}}),
        )
    })
    .await
}

type Primary = Arc<dyn Fn(usize, usize) -> (u16, serde_json::Value) + Send + Sync>;

/// Three members whose `/primary` is answered by their number and by how often it was asked before.
pub async fn patroni_with(
    primary: impl Fn(usize, usize) -> (u16, serde_json::Value) + Send + Sync + 'static,
) -> Vec<Server> {
    let primary: Primary = Arc::new(primary);
    let members: Vec<_> = (1..=3)
        .map(|number| {
            value!({"name": format!("pg{number}"), "role": if number == 2 { "leader" } else { "replica" },
                "state": if number == 2 { "running" } else { "streaming" }, "api_url": null,
                "host": format!("10.0.1.1{number}"), "port": 5432, "timeline": 4, "lag": 0})
        })
        .collect();
    let cluster = value!({"members": members, "scope": "batman"});
    let mut servers = Vec::new();
    for number in 1..=3 {
        let (primary, cluster) = (primary.clone(), cluster.clone());
        let asked = std::sync::atomic::AtomicUsize::new(0);
        let reply = move |request: &Request| {
            match request.path.as_str() {
                "/cluster" => return json(200, &cluster),
                "/history" => return json(200, &history()),
                _ => {}
            }
            let before = asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            let (status, body) = primary(number, before);
            json(status, &body)
        };
        servers.push(Server::start(reply).await);
    }
    servers
}

/// When pg2 was promoted, as the members have it.
pub const PROMOTED: &str = "2026-01-01T00:00:00.500000+01:00";

fn history() -> serde_json::Value {
    let reason = "no recovery target specified";
    value!([[2, 67_108_960, reason], [3, 83_886_240, reason, PROMOTED, "pg2"]])
}

pub fn health(targets: &[&str]) -> Reply {
    let members: String = targets
        .iter()
        .map(|id| {
            format!(
                "<member><Target><Id>{id}</Id><Port>5432</Port></Target>\
                 <TargetHealth><State>healthy</State></TargetHealth></member>"
            )
        })
        .collect();
    xml(
        200,
        format!(
            "<DescribeTargetHealthResponse xmlns=\"http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/\">\
         <DescribeTargetHealthResult><TargetHealthDescriptions>{members}</TargetHealthDescriptions>\
         </DescribeTargetHealthResult></DescribeTargetHealthResponse>"
        ),
    )
}

fn done(action: &str) -> Reply {
    xml(
        200,
        format!(
            "<{action}Response xmlns=\"http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/\">\
         <{action}Result/></{action}Response>"
        ),
    )
}

pub fn refused(status: u16, code: &str, message: &str) -> Reply {
    xml(
        status,
        format!(
            "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>"
        ),
    )
}

/// The record sets of a zone, all in one page.
pub fn listing(sets: &[(&str, &str, &str)]) -> Reply {
    let sets: String = sets
        .iter()
        .map(|(name, identifier, address)| {
            let routed = match *identifier {
                "" => String::new(),
                id => format!("<SetIdentifier>{id}</SetIdentifier><Failover>{}</Failover>", id.to_uppercase()),
            };
            format!(
                "<ResourceRecordSet><Name>{name}</Name><Type>A</Type>{routed}<TTL>60</TTL><ResourceRecords>\
                 <ResourceRecord><Value>{address}</Value></ResourceRecord></ResourceRecords></ResourceRecordSet>"
            )
        })
        .collect();
    xml(
        200,
        format!(
            "<ListResourceRecordSetsResponse xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\"><ResourceRecordSets>{sets}\
         </ResourceRecordSets><IsTruncated>false</IsTruncated><MaxItems>300</MaxItems></ListResourceRecordSetsResponse>"
        ),
    )
}

fn changed() -> Reply {
    xml(
        200,
        "<ChangeResourceRecordSetsResponse xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\"><ChangeInfo>\
         <Id>/change/C1</Id><Status>PENDING</Status><SubmittedAt>2026-11-20T00:00:00Z</SubmittedAt></ChangeInfo>\
         </ChangeResourceRecordSetsResponse>",
    )
}

pub const LIST: &str = "GET /2013-04-01/hostedzone/Z1/rrset";
pub const CHANGE: &str = "POST /2013-04-01/hostedzone/Z1/rrset";

/// An AWS in which the group holds pg1 and both records point the wrong way.
pub async fn aws(special: impl Fn(&Request) -> Option<Reply> + Send + Sync + 'static) -> Server {
    Server::start(move |request| {
        special(request).unwrap_or_else(|| match request.action().as_str() {
            "DescribeTargetHealth" => health(&["10.0.1.11"]),
            action @ ("RegisterTargets" | "DeregisterTargets") => done(action),
            LIST => listing(&[("a.example.com.", "", "10.0.1.11"), ("b.example.com.", "", "10.0.1.11")]),
            CHANGE => changed(),
            "Publish" => xml(
                200,
                "<PublishResponse xmlns=\"http://sns.amazonaws.com/doc/2010-03-31/\"><PublishResult>\
                <MessageId>1</MessageId></PublishResult></PublishResponse>",
            ),
            other => refused(400, "InvalidAction", other),
        })
    })
    .await
}

pub fn configuration(members: &[Server], aws: &str, endpoints: &str) -> Repoint {
    let members: Vec<String> = members.iter().map(Server::url).collect();
    Repoint::new(format!(
        "[aws]\nregion = \"us-east-1\"\nendpoint_url = \"{aws}\"\n[alerts]\nsns_topic_arn = \"arn:aws:sns:us-east-1:123456789012:db-alerts\"\n\
         [[cluster]]\nscope = \"batman\"\nmembers = {members:?}\n{endpoints}"
    ))
}

pub fn group() -> String {
    format!("[[cluster.target_group]]\narn = \"{GROUP}\"\n")
}

pub fn record(name: &str) -> String {
    format!(
        "[[cluster.record]]\nzone_id = \"Z1\"\nname = \"{name}\"\ntype = \"A\"\npoints_to = \"primary\"\n"
    )
}

pub fn everything() -> String {
    format!("{}{}{}", group(), record("a.example.com"), record("b.example.com"))
}

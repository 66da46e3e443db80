//! Discovery over the wire: EC2 and DNS, what is asked how often, and what is said when nothing is found.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
#[cfg(feature = "srv")]
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use repoint::adapters::discovery::{Discovering, Tagged};
use repoint::adapters::ec2::Ec2;
use repoint::adapters::resolver::SystemResolver;
use repoint::limits::Calls;
use repoint::ports::Discovery;
use repoint_domain::spec::{Discover, Source, Tag};

use crate::aws::config;
use crate::support::command::Repoint;
use crate::support::http::{Reply, Request, Server, xml};
use crate::support::site::{aws, group, patroni};

/// A running instance, of which the tag has this value.
fn instance(address: IpAddr, scope: &str, state: &str) -> String {
    format!(
        "<item><instancesSet><item><instanceId>i-1</instanceId><privateIpAddress>{address}</privateIpAddress>\
         <instanceState><name>{state}</name></instanceState><tagSet><item><key>patroni-scope</key><value>{scope}</value>\
         </item></tagSet></item></instancesSet></item>"
    )
}

fn page(instances: &[String], next: &str) -> Reply {
    let instances = instances.concat();
    xml(
        200,
        format!(
            "<DescribeInstancesResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><reservationSet>{instances}\
             </reservationSet><nextToken>{next}</nextToken></DescribeInstancesResponse>"
        ),
    )
}

/// As EC2 refuses.
fn denied() -> Reply {
    xml(
        403,
        "<Response><Errors><Error><Code>UnauthorizedOperation</Code><Message>You are not authorized to perform this \
         operation.</Message></Error></Errors><RequestID>1</RequestID></Response>",
    )
}

fn ip(last: u8) -> IpAddr {
    IpAddr::from([10, 0, 1, last])
}

fn tagged(scope: &str) -> Discover {
    let tag = Tag { key: "patroni-scope".to_owned(), value: scope.to_owned() };
    let source = Source::Instances { tag, region: Some("us-east-1".to_owned()), assume: None };
    Discover { source, port: 8008, is_https: false }
}

/// Discovery for these clusters, by the EC2 at that URL.
async fn discovering(url: &str, discovers: &[Discover]) -> Discovering {
    let client = aws_sdk_ec2::Client::new(&config(url).await);
    let ec2 = Ec2::new(Arc::new(BTreeMap::from([("us-east-1".to_owned(), client)])), Calls::default());
    let instances: Box<Tagged> = Box::new(move |region, _, key, values| {
        let ec2 = ec2.clone();
        async move { ec2.tagged(&region.unwrap(), &key, &values).await }.boxed()
    });
    let resolver = Arc::new(SystemResolver::new(Duration::from_secs(2)));
    let sources = discovers.iter().map(|discover| &discover.source);
    Discovering::new(sources, Ok(instances), resolver, Duration::from_secs(2))
}

fn texts<T: ToString>(urls: &BTreeSet<T>) -> Vec<String> {
    urls.iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn every_page_is_read_and_what_does_not_run_or_has_another_tag_is_left_out() {
    let reply = |request: &Request| {
        if request.body.contains("NextToken") {
            page(&[instance(ip(12), "batman", "running")], "")
        } else {
            let first = [
                instance(ip(11), "batman", "running"),
                instance(ip(13), "batman", "shutting-down"),
                instance(ip(14), "batman2", "running"),
            ];
            page(&first, "more")
        }
    };
    let server = Server::start(reply).await;
    let discover = tagged("batman");
    let discovering = discovering(&server.url(), std::slice::from_ref(&discover)).await;
    let found = discovering.seeds(&discover).await.unwrap();
    assert_eq!(texts(&found), ["http://10.0.1.11:8008", "http://10.0.1.12:8008"]);
    let asked = server.requests();
    assert_eq!(asked.len(), 2);
    for word in ["tag%3Apatroni-scope", "instance-state-name", "running", "MaxResults=1000"] {
        assert!(asked[0].body.contains(word), "{}", asked[0].body);
    }
}

#[tokio::test]
async fn a_fleet_of_clusters_shares_one_call_for_each_200_values() {
    let server = Server::start(|_| page(&[instance(ip(11), "pg7", "running")], "")).await;
    let clusters: Vec<Discover> = (0..1000).map(|number| tagged(&format!("pg{number}"))).collect();
    let discovering = discovering(&server.url(), &clusters).await;
    let all = futures::future::join_all(clusters.iter().map(|cluster| discovering.seeds(cluster))).await;
    assert_eq!(all.iter().filter(|found| found.is_ok()).count(), 1);
    discovering.seeds(&clusters[7]).await.unwrap();
    assert_eq!(server.requests().len(), 5);
}

#[tokio::test]
async fn nothing_found_and_a_refusal_name_what_was_wanted() {
    let server = Server::start(|_| page(&[], "")).await;
    let discover = tagged("batman");
    let found = discovering(&server.url(), std::slice::from_ref(&discover)).await.seeds(&discover).await;
    insta::assert_snapshot!(found.unwrap_err(), @"ec2:DescribeInstances on instances with the tag `patroni-scope` = `batman` in us-east-1: none is running");
    let server = Server::start(|_| denied()).await;
    let found = discovering(&server.url(), std::slice::from_ref(&discover)).await.seeds(&discover).await;
    let failure = found.unwrap_err();
    assert!(failure.explained().contains("`patroni-scope` = `batman`"), "{}", failure.explained());
}

#[tokio::test]
async fn a_name_has_the_given_port() {
    let source = Source::Addresses("localhost".to_owned());
    let discover = Discover { source, port: 8009, is_https: true };
    let resolver = Arc::new(SystemResolver::new(Duration::from_secs(2)));
    let discovering = Discovering::new([&discover.source], Err("none"), resolver, Duration::from_secs(2));
    let found = texts(&discovering.seeds(&discover).await.unwrap());
    assert!(found.contains(&"https://127.0.0.1:8009".to_owned()), "{found:?}");
}

/// A DNS server that answers every question with these SRV records, or that there is no such name.
#[cfg(feature = "srv")]
async fn dns(services: &'static [(&'static str, u16)]) -> SocketAddr {
    let socket = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut buffer = [0; 1500];
        while let Ok((_, from)) = socket.recv_from(&mut buffer).await {
            // The question ends with its root label, a type and a class (RFC 1035, 4.1).
            let end = 12 + buffer[12..].iter().position(|byte| *byte == 0).unwrap() + 5;
            let count = u8::try_from(services.len()).unwrap();
            let code = if services.is_empty() { 0x83 } else { 0x80 };
            let mut answer = buffer[..2].to_vec();
            answer.extend([0x81, code, 0, 1, 0, count, 0, 0, 0, 0]);
            answer.extend(&buffer[12..end]);
            for (host, port) in services {
                let mut target = Vec::new();
                for label in host.split('.') {
                    target.push(u8::try_from(label.len()).unwrap());
                    target.extend(label.as_bytes());
                }
                target.push(0);
                // A pointer to the name, SRV, IN, a TTL of 30 s.
                answer.extend([
                    0xc0,
                    12,
                    0,
                    33,
                    0,
                    1,
                    0,
                    0,
                    0,
                    30,
                    0,
                    u8::try_from(target.len() + 6).unwrap(),
                ]);
                answer.extend([0, 0, 0, 1]);
                answer.extend(port.to_be_bytes());
                answer.extend(target);
            }
            socket.send_to(&answer, from).await.unwrap();
        }
    });
    address
}

#[cfg(feature = "srv")]
#[tokio::test]
async fn srv_records_have_hosts_and_ports() {
    use repoint::adapters::discovery::srv::lookup_at;

    let within = Duration::from_secs(2);
    let server = dns(&[("pg1.example.com", 8008), ("pg2.example.com", 8009)]).await;
    let mut found = lookup_at(server, "_patroni._tcp.example.com.", within).await.unwrap();
    found.sort();
    assert_eq!(found, [("pg1.example.com".to_owned(), 8008), ("pg2.example.com".to_owned(), 8009)]);
    let failure = lookup_at(dns(&[]).await, "_patroni._tcp.example.com.", within).await.unwrap_err();
    assert!(failure.to_string().starts_with("DNS on _patroni._tcp.example.com."), "{failure}");
}

/// `batman`, whose members have a tag; pg2, the primary, answers at that port of this machine.
fn configuration(aws: &Server, port: u16) -> Repoint {
    Repoint::new(format!(
        "[aws]\nregion = \"us-east-1\"\nendpoint_url = \"{}\"\n[[cluster]]\nscope = \"batman\"\n\
         discover = {{ ec2_tag = \"patroni-scope\", port = {port} }}\n{}",
        aws.url(),
        group()
    ))
}

#[tokio::test]
async fn at_a_first_start_without_the_right_the_error_names_the_tag_and_the_right() {
    let aws = aws(|request| (request.action() == "DescribeInstances").then(denied)).await;
    let ran = configuration(&aws, 8008).run(&["run", "--format", "json"]).await;
    assert_eq!(ran.code, 1, "{ran}");
    let cluster = &ran.json()["clusters"][0];
    assert_eq!(
        (cluster["outcome"].as_str(), cluster["holds"][0]["reason"].as_str()),
        (Some("held"), Some("unreachable"))
    );
    let message = cluster["holds"][0]["message"].as_str().unwrap();
    for word in [
        "`patroni-scope` = `batman` in us-east-1",
        "ec2:DescribeInstances",
        "`ReadInstances` of `repoint iam`",
    ] {
        assert!(message.contains(word), "{message}");
    }
}

/// What was found once is remembered, and a refusal is a warning then.
#[tokio::test]
async fn what_is_remembered_outlasts_a_refusal() {
    let members = patroni().await;
    let found = Arc::new(std::sync::atomic::AtomicBool::new(true));
    let is_found = found.clone();
    let localhost: IpAddr = [127, 0, 0, 1].into();
    let aws = aws(move |request| match request.action().as_str() {
        "DescribeInstances" if is_found.load(std::sync::atomic::Ordering::Relaxed) => {
            Some(page(&[instance(localhost, "batman", "running")], ""))
        }
        "DescribeInstances" => Some(denied()),
        _ => None,
    });
    let aws = aws.await;
    let repoint = configuration(&aws, members[1].address.port());
    let ran = repoint.run(&["run", "--format", "json"]).await;
    assert_eq!((ran.code, ran.json()["clusters"][0]["outcome"].as_str()), (0, Some("changed")), "{ran}");
    // The members of this cluster publish no REST address, so that none of them is remembered.
    found.store(false, std::sync::atomic::Ordering::Relaxed);
    let ran = repoint.run(&["plan", "--format", "json"]).await;
    let warning = ran.json()["clusters"][0]["warnings"][0].to_string();
    assert!(warning.contains("members cannot be discovered"), "{ran}");
}

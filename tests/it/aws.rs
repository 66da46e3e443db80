//! AWS over the wire: pages, errors by name, retries. The calls of a whole pass stand in `commands`.

mod connections;
mod refusals;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use repoint::adapters::aws::{Access, Options, in_region};
use repoint::adapters::clock::SystemClock;
use repoint::adapters::ec2::Ec2;
use repoint::adapters::elbv2::Elbv2;
use repoint::adapters::route53::Route53;
use repoint::limits::{Calls, LeaseGuard};
use repoint::ports::{Clock, TargetGroups, Zones};
use repoint::runtime::commit::ACT_WITHIN;
use repoint_domain::values::arn::GroupArn;
use repoint_domain::values::failure::{Failure, Kind};
use repoint_domain::values::record::{Answer, RecordName, RecordPlace, RecordType, Routing, ZoneId};
use repoint_domain::values::target::{Target, TargetType};

use crate::support::http::{Reply, Request, Server, xml};

const GROUP: &str =
    "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/pg-writer/057ddce98af07a33";

fn arn() -> GroupArn {
    GroupArn::parse(GROUP).unwrap()
}

pub async fn config(url: &str) -> aws_config::SdkConfig {
    let access =
        Access::load(&Options { region: Some("us-east-1"), endpoint_url: Some(url), ..Options::default() })
            .await;
    let credentials = aws_sdk_route53::config::Credentials::new("test", "test", None, None, "test");
    let provider = aws_sdk_route53::config::SharedCredentialsProvider::new(credentials);
    in_region(access.config(), "us-east-1").into_builder().credentials_provider(provider).build()
}

async fn elbv2(url: &str) -> (Elbv2, Calls) {
    let calls = Calls::default();
    let client = aws_sdk_elasticloadbalancingv2::Client::new(&config(url).await);
    let clients = BTreeMap::from([("us-east-1".to_owned(), client)]);
    (Elbv2::new(Arc::new(clients), Arc::default(), calls.clone()), calls)
}

fn error(code: &str, message: &str) -> String {
    format!("<ErrorResponse><Error><Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>")
}

async fn failing(status: u16, code: &'static str) -> (Failure, Calls) {
    let server = Server::start(move |_| xml(status, error(code, "so it is"))).await;
    let (groups, calls) = elbv2(&server.url()).await;
    (groups.read(&arn(), false).await.unwrap_err(), calls)
}

#[tokio::test]
async fn an_error_names_the_call_the_resource_and_what_helps() {
    for (status, code, kind, attempts) in [
        (403, "AccessDenied", Kind::Denied, 1),
        (403, "InvalidClientTokenId", Kind::Unauthenticated, 1),
        (400, "TargetGroupNotFound", Kind::NotFound, 1),
        (400, "InvalidTarget", Kind::Invalid, 1),
        (400, "ValidationError", Kind::Invalid, 1),
    ] {
        let (failure, calls) = failing(status, code).await;
        assert_eq!(failure.kind, kind, "{failure}");
        assert_eq!(
            calls.counts()["elasticloadbalancing:DescribeTargetHealth"],
            attempts,
            "{code} is not retried"
        );
        let message = failure.to_string();
        for word in ["elasticloadbalancing:DescribeTargetHealth", GROUP, code, "so it is"] {
            assert!(message.contains(word), "{message}");
        }
        let says_action = failure.hint.as_deref().is_some_and(|hint| hint.contains("IAM action"));
        assert_eq!(says_action, kind == Kind::Denied);
    }
}

/// As on a pooled connection whose other end has gone without a word.
#[tokio::test]
async fn a_write_that_is_not_answered_is_sent_again_while_its_commit_holds() {
    let asked = AtomicUsize::new(0);
    let server = Server::start(move |_| match asked.fetch_add(1, Ordering::Relaxed) {
        0 => Reply::Hang,
        _ => xml(200, "<RegisterTargetsResponse><RegisterTargetsResult/></RegisterTargetsResponse>"),
    })
    .await;
    let (groups, calls) = elbv2(&server.url()).await;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let guard = LeaseGuard::new(&clock, ACT_WITHIN);
    let target = Target { id: "10.0.1.12".to_owned(), port: 5432 };
    groups.register(&arn(), &[target], &guard).await.unwrap();
    assert_eq!(calls.counts()["elasticloadbalancing:RegisterTargets"], 2);
}

/// AWS has two sentences for one thing, each about one address of many (aws-load-balancer-controller#3084 and #3714).
#[tokio::test]
async fn of_several_targets_those_that_aws_names_get_the_zone_that_it_asks_for() {
    let words = [
        "You must specify a valid Availability Zone or select 'all' for all enabled Availability zones, since the IP address \
         '10.9.0.12' is outside the VPC",
        "The Availability Zone is required for IP address '10.9.0.13' because it is not in the VPC",
    ];
    let asked = AtomicUsize::new(0);
    let server = Server::start(move |_| match words.get(asked.fetch_add(1, Ordering::Relaxed)) {
        Some(words) => xml(400, error("ValidationError", words)),
        None => xml(200, "<RegisterTargetsResponse><RegisterTargetsResult/></RegisterTargetsResponse>"),
    });
    let server = server.await;
    let (groups, _) = elbv2(&server.url()).await;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let guard = LeaseGuard::new(&clock, ACT_WITHIN);
    let target = |id: &str| Target { id: id.to_owned(), port: 5432 };
    let targets = ["10.0.1.11", "10.9.0.12", "10.9.0.13"].map(target);
    groups.register(&arn(), &targets, &guard).await.unwrap();
    let zones = |request: &Request| {
        (1..=3).map(|at| request.body.contains(&format!("member.{at}.AvailabilityZone=all"))).collect()
    };
    let zones: Vec<Vec<bool>> = server.requests().iter().map(zones).collect();
    assert_eq!(zones, [[false, false, false], [false, true, false], [false, true, true]]);
}

/// What AWS goes on refusing is refused, and not asked for ever.
#[tokio::test]
async fn a_zone_that_is_refused_both_ways_is_a_failure() {
    let words = "The Availability Zone of '10.0.1.12' is not one";
    let server = Server::start(move |_| xml(400, error("ValidationError", words))).await;
    let (groups, _) = elbv2(&server.url()).await;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let target = Target { id: "10.0.1.12".to_owned(), port: 5432 };
    let failure = groups.register(&arn(), &[target], &LeaseGuard::new(&clock, ACT_WITHIN)).await.unwrap_err();
    assert!(failure.message.contains(words) && server.requests().len() == 2, "{failure}");
}

#[tokio::test]
async fn throttling_is_retried_and_every_request_is_counted() {
    let asked = AtomicUsize::new(0);
    let server = Server::start(move |_| match asked.fetch_add(1, Ordering::Relaxed) {
        0 | 1 => xml(400, error("Throttling", "Rate exceeded")),
        2 => xml(503, error("ServiceUnavailable", "later")),
        _ => xml(
            200,
            "<DescribeTargetHealthResponse xmlns=\"http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/\">\
            <DescribeTargetHealthResult><TargetHealthDescriptions><member><Target><Id>i-1</Id><Port>5432</Port></Target>\
            <TargetHealth><State>unhealthy.draining</State></TargetHealth></member></TargetHealthDescriptions>\
            </DescribeTargetHealthResult></DescribeTargetHealthResponse>",
        ),
    });
    let server = server.await;
    let (groups, calls) = elbv2(&server.url()).await;
    let group = groups.read(&arn(), false).await.unwrap();
    assert_eq!(group.target_type, TargetType::Instance);
    assert_eq!(group.registered().count(), 1, "unhealthy.draining is registered still");
    assert_eq!(calls.counts()["elasticloadbalancing:DescribeTargetHealth"], 4);
}

#[tokio::test]
async fn targets_that_are_neither_addresses_nor_instances_are_refused() {
    let server = Server::start(|_| {
        xml(
            200,
            "<DescribeTargetHealthResponse xmlns=\"http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/\">\
            <DescribeTargetHealthResult><TargetHealthDescriptions><member><Target><Id>arn:aws:lambda:x</Id><Port>1</Port>\
            </Target></member></TargetHealthDescriptions></DescribeTargetHealthResult></DescribeTargetHealthResponse>",
        )
    });
    let (groups, _) = elbv2(&server.await.url()).await;
    let failure = groups.read(&arn(), false).await.unwrap_err();
    assert!(failure.kind == Kind::Invalid && failure.message.contains("arn:aws:lambda:x"), "{failure}");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unavailable() {
    let (groups, _) = elbv2("http://127.0.0.1:9").await;
    let failure = groups.read(&arn(), false).await.unwrap_err();
    assert_eq!(failure.kind, Kind::Unavailable, "{failure}");
}

// Route 53.

fn place(name: &str) -> RecordPlace {
    RecordPlace { zone: ZoneId::new("Z1"), name: RecordName::new(name), record_type: RecordType::A }
}

fn sets(page: &[(&str, &str)], next: Option<(&str, &str)>) -> Reply {
    let sets: String = page
        .iter()
        .map(|(name, more)| {
            format!(
                "<ResourceRecordSet><Name>{name}</Name><Type>A</Type>{more}<TTL>60</TTL><ResourceRecords><ResourceRecord>\
                 <Value>10.0.1.11</Value></ResourceRecord></ResourceRecords></ResourceRecordSet>"
            )
        })
        .collect();
    let rest = match next {
        None => "<IsTruncated>false</IsTruncated>".to_owned(),
        Some((name, identifier)) => format!(
            "<IsTruncated>true</IsTruncated><NextRecordName>{name}</NextRecordName><NextRecordType>A</NextRecordType>{identifier}"
        ),
    };
    xml(
        200,
        format!(
            "<ListResourceRecordSetsResponse xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\"><ResourceRecordSets>{sets}\
         </ResourceRecordSets>{rest}<MaxItems>300</MaxItems></ListResourceRecordSetsResponse>"
        ),
    )
}

async fn read(
    reply: impl Fn(&Request) -> Reply + Send + Sync + 'static,
    names: &[&str],
) -> (Result<BTreeMap<RecordPlace, Vec<repoint_domain::values::record::RecordSet>>, Failure>, Vec<String>) {
    let server = Server::start(reply).await;
    let zones = Route53::new(aws_sdk_route53::Client::new(&config(&server.url()).await), Calls::default());
    let places: BTreeSet<RecordPlace> = names.iter().map(|name| place(name)).collect();
    let read = zones.read(&ZoneId::new("Z1"), &places).await;
    (read, server.requests().into_iter().map(|request| request.path).collect())
}

#[tokio::test]
async fn names_that_share_a_page_cost_one_call() {
    let reply =
        |_: &Request| sets(&[("a.example.com.", ""), ("b.example.com.", "")], Some(("c.example.com.", "")));
    let (read, asked) = read(reply, &["B.example.com", "a.example.com."]).await;
    let read = read.unwrap();
    assert_eq!((read[&place("a.example.com")].len(), read[&place("b.example.com")].len()), (1, 1));
    assert_eq!(asked.len(), 1, "{asked:?}");
    assert!(asked[0].contains("name=a.example.com.") && asked[0].contains("type=A"), "{asked:?}");
}

#[tokio::test]
async fn a_zone_between_two_names_is_not_read_through() {
    let reply = |request: &Request| {
        if request.path.contains("name=a.example.com.") {
            sets(&[("a.example.com.", "")], Some(("a1.example.com.", "")))
        } else {
            sets(&[("z.example.com.", "")], Some(("zz.example.com.", "")))
        }
    };
    let (read, asked) = read(reply, &["a.example.com", "z.example.com", "absent.example.com"]).await;
    let read = read.unwrap();
    assert!(read[&place("absent.example.com")].is_empty() && read[&place("z.example.com")].len() == 1);
    // `absent` sorts before `z`, so the second page answers for both.
    assert_eq!(asked.len(), 2, "{asked:?}");
}

#[tokio::test]
async fn a_page_may_end_within_a_name() {
    let weighted = |id: &str| format!("<SetIdentifier>{id}</SetIdentifier><Weight>1</Weight>");
    let reply = move |request: &Request| {
        if request.path.contains("identifier=two") {
            sets(&[("a.example.com.", &weighted("two"))], None)
        } else {
            let next = "<NextRecordIdentifier>two</NextRecordIdentifier>";
            sets(&[("a.example.com.", &weighted("one"))], Some(("a.example.com.", next)))
        }
    };
    let (read, asked) = read(reply, &["a.example.com"]).await;
    let found = &read.unwrap()[&place("a.example.com")];
    assert_eq!((found.len(), asked.len()), (2, 2));
    assert!(found.iter().all(|set| set.routing == Routing::Other("weighted".to_owned())));
}

#[tokio::test]
async fn pages_that_lead_nowhere_are_an_error_and_not_an_endless_loop() {
    let (read, _) = read(|_| sets(&[], Some(("a.example.com.", ""))), &["a.example.com"]).await;
    assert_eq!(read.unwrap_err().kind, Kind::Invalid);
    let (read, _) = self::read(|_| sets(&[], Some(("0.example.com.", ""))), &["a.example.com"]).await;
    assert_eq!(read.unwrap_err().kind, Kind::Invalid);
}

#[tokio::test]
async fn names_are_compared_as_route_53_stores_them() {
    let reply = |_: &Request| {
        sets(&[("\\052.example.com.", "<Failover>PRIMARY</Failover><SetIdentifier>p</SetIdentifier>")], None)
    };
    let (read, _) = read(reply, &["*.Example.com"]).await;
    let read = read.unwrap();
    let set = &read[&place("*.example.com")][0];
    assert_eq!(set.answer, Answer::Values { ttl_seconds: 60, values: vec!["10.0.1.11".to_owned()] });
    assert_eq!(set.key.to_string(), "Z1/\\052.example.com/A/p");
}

// EC2.

#[tokio::test]
async fn instances_are_paged_and_checked() {
    let instance = |id: &str, address: &str, state: &str| {
        format!(
            "<item><instancesSet><item><instanceId>{id}</instanceId><privateIpAddress>{address}</privateIpAddress>\
             <instanceState><name>{state}</name></instanceState></item></instancesSet></item>"
        )
    };
    // An endpoint that passes over the filters, and stops to think between two pages.
    let reply = move |request: &Request| {
        let (found, token) = if request.body.contains("NextToken") {
            (instance("i-3", "10.0.1.12", "running"), "<nextToken></nextToken>")
        } else {
            let first = [
                instance("i-1", "10.0.1.11", "running"),
                instance("i-2", "10.0.1.12", "stopped"),
                instance("i-9", "10.9.9.9", "running"),
            ];
            (first.concat(), "<nextToken>more</nextToken>")
        };
        xml(
            200,
            format!(
                "<DescribeInstancesResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><reservationSet>{found}\
             </reservationSet>{token}</DescribeInstancesResponse>"
            ),
        )
    };
    let server = Server::start(reply).await;
    let client = aws_sdk_ec2::Client::new(&config(&server.url()).await);
    let ec2 = Ec2::new(Arc::new(BTreeMap::from([("us-east-1".to_owned(), client)])), Calls::default());
    let wanted: BTreeSet<_> = ["10.0.1.11", "10.0.1.12"].iter().map(|ip| ip.parse().unwrap()).collect();
    let found = ec2.find("us-east-1", &wanted).await.unwrap();
    let ids: Vec<String> = found.values().flatten().map(|instance| instance.id.to_string()).collect();
    assert_eq!(ids, ["i-1", "i-3"]);
    assert_eq!(server.requests().len(), 2);
}

//! Clusters and load balancers in networks of their own, against a sandbox that refuses what AWS refuses: the real program.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, Mutex};

use repoint_sandbox::aws::Account;
use repoint_sandbox::aws::ec2::Interface;
use repoint_sandbox::aws::elbv2::group::{IpAddressType, NewTargetGroup, TargetType};
use repoint_sandbox::aws::elbv2::target::TargetDescription;
use repoint_sandbox::aws::network::{Block, Network};

use crate::support::command::Ran;
use crate::support::http::Server;
use crate::support::sandbox::Aws;
use crate::support::site::{configuration, patroni};

/// The VPC of the members, 10.0.0.0/16, or another one with the same addresses.
fn network(vpc: &str) -> Network {
    let subnets = [Block::new([10, 0, 1, 0], 24), Block::new([10, 0, 2, 0], 24)];
    Network::new("us-east-1", Block::new([10, 0, 0, 0], 16), &subnets).called(vpc)
}

/// A group in an account, and a program whose pg2, at 10.0.1.12, is the primary.
struct Stage {
    aws: Aws,
    group: String,
    /// What `RegisterTargets` and `DeregisterTargets` said of zones, oldest first.
    zones: Arc<Mutex<Vec<String>>>,
    members: Vec<Server>,
}

impl Stage {
    async fn new(mut account: Account, group: NewTargetGroup, holds: &[(&str, Option<&str>)]) -> Self {
        account.create_topic(0, "db-alerts").unwrap();
        let new =
            NewTargetGroup { name: "writer".to_owned(), protocol: "TCP".to_owned(), port: 5432, ..group };
        let group = account.create_target_group(0, new).unwrap().arn;
        for (id, zone) in holds {
            let availability_zone = zone.map(str::to_owned);
            let target = TargetDescription { availability_zone, ..TargetDescription::new(id, 5432) };
            account.register_targets(0, &group, &[target]).unwrap();
        }
        let zones = Arc::new(Mutex::new(Vec::new()));
        let last_error = zones.clone();
        let aws = Aws::watched(account, move |request| {
            let body = String::from_utf8_lossy(&request.body).into_owned();
            let field = |name: &str| body.split('&').find_map(|pair| pair.strip_prefix(&format!("{name}=")));
            if let Some(action @ ("RegisterTargets" | "DeregisterTargets")) = field("Action") {
                let zone = field("Targets.member.1.AvailabilityZone").unwrap_or("-");
                last_error.lock().unwrap().push(format!("{action} {zone}"));
            }
        });
        Self { aws: aws.await, group, zones, members: patroni().await }
    }

    /// Runs the program, once, with these keys of the group and of the cluster.
    async fn run(&self, arguments: &[&str], of_group: &str, of_cluster: &str) -> Ran {
        let endpoints =
            format!("{of_cluster}\n[[cluster.target_group]]\narn = {:?}\n{of_group}\n", self.group);
        configuration(&self.members, &self.aws.url, &endpoints)
            .with("REPOINT_ALERTS_GRACE_SECONDS", "3600")
            .run(arguments)
            .await
    }

    /// What is registered, with its zone.
    fn holds(&self) -> Vec<(String, Option<String>)> {
        let health = self.aws.account().describe_target_health(0, &self.group, &[]).unwrap();
        health.into_iter().map(|health| (health.target.id, health.availability_zone)).collect()
    }

    fn said(&self) -> Vec<String> {
        std::mem::take(&mut self.zones.lock().unwrap())
    }
}

fn ips() -> NewTargetGroup {
    NewTargetGroup { target_type: TargetType::Ip, ..NewTargetGroup::default() }
}

fn at(id: &str, zone: &str) -> Vec<(String, Option<String>)> {
    vec![(id.to_owned(), Some(zone.to_owned()))]
}

// Outside the group's VPC: 172.31.0.0/16 is the default one.

#[tokio::test]
async fn an_address_outside_the_vpc_is_registered_as_aws_asks_for_it() {
    let stage = Stage::new(Account::default(), ips(), &[]).await;
    let ran = stage.run(&["run"], "", "").await;
    assert_eq!((ran.code, stage.holds()), (0, at("10.0.1.12", "all")), "{ran}");
    assert_eq!(stage.said(), ["RegisterTargets -", "RegisterTargets all"]);
}

#[tokio::test]
async fn beside_targets_outside_the_vpc_the_first_request_is_the_right_one() {
    let stage = Stage::new(Account::default(), ips(), &[("10.0.1.11", Some("all"))]).await;
    let ran = stage.run(&["run"], "", "").await;
    assert_eq!((ran.code, stage.holds()), (0, at("10.0.1.12", "all")), "{ran}");
    assert_eq!(stage.said(), ["RegisterTargets all", "DeregisterTargets all"]);
}

#[tokio::test]
async fn the_configured_zone_is_registered() {
    let stage = Stage::new(Account::default(), ips(), &[]).await;
    let ran = stage.run(&["run"], "availability_zone = \"us-east-1b\"", "").await;
    assert_eq!((ran.code, stage.holds()), (0, at("10.0.1.12", "us-east-1b")), "{ran}");
    assert_eq!(stage.said(), ["RegisterTargets us-east-1b"]);
}

/// Inside the VPC the subnet says it, and AWS takes no other word for it.
#[tokio::test]
async fn a_configured_zone_that_aws_refuses_does_not_hold_a_failover_up() {
    let mut account = Account::default();
    account.network = network("vpc-here");
    let stage = Stage::new(account, ips(), &[("10.0.2.11", None)]).await;
    let ran = stage.run(&["run"], "availability_zone = \"all\"", "").await;
    assert_eq!((ran.code, stage.holds()), (0, at("10.0.1.12", "us-east-1a")), "{ran}");
    assert_eq!(stage.said(), ["RegisterTargets all", "RegisterTargets -", "DeregisterTargets us-east-1b"]);
}

#[tokio::test]
async fn what_is_no_zone_is_refused_with_its_line() {
    let stage = Stage::new(Account::default(), ips(), &[]).await;
    let ran = stage.run(&["check"], "availability_zone = \"every\"", "").await;
    assert!(ran.code == 2 && ran.stderr.contains("availability_zone = \"every\""), "{ran}");
}

// IPv6.

fn with_ipv6() -> Account {
    let base = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0);
    let mut account = Account::default();
    account.network = network("vpc-here").with_ipv6(base);
    account
}

fn ipv6s() -> NewTargetGroup {
    NewTargetGroup { ip_address_type: IpAddressType::Ipv6, ..ips() }
}

#[tokio::test]
async fn a_group_of_ipv6_gets_no_ipv4_address() {
    for holds in [&[][..], &[("2001:db8::11", None)]] {
        let stage = Stage::new(with_ipv6(), ipv6s(), holds).await;
        let ran = stage.run(&["run"], "", "").await;
        assert!(ran.code == 1 && ran.stdout.contains("`10.0.1.12` has no IPv6 address"), "{ran}");
        assert_eq!(stage.said(), [""; 0]);
    }
}

#[tokio::test]
async fn clients_reach_a_member_where_the_configuration_says() {
    let stage = Stage::new(with_ipv6(), ipv6s(), &[("2001:db8::11", None)]).await;
    let addresses = "[cluster.addresses]\npg1 = \"2001:db8::11\"\npg2 = \"2001:db8::12\"\n";
    let ran = stage.run(&["plan"], "", addresses).await;
    assert!(ran.code == 0 && ran.stdout.contains("[2001:db8::12]:5432"), "{ran}");
    let ran = stage.run(&["run"], "", addresses).await;
    assert_eq!((ran.code, stage.holds()), (0, at("2001:db8::12", "us-east-1a")), "{ran}");
    let ran = stage.run(&["run", "--format", "json"], "", addresses).await;
    assert_eq!(ran.json()["clusters"][0]["verdict"]["host"], "2001:db8::12", "{ran}");
}

#[tokio::test]
async fn an_address_that_is_none_is_refused_with_its_line() {
    let stage = Stage::new(Account::default(), ips(), &[]).await;
    for odd in ["http://pg2", "10.0.0.1 10.0.0.2", "pg2:0", "pg2:port", ""] {
        let ran = stage.run(&["check"], "", &format!("[cluster.addresses]\npg2 = \"{odd}\"\n")).await;
        assert!(ran.code == 2 && ran.stderr.contains(&format!("pg2 = \"{odd}\"")), "{odd}: {ran}");
    }
    for fine in ["10.99.0.12", "10.99.0.12:6432", "pg2.example.com", "[2001:db8::12]:6432"] {
        let ran = stage.run(&["check"], "", &format!("[cluster.addresses]\npg2 = \"{fine}\"\n")).await;
        assert!(ran.code == 0 && ran.stdout.contains(&format!("pg2 = \"{fine}\"")), "{fine}: {ran}");
    }
}

// Instances.

/// An account with two VPCs of the same addresses. In `vpc-there`, 10.0.1.12 is the first address of an instance; in
/// `vpc-here` it is what `attached` says of another one. The groups are in `vpc-here`.
fn two_vpcs(attached: &[&str]) -> (Account, String) {
    let mut account = Account::default();
    account.other_networks = vec![network("vpc-here"), network("vpc-there")];
    let mut run = |vpc, last| {
        let address = Ipv4Addr::new(10, 0, 1, last);
        account.run_instance_in(0, Some(vpc), address, BTreeMap::new()).unwrap().id
    };
    let (_, old, own) = (run("vpc-there", 12), run("vpc-here", 11), run("vpc-here", 50));
    let addresses: Vec<IpAddr> = attached.iter().map(|address| address.parse().unwrap()).collect();
    account.attach_interface(0, &own, Interface { vpc: "vpc-here".to_owned(), addresses });
    (account, format!("{old} {own}"))
}

fn instances() -> NewTargetGroup {
    NewTargetGroup { vpc: Some("vpc-here".to_owned()), ..NewTargetGroup::default() }
}

#[tokio::test]
async fn an_instance_is_found_by_any_address_of_any_interface_in_the_groups_vpc() {
    let second = &["10.0.1.12"][..];
    let secondary = &["10.0.1.60", "10.0.1.12"][..];
    let ipv6 = &["10.0.1.60", "2001:db8::12"][..];
    let as_reported = "";
    let by_ipv6 = "[cluster.addresses]\npg2 = \"2001:db8::12\"\n";
    for (attached, addresses) in [(second, as_reported), (secondary, as_reported), (ipv6, by_ipv6)] {
        let (account, ids) = two_vpcs(attached);
        let (old, own) = ids.split_once(' ').unwrap();
        let stage = Stage::new(account, instances(), &[(old, None)]).await;
        let ran = stage.run(&["run"], "", addresses).await;
        let held: Vec<String> = stage.holds().into_iter().map(|(id, _)| id).collect();
        assert_eq!((ran.code, held), (0, vec![own.to_owned()]), "{attached:?}: {ran}");
        assert_eq!(stage.said(), ["RegisterTargets -", "DeregisterTargets -"]);
    }
}

#[tokio::test]
async fn an_instance_in_another_vpc_is_not_registered() {
    let (account, ids) = two_vpcs(&["10.0.1.60"]);
    let (old, _) = ids.split_once(' ').unwrap();
    let stage = Stage::new(account, instances(), &[(old, None)]).await;
    let ran = stage.run(&["run"], "", "").await;
    assert!(ran.code == 1 && ran.stdout.contains("vpc-here") && ran.stdout.contains("vpc-there"), "{ran}");
    assert_eq!(stage.said(), [""; 0]);
}

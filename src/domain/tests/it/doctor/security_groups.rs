//! What the rules of security groups let through.

use std::collections::BTreeMap;

use repoint_domain::doctor::check::NotChecked;
use repoint_domain::doctor::facts::network::{Rule, SecurityGroup};
use repoint_domain::doctor::security_groups::{Peer, lets_in, lets_out, lets_some_in};
use repoint_domain::values::cidr::Cidr;

const BALANCER: &str = "sg-balancer";

fn tcp(from: u16, to: u16) -> Rule {
    Rule { protocol: "tcp".to_owned(), from: Some(from), to: Some(to), ..Rule::default() }
}

fn of_group(rule: Rule) -> Rule {
    Rule { groups: vec![BALANCER.to_owned()], ..rule }
}

fn of_networks(networks: &[&str], rule: Rule) -> Rule {
    Rule { networks: networks.iter().map(ToString::to_string).collect(), ..rule }
}

fn of_prefix_list(rule: Rule) -> Rule {
    Rule { prefix_lists: vec!["pl-0a1b".to_owned()], ..rule }
}

/// `Some` where it is known.
fn known(judged: Result<bool, NotChecked>) -> Option<bool> {
    judged.ok()
}

/// Whether port 8008 is open to a load balancer in two subnets, by rules of the one security group.
fn is_open(rules: Vec<Rule>) -> Option<bool> {
    let groups = [BALANCER.to_owned()];
    let networks = ["10.0.1.0/24", "10.0.2.0/24"].map(|network| network.parse().unwrap()).to_vec();
    let peer = Peer { groups: &groups, networks };
    let ids = ["sg-nodes".to_owned()];
    let of = |group: SecurityGroup| BTreeMap::from([("sg-nodes".to_owned(), group)]);
    let egress = of(SecurityGroup { ingress: Vec::new(), egress: rules.clone() });
    let ingress = of(SecurityGroup { ingress: rules, egress: Vec::new() });
    assert_eq!(known(lets_out(&ingress, &ids, 8008, &peer)), Some(false), "the other direction");
    let way_in = known(lets_in(&ingress, &ids, 8008, &peer));
    assert_eq!(way_in, known(lets_out(&egress, &ids, 8008, &peer)));
    way_in
}

#[test]
fn a_rule_has_a_protocol_and_ports() {
    let all = || Rule { protocol: "-1".to_owned(), ..Rule::default() };
    let udp = || Rule { protocol: "udp".to_owned(), ..tcp(8008, 8008) };
    let by_number = || Rule { protocol: "6".to_owned(), from: None, to: None, ..Rule::default() };
    for (rule, open) in [
        (tcp(8008, 8008), true),
        (tcp(0, 65535), true),
        (all(), true),
        (by_number(), true),
        (tcp(8009, 9000), false),
        (tcp(5432, 8007), false),
        (udp(), false),
    ] {
        assert_eq!(is_open(vec![of_group(rule.clone())]), Some(open), "{rule:?}");
    }
}

#[test]
fn a_rule_has_groups_or_networks() {
    let rule = || tcp(8008, 8008);
    for (networks, open) in [
        (&["10.0.0.0/16"][..], Some(true)),
        (&["0.0.0.0/0"], Some(true)),
        (&["10.0.1.0/24", "10.0.2.0/24"], Some(true)),
        (&["10.0.1.0/24"], Some(false)),
        (&["10.0.1.0/24", "10.0.2.0/25"], None),
        (&["10.0.1.0/25", "10.1.0.0/16"], Some(false)),
        (&["10.9.0.0/16"], Some(false)),
        (&["::/0"], Some(false)),
        (&[], Some(false)),
    ] {
        assert_eq!(is_open(vec![of_networks(networks, rule())]), open, "{networks:?}");
    }
    let apart = ["10.0.1.0/24", "10.0.2.0/24"].map(|network| of_networks(&[network], rule()));
    assert_eq!(is_open(apart.to_vec()), Some(true));
    assert_eq!(is_open(vec![of_networks(&["10.9.0.0/16"], rule()), of_group(rule())]), Some(true));
}

#[test]
fn what_was_not_read_is_unknown_unless_another_rule_is_enough() {
    let rule = || tcp(8008, 8008);
    assert_eq!(is_open(vec![of_prefix_list(rule())]), None);
    assert_eq!(is_open(vec![of_prefix_list(tcp(22, 22))]), Some(false));
    assert_eq!(is_open(vec![of_prefix_list(rule()), of_group(rule())]), Some(true));

    let group = SecurityGroup { ingress: vec![of_group(rule())], egress: Vec::new() };
    let read = BTreeMap::from([("sg-nodes".to_owned(), group)]);
    let both = ["sg-unread".to_owned(), "sg-nodes".to_owned()];
    let groups = [BALANCER.to_owned()];
    let balancer = Peer { groups: &groups, networks: Vec::new() };
    assert_eq!(known(lets_in(&read, &both, 8008, &balancer)), Some(true));
    assert_eq!(known(lets_in(&read, &both[..1], 8008, &balancer)), None);
    assert_eq!(known(lets_some_in(&read, &both, 8008)), Some(true));
    assert_eq!(known(lets_some_in(&read, &both, 5432)), None);
    assert_eq!(known(lets_some_in(&read, &both[1..], 5432)), Some(false));
}

#[test]
fn an_address_that_is_not_known_may_be_in_a_network() {
    let group =
        SecurityGroup { ingress: vec![of_networks(&["10.0.0.0/16"], tcp(8008, 8008))], egress: Vec::new() };
    let read = BTreeMap::from([("sg-nodes".to_owned(), group)]);
    let ids = ["sg-nodes".to_owned()];
    assert_eq!(known(lets_in(&read, &ids, 8008, &Peer::default())), None);
    assert_eq!(known(lets_in(&read, &ids, 5432, &Peer::default())), Some(false));
}

#[test]
fn a_network_has_the_addresses_of_its_leading_bits() {
    let contains = |one: &str, other: &str| {
        let [one, other] = [one, other].map(|text| text.parse::<Cidr>().unwrap());
        assert_eq!(one.overlaps(&other), one.contains(&other) || other.contains(&one));
        one.contains(&other)
    };
    assert!(contains("10.0.0.0/8", "10.255.255.255/32"));
    assert!(contains("10.1.2.3/8", "10.9.0.0/16"), "what follows the leading bits does not matter");
    assert!(contains("0.0.0.0/0", "192.0.2.0/24") && contains("::/0", "2001:db8::/128"));
    assert!(
        contains("2001:db8::/56", "2001:db8:0:ff::/64") && !contains("2001:db8::/56", "2001:db8:0:100::/64")
    );
    assert!(!contains("10.0.0.0/16", "10.0.0.0/8") && !contains("0.0.0.0/0", "::/0"));
    for text in ["10.0.0.0", "10.0.0.0/33", "::/129", "10.0.0/8", "10.0.0.0/-1", "pl-0a1b"] {
        assert!(text.parse::<Cidr>().is_err(), "{text}");
    }
    assert_eq!(Cidr::from("10.0.1.11".parse::<std::net::IpAddr>().unwrap()).to_string(), "10.0.1.11/32");
}

//! The forms, each with what it has to quote.

use repoint_domain::clients::{Node, Nodes, dsn, env, hosts, url};
use repoint_domain::values::cluster::Address;

pub fn node(host: &str, port: u16) -> Node {
    Node { member: None, address: Address { host: host.to_owned(), port } }
}

pub fn nodes(places: &[(&str, u16)]) -> Nodes {
    let mut nodes = places.iter().map(|(host, port)| node(host, *port));
    Nodes {
        target_session_attrs: "read-write",
        first: nodes.next().unwrap(),
        rest: Vec::new(),
        others: nodes.collect(),
        warnings: Vec::new(),
    }
}

#[test]
fn one_node_in_each_form() {
    let plain = node("10.0.1.12", 5432);
    assert_eq!(dsn(&plain), "host=10.0.1.12 port=5432");
    assert_eq!(url(&plain), "postgresql://10.0.1.12:5432/");
    assert_eq!(env(&plain), "PGHOST=10.0.1.12\nPGPORT=5432");
}

#[test]
fn an_ipv6_address_has_brackets_in_a_url_alone() {
    let v6 = node("2001:db8::12", 6432);
    assert_eq!(dsn(&v6), "host=2001:db8::12 port=6432");
    assert_eq!(url(&v6), "postgresql://[2001:db8::12]:6432/");
    assert_eq!(env(&v6), "PGHOST=2001:db8::12\nPGPORT=6432");
}

#[test]
fn one_port_stands_for_all_and_several_stand_in_order() {
    let same = nodes(&[("10.0.1.12", 5433), ("pg1.example.com", 5433)]);
    let expected =
        "host=10.0.1.12,pg1.example.com port=5433 target_session_attrs=read-write connect_timeout=3";
    assert_eq!(hosts(&same), expected);
    let several = nodes(&[("10.0.1.12", 5432), ("2001:db8::1", 6432)]);
    let expected =
        "host=10.0.1.12,2001:db8::1 port=5432,6432 target_session_attrs=read-write connect_timeout=3";
    assert_eq!(hosts(&several), expected);
}

/// No verdict gives a host with such characters; the forms do not rely on that.
#[test]
fn spaces_and_quotes_are_quoted() {
    let odd = node(r"a b'c\d", 1);
    assert_eq!(dsn(&odd), r"host='a b\'c\\d' port=1");
    assert_eq!(url(&odd), "postgresql://a%20b%27c%5Cd:1/");
    assert_eq!(env(&odd), "PGHOST='a b'\\''c\\d'\nPGPORT=1");
    assert_eq!(env(&node("$(reboot)", 1)), "PGHOST='$(reboot)'\nPGPORT=1");
    assert_eq!(url(&node("a@b/c?d#e%f", 1)), "postgresql://a%40b%2Fc%3Fd%23e%25f:1/");
    assert_eq!(dsn(&node("", 1)), "host='' port=1");
    assert_eq!(env(&node("", 1)), "PGHOST=''\nPGPORT=1");
}

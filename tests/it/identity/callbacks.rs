//! Whom a callback wakes: every entry that its scope is about.

use std::collections::BTreeSet;

use super::programs::{NEW, NOBODY, OLD, entry, head, leader, registered};
use crate::entry_points::place::Place;
use crate::support::command::Repoint;
use crate::support::site::aws;

const CALLBACK: [&str; 4] = ["callback", "on_role_change", "primary", "batman"];

/// The groups of a Citus cluster, and another cluster.
#[tokio::test]
async fn without_a_daemon_every_entry_of_the_scope_is_checked() {
    let (coordinator, worker) = (leader(OLD, "10.0.1.12", 4).await, leader(NEW, "10.0.1.13", 9).await);
    let other = leader("7000000000000000003", "10.0.1.14", 2).await;
    let aws = aws(|_| None).await;
    let repoint = Repoint::new(
        head(&aws)
            + "[callback]\nmode = \"self\"\n"
            + &entry("coordinator", &[coordinator.url()], "pg-writer")
            + &entry("", &[other.url()], "pg-other").replace("\"batman\"", "\"robin\"")
            + &entry("worker-1", &[worker.url()], "pg-worker"),
    );
    // It ends when the process has ended to which it has handed over: that one speaks through the same pipe.
    let ran = repoint.run(&CALLBACK).await;
    assert_eq!(ran.code, 0, "{ran}");
    assert!(ran.stderr.contains("a process of its own checks the cluster"), "{ran}");
    let mut hosts = registered(&aws);
    hosts.sort();
    assert_eq!(hosts, ["10.0.1.12", "10.0.1.13"], "{ran}");
    assert!(other.requests().is_empty(), "{ran}");
}

/// No look is due but the first of the first entry: the others follow it minutes apart.
#[tokio::test(flavor = "multi_thread")]
async fn the_daemon_checks_every_entry_of_the_scope() {
    let alone = |name: &str, scope: &str| {
        format!("[[cluster]]\nname = {name:?}\nscope = {scope:?}\nmembers = [{NOBODY:?}]\n")
    };
    let site = |region: &str, scope: &str, member: &str, zone: &str| {
        format!(
            "[[cluster.site]]\nregion = {region:?}\nscope = {scope:?}\nmembers = [{member:?}]\n\
             alias = {{ zone_id = {zone:?}, dns_name = \"pg-1a2b.elb.{region}.amazonaws.com\" }}\n"
        )
    };
    let with_sites = "[[cluster]]\nname = \"with-sites\"\nscope = \"joker\"\n".to_owned()
        + &site("us-east-1", "joker", NOBODY, "Z26RNL4JYFTOTI")
        + &site("us-west-2", "batman", "http://127.0.0.1:2", "Z18D5FSROUN65G");
    let watch = "[watch]\ninterval_seconds = 900\naudit_interval_seconds = 900\n".to_owned();
    let mut place =
        Place::new(&(watch + &alone("first", "robin") + &alone("worker-1", "batman") + &with_sites));
    place.set("REPOINT_LOG", "repoint=debug");
    let mut daemon = place.daemon().await;
    daemon.says("cluster.name=\"first\" outcome").await;
    let (code, said) = place.run(&CALLBACK).await;
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("the daemon checks the cluster"), "{said}");
    let mut waits = BTreeSet::from(["batman", "worker-1", "with-sites"]);
    while !waits.is_empty() {
        let line = daemon.says(" outcome=").await;
        waits.retain(|name| !line.contains(&format!("cluster.name=\"{name}\"")));
        assert!(!line.contains("\"first\""), "{line}");
    }
}

//! Listeners.

use repoint_domain::doctor::check::Severity::{Critical, Info, Warning};
use repoint_domain::doctor::facts::Facts;
use repoint_domain::values::listener::{Listener, Stickiness};

use super::{Case, finds, remedies, silent};
use crate::support::changes::{pooler, weighted};
use crate::support::evidence::{listener_arn, member_group};
use crate::support::setup::{balancer_facts, config_of, group_facts, set};

pub const CASES: &[Case] = &[
    finds("PostgreSQL's keepalive comes after the idle timeout", "keepalive_too_late", Warning, |facts| {
        parameter(facts, "tcp_keepalives_idle", Some("6min"));
    }),
    finds("PostgreSQL's keepalive is the operating system's", "keepalive_too_late", Info, |facts| {
        parameter(facts, "tcp_keepalives_idle", None);
    }),
    finds("the idle timeout is short", "keepalive_too_late", Warning, |facts| {
        let listener = &mut balancer_facts(facts).listeners.as_mut().unwrap()[0];
        set(&mut listener.attributes, "tcp.idle_timeout.seconds", "60");
    }),
    silent("the idle timeout is longer than an hour", |facts| {
        parameter(facts, "tcp_keepalives_idle", Some("1h"));
        let listener = &mut balancer_facts(facts).listeners.as_mut().unwrap()[0];
        set(&mut listener.attributes, "tcp.idle_timeout.seconds", "6000");
    }),
    silent("a pooler has keepalives of its own", |facts| {
        parameter(facts, "tcp_keepalives_idle", None);
        pooler(facts);
    }),
    finds("the listener speaks TLS", "listener_not_tcp", Critical, |facts| {
        balancer_facts(facts).listeners.as_mut().unwrap()[0].protocol = "TLS".to_owned();
    }),
    silent("the listener carries UDP as well", |facts| {
        balancer_facts(facts).listeners.as_mut().unwrap()[0].protocol = "TCP_UDP".to_owned();
    }),
    finds("the listener keeps clients with a group", "listener_sticky", Warning, |facts| {
        weighted(facts, &[(1, 100), (2, 0), (3, 0)]);
        let listeners = &mut facts.clusters[0].observed.listeners;
        let Some(Ok(Listener::Forward(its))) = listeners.get_mut(&listener_arn()) else {
            panic!("no listener")
        };
        its.stickiness = Some(Stickiness { enabled: Some(true), duration_seconds: None });
    }),
    finds("a group with a weight is sticky", "listener_sticky", Warning, |facts| {
        weighted(facts, &[(1, 100), (2, 0), (3, 0)]);
        set(&mut facts.groups.get_mut(&member_group(2)).unwrap().attributes, "stickiness.enabled", "true");
    }),
    silent("a group without weights is sticky", |facts| {
        set(&mut group_facts(facts).attributes, "stickiness.enabled", "true");
    }),
];

#[test]
fn a_remedy_is_a_command_or_a_setting() {
    insta::assert_snapshot!(remedies(CASES), @r##"
    keepalive_too_late: tcp_keepalives_idle is 360 s in Patroni cluster batman, tcp.idle_timeout.seconds is 350
      patronictl edit-config batman --pg tcp_keepalives_idle=60
    listener_not_tcp: Protocol is TLS, and TCP of pg-writer
      aws elbv2 modify-listener --region us-east-1 --listener-arn arn:aws:elasticloadbalancing:us-east-1:123456789012:listener/net/pg/50dc6c495c0c9188/f2f7dc8efc522ab2 --protocol TCP
    listener_sticky: TargetGroupStickinessConfig is enabled
      aws elbv2 modify-listener --region us-east-1 --listener-arn arn:aws:elasticloadbalancing:us-east-1:123456789012:listener/net/pg/50dc6c495c0c9188/f2f7dc8efc522ab2 --default-actions '[{"Type":"forward","ForwardConfig":{"TargetGroups":[{"TargetGroupArn":"arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/pg1/0000000000000001","Weight":100},{"TargetGroupArn":"arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/pg2/0000000000000002","Weight":0},{"TargetGroupArn":"arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/pg3/0000000000000003","Weight":0}]}}]'
    "##);
}

fn parameter(facts: &mut Facts, name: &str, value: Option<&str>) {
    let config = config_of(facts);
    config.parameters.remove(name);
    config.parameters.extend(value.map(|value| (name.to_owned(), value.to_owned())));
}

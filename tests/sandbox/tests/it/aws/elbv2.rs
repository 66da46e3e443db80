//! Target groups: how long things take, and where connections go meanwhile.

use std::collections::BTreeMap;

use repoint_sandbox::Millis;
use repoint_sandbox::aws::Account;
use repoint_sandbox::aws::ec2::InstanceState;
use repoint_sandbox::aws::elbv2::group::{HealthCheck, NewTargetGroup, TargetType};
use repoint_sandbox::aws::elbv2::listener::Forward;
use repoint_sandbox::aws::elbv2::target::{Reason, State, TargetDescription};
use repoint_sandbox::aws::service::Service;

const ONE: &str = "172.31.0.11";
const TWO: &str = "172.31.0.12";

/// A group of addresses behind a listener; registration takes 90 s, health 2 x 5 s.
struct Stage {
    account: Account,
    group: String,
    listener: String,
}

impl Stage {
    fn new() -> Self {
        let mut account = Account::default();
        let group = new_group(&mut account, "writer", TargetType::Ip);
        let balancer = account.create_load_balancer(0, "nlb", "internal").unwrap().arn;
        let forwards = vec![Forward { group: group.clone(), weight: None }];
        let listener = account.create_listener(0, &balancer, "TCP", 5432, forwards).unwrap().arn;
        Self { account, group, listener }
    }

    fn register(&mut self, now: Millis, id: &str) {
        self.account.register_targets(now, &self.group, &[TargetDescription::new(id, 5432)]).unwrap();
    }

    fn deregister(&mut self, now: Millis, id: &str) {
        self.account.deregister_targets(now, &self.group, &[TargetDescription::new(id, 5432)]).unwrap();
    }

    /// Checks up to `now`, which the healthy targets pass.
    fn advance(&mut self, now: Millis, healthy: &[&str]) {
        self.account.advance(now, &mut |probe| healthy.contains(&probe.target.id.as_str()));
    }

    fn states(&mut self, now: Millis) -> Vec<(String, State, Option<Reason>)> {
        let healths = self.account.describe_target_health(now, &self.group, &[]).unwrap();
        healths.into_iter().map(|it| (it.target.id, it.state, it.reason)).collect()
    }

    fn state(&mut self, now: Millis) -> State {
        self.states(now)[0].1
    }

    fn routes(&self, now: Millis) -> Vec<String> {
        self.account.routes(&self.group, now).into_iter().map(|it| it.id).collect()
    }
}

fn new_group(account: &mut Account, name: &str, target_type: TargetType) -> String {
    let health_check = HealthCheck::fastest_http(8008, "/primary");
    let (name, protocol) = (name.to_owned(), "TCP".to_owned());
    account
        .create_target_group(
            0,
            NewTargetGroup {
                name,
                target_type,
                protocol,
                port: 5432,
                health_check,
                ..NewTargetGroup::default()
            },
        )
        .unwrap()
        .arn
}

#[test]
fn a_new_target_is_registered_then_checked_then_healthy() {
    let mut stage = Stage::new();
    stage.register(1_000, ONE);
    stage.advance(90_999, &[ONE]);
    let line = |state, reason| vec![(ONE.to_owned(), state, reason)];
    assert_eq!(stage.states(90_999), line(State::Initial, Some(Reason::RegistrationInProgress)));
    stage.advance(100_999, &[ONE]);
    assert_eq!(stage.states(100_999), line(State::Initial, Some(Reason::InitialHealthChecking)));
    stage.advance(101_000, &[ONE]);
    assert_eq!(stage.states(101_000), line(State::Healthy, None));
}

#[test]
fn the_outcome_does_not_depend_on_how_often_it_is_advanced() {
    let run = |step: Millis| {
        let mut stage = Stage::new();
        stage.register(0, ONE);
        stage.register(0, TWO);
        let mut now = 0;
        while now <= 600_000 {
            now += step;
            let mut probe = |probe: &repoint_sandbox::aws::elbv2::health::Probe<'_>| {
                (probe.at / 40_000).is_multiple_of(2) == (probe.target.id == ONE)
            };
            stage.account.advance(now.min(600_000), &mut probe);
        }
        (stage.states(600_000), stage.routes(600_000))
    };
    assert_eq!(run(1_000), run(600_000));
}

#[test]
fn health_turns_only_after_as_many_results_in_a_row_as_the_threshold() {
    let mut stage = Stage::new();
    stage.register(0, ONE);
    stage.advance(100_000, &[ONE]);
    assert_eq!(stage.state(100_000), State::Healthy);
    stage.advance(105_000, &[]);
    stage.advance(110_000, &[ONE]);
    stage.advance(115_000, &[]);
    assert_eq!(stage.state(115_000), State::Healthy);
    stage.advance(120_000, &[]);
    assert_eq!(stage.state(120_000), State::Unhealthy);
}

#[test]
fn registering_again_changes_nothing() {
    let mut stage = Stage::new();
    stage.register(0, ONE);
    stage.advance(100_000, &[ONE]);
    stage.register(100_000, ONE);
    assert_eq!(stage.state(100_000), State::Healthy);
}

#[test]
fn a_deregistered_target_drains_and_goes() {
    let mut stage = Stage::new();
    stage.register(0, ONE);
    stage.advance(100_000, &[ONE]);
    stage.deregister(100_000, ONE);
    stage.deregister(150_000, ONE);
    assert_eq!(stage.state(399_999), State::Draining);
    assert_eq!(stage.states(400_000), []);
    stage.deregister(400_000, TWO);
}

#[test]
fn a_draining_target_may_be_registered_again_and_starts_again() {
    let mut stage = Stage::new();
    stage.register(0, ONE);
    stage.advance(100_000, &[ONE]);
    stage.deregister(100_000, ONE);
    stage.register(110_000, ONE);
    assert_eq!(stage.state(110_000), State::Initial);
    stage.advance(210_000, &[ONE]);
    assert_eq!(stage.state(500_000), State::Healthy);
}

#[test]
fn a_draining_target_keeps_getting_new_connections_for_two_minutes() {
    let mut stage = Stage::new();
    stage.register(0, ONE);
    stage.register(0, TWO);
    stage.advance(100_000, &[ONE, TWO]);
    stage.deregister(100_000, ONE);
    assert_eq!(stage.routes(219_999), [ONE, TWO]);
    assert_eq!(stage.routes(220_000), [TWO]);
}

#[test]
fn when_none_is_healthy_all_get_connections() {
    let mut stage = Stage::new();
    stage.register(0, ONE);
    stage.register(0, TWO);
    assert_eq!(stage.routes(0), [ONE, TWO], "initial targets, as none is healthy");
    stage.advance(100_000, &[ONE]);
    assert_eq!(stage.routes(140_000), [ONE]);
    stage.advance(200_000, &[]);
    assert_eq!(stage.routes(300_000), [ONE, TWO], "all unhealthy");
}

#[test]
fn an_unhealthy_target_loses_its_connections_later_than_its_state() {
    let mut stage = Stage::new();
    stage.register(0, ONE);
    stage.register(0, TWO);
    stage.advance(100_000, &[ONE, TWO]);
    stage.advance(110_000, &[TWO]);
    assert_eq!(stage.state(110_000), State::Unhealthy);
    assert_eq!(stage.routes(144_999), [ONE, TWO]);
    assert_eq!(stage.routes(145_000), [TWO]);
}

#[test]
fn a_group_on_no_listener_is_not_checked_and_its_targets_go_at_once() {
    let mut stage = Stage::new();
    let other = new_group(&mut stage.account, "other", TargetType::Ip);
    let targets = [TargetDescription::new(ONE, 5432)];
    stage.account.register_targets(0, &other, &targets).unwrap();
    stage.account.advance(200_000, &mut |_| panic!("a target in no use was checked"));
    let health = stage.account.describe_target_health(200_000, &other, &[]).unwrap();
    assert_eq!((health[0].state, health[0].reason), (State::Unused, Some(Reason::NotInUse)));
    assert_eq!(stage.account.routes(&other, 200_000), []);
    stage.account.deregister_targets(200_000, &other, &targets).unwrap();
    assert_eq!(stage.account.describe_target_health(200_000, &other, &[]).unwrap(), []);
}

#[test]
fn a_group_of_weight_zero_stays_warm_and_one_off_the_listener_does_not() {
    let mut stage = Stage::new();
    let other = new_group(&mut stage.account, "other", TargetType::Ip);
    stage.account.register_targets(0, &other, &[TargetDescription::new(TWO, 5432)]).unwrap();
    let forward = |group: &str, weight| Forward { group: group.to_owned(), weight: Some(weight) };
    let both = vec![forward(&stage.group, 100), forward(&other, 0)];
    stage.account.modify_listener(0, &stage.listener, both, None).unwrap();
    stage.advance(100_000, &[TWO]);
    let warmth =
        |stage: &mut Stage, now| stage.account.describe_target_health(now, &other, &[]).unwrap()[0].state;
    assert_eq!(warmth(&mut stage, 100_000), State::Healthy);
    let reached = |stage: &Stage, now| -> Vec<String> {
        stage.account.listener_routes(&stage.listener, now).into_iter().map(|it| it.id).collect()
    };
    stage.register(100_000, ONE);
    assert_eq!(reached(&stage, 100_000), [ONE], "a group of weight 0 gets no connections");
    let first = vec![forward(&stage.group, 1)];
    stage.account.modify_listener(100_000, &stage.listener, first, None).unwrap();
    assert_eq!(warmth(&mut stage, 100_000), State::Unused);
    let second = vec![forward(&other, 1)];
    stage.account.modify_listener(200_000, &stage.listener, second, None).unwrap();
    assert_eq!(warmth(&mut stage, 200_000), State::Initial);
}

#[test]
fn a_group_belongs_to_one_load_balancer() {
    let mut stage = Stage::new();
    let second = stage.account.create_load_balancer(0, "second", "internal").unwrap().arn;
    let forwards = vec![Forward { group: stage.group.clone(), weight: None }];
    let error = stage.account.create_listener(0, &second, "TCP", 1, forwards).unwrap_err();
    assert_eq!(error.code, "TargetGroupAssociationLimit");
}

#[test]
fn addresses_are_private_and_outside_the_vpc_need_a_zone() {
    let mut stage = Stage::new();
    let code = |stage: &mut Stage, id: &str, zone: Option<&str>| {
        let availability_zone = zone.map(str::to_owned);
        let target = TargetDescription { availability_zone, ..TargetDescription::new(id, 5432) };
        stage.account.register_targets(0, &stage.group, &[target]).err().map(|error| error.code)
    };
    let (invalid, validation) = (Some("InvalidTarget".to_owned()), Some("ValidationError".to_owned()));
    assert_eq!(code(&mut stage, "8.8.8.8", Some("all")), invalid);
    assert_eq!(code(&mut stage, "db1", None), invalid);
    assert_eq!(code(&mut stage, "100.64.0.1", None), validation);
    assert_eq!(code(&mut stage, "100.64.0.1", Some("all")), None);
    assert_eq!(code(&mut stage, ONE, Some("all")), validation);
    assert_eq!(code(&mut stage, ONE, None), None);
    let zones: Vec<_> = stage
        .account
        .describe_target_health(0, &stage.group, &[])
        .unwrap()
        .into_iter()
        .map(|it| it.availability_zone)
        .collect();
    assert_eq!(zones, [Some("all".to_owned()), Some("us-east-1a".to_owned())]);
}

#[test]
fn a_bad_target_spoils_the_whole_request() {
    let mut stage = Stage::new();
    let targets = [TargetDescription::new(ONE, 5432), TargetDescription::new("8.8.8.8", 5432)];
    stage.account.register_targets(0, &stage.group, &targets).unwrap_err();
    assert_eq!(stage.states(0), []);
}

#[test]
fn instances_must_exist_and_run_and_get_nothing_when_stopped() {
    let mut stage = Stage::new();
    let group = new_group(&mut stage.account, "instances", TargetType::Instance);
    let forwards = vec![Forward { group: group.clone(), weight: None }];
    stage.account.modify_listener(0, &stage.listener, forwards, None).unwrap();
    let id = stage.account.run_instance(0, ONE.parse().unwrap(), BTreeMap::new()).unwrap().id;
    let register = |stage: &mut Stage, id: &str| {
        stage.account.register_targets(0, &group, &[TargetDescription::new(id, 5432)])
    };
    register(&mut stage, &id).unwrap();
    assert_eq!(register(&mut stage, "i-0bad").unwrap_err().code, "InvalidTarget");
    stage.account.set_instance_state(0, &id, InstanceState::Stopped);
    let health = stage.account.describe_target_health(0, &group, &[]).unwrap();
    assert_eq!((health[0].state, health[0].reason), (State::Unused, Some(Reason::InvalidState)));
    assert_eq!(stage.account.routes(&group, 0), []);
    assert_eq!(register(&mut stage, &id).unwrap_err().code, "InvalidTarget");
}

#[test]
fn malformed_arns_are_refused() {
    let mut stage = Stage::new();
    let missing = stage.group.replace("/writer/", "/reader/");
    let code =
        |stage: &mut Stage, arn: &str| stage.account.describe_target_health(0, arn, &[]).unwrap_err().code;
    assert_eq!(code(&mut stage, &missing), "TargetGroupNotFound");
    let listener = stage.listener.clone();
    assert_eq!(code(&mut stage, &listener), "ValidationError");
}

#[test]
fn a_lagging_read_shows_the_past() {
    let mut stage = Stage::new();
    stage.account.set_read_lag(Service::Elbv2, 3_000);
    stage.register(10_000, ONE);
    assert_eq!(stage.states(12_999), []);
    assert_eq!(stage.states(13_000).len(), 1);
    stage.advance(110_000, &[ONE]);
    assert_eq!(stage.state(112_999), State::Initial);
    assert_eq!(stage.state(113_000), State::Healthy);
    stage.deregister(120_000, ONE);
    assert_eq!(stage.state(122_999), State::Healthy);
}

#[test]
fn an_unhealthy_target_may_keep_its_connections_for_a_while() {
    let mut stage = Stage::new();
    let set = |name: &str, value: &str| (format!("target_health_state.unhealthy.{name}"), value.to_owned());
    let changes = [set("connection_termination.enabled", "false"), set("draining_interval_seconds", "60")];
    stage.account.modify_target_group_attributes(0, &stage.group, &changes).unwrap();
    stage.register(0, ONE);
    stage.advance(100_000, &[]);
    assert_eq!(stage.state(159_999), State::UnhealthyDraining);
    assert_eq!(stage.state(160_000), State::Unhealthy);
}

#[test]
fn a_group_that_leaves_its_listener_stops_draining() {
    let mut stage = Stage::new();
    let other = new_group(&mut stage.account, "other", TargetType::Ip);
    stage.register(0, ONE);
    stage.register(0, TWO);
    stage.deregister(1_000, ONE);
    let forwards = vec![Forward { group: other, weight: None }];
    stage.account.modify_listener(2_000, &stage.listener, forwards, None).unwrap();
    assert_eq!(stage.states(2_000), [(TWO.to_owned(), State::Unused, Some(Reason::NotInUse))]);
}

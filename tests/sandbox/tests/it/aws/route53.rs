//! Route 53: batches, rules, pages, and what DNS answers.

use repoint_sandbox::Millis;
use repoint_sandbox::aws::Account;
use repoint_sandbox::aws::elbv2::group::{HealthCheck, NewTargetGroup, TargetType};
use repoint_sandbox::aws::elbv2::listener::Forward;
use repoint_sandbox::aws::elbv2::target::TargetDescription;
use repoint_sandbox::aws::error::AwsError;
use repoint_sandbox::aws::route53::batch::{Change, ChangeAction};
use repoint_sandbox::aws::route53::list::ListFrom;
use repoint_sandbox::aws::route53::record::{Alias, Answer, Failover, RecordSet};
use repoint_sandbox::aws::service::Service;

struct Stage {
    account: Account,
    zone: String,
}

fn stage() -> Stage {
    let mut account = Account::default();
    let zone = account.create_hosted_zone(0, "example.com").unwrap();
    Stage { account, zone }
}

fn a(name: &str, value: &str) -> RecordSet {
    RecordSet::simple(name, "A", 5, &[value])
}

impl Stage {
    fn change(&mut self, now: Millis, changes: &[(ChangeAction, RecordSet)]) -> Result<String, AwsError> {
        let changes: Vec<Change> =
            changes.iter().map(|(action, set)| Change { action: *action, set: set.clone() }).collect();
        self.account.change_resource_record_sets(now, &self.zone, &changes).map(|info| info.id)
    }

    fn refused(&mut self, changes: &[(ChangeAction, RecordSet)]) -> String {
        let error = self.change(0, changes).unwrap_err();
        assert_eq!(error.code, "InvalidChangeBatch", "{error}");
        error.message
    }

    /// Names and types, but for the zone's own.
    fn listed(&mut self, now: Millis) -> Vec<RecordSet> {
        let from = ListFrom::default();
        let page = self.account.list_resource_record_sets(now, &self.zone, &from, None).unwrap();
        page.sets.into_iter().filter(|set| set.key.name.as_str() != "example.com.").collect()
    }

    fn resolved(&self, now: Millis, name: &str) -> Vec<String> {
        self.account.resolve(now, &self.zone, name, "A")
    }
}

#[test]
fn a_batch_is_applied_whole_or_not_at_all() {
    let mut stage = stage();
    let standing = a("db.example.com", "10.0.0.1");
    stage.change(0, &[(ChangeAction::Create, standing.clone())]).unwrap();
    let words = stage.refused(&[
        (ChangeAction::Create, a("x.example.com", "10.0.0.2")),
        (ChangeAction::Create, standing.clone()),
        (ChangeAction::Delete, a("y.example.com", "10.0.0.2")),
    ]);
    assert_eq!(
        words,
        "Tried to create resource record set [name='db.example.com.', type='A'] but it already exists\n\
         Tried to delete resource record set [name='y.example.com.', type='A'] but it was not found"
    );
    assert_eq!(stage.listed(0), [standing]);
}

#[test]
fn a_delete_must_match_every_value() {
    let mut stage = stage();
    let check = stage.account.create_health_check(0).unwrap();
    let standing = RecordSet::simple("db.example.com", "A", 5, &["10.0.0.1", "10.0.0.2"]).as_failover(
        Failover::Primary,
        "one",
        Some(&check),
    );
    stage.change(0, &[(ChangeAction::Create, standing.clone())]).unwrap();
    let with = |edit: &dyn Fn(&mut RecordSet)| {
        let mut set = standing.clone();
        edit(&mut set);
        set
    };
    let answer =
        |ttl, values: &[&str]| Answer::Values { ttl, values: values.iter().map(|it| (*it).into()).collect() };
    for other in [
        with(&|set| set.answer = answer(6, &["10.0.0.1", "10.0.0.2"])),
        with(&|set| set.answer = answer(5, &["10.0.0.1"])),
        with(&|set| set.failover = Some(Failover::Secondary)),
        with(&|set| set.health_check = None),
    ] {
        let words = stage.refused(&[(ChangeAction::Delete, other)]);
        assert!(words.ends_with("but the values provided do not match the current values"), "{words}");
    }
    let reordered = with(&|set| set.answer = answer(5, &["10.0.0.2", "10.0.0.1"]));
    stage.change(0, &[(ChangeAction::Delete, reordered)]).unwrap();
    assert_eq!(stage.listed(0), []);
}

#[test]
fn a_delete_and_a_create_are_a_swap_that_only_one_writer_wins() {
    let mut stage = stage();
    let (before, mine, theirs) =
        (a("db.example.com", "10.0.0.1"), a("db.example.com", "10.0.0.2"), a("db.example.com", "10.0.0.3"));
    stage.change(0, &[(ChangeAction::Create, before.clone())]).unwrap();
    let swap =
        |after: &RecordSet| [(ChangeAction::Delete, before.clone()), (ChangeAction::Create, after.clone())];
    stage.change(0, &swap(&mine)).unwrap();
    stage.refused(&swap(&theirs));
    assert_eq!(stage.listed(0), [mine]);
}

#[test]
fn the_order_of_a_batch_counts() {
    let mut stage = stage();
    let address = a("db.example.com", "10.0.0.1");
    let name = RecordSet::simple("db.example.com", "CNAME", 5, &["x.example.com"]);
    stage.change(0, &[(ChangeAction::Create, address.clone())]).unwrap();
    stage.refused(&[(ChangeAction::Create, name.clone()), (ChangeAction::Delete, address.clone())]);
    stage.change(0, &[(ChangeAction::Delete, address), (ChangeAction::Create, name)]).unwrap();
}

#[test]
fn a_failover_pair_has_one_of_each_and_stands_alone() {
    let mut stage = stage();
    let record = |value: &str, role, id: &str| a("db.example.com", value).as_failover(role, id, None);
    let (primary, secondary) =
        (record("10.0.0.1", Failover::Primary, "one"), record("10.0.0.2", Failover::Secondary, "two"));
    stage
        .change(0, &[(ChangeAction::Create, primary.clone()), (ChangeAction::Create, secondary.clone())])
        .unwrap();
    stage.refused(&[(ChangeAction::Create, record("10.0.0.3", Failover::Primary, "three"))]);
    stage.refused(&[(ChangeAction::Upsert, record("10.0.0.2", Failover::Primary, "two"))]);
    stage.refused(&[(ChangeAction::Create, a("db.example.com", "10.0.0.3"))]);
    stage.change(0, &[(ChangeAction::Upsert, primary.clone())]).unwrap();
    let traded = [
        (ChangeAction::Delete, primary),
        (ChangeAction::Delete, secondary),
        (ChangeAction::Create, record("10.0.0.2", Failover::Primary, "one")),
        (ChangeAction::Create, record("10.0.0.1", Failover::Secondary, "two")),
    ];
    stage.change(0, &traded).unwrap();
    stage.refused(&[(
        ChangeAction::Create,
        RecordSet { failover: None, ..record("10.0.0.4", Failover::Primary, "four") },
    )]);
}

#[test]
fn values_and_names_are_checked() {
    let mut stage = stage();
    stage.refused(&[(ChangeAction::Create, a("db.example.com", "not-an-address"))]);
    stage.refused(&[(ChangeAction::Create, a("db.example.org", "10.0.0.1"))]);
    stage.refused(&[(
        ChangeAction::Create,
        RecordSet::simple("x.example.com", "A", 5, &["10.0.0.1", "10.0.0.1"]),
    )]);
    stage
        .refused(&[(ChangeAction::Create, RecordSet::simple("example.com", "CNAME", 5, &["x.example.com"]))]);
    let unchecked = a("f.example.com", "10.0.0.1").as_failover(Failover::Primary, "one", Some("none"));
    assert_eq!(stage.change(0, &[(ChangeAction::Create, unchecked)]).unwrap_err().code, "NoSuchHealthCheck");
    assert_eq!(stage.change(0, &[]).unwrap_err().code, "InvalidInput");
}

#[test]
fn an_upsert_counts_twice_against_the_limits() {
    let batch = |action, records: usize| {
        let mut stage = stage();
        let sets = (0..records).map(|n| (action, a(&format!("n{n}.example.com"), "10.0.0.1")));
        stage.change(0, &sets.collect::<Vec<_>>()).map(drop).map_err(|error| error.message)
    };
    assert_eq!(batch(ChangeAction::Create, 1000), Ok(()));
    assert_eq!(
        batch(ChangeAction::Create, 1001),
        Err("Number of records limit of 1000 exceeded.".to_owned())
    );
    assert_eq!(batch(ChangeAction::Upsert, 500), Ok(()));
    assert!(batch(ChangeAction::Upsert, 501).is_err());
    let text =
        |length| (ChangeAction::Create, RecordSet::simple("t.example.com", "TXT", 5, &[&"x".repeat(length)]));
    assert!(stage().change(0, &[text(32_000)]).is_ok());
    assert!(stage().change(0, &[text(32_001)]).is_err());
}

#[test]
fn protected_records_fail_the_whole_batch() {
    let mut stage = stage();
    stage.account.protect_records(&stage.zone, "DB.example.com", "A", true);
    let batch = [
        (ChangeAction::Upsert, a("x.example.com", "10.0.0.1")),
        (ChangeAction::Upsert, a("db.example.com", "10.0.0.1")),
    ];
    assert!(stage.refused(&batch).contains("protected"));
    assert_eq!(stage.listed(0), []);
    stage.account.protect_records(&stage.zone, "db.example.com", "A", false);
    stage.change(0, &batch).unwrap();
}

#[test]
fn pages_cover_all_once_in_order() {
    let mut stage = stage();
    let sets: Vec<_> =
        (0..700).map(|n| (ChangeAction::Create, a(&format!("n{n}.example.com"), "10.0.0.1"))).collect();
    stage.change(0, &sets).unwrap();
    let (mut from, mut sizes, mut keys) = (ListFrom::default(), Vec::new(), Vec::new());
    loop {
        let page = stage.account.list_resource_record_sets(0, &stage.zone, &from, Some(1000)).unwrap();
        sizes.push(page.sets.len());
        keys.extend(page.sets.into_iter().map(|set| set.key));
        let Some(next) = page.next else { break };
        from = ListFrom {
            name: Some(next.name.to_string()),
            record_type: Some(next.record_type),
            set_identifier: next.set_identifier,
        };
    }
    assert_eq!(sizes, [300, 300, 102]);
    assert!(keys.windows(2).all(|pair| pair[0] < pair[1]), "in order, none twice");
}

#[test]
fn the_api_shows_a_change_at_once_and_dns_when_it_is_in_sync() {
    let mut stage = stage();
    let id = stage.change(100_000, &[(ChangeAction::Create, a("db.example.com", "10.0.0.1"))]).unwrap();
    assert_eq!(stage.listed(100_000).len(), 1);
    assert_eq!(stage.resolved(129_999, "db.example.com"), [""; 0]);
    assert!(!stage.account.get_change(129_999, &id).unwrap().in_sync);
    assert!(stage.account.get_change(130_000, &id).unwrap().in_sync);
    assert_eq!(stage.resolved(130_000, "DB.example.com."), ["10.0.0.1"]);
    assert_eq!(stage.account.get_change(0, "C0").unwrap_err().code, "NoSuchChange");
}

#[test]
fn dns_follows_health_and_never_answers_with_nothing() {
    let mut stage = stage();
    let checks = [0, 1].map(|_| stage.account.create_health_check(0).unwrap());
    let record = |value: &str, role, n: usize| {
        (ChangeAction::Create, a("db.example.com", value).as_failover(role, &n.to_string(), Some(&checks[n])))
    };
    let alias =
        Alias { zone: stage.zone.clone(), name: "db.example.com.".into(), evaluate_target_health: true };
    let alias = RecordSet { answer: Answer::Alias(alias), ..a("alias.example.com", "") };
    let name = RecordSet::simple("name.example.com", "CNAME", 5, &["alias.example.com"]);
    let batch = [
        record("10.0.0.1", Failover::Primary, 0),
        record("10.0.0.2", Failover::Secondary, 1),
        (ChangeAction::Create, alias),
        (ChangeAction::Create, name),
    ];
    stage.change(0, &batch).unwrap();
    assert_eq!(stage.resolved(60_000, "name.example.com"), ["10.0.0.1"]);
    stage.account.set_health_check(&checks[0], false);
    assert_eq!(stage.resolved(60_000, "name.example.com"), ["10.0.0.2"]);
    stage.account.set_health_check(&checks[1], false);
    assert_eq!(stage.resolved(60_000, "name.example.com"), ["10.0.0.1"]);
}

fn alias(zone: &str, target: &str, record_type: &str) -> RecordSet {
    let to = Alias { zone: zone.to_owned(), name: target.to_owned(), evaluate_target_health: false };
    RecordSet { answer: Answer::Alias(to), ..RecordSet::simple("alias.example.com", record_type, 0, &[]) }
}

#[test]
fn an_alias_within_the_zone_leads_to_what_is_there() {
    let mut stage = stage();
    let zone = stage.zone.clone();
    stage.change(0, &[(ChangeAction::Create, a("db.example.com", "10.0.0.1"))]).unwrap();
    for (target, record_type, words) in [
        ("x.example.com", "A", "target was not found"),
        ("db.example.com", "AAAA", "target was not found"),
        ("db.example.org", "A", "does not lie within the target zone"),
    ] {
        let refused = stage.refused(&[(ChangeAction::Create, alias(&zone, target, record_type))]);
        assert!(refused.contains(words), "{refused}");
    }
    stage.refused(&[(ChangeAction::Create, alias("ZELSEWHERE", "nlb.example.org", "CNAME"))]);
    let standing = alias(&zone, "db.example.com", "A");
    stage.change(0, &[(ChangeAction::Create, standing)]).unwrap();
    stage.refused(&[(ChangeAction::Delete, alias("ZELSEWHERE", "db.example.com", "A"))]);
    stage.change(0, &[(ChangeAction::Delete, alias(&zone, "DB.Example.com.", "A"))]).unwrap();
}

#[test]
fn a_failover_alias_evaluates_the_health_of_its_target() {
    let mut stage = stage();
    let blind = alias("ZELSEWHERE", "nlb.example.org", "A").as_failover(Failover::Primary, "one", None);
    assert!(stage.refused(&[(ChangeAction::Create, blind)]).contains("EvaluateTargetHealth"));
}

#[test]
fn a_lagging_list_shows_the_past_and_the_swap_is_checked_against_the_present() {
    let mut stage = stage();
    stage.account.set_read_lag(Service::Route53, 2_000);
    let (first, second) = (a("db.example.com", "10.0.0.1"), a("db.example.com", "10.0.0.2"));
    stage.change(10_000, &[(ChangeAction::Create, first.clone())]).unwrap();
    stage.change(20_000, &[(ChangeAction::Upsert, second.clone())]).unwrap();
    assert_eq!(stage.listed(21_999), std::slice::from_ref(&first));
    assert_eq!(stage.listed(22_000), [second]);
    stage.refused(&[(ChangeAction::Delete, first)]);
}

#[test]
fn a_prior_request_holds_up_its_zone_only() {
    let mut stage = stage();
    let other = stage.account.create_hosted_zone(0, "example.org").unwrap();
    stage.account.set_prior_request_pending(&stage.zone, true);
    let error = stage.change(0, &[(ChangeAction::Create, a("db.example.com", "10.0.0.1"))]).unwrap_err();
    assert_eq!((error.code.as_str(), error.status), ("PriorRequestNotComplete", 400));
    stage.zone = other;
    stage.change(0, &[(ChangeAction::Create, a("db.example.org", "10.0.0.1"))]).unwrap();
}

#[test]
fn an_unknown_zone_is_not_found() {
    let mut stage = stage();
    stage.zone = "ZNONE".to_owned();
    let error = stage.change(0, &[(ChangeAction::Create, a("db.example.com", "10.0.0.1"))]).unwrap_err();
    assert_eq!((error.code.as_str(), error.status), ("NoSuchHostedZone", 404));
}

#[test]
fn a_failover_alias_falls_with_an_empty_group_of_its_load_balancer() {
    let mut stage = stage();
    let account = &mut stage.account;
    let group = NewTargetGroup {
        name: "writer".to_owned(),
        target_type: TargetType::Ip,
        protocol: "TCP".to_owned(),
        port: 5432,
        health_check: HealthCheck::fastest_http(8008, "/primary"),
        ..NewTargetGroup::default()
    };
    let group = account.create_target_group(0, group).unwrap().arn;
    let balancer = account.create_load_balancer(0, "nlb", "internal").unwrap();
    let forwards = vec![Forward { group: group.clone(), weight: None }];
    account.create_listener(0, &balancer.arn, "TCP", 5432, forwards).unwrap();
    let target = [TargetDescription::new("172.31.0.11", 5432)];
    account.register_targets(0, &group, &target).unwrap();
    let name = format!("{}.", balancer.dns_name);
    let balancers = "Z26RNL4JYFTOTI".to_owned();
    let alias = Answer::Alias(Alias { zone: balancers, name: name.clone(), evaluate_target_health: true });
    let primary = a("db.example.com", "").as_failover(Failover::Primary, "one", None);
    let secondary = a("db.example.com", "10.0.0.2").as_failover(Failover::Secondary, "two", None);
    let primary = RecordSet { answer: alias, ..primary };
    stage.change(0, &[(ChangeAction::Create, primary), (ChangeAction::Create, secondary)]).unwrap();
    assert_eq!(stage.resolved(60_000, "db.example.com"), ["10.0.0.2"], "the target is still initial");
    stage.account.advance(100_000, &mut |_| true);
    assert_eq!(stage.resolved(100_000, "db.example.com"), [name]);
    stage.account.deregister_targets(100_000, &group, &target).unwrap();
    assert_eq!(stage.resolved(100_000, "db.example.com"), ["10.0.0.2"]);
}

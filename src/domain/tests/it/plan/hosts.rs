//! What a host may become: an address or a name that any machine would use (invariant 8).

use proptest::prelude::*;
use repoint_domain::audit::{Refusal, audit};
use repoint_domain::plan::EndpointReason;
use repoint_domain::values::cluster::ApiUrl;
use repoint_domain::values::host::{is_fit, is_name, is_qualified_name};
use repoint_domain::values::target::TargetType;

use super::*;

/// pg2 leads, and Patroni reports this host; the names of it resolve so.
fn hosted(host: &str, found: &[&str]) -> Observed {
    let mut observed = healthy(2, 3);
    for answer in members_in(&mut observed).values_mut() {
        let view = answer.view.as_mut().unwrap();
        view.members[1].address = Some(Address { host: host.to_owned(), port: 5432 });
    }
    if !found.is_empty() {
        let addresses = found.iter().map(|address| address.parse().unwrap()).collect();
        observed.names = BTreeMap::from([(host.to_owned(), Ok(addresses))]);
    }
    observed
}

/// The target that is registered, or why none is.
fn placed(observed: Observed, configured: Option<&str>) -> Result<String, String> {
    let (mut spec, observed) = with_group(observed, ip_group(&[]));
    spec.sites[0].members.extend(configured.map(|url| ApiUrl::parse(url).unwrap()));
    let plan = planned(&spec, &observed);
    audited(&plan, &spec, &observed).unwrap();
    outcome(&plan)
}

/// What a record of that type points at, or why it does not.
fn pointed(observed: Observed, record_type: RecordType, configured: Option<&str>) -> Result<String, String> {
    let (mut spec, observed) = with_record(observed, record_spec(record_type), Vec::new());
    spec.sites[0].members.extend(configured.map(|url| ApiUrl::parse(url).unwrap()));
    let plan = planned(&spec, &observed);
    audited(&plan, &spec, &observed).unwrap();
    outcome(&plan)
}

fn audited(plan: &Plan, spec: &Spec, observed: &Observed) -> Result<(), Refusal> {
    let state = State::default();
    audit(
        plan,
        spec,
        observed,
        &verdict(spec, observed, &state),
        &state,
        repoint_domain::values::timestamp::Timestamp(0),
    )
    .map(|_| ())
}

fn outcome(plan: &Plan) -> Result<String, String> {
    match (&plan.step_groups[..], &plan.holds[..]) {
        ([StepGroup::Group { steps, .. }], []) => match &steps[..] {
            [TargetStep::Register(target)] => Ok(target.id.clone()),
            steps => panic!("{steps:?}"),
        },
        ([StepGroup::Zone { changes, .. }], []) => Ok(changes[0].after.answer.to_string()),
        ([], [hold]) => {
            assert!(matches!(hold.reason, EndpointReason::AddressUnfit(_)), "{:?}", hold.reason);
            Err(hold.reason.to_string())
        }
        other => panic!("{other:?}"),
    }
}

/// Every machine has these for itself.
const OWN: [&str; 9] = [
    "127.0.1.1",
    "127.0.0.1",
    "0.0.0.0",
    "169.254.7.7",
    "224.0.0.9",
    "::1",
    "fe80::1",
    "ff02::1",
    "::ffff:127.0.1.1",
];

/// `127.0.1.1 pg2` stands in the hosts file of pg2's own node.
#[test]
fn a_name_that_resolves_to_what_only_this_machine_uses_is_held() {
    for own in OWN {
        let why = placed(hosted("pg2", &[own]), None).unwrap_err();
        let shown = own.parse::<std::net::IpAddr>().unwrap().to_string();
        assert!(why.contains("pg2") && why.contains(&shown) && why.contains("connect_address"), "{why}");
        let record_type = if own.contains(':') { RecordType::Aaaa } else { RecordType::A };
        pointed(hosted("pg2", &[own]), record_type, None).unwrap_err();
    }
}

#[test]
fn of_such_an_address_and_a_fit_one_the_fit_one_is_used() {
    for own in OWN {
        assert_eq!(placed(hosted("pg2", &[own, "10.0.1.12"]), None), Ok("10.0.1.12".to_owned()));
        assert_eq!(
            pointed(hosted("pg2", &[own, "10.0.1.12"]), RecordType::A, None),
            Ok("10.0.1.12".to_owned())
        );
    }
    assert_eq!(
        pointed(hosted("pg2", &["fe80::1", "fd00::12"]), RecordType::Aaaa, None),
        Ok("fd00::12".to_owned())
    );
}

#[test]
fn an_address_that_every_machine_has_is_held() {
    for own in OWN {
        placed(hosted(own, &[]), None).unwrap_err();
    }
}

/// As in a laboratory on one machine.
#[test]
fn a_loopback_address_is_used_where_the_configuration_calls_a_member_by_one() {
    let lab = Some("http://127.0.0.11:8008");
    assert_eq!(placed(hosted("127.0.0.12", &[]), lab), Ok("127.0.0.12".to_owned()));
    assert_eq!(pointed(hosted("::1", &[]), RecordType::Aaaa, lab), Ok("::1".to_owned()));
    for own in ["0.0.0.0", "169.254.7.7", "fe80::1"] {
        placed(hosted(own, &[]), lab).unwrap_err();
    }
    placed(hosted("pg2", &["127.0.1.1"]), lab).unwrap_err();
    placed(hosted("127.0.0.12", &[]), Some("http://localhost:8008")).unwrap_err();
}

#[test]
fn what_is_neither_one_address_nor_one_name_is_not_resolved() {
    for odd in [
        "10.0.0.1,10.0.0.2",
        "10.0.0.1 10.0.0.2",
        "010.0.0.1",
        "127.1",
        "2130706433",
        "0x7f.0.0.1",
        "pg2..x",
        "-pg2",
        "[::1]",
        "pg2:5432",
    ] {
        placed(hosted(odd, &["10.0.0.1"]), None).unwrap_err();
        for record_type in [RecordType::A, RecordType::Cname] {
            let why = pointed(hosted(odd, &["10.0.0.1"]), record_type, None).unwrap_err();
            assert!(why.contains(odd), "{why}");
        }
    }
}

#[test]
fn a_cname_points_at_a_qualified_name() {
    let good = "pg2.db.example.com";
    assert_eq!(pointed(hosted(good, &[]), RecordType::Cname, None), Ok(good.to_owned()));
    assert_eq!(pointed(hosted("pg2", &["10.0.1.12"]), RecordType::A, None), Ok("10.0.1.12".to_owned()));
    let long = format!("{}.example.com", "x".repeat(64));
    for bad in ["pg2", "pg2.", "10.0.1.12", long.as_str()] {
        pointed(hosted(bad, &[]), RecordType::Cname, None).unwrap_err();
    }
}

#[test]
fn one_member_with_a_host_of_its_own_does_not_keep_the_others_out_of_a_warm_group() {
    let mut observed = healthy(2, 3);
    for answer in members_in(&mut observed).values_mut() {
        answer.view.as_mut().unwrap().members[0].address =
            Some(Address { host: "127.0.0.1".to_owned(), port: 5432 });
    }
    let group = TargetGroup { check: Some(crate::support::evidence::asks_patroni()), ..ip_group(&[]) };
    assert_eq!(group.target_type, TargetType::Ip);
    let (mut spec, observed) = with_group(observed, group);
    spec.groups = vec![crate::support::evidence::warm_spec(0)];
    let plan = planned(&spec, &observed);
    let [StepGroup::Group { steps, .. }] = &plan.step_groups[..] else { panic!("{plan:?}") };
    assert_eq!(steps[..], [register("10.0.1.12"), register("10.0.1.13")]);
}

// The auditor has its own eyes.

#[test]
fn the_auditor_refuses_what_only_this_machine_uses() {
    for own in ["127.0.1.1", "169.254.7.7"] {
        let (spec, observed) = with_group(hosted("pg2", &[own]), ip_group(&[]));
        let steps = vec![register(own)];
        let plan = Plan { step_groups: vec![StepGroup::Group { arn: arn(GROUP), steps }], ..Plan::default() };
        assert!(matches!(audited(&plan, &spec, &observed), Err(Refusal::OwnView { .. })));
    }
    let cases = [
        ("pg2", RecordType::Cname, "pg2"),
        ("pg2", RecordType::A, "127.0.1.1"),
        ("10.0.0.1,10.0.0.2", RecordType::Cname, "10.0.0.1,10.0.0.2"),
    ];
    for (host, record_type, value) in cases {
        let (spec, observed) =
            with_record(hosted(host, &["127.0.1.1"]), record_spec(record_type), Vec::new());
        let zone = place(record_type).zone;
        let after = record(&record_spec(record_type), &[value]);
        let after = RecordSet {
            answer: Answer::Values { ttl_seconds: DEFAULT_TTL_SECONDS, values: vec![value.to_owned()] },
            ..after
        };
        let change = RecordChange { before: None, after };
        let plan =
            Plan { step_groups: vec![StepGroup::Zone { zone, changes: vec![change] }], ..Plan::default() };
        assert!(matches!(audited(&plan, &spec, &observed), Err(Refusal::OwnView { .. })), "{value}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever Patroni and the resolver say, nothing is written that only this machine believes.
    #[test]
    fn invariant_8_no_endpoint_gets_what_only_this_machine_believes(
        host in prop_oneof![
            "[a-z0-9.-]{1,20}", "(127|10|169|0|224)\\.(0|254)\\.[0-9]\\.[0-9]", "pg[0-9](\\.[a-z]{2,8}){0,3}", "[0-9a-fx.,: ]{1,16}",
            proptest::sample::select(OWN.to_vec()).prop_map(str::to_owned),
        ],
        found in proptest::collection::vec(prop_oneof![
            any::<std::net::IpAddr>(),
            proptest::sample::select(OWN.to_vec()).prop_map(|own| own.parse().unwrap()),
        ], 0..3),
        record_type in proptest::sample::select(vec![RecordType::A, RecordType::Aaaa, RecordType::Cname]),
    ) {
        let mut observed = hosted(&host, &[]);
        observed.names = BTreeMap::from([(host.clone(), Ok(found))]);
        let (spec, observed) = with_group(observed, ip_group(&[]));
        let wanted = record_spec(record_type);
        let records = BTreeMap::from([(wanted.key.place.clone(), Ok(Vec::new()))]);
        let (spec, observed) = (Spec { records: vec![wanted], ..spec }, Observed { records, ..observed });
        let plan = planned(&spec, &observed);
        prop_assert_eq!(audited(&plan, &spec, &observed), Ok(()));
        let mut places = Vec::new();
        for step_group in &plan.step_groups {
            match step_group {
                StepGroup::Group { steps, .. } => places.extend(steps.iter().map(|step| match step {
                    TargetStep::Register(target) | TargetStep::Deregister(target) => target.id.clone(),
                })),
                StepGroup::Zone { changes, .. } => places.extend(changes.iter().map(|change| change.after.answer.to_string())),
                StepGroup::Listeners { .. } | StepGroup::Backend { .. } => panic!("there is none"),
            }
        }
        for place in places {
            let fit = place.parse().map_or_else(|_| is_name(&place) && is_qualified_name(&place), is_fit);
            prop_assert!(fit, "{}", place);
        }
    }
}

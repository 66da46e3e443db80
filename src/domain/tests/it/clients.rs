//! Where clients connect: which members, in which order, and in which form.

mod form;
mod service_file;

use std::collections::BTreeMap;

use repoint_domain::clients::{Absent, Node, Nodes, Wanted, nodes};
use repoint_domain::decide::verdict::verdict;
use repoint_domain::observed::{ClusterMember, MemberStatus, Observed};
use repoint_domain::plan::{EndpointReason, WarningReason};
use repoint_domain::spec::{GroupRole, PointsTo, Reached, RecordSpec, Site, Spec};
use repoint_domain::state::{KnownMember, State};
use repoint_domain::values::cluster::{Address, ApiUrl, ClusterRole, PostgresState, Role};
use repoint_domain::values::record::RecordType;

use crate::support::evidence::{
    group_spec, healthy, members_in, name, reader_spec, record_spec, refused, silence, spec, url,
};
use crate::support::sites::{How, east, seen, spec_of, west};

fn found(wanted: Wanted, spec: &Spec, observed: &Observed, state: &State) -> Result<Nodes, Absent> {
    nodes(wanted, spec, observed, &verdict(spec, observed, state), state)
}

fn of(wanted: Wanted, observed: &Observed) -> Result<Nodes, Absent> {
    found(wanted, &spec(), observed, &State::default())
}

/// Changes how every `/cluster` lists a member.
fn list(observed: &mut Observed, number: u8, change: impl Fn(&mut ClusterMember)) {
    let views = members_in(observed).values_mut().filter_map(|answer| answer.view.as_mut().ok());
    views.flat_map(|view| &mut view.members).filter(|listed| listed.name == name(number)).for_each(change);
}

fn hosts<'a>(nodes: impl Iterator<Item = &'a Node>) -> Vec<&'a str> {
    nodes.map(|node| node.address.host.as_str()).collect()
}

/// Those that are wanted, and then the others.
fn both(nodes: &Nodes) -> [Vec<&str>; 2] {
    [hosts(nodes.wanted()), hosts(nodes.others.iter())]
}

#[test]
fn the_primary_comes_first_and_every_other_member_after_it() {
    let found = of(Wanted::Primary, &healthy(2, 4)).unwrap();
    assert_eq!(both(&found), [vec!["10.0.1.12"], vec!["10.0.1.11", "10.0.1.13"]]);
    assert_eq!((found.target_session_attrs, found.first.member), ("read-write", Some(name(2))));
}

#[test]
fn without_a_primary_there_is_nothing() {
    let mut nobody = healthy(2, 4);
    members_in(&mut nobody).insert(url(2), silence(2).1);
    for wanted in [Wanted::Primary, Wanted::Standby, Wanted::Readers] {
        let absent = of(wanted, &nobody).unwrap_err();
        assert!(matches!(absent, Absent::Hold(_)) && absent.remedy().is_some(), "{absent}");
    }
}

#[test]
fn a_rival_is_left_out() {
    let mut observed = healthy(2, 4);
    let rival = members_in(&mut observed).get_mut(&url(1)).unwrap().status.as_mut().unwrap();
    *rival = MemberStatus { answers_primary: true, role: Role::Primary, ..rival.clone() };
    rival.timeline = Some(repoint_domain::values::cluster::Timeline(3));
    let found = of(Wanted::Primary, &observed).unwrap();
    assert_eq!(both(&found), [vec!["10.0.1.12"], vec!["10.0.1.13"]]);
}

/// Nothing but an operator keeps two sites apart.
#[test]
fn a_client_stays_in_the_site_that_holds_the_primary() {
    let observed = seen(&[(east(), How::Follows(4)), (west(), How::Leads(2, 4))]);
    let found = found(Wanted::Primary, &spec_of(&[east(), west()]), &observed, &State::default()).unwrap();
    assert_eq!(both(&found), [vec!["10.0.2.12"], vec!["10.0.2.11"]]);
}

#[test]
fn an_address_that_other_machines_cannot_use_is_none() {
    let to = |host: &str| Some(Address { host: host.to_owned(), port: 5432 });
    for host in ["127.0.0.1", "::1", "fe80::1", "pg1 or pg2", "pg1,pg2", "10.0.1.12 host=evil", "it's"] {
        let mut observed = healthy(2, 4);
        list(&mut observed, 1, |listed| listed.address = to(host));
        let found = of(Wanted::Primary, &observed).unwrap();
        assert_eq!(both(&found), [vec!["10.0.1.12"], vec!["10.0.1.13"]], "{host}");
        assert!(matches!(&found.warnings[..], [WarningReason::Unplaced { .. }]), "{host}");

        list(&mut observed, 2, |listed| listed.address = to(host));
        let absent = of(Wanted::Primary, &observed).unwrap_err();
        assert!(matches!(absent, Absent::Unplaced(EndpointReason::AddressUnfit(_))), "{host}: {absent}");
    }
    // A laboratory on one machine means them.
    let local = (1..=3).map(|number| ApiUrl::parse(&format!("http://127.0.0.{number}:8008")).unwrap());
    let site = Site { members: local.collect(), ..spec().sites.remove(0) };
    let mut observed = healthy(2, 4);
    list(&mut observed, 2, |listed| listed.address = to("127.0.0.2"));
    let own = Spec { sites: vec![site], ..spec() };
    // The answers are those of other addresses: a verdict needs a configured member.
    let verdict = verdict(&spec(), &observed, &State::default());
    let found = nodes(Wanted::Primary, &own, &observed, &verdict, &State::default()).unwrap();
    assert_eq!(hosts(found.wanted()), ["127.0.0.2"]);
}

#[test]
fn the_best_standby_comes_first_and_the_primary_last() {
    let mut observed = healthy(1, 4);
    list(&mut observed, 3, |listed| listed.role = ClusterRole::SyncStandby);
    let found = of(Wanted::Standby, &observed).unwrap();
    assert_eq!(both(&found), [vec!["10.0.1.13"], vec!["10.0.1.12", "10.0.1.11"]]);
    assert_eq!(found.target_session_attrs, "standby");

    for number in [2, 3] {
        list(&mut observed, number, |listed| listed.noloadbalance = true);
    }
    assert_eq!(of(Wanted::Standby, &observed), Err(Absent::Unplaced(EndpointReason::NoStandby)));
}

#[test]
fn readers_are_those_of_an_endpoint_and_the_primary_takes_their_place() {
    let mut observed = healthy(1, 4);
    list(&mut observed, 2, |listed| listed.lag_bytes = Some(1000));
    let found = of(Wanted::Readers, &observed).unwrap();
    assert_eq!(both(&found), [vec!["10.0.1.13", "10.0.1.12"], vec!["10.0.1.11"]]);
    assert_eq!(found.target_session_attrs, "prefer-standby");

    let strict = |primary_fallback| {
        let role = GroupRole::Reader { max_lag_bytes: 1000, primary_fallback };
        Spec { groups: vec![repoint_domain::spec::GroupSpec { role, ..reader_spec(0) }], ..spec() }
    };
    let found = self::found(Wanted::Readers, &strict(true), &observed, &State::default()).unwrap();
    assert_eq!(both(&found), [vec!["10.0.1.13"], vec!["10.0.1.11"]]);

    list(&mut observed, 3, |listed| listed.state = PostgresState::from("starting"));
    let found = self::found(Wanted::Readers, &strict(true), &observed, &State::default()).unwrap();
    assert_eq!(both(&found), [vec!["10.0.1.11"], vec![]]);
    let none = self::found(Wanted::Readers, &strict(false), &observed, &State::default());
    assert_eq!(none, Err(Absent::Unplaced(EndpointReason::NoReader)));
}

#[test]
fn a_record_of_readers_counts_as_well() {
    let points_to = PointsTo::Readers { max_lag_bytes: 10, primary_fallback: false };
    let record = RecordSpec { points_to, ..record_spec(RecordType::A) };
    let own = Spec { groups: vec![group_spec()], records: vec![record], ..spec() };
    let mut observed = healthy(1, 4);
    list(&mut observed, 2, |listed| listed.lag_bytes = Some(1000));
    let found = found(Wanted::Readers, &own, &observed, &State::default()).unwrap();
    assert_eq!((both(&found), found.target_session_attrs), ([vec!["10.0.1.13"], vec![]], "standby"));
}

#[test]
fn a_standby_cluster_has_readers_and_no_primary() {
    let mut observed = healthy(1, 4);
    for number in 1..=3 {
        list(&mut observed, 1, |listed| listed.role = ClusterRole::StandbyLeader);
        let answer = members_in(&mut observed).get_mut(&url(number)).unwrap();
        let own = answer.status.as_mut().unwrap();
        (own.answers_primary, own.role) =
            (false, if number == 1 { Role::StandbyLeader } else { Role::Replica });
    }
    let found = of(Wanted::Readers, &observed).unwrap();
    assert_eq!(both(&found), [vec!["10.0.1.12", "10.0.1.13"], vec!["10.0.1.11"]]);
    for wanted in [Wanted::Primary, Wanted::Standby] {
        assert!(matches!(of(wanted, &observed), Err(Absent::Hold(_))));
    }
}

#[test]
fn clients_reach_members_where_the_configuration_says() {
    let state = |number: u8| {
        let address = Some(Address { host: format!("10.0.1.{}", 10 + number), port: 5432 });
        (name(number), KnownMember { api_url: Some(url(number)), address })
    };
    let members: BTreeMap<_, _> = (1..=3).map(state).collect();
    let state = State { members, ..State::default() };
    let reached = Reached { host: "10.99.0.13".to_owned(), port: Some(6432) };
    let mut own = spec();
    own.sites[0].addresses = BTreeMap::from([(name(3), reached)]);

    // With the DCS down no member lists the others.
    let mut observed = healthy(2, 4);
    for answer in members_in(&mut observed).values_mut() {
        answer.view = Err(refused());
    }
    let known = found(Wanted::Primary, &own, &observed, &state).unwrap();
    assert_eq!(both(&known), [vec!["10.0.1.12"], vec!["10.0.1.11", "10.99.0.13"]]);
    assert_eq!(known.others[1].address.port, 6432);
    let none = found(Wanted::Primary, &own, &observed, &State::default());
    assert_eq!(none, Err(Absent::Unplaced(EndpointReason::AddressUnknown)));
    let readers = found(Wanted::Readers, &own, &observed, &state);
    assert_eq!(readers, Err(Absent::Unplaced(EndpointReason::ReplicasUnknown)));
}

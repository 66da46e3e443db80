//! Failover pairs of AAAA and of CNAME, by the real program over the wire: they swap in one batch as a pair of A does,
//! however their values are spelled, and nothing else of them changes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use repoint_sandbox::aws::route53::batch::{Change, ChangeAction};
use repoint_sandbox::aws::route53::record::{Answer, Failover, RecordSet};
use serde_json::json as value;

use super::Place;
use crate::support::command::Repoint;
use crate::support::http::{Request, Server, json};
use crate::support::site::{SYSTEM, configuration};

const NAME: &str = "db.example.com";
const CHANGE: &str = "ChangeResourceRecordSets";

/// A cluster of two members on these hosts, who lead in turn.
async fn members(hosts: [&'static str; 2], promotions: &Arc<AtomicUsize>) -> Vec<Server> {
    let mut servers = Vec::new();
    for number in 0..hosts.len() {
        let promotions = promotions.clone();
        let reply = move |request: &Request| {
            let promotions = promotions.load(Ordering::SeqCst);
            let (leader, timeline) = (promotions % 2, 4 + promotions);
            if request.path == "/cluster" {
                let members: Vec<_> = (0..hosts.len())
                    .map(|other| {
                        let (role, state) =
                            if other == leader { ("leader", "running") } else { ("replica", "streaming") };
                        value!({"name": format!("pg{other}"), "role": role, "state": state, "lag": 0,
                            "host": hosts[other], "port": 5432, "timeline": timeline})
                    })
                    .collect();
                return json(200, &value!({"members": members, "scope": "batman"}));
            }
            let (status, role) = if number == leader { (200, "primary") } else { (503, "replica") };
            let own = value!({"state": "running", "role": role, "timeline": timeline,
                "database_system_identifier": SYSTEM,
                "patroni": {"version": "4.1.5", "scope": "batman", "name": format!("pg{number}")}});
            json(status, &own)
        };
        servers.push(Server::start(reply).await);
    }
    servers
}

/// Both ends, as an operator makes them: each with a TTL and a health check that repoint is not told of.
fn pair(place: &Place, record_type: &str, values: [&str; 2]) -> [RecordSet; 2] {
    let mut account = place.aws.account();
    let mut end = |end, identifier, ttl, value| {
        let check = account.create_health_check(0).unwrap();
        let set =
            RecordSet::simple(NAME, record_type, ttl, &[value]).as_failover(end, identifier, Some(&check));
        let change = Change { action: ChangeAction::Create, set: set.clone() };
        account.change_resource_record_sets(0, &place.zone, &[change]).unwrap();
        set
    };
    [end(Failover::Primary, "one", 45, values[0]), end(Failover::Secondary, "two", 77, values[1])]
}

fn configured(place: &Place, record_type: &str) -> Repoint {
    let zone = place.zone.rsplit('/').next().unwrap();
    let end = |end: &str, identifier: &str, points_to: &str| {
        format!(
            "[[cluster.record]]\nzone_id = \"{zone}\"\nname = \"{NAME}\"\ntype = \"{record_type}\"\n\
             set_identifier = \"{identifier}\"\nfailover = \"{end}\"\npoints_to = \"{points_to}\"\n"
        )
    };
    let records = [end("PRIMARY", "one", "primary"), end("SECONDARY", "two", "standby")].concat();
    configuration(&place.members, &place.aws.url, &records)
}

/// The set with that value, and all else as it is.
fn with(set: &RecordSet, value: &str) -> RecordSet {
    let Answer::Values { ttl, .. } = &set.answer else { panic!("{set:?}") };
    RecordSet { answer: Answer::Values { ttl: *ttl, values: vec![value.to_owned()] }, ..set.clone() }
}

/// The pair stands there in somebody's own `spelling` of the `hosts`.
async fn swaps(record_type: &str, hosts: [&'static str; 2], spelling: [&str; 2], neighbours: &[RecordSet]) {
    let promotions = Arc::new(AtomicUsize::new(0));
    let place = Place::new(neighbours, |_| ()).await;
    let place = Place { members: members(hosts, &promotions).await, ..place };
    let foreign = place.sets();
    let [one, two] = pair(&place, record_type, spelling);
    let repoint = configured(&place, record_type);

    let ran = repoint.run(&["run", "--format", "json"]).await;
    assert_eq!((ran.code, place.take(CHANGE)), (0, 0), "{ran}");
    assert_eq!(ran.json()["clusters"][0]["outcome"], "converged", "{ran}");

    // There, and back: the second time what repoint itself has written is taken apart.
    for [first, second] in [[hosts[1], hosts[0]], hosts] {
        promotions.fetch_add(1, Ordering::SeqCst);
        let ran = repoint.run(&["run", "--format", "json"]).await;
        assert_eq!((ran.code, place.take(CHANGE)), (0, 1), "{ran}");
        assert_eq!(ran.json()["clusters"][0]["api_calls"]["route53:ChangeResourceRecordSets"], 1, "{ran}");
        let (own, others): (Vec<_>, Vec<_>) =
            place.sets().into_iter().partition(|set| set.key.set_identifier.is_some());
        assert_eq!(own, [with(&one, first), with(&two, second)], "{ran}");
        assert_eq!(others, foreign, "{ran}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pair_of_aaaa_swaps_in_one_batch() {
    let spelling = ["FD00:0:0:0:0:0:0:11", "fd00::0012"];
    // The same name has another type, which is none of repoint's business.
    let neighbours = [
        RecordSet::simple(NAME, "A", 60, &["192.0.2.1", "192.0.2.7"]),
        RecordSet::simple("a.example.com", "AAAA", 60, &["FD00::11"]),
    ];
    swaps("AAAA", ["fd00::11", "fd00::12"], spelling, &neighbours).await;
}

/// What the hosts' names lead to is nobody's business, and nobody knows these.
#[tokio::test(flavor = "multi_thread")]
async fn a_pair_of_cname_swaps_in_one_batch() {
    let spelling = ["PG0.db.invalid.", "pg1.DB.invalid"];
    let neighbours = [
        RecordSet::simple("a.example.com", "CNAME", 60, &["PG0.db.invalid"]),
        RecordSet::simple("z.example.com", "TXT", 60, &["\"pg0.db.invalid\""]),
    ];
    swaps("CNAME", ["pg0.db.invalid", "pg1.db.invalid"], spelling, &neighbours).await;
}

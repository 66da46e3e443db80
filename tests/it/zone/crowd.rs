//! A zone of ten thousand record sets, of which a few are repoint's.

#![expect(clippy::print_stdout, reason = "figures are told")]

use std::collections::BTreeMap;

use repoint_sandbox::aws::route53::record::{Alias, Answer, RecordSet};

use super::{NOBODY, PRIMARY, Place};

const FOREIGN: usize = 10_000;
/// Pages hold 300 (`ListResourceRecordSets`, `MaxItems`).
const PAGE: usize = 300;

/// What others keep in their zones: of many types, with weights, aliases and names that need escapes.
fn foreign(number: usize) -> RecordSet {
    let name = format!("host-{number:05}.example.com");
    match number % 7 {
        0 => RecordSet::simple(&name, "TXT", 300, &["\"v=spf1 -all\"", "\"Two  Words\""]),
        1 => RecordSet::simple(&name, "AAAA", 60, &["2001:DB8::1", "2001:db8::2"]),
        2 => RecordSet::simple(&name, "CNAME", 60, &["Elsewhere.Example.NET"]),
        3 => RecordSet::simple(&name, "MX", 3600, &["10 mail.example.com"]),
        4 => {
            let alias = Alias {
                zone: "Z26RNL4JYFTOTI".to_owned(),
                name: "dualstack.Web.elb.us-east-1.amazonaws.com".to_owned(),
                evaluate_target_health: number.is_multiple_of(2),
            };
            RecordSet { answer: Answer::Alias(alias), ..RecordSet::simple(&name, "A", 0, &[]) }
        }
        5 => {
            let mut set = RecordSet::simple(&format!("*.{name}"), "A", 60, &["192.0.2.7"]);
            set.key.set_identifier = Some("blue".to_owned());
            RecordSet { weight: Some(7), ..set }
        }
        _ => RecordSet::simple(&name, "A", 60, &["192.0.2.3", "192.0.2.1", "192.0.2.2"]),
    }
}

/// The zone with repoint's names in it, which point the wrong way.
async fn crowd(names: &[String]) -> Place {
    let mut sets: Vec<RecordSet> = (0..FOREIGN).map(foreign).collect();
    sets.extend(names.iter().map(|name| RecordSet::simple(name, "A", 30, &[NOBODY])));
    Place::new(&sets, |_| ()).await
}

/// The pages that a pass reads which mends what is wrong, and one that finds all as it should be.
async fn pages(names: &[String]) -> (usize, usize) {
    let place = crowd(names).await;
    let before = by_key(place.sets());
    let repoint = place.repoint(names);
    let ran = repoint.run(&["run"]).await;
    assert_eq!(ran.code, 0, "{ran}");
    let mending = place.take("ListResourceRecordSets");
    assert_eq!(place.take("ChangeResourceRecordSets"), 1, "{ran}");
    let again = repoint.run(&["run", "--format", "json"]).await;
    assert_eq!(again.json()["clusters"][0]["outcome"], "converged", "{again}");
    assert_eq!(place.take("ChangeResourceRecordSets"), 0);

    let after = by_key(place.sets());
    assert_eq!(before.keys().collect::<Vec<_>>(), after.keys().collect::<Vec<_>>());
    let mut changed = 0;
    for (key, set) in &after {
        if before[key] == *set {
            continue;
        }
        changed += 1;
        assert_eq!(set.answer, Answer::Values { ttl: 30, values: vec![PRIMARY.to_owned()] }, "{key}");
        assert!(names.iter().any(|name| key.starts_with(&format!("{name}."))), "{key} is somebody else's");
    }
    assert_eq!(changed, names.len());
    (mending, place.take("ListResourceRecordSets"))
}

fn by_key(sets: Vec<RecordSet>) -> BTreeMap<String, RecordSet> {
    let key =
        |set: &RecordSet| format!("{} {:?}", set.key.name, (&set.key.record_type, &set.key.set_identifier));
    sets.into_iter().map(|set| (key(&set), set)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_foreign_record_is_touched_and_few_pages_are_read() {
    let whole = FOREIGN.div_ceil(PAGE);
    let scattered = |count: usize| -> Vec<String> {
        (0..count).map(|index| format!("host-{:05}-db.example.com", index * FOREIGN / count)).collect()
    };
    let together: Vec<String> = (0..20).map(|index| format!("host-05000-db{index:02}.example.com")).collect();
    for (what, names, most) in [
        ("one name", scattered(1), 1),
        ("20 names that stand together", together, 1),
        ("20 names all over the zone", scattered(20), 20),
        ("200 names all over the zone", scattered(200), whole + 1),
    ] {
        let (mending, calm) = pages(&names).await;
        println!("{what}: {mending} pages, and {calm} when all is right; the zone has {whole}");
        assert!(mending <= most && calm <= most, "{what}: {mending} and {calm} pages, not {most}");
    }
}

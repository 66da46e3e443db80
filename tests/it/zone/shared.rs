//! The passes of one process over many clusters of a zone: they share what is read.

#![expect(clippy::print_stderr, reason = "figures")]

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::future::join_all;
use repoint::adapters::route53::Route53;
use repoint::limits::Calls;
use repoint::runtime::zone_batcher::ZoneBatcher;
use repoint_domain::values::record::{RecordName, RecordPlace, RecordType, ZoneId};
use repoint_sandbox::aws::Account;
use repoint_sandbox::aws::route53::batch::{Change, ChangeAction};
use repoint_sandbox::aws::route53::record::RecordSet;
use repoint_sandbox::aws::throttle::Bucket;

use crate::support::sandbox::Aws;

const FOREIGN: usize = 10_000;
/// What a page holds at most (`ListResourceRecordSets`, `MaxItems`).
const PAGE: usize = 300;
const LIST: &str = "route53:ListResourceRecordSets";

/// On both sides of any name.
fn foreign(number: usize) -> RecordSet {
    let message = char::from(b'a' + u8::try_from(number % 26).unwrap());
    RecordSet::simple(&format!("{message}{number}.example.com"), "A", 60, &["192.0.2.1"])
}

/// The passes over many clusters, through the real adapter: never more pages than the zone has, and one where all names
/// stand together.
#[tokio::test]
async fn clusters_share_the_pages() {
    let mut account = Account::default();
    account.throttle.set(Bucket::Route53, None);
    let id = account.create_hosted_zone(0, "example.com").unwrap();
    let changes: Vec<Change> =
        (0..FOREIGN).map(|number| Change { action: ChangeAction::Create, set: foreign(number) }).collect();
    for batch in changes.chunks(450) {
        account.change_resource_record_sets(0, &id, batch).unwrap();
    }
    let pages_of_zone = account.record_sets(&id).len().div_ceil(PAGE);
    let aws = Aws::start(account).await;
    let client = aws_sdk_route53::Client::new(&aws.config().await);
    let zone = ZoneId::new(id);
    let pages = async |names: Vec<String>| {
        let (together, calls) = (ZoneBatcher::default(), Calls::default());
        let passes = names.iter().map(|name| async {
            let zones = together.zones(Arc::new(Route53::new(client.clone(), calls.clone())), calls.clone());
            let (zone, name) = (zone.clone(), RecordName::new(name));
            let place = RecordPlace { zone: zone.clone(), name, record_type: RecordType::A };
            zones.read(&zone, &BTreeSet::from([place])).await.unwrap();
        });
        join_all(passes).await;
        usize::try_from(calls.counts()[LIST]).unwrap()
    };
    let near = pages((0..100).map(|number| format!("pg{number}.writers.example.com")).collect()).await;
    let scattered: Vec<String> = (0..100)
        .map(|number| format!("{}{number}-writer.example.com", char::from(b'a' + number % 26)))
        .collect();
    let alone = pages(scattered[..1].to_vec()).await;
    let scattered = pages(scattered).await;
    eprintln!(
        "{FOREIGN} foreign record sets on {pages_of_zone} pages: 100 names that stand together cost {near}, one {alone}, \
         100 scattered ones {scattered}"
    );
    assert_eq!((near, alone), (1, 1));
    assert!(scattered <= pages_of_zone, "{scattered}");
}

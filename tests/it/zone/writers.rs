//! A second program writes the record between repoint's read and its write.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};

use aws_sdk_route53::Client;
use aws_sdk_route53::types as sdk;
use repoint_sandbox::aws::route53::record::{Answer, RecordSet};
use repoint_sandbox::aws::wire;
use repoint_sandbox::http::exchange::Request;
use tokio::task::block_in_place;

use super::{NOBODY, PRIMARY, Place};

const ROUNDS: i64 = 100;
const NAME: &str = "a.example.com";

/// Lets the second program write before repoint's next write arrives.
struct Gate {
    is_armed: AtomicBool,
    bell: Mutex<Bell>,
}

struct Bell {
    /// repoint's write has come.
    come: mpsc::Sender<()>,
    /// The second program has done its own.
    done: mpsc::Receiver<()>,
}

impl Gate {
    fn meet(&self, request: &Request) {
        let is_change = wire::action(request).is_some_and(|(_, action)| action == "ChangeResourceRecordSets");
        // The second program's own writes overwrite; repoint's compare.
        let is_repoints = !String::from_utf8_lossy(&request.body).contains("UPSERT");
        if is_change && is_repoints && self.is_armed.swap(false, Ordering::SeqCst) {
            block_in_place(|| {
                let bell = self.bell.lock().unwrap_or_else(PoisonError::into_inner);
                bell.come.send(()).unwrap();
                bell.done.recv().unwrap();
            });
        }
    }
}

/// As most programs do it: whatever stands there is overwritten.
async fn overwrite(client: &Client, zone: &str, ttl: i64, value: &str) {
    let value = sdk::ResourceRecord::builder().value(value).build().unwrap();
    let set = sdk::ResourceRecordSet::builder().name(NAME).r#type(sdk::RrType::A).ttl(ttl);
    let set = set.resource_records(value).build().unwrap();
    let change = sdk::Change::builder().action(sdk::ChangeAction::Upsert).resource_record_set(set);
    let batch = sdk::ChangeBatch::builder().changes(change.build().unwrap()).build().unwrap();
    client.change_resource_record_sets().hosted_zone_id(zone).change_batch(batch).send().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_hundred_edits_in_between_are_all_kept() {
    let (come, has_come) = mpsc::channel();
    let (done, is_done) = mpsc::channel();
    let bell = Mutex::new(Bell { come, done: is_done });
    let gate = Arc::new(Gate { is_armed: AtomicBool::new(false), bell });
    let met = gate.clone();
    let neighbour = RecordSet::simple("b.example.com", "A", 60, &["192.0.2.1"]);
    let sets = [RecordSet::simple(NAME, "A", 5, &[NOBODY]), neighbour.clone()];
    let place = Place::new(&sets, move |request| met.meet(request)).await;
    let repoint = place.repoint(&[NAME.to_owned()]);
    let client = Client::new(&place.aws.config().await);
    for round in 0..ROUNDS {
        // The record is wrong, so that repoint writes; meanwhile its TTL becomes another one.
        overwrite(&client, &place.zone, 1000 + round, NOBODY).await;
        gate.is_armed.store(true, Ordering::SeqCst);
        let second = async {
            block_in_place(|| has_come.recv()).unwrap();
            overwrite(&client, &place.zone, 2000 + round, NOBODY).await;
            done.send(()).unwrap();
        };
        let (ran, ()) = tokio::join!(repoint.run(&["run"]), second);
        assert_eq!(ran.code, 0, "{ran}");
        let sets = place.sets();
        let set = sets.iter().find(|set| set.key.name.as_str().starts_with(NAME)).unwrap();
        let ttl = u32::try_from(2000 + round).unwrap();
        assert_eq!(set.answer, Answer::Values { ttl, values: vec![PRIMARY.to_owned()] }, "{ran}");
        assert!(sets.contains(&neighbour));
        // Twice by the second program; once refused, and once done.
        assert_eq!(place.take("ChangeResourceRecordSets"), 4, "{ran}");
    }
}

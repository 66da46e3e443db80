//! The real program and a zone that is not its own: others write in it, and there is more in it than anybody reads.

mod crowd;
mod families;
mod messages;
mod pair;
mod shared;
mod writers;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use repoint_sandbox::aws::route53::batch::{Change, ChangeAction};
use repoint_sandbox::aws::route53::record::RecordSet;
use repoint_sandbox::aws::throttle::Bucket;
use repoint_sandbox::aws::{Account, wire};
use repoint_sandbox::http::exchange::Request;

use crate::support::command::Repoint;
use crate::support::http::Server;
use crate::support::sandbox::Aws;
use crate::support::site::{configuration, patroni, record};

/// Where pg2 listens, which is the primary.
const PRIMARY: &str = "10.0.1.12";
/// Where nobody is.
const NOBODY: &str = "10.0.1.99";

/// A cluster, and an account with one zone.
struct Place {
    aws: Aws,
    zone: String,
    members: Vec<Server>,
    /// How often AWS was asked, by action.
    asked: Arc<Mutex<BTreeMap<String, usize>>>,
}

impl Place {
    /// With these record sets in the zone `example.com`; `before` hears of each request.
    async fn new(sets: &[RecordSet], before: impl Fn(&Request) + Send + Sync + 'static) -> Self {
        let mut account = Account::default();
        let zone = account.create_hosted_zone(0, "example.com").unwrap();
        account.create_topic(0, "db-alerts").unwrap();
        // The account's clock stands still, and would refill nothing.
        account.throttle.set(Bucket::Route53, None);
        for sets in sets.chunks(500) {
            let create = |set: &RecordSet| Change { action: ChangeAction::Create, set: set.clone() };
            let changes: Vec<Change> = sets.iter().map(create).collect();
            account.change_resource_record_sets(0, &zone, &changes).unwrap();
        }
        let asked: Arc<Mutex<BTreeMap<String, usize>>> = Arc::default();
        let counted = asked.clone();
        let before = move |request: &Request| {
            let (_, action) = wire::action(request).unwrap_or_default();
            *counted.lock().unwrap_or_else(PoisonError::into_inner).entry(action).or_default() += 1;
            before(request);
        };
        Self { aws: Aws::watched(account, before).await, zone, members: patroni().await, asked }
    }

    /// The program, told of records of these names that are to point at the primary.
    fn repoint(&self, names: &[String]) -> Repoint {
        let id = self.zone.rsplit('/').next().unwrap();
        let records: Vec<String> = names.iter().map(|name| record(name).replace("Z1", id)).collect();
        configuration(&self.members, &self.aws.url, &records.concat())
    }

    /// What is in the zone.
    fn sets(&self) -> Vec<RecordSet> {
        self.aws.account().record_sets(&self.zone)
    }

    /// How often that was asked since the last time.
    fn take(&self, action: &str) -> usize {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).remove(action).unwrap_or_default()
    }
}

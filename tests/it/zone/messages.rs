//! What people read when Route 53 refuses: each refusal in its own words, with what to do.

use std::future::{pending, ready};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use aws_sdk_route53::config::{AsyncSleep, Builder, SharedAsyncSleep, Sleep, StalledStreamProtectionConfig};
use repoint::adapters::clock::SystemClock;
use repoint::adapters::route53::Route53;
use repoint::limits::{Calls, LeaseGuard};
use repoint::ports::{Clock, Zones};
use repoint::runtime::zone_batcher::ZoneBatcher;
use repoint_domain::values::failure::{Failure, Kind};
use repoint_domain::values::record::{
    ChangeId, RecordChange, RecordName, RecordPlace, RecordSet, RecordType, ZoneId,
};
use repoint_sandbox::aws::Account;
use repoint_sandbox::aws::throttle::{Bucket, Rate};
use tokio::sync::Notify;
use tokio::time::{advance, pause};

use crate::support::evidence::{record, record_spec};
use crate::support::sandbox::Aws;

const CHANGE: &str = "route53:ChangeResourceRecordSets";

struct Desk {
    aws: Aws,
    zone: ZoneId,
    calls: Calls,
    zones: Arc<dyn Zones>,
}

impl Desk {
    async fn new() -> Self {
        Self::with(|config| config).await
    }

    /// With another configuration of the SDK.
    async fn with(change: impl FnOnce(Builder) -> Builder) -> Self {
        let mut account = Account::default();
        let id = account.create_hosted_zone(0, "example.com").unwrap();
        let aws = Aws::start(account).await;
        let calls = Calls::default();
        let config = change(Builder::from(&aws.config().await)).build();
        let route53 = Route53::new(aws_sdk_route53::Client::from_conf(config), calls.clone());
        let zones = ZoneBatcher::default().zones(Arc::new(route53), calls.clone());
        Self { aws, zone: ZoneId::new(id), calls, zones }
    }

    fn create(&self, name: &str, value: &str) -> RecordChange {
        let mut wanted = record_spec(RecordType::A);
        wanted.key.place =
            RecordPlace { zone: self.zone.clone(), name: RecordName::new(name), record_type: RecordType::A };
        RecordChange { before: None, after: record(&wanted, &[value]) }
    }

    async fn change(&self, changes: &[RecordChange]) -> Vec<Result<ChangeId, Failure>> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        self.zones.change(&self.zone, changes, &LeaseGuard::new(&clock, LONG)).await
    }

    async fn refused(&self, changes: &[RecordChange]) -> (Failure, u64) {
        let failure = self.change(changes).await.remove(0).unwrap_err();
        (failure, self.calls.counts()[CHANGE])
    }
}

const LONG: Duration = Duration::from_mins(1);

#[tokio::test]
async fn a_protected_record_set_is_reported_and_not_tried_again() {
    let desk = Desk::new().await;
    desk.aws.account().protect_records(desk.zone.as_str(), "db.example.com", "A", true);
    let (failure, calls) = desk.refused(&[desk.create("db.example.com", "10.0.0.1")]).await;
    assert_eq!((failure.kind, calls), (Kind::Invalid, 1));
    insta::assert_snapshot!(format!("{failure}\n{}", failure.hint.as_deref().unwrap()).replace(desk.zone.as_str(), "ZONE"), @"
    route53:ChangeResourceRecordSets on ZONE/db.example.com/A: InvalidChangeBatch: Resource record set [name='db.example.com.', type='A'] is protected and cannot be changed 3c6ef372-fe94-4000-8000-3c6ef372fe94
    the record set is protected in Route 53: remove the protection there, or remove the record from the configuration
    ");
}

/// The guilty one is told of itself alone, and the other goes through.
#[tokio::test]
async fn a_protected_record_set_holds_up_no_other() {
    let desk = Desk::new().await;
    desk.aws.account().protect_records(desk.zone.as_str(), "b.example.com", "A", true);
    let changes = ["a", "b", "c"].map(|name| desk.create(&format!("{name}.example.com"), "10.0.0.1"));
    let results = desk.change(&changes).await;
    assert!(results[0].is_ok(), "{results:?}");
    assert!(results[2].is_ok(), "{results:?}");
    let failure = results[1].clone().unwrap_err();
    assert!(failure.resource.ends_with("/b.example.com/A"), "{failure}");
    assert!(!failure.to_string().contains("a.example.com"), "{failure}");
    // All, the innocent, the guilty.
    assert_eq!(desk.calls.counts()[CHANGE], 3);
}

#[tokio::test]
async fn a_missing_zone_is_reported_when_it_is_read_and_when_it_is_changed() {
    let desk = Desk { zone: ZoneId::new("ZNOWHERE"), ..Desk::new().await };
    let changes = ["a", "b"].map(|name| desk.create(&format!("{name}.example.com"), "10.0.0.1"));
    let (failure, calls) = desk.refused(&changes).await;
    // No part of it would fare better.
    assert_eq!((failure.kind, calls), (Kind::NotFound, 1));
    insta::assert_snapshot!(format!("{failure}\n{}", failure.hint.as_deref().unwrap()), @"
    route53:ChangeResourceRecordSets on ZNOWHERE/a.example.com/A: NoSuchHostedZone: No hosted zone found with ID: ZNOWHERE
    the zone is not in the account of these credentials: check `zone_id` and the credentials
    ");
    let places = [changes[0].after.key.place.clone()].into();
    let failure = desk.zones.read(&desk.zone, &places).await.unwrap_err();
    insta::assert_snapshot!(format!("{failure}\n{}", failure.hint.as_deref().unwrap()), @"
    route53:ListResourceRecordSets on ZNOWHERE: NoSuchHostedZone: No hosted zone found with ID: ZNOWHERE
    the zone is not in the account of these credentials: check `zone_id` and the credentials
    ");
}

#[tokio::test]
async fn a_missing_health_check_is_reported() {
    let desk = Desk::new().await;
    let change = desk.create("db.example.com", "10.0.0.1");
    let after = RecordSet { health_check_id: Some("none".to_owned()), ..change.after.clone() };
    let (failure, _) = desk.refused(&[RecordChange { after, ..change }]).await;
    insta::assert_snapshot!(format!("{failure}\n{}", failure.hint.as_deref().unwrap()).replace(desk.zone.as_str(), "ZONE"), @"
    route53:ChangeResourceRecordSets on ZONE/db.example.com/A: NoSuchHealthCheck: No health check exists with the specified ID: none
    the health check is not in this account: check `health_check_id`
    ");
}

/// A policy names zones, and no records.
#[tokio::test]
async fn a_denied_change_is_reported_with_what_a_policy_has_to_name() {
    let desk = Desk::new().await;
    desk.aws.account().denials.deny(CHANGE, "");
    let (failure, calls) = desk.refused(&[desk.create("db.example.com", "10.0.0.1")]).await;
    assert_eq!((failure.kind, calls), (Kind::Denied, 1));
    assert!(failure.resource.ends_with("/db.example.com/A"), "{failure}");
    insta::assert_snapshot!(failure.hint.as_deref().unwrap().replace(desk.zone.as_str(), "ZONE"), @"allow the IAM action `route53:ChangeResourceRecordSets` on `arn:aws:route53:::hostedzone/ZONE` (statement `MoveRecordsZONE` of `repoint iam`), or use other credentials");
}

/// What the SDK waits for: an answer, as long as it takes; and twice nothing at all before it tries again. The third time
/// it waits for ever, and tells.
#[derive(Debug, Default)]
struct Waits {
    retries: AtomicU32,
    third: Arc<Notify>,
}

impl AsyncSleep for Waits {
    fn sleep(&self, duration: Duration) -> Sleep {
        // The first waits between two attempts are shorter than that, and time-outs are longer.
        let is_retry = duration < Duration::from_secs(1);
        if is_retry && self.retries.fetch_add(1, Ordering::Relaxed) < 2 {
            return Sleep::new(ready(()));
        }
        if is_retry {
            self.third.notify_one();
        }
        Sleep::new(pending())
    }
}

/// How the permit runs out while the SDK waits to try again.
async fn cut_off(trouble: impl FnOnce(&Desk)) -> String {
    let waits = Waits::default();
    let third = waits.third.clone();
    let desk = Desk::with(|config| {
        // It would look at its bytes every now and then.
        let unwatched = StalledStreamProtectionConfig::disabled();
        config.stalled_stream_protection(unwatched).sleep_impl(SharedAsyncSleep::new(waits))
    })
    .await;
    trouble(&desk);
    let change = [desk.create("db.example.com", "10.0.0.1")];
    let ((failure, calls), ()) = tokio::join!(desk.refused(&change), async {
        third.notified().await;
        pause();
        advance(LONG).await;
    });
    assert_eq!((failure.kind, calls), (Kind::Throttled, 3));
    format!("{failure}\n{}", failure.hint.as_deref().unwrap()).replace(desk.zone.as_str(), "ZONE")
}

/// The SDK tries again while the permit lasts; then the reason is told, and not that nobody answered.
#[tokio::test]
async fn a_throttled_account_is_reported_when_it_is_too_late_to_try_again() {
    let nothing = Some(Rate { burst: 0, per_second: 0 });
    let said = cut_off(|desk| desk.aws.account().throttle.set(Bucket::Route53, nothing)).await;
    insta::assert_snapshot!(said, @"
    route53:ChangeResourceRecordSets on ZONE/db.example.com/A: Throttling: Rate exceeded (no time was left for another attempt)
    AWS throttles the account's requests; the next pass retries
    ");
}

#[tokio::test]
async fn a_zone_that_is_busy_is_reported() {
    let said = cut_off(|desk| desk.aws.account().set_prior_request_pending(desk.zone.as_str(), true)).await;
    insta::assert_snapshot!(said, @"
    route53:ChangeResourceRecordSets on ZONE/db.example.com/A: PriorRequestNotComplete: The request was rejected because Route 53 was still processing a prior request. (no time was left for another attempt)
    Route 53 is still applying an earlier change of this zone; the next pass retries
    ");
}

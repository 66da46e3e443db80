//! Several alert topics, one of which hangs, refuses or is gone: what the others get, and how often (invariant 12).

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use repoint::ports::{Clock, Ports, Topics};
use repoint::runtime::pass::{Mode, Settings, pass};
use repoint_domain::report::ClusterReport;
use repoint_domain::state::{OutboxMessage, State};
use repoint_domain::values::arn::TopicArn;
use repoint_domain::values::failure::Failure;
use repoint_sandbox::transport::Link;
use tokio::time::{sleep, timeout};

use crate::link::{PG2, SETTINGS, named, switchover, world};

/// Topics of which the one for pages never answers.
struct PagesHang(Arc<dyn Topics>);

#[async_trait]
impl Topics for PagesHang {
    async fn publish(&self, topic: &TopicArn, message: &OutboxMessage) -> Result<(), Failure> {
        if topic.as_str().ends_with(":pages") {
            std::future::pending::<()>().await;
        }
        self.0.publish(topic, message).await
    }
}

fn hanging(ports: Ports) -> Ports {
    Ports { topics: Arc::new(PagesHang(ports.topics.clone())), ..ports }
}

async fn run_pass(link: &Link, ports: &Ports, settings: &Settings) -> ClusterReport {
    let spec = link.world().resources.spec.clone();
    pass(&spec, ports, settings, Mode::Apply).await
}

/// The subjects that each of both topics has got, without what they begin with.
fn received(link: &Link) -> [Vec<String>; 2] {
    let world = link.world();
    let topics = &world.resources.alert_topics;
    [&topics[0], &topics[1]].map(|topic| {
        let published = world.account.published(topic.arn.as_str()).iter();
        let subjects = published.filter_map(|published| published.message.subject.clone());
        subjects.map(|subject| subject.replace("repoint: batman: ", "")).collect()
    })
}

const FAILED: &str = "FAILED to change writers-by-ip";
const SWITCHOVER: &str = "switchover from pg1 to pg2, 1 not moved";

/// A switchover that a target group does not follow, because AWS denies it.
async fn denied() -> Link {
    let link = world();
    run_pass(&link, &named(&link, "first"), &SETTINGS).await;
    link.world().account.denials.deny("elasticloadbalancing:RegisterTargets", "");
    switchover(&link, PG2).await;
    link
}

#[tokio::test(start_paused = true)]
async fn a_process_that_dies_while_one_topic_hangs_repeats_nothing_of_the_other() {
    let link = denied().await;
    let ports = hanging(named(&link, "second"));
    let died = timeout(Duration::from_secs(2), run_pass(&link, &ports, &SETTINGS)).await;
    assert!(died.is_err(), "{died:?}");
    assert_eq!(received(&link), [vec![SWITCHOVER.to_owned(), FAILED.to_owned()], vec![]]);

    // By then the lease and the claim of the dead process have run out.
    sleep(Duration::from_secs(70)).await;
    run_pass(&link, &named(&link, "third"), &SETTINGS).await;
    run_pass(&link, &named(&link, "fourth"), &SETTINGS).await;
    let [text, pages] = received(&link);
    assert_eq!(text, [SWITCHOVER, FAILED]);
    assert_eq!(pages, [format!("ALARM: {FAILED}")]);
    assert_eq!(link.world().state.outbox, []);
}

/// A daemon whose store is gone knows by itself which topic has what.
#[tokio::test(start_paused = true)]
async fn without_the_state_store_only_the_topic_that_refused_gets_the_message_again() {
    let link = denied().await;
    let settings = Settings { needs_state: false, ..SETTINGS };
    let daemon = named(&link, "daemon");
    link.world().is_state_down = true;
    let ports = hanging(daemon.clone());
    let report = run_pass(&link, &ports, &settings).await;
    assert!(report.is_unnotified, "{report:?}");
    let [text, pages] = received(&link);
    assert!(text.iter().any(|subject| subject == FAILED) && pages.is_empty(), "{text:?} {pages:?}");

    let report = run_pass(&link, &daemon, &settings).await;
    assert!(!report.is_unnotified, "{report:?}");
    assert_eq!(received(&link), [text.clone(), vec![format!("ALARM: {FAILED}")]]);

    // What it could not publish goes into the outbox, once there is one again.
    link.world().account.denials.clear();
    run_pass(&link, &ports, &settings).await;
    link.world().is_state_down = false;
    run_pass(&link, &daemon, &settings).await;
    let [all, pages] = received(&link);
    let ends = |subjects: &[String]| subjects.iter().filter(|subject| subject.contains("resolved")).count();
    assert_eq!((ends(&all), ends(&pages)), (1, 1), "{all:?} {pages:?}");
    assert!(pages[1].starts_with("OK: resolved after"), "{pages:?}");
    assert_eq!(link.world().state.outbox, []);
}

/// Saves a message that waits.
async fn waits(link: &Link, message: OutboxMessage) {
    let (store, entry) = (named(link, "before").store, link.world().resources.spec.name.clone());
    let mut state = store.load(&entry).await.unwrap();
    state.revision += 1;
    state.post(message);
    store.save(&entry, &state).await.unwrap();
}

/// Another process may still know the topic, so the message waits for an hour.
#[tokio::test(start_paused = true)]
async fn a_message_for_a_topic_that_is_gone_is_dropped_with_a_warning() {
    let link = world();
    run_pass(&link, &named(&link, "first"), &SETTINGS).await;
    let message = OutboxMessage {
        id: "batman-1-0".to_owned(),
        topic: Some("arn:aws:sns:us-east-1:123456789012:gone".to_owned()),
        subject: "repoint: batman: no primary".to_owned(),
        body: "{}".to_owned(),
        attributes: std::collections::BTreeMap::new(),
        claimed_by: String::new(),
        claimed_at: Clock::now(&link),
    };
    waits(&link, message).await;
    let waiting = |link: &Link| link.world().state.outbox.len();
    assert_eq!(run_pass(&link, &named(&link, "second"), &SETTINGS).await.warnings, [""; 0]);
    assert_eq!(waiting(&link), 1);
    sleep(Duration::from_secs(3_700)).await;
    let report = run_pass(&link, &named(&link, "third"), &SETTINGS).await;
    assert_eq!(
        report.warnings,
        [
            "an alert was dropped, because its topic arn:aws:sns:us-east-1:123456789012:gone is no longer configured: \
          repoint: batman: no primary"
        ]
    );
    assert_eq!((waiting(&link), received(&link)), (0, [vec![], vec![]]));
}

/// As an earlier version has left it.
#[tokio::test(start_paused = true)]
async fn a_message_that_names_no_topic_is_published_to_the_first() {
    let link = world();
    run_pass(&link, &named(&link, "first"), &SETTINGS).await;
    let message = r#"{"revision": 1, "highest_timeline": null, "system_id": null, "primary": null, "members": {}, "lease": null,
        "conditions": [], "outbox": [{"id": "batman-1-0", "subject": "from before", "body": "text", "attributes": {},
        "claimed_by": "", "claimed_at": 0}]}"#;
    let mut before: State = serde_json::from_str(message).unwrap();
    waits(&link, before.outbox.remove(0)).await;
    run_pass(&link, &named(&link, "second"), &SETTINGS).await;
    assert_eq!(received(&link), [vec!["from before".to_owned()], vec![]]);
    assert_eq!(link.world().state.outbox, []);
}

//! One invocation: from the event to the answer.
//!
//! The passes depend only on the configuration and the time that is left, and the answer is the report. A failed
//! cluster fails the invocation, so that retries and the failure destination work.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use repoint::app::{App, Mode};
use repoint_domain::report::{ClusterReport, Outcome, Report, VERSION};
use repoint_domain::spec::Spec;
use repoint_domain::values::event::Order;
use repoint_domain::values::text;
use repoint_domain::values::timestamp::Timestamp;
use serde_json::{Value, json};
use tokio::sync::RwLock;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tracing::{error, info, warn};

use crate::deadline::{limits, usable};
use crate::embedded_metrics::embedded_metrics;
use crate::error::Failure;
use crate::event::{Scopes, Trigger, trigger};
use crate::summary::{blocked, sentences, unnotified, with_hint};
use crate::{http, logs};

/// How long running passes may take after SIGTERM: Lambda kills 500 ms after it ("Execution environment lifecycle").
/// The next pass continues a pass that is cut off.
const FINISH_WITHIN: Duration = Duration::from_millis(400);
/// How long their answer may then take to reach the Runtime API on this machine.
const ANSWER_WITHIN: Duration = Duration::from_millis(50);

/// Answers invocations.
pub struct Handler {
    app: App,
    /// The name of this function, if Lambda has set it: without one there are no metrics.
    function: Option<String>,
    /// Held for reading by every running invocation.
    under_way: RwLock<()>,
}

impl Handler {
    /// With existing clients.
    pub fn new(app: App, function: Option<String>) -> Self {
        Self { app, function, under_way: RwLock::new(()) }
    }

    /// Waits until no invocation is running; `false` if that takes too long.
    pub async fn finish(&self) -> bool {
        if self.under_way.try_write().is_ok() {
            return true;
        }
        let is_idle = timeout(FINISH_WITHIN, self.under_way.write()).await.is_ok();
        sleep(ANSWER_WITHIN).await;
        is_idle
    }

    /// Answers one event, before `deadline` in milliseconds since 1970.
    ///
    /// # Errors
    /// What the caller, or Lambda itself, should treat as a failure.
    pub async fn answer(&self, event: &Value, deadline: u64) -> Result<Value, Failure> {
        let _under_way = self.under_way.read().await;
        let trigger = trigger(event)?;
        info!(trigger = trigger.name(), left_ms = millis(left(deadline)), "invoked");
        match trigger {
            Trigger::Event(_) => self.reported(&self.of_scopes(None), Mode::Apply, deadline).await,
            Trigger::Notified(scopes) => self.reported(&self.of_scopes(scopes), Mode::Apply, deadline).await,
            Trigger::Direct(order) => self.reported(&self.chosen(&order)?, mode(&order), deadline).await,
            Trigger::Messages(ids, scopes) => {
                self.acknowledged(&ids, &self.of_scopes(scopes), deadline).await
            }
            Trigger::Http(order) => self.responded(order, deadline).await,
            Trigger::TestAlert => self.tested().await,
        }
    }

    /// The report, or the failure.
    async fn reported(&self, chosen: &[&Spec], mode: Mode, deadline: u64) -> Result<Value, Failure> {
        let report = self.observe(chosen, mode, deadline).await?;
        self.check(&report)?;
        serde_json::to_value(&report)
            .map_err(|error| Failure::ClusterFailed(format!("the report cannot be written as JSON: {error}")))
    }

    /// One pass for the whole batch. Messages cannot be attributed to clusters, so all of them are redelivered if one
    /// cluster failed.
    async fn acknowledged(&self, ids: &[String], chosen: &[&Spec], deadline: u64) -> Result<Value, Failure> {
        let report = self.observe(chosen, Mode::Apply, deadline).await?;
        let failed = match self.check(&report) {
            Ok(()) => &[],
            Err(failure) => {
                error!(messages = ids.len(), "{failure:?}");
                ids
            }
        };
        let failures: Vec<Value> = failed.iter().map(|id| json!({"itemIdentifier": id})).collect();
        Ok(json!({"batchItemFailures": failures}))
    }

    /// Publishes a test alert to every topic instead of a pass.
    async fn tested(&self) -> Result<Value, Failure> {
        let results = self.app.test_alert(None).await;
        if results.is_empty() {
            let message = "no alert topic is configured: set [alerts] sns_topic_arn";
            return Err(Failure::AlertFailed(message.to_owned()));
        }
        let refused = results.iter().filter_map(|(_, result)| result.as_ref().err());
        let refused: Vec<String> = refused
            .map(|failure| {
                with_hint(format!("the test alert was not published: {failure}"), failure.hint.as_deref())
            })
            .collect();
        if !refused.is_empty() {
            return Err(Failure::AlertFailed(refused.join("; ")));
        }
        let topics: Vec<&str> = results.iter().map(|(topic, _)| topic.arn.as_str()).collect();
        Ok(json!({ "test_alert": "published", "topics": topics }))
    }

    /// Every result is an HTTP status.
    async fn responded(&self, order: Result<Order, Failure>, deadline: u64) -> Result<Value, Failure> {
        let looked = async {
            let order = order?;
            self.observe(&self.chosen(&order)?, mode(&order), deadline).await
        };
        let looked = looked.await;
        match looked.map(|report| (self.check(&report), report)) {
            Ok((Ok(()), report)) => http::response(200, &report),
            Ok((Err(failure), report)) => {
                error!("{failure:?}");
                http::response(500, &report)
            }
            Err(failure) => {
                error!("{failure:?}");
                http::refusal(&failure)
            }
        }
    }

    /// Whether the report is a failure.
    fn check(&self, report: &Report) -> Result<(), Failure> {
        if let Some(move_cause) = sentences(report, Outcome::Failed) {
            return Err(Failure::ClusterFailed(move_cause));
        }
        // What will block the next failover fails this invocation already (invariant 12).
        if let Some(move_cause) = blocked(report) {
            return Err(Failure::ClusterFailed(move_cause));
        }
        if let Some(move_cause) = unnotified(report) {
            return Err(Failure::AlertFailed(move_cause));
        }
        match sentences(report, Outcome::Held).filter(|_| self.app.settings().lambda.fail_on_hold) {
            Some(move_cause) => Err(Failure::ClusterHeld(move_cause)),
            None => Ok(()),
        }
    }

    /// One pass over the selected clusters, within the time that is left.
    async fn observe(&self, chosen: &[&Spec], mode: Mode, deadline: u64) -> Result<Report, Failure> {
        let began_with = left(deadline);
        let usable = usable(began_with).unwrap_or_default();
        // Each pass gets the time that is left when it begins, since with many clusters not all begin at once.
        let limits = || limits(self.app.limits(), left(deadline));
        let until = Instant::now() + usable;
        let function = self.function.as_deref().filter(|_| mode == Mode::Apply);
        let notify = |cluster: &ClusterReport| {
            let metrics = function.map(|function| embedded_metrics(cluster, function, now()));
            logs::notify(cluster, metrics.as_deref());
        };
        let passes = self.app.passes(chosen, mode, limits, Some(until), notify);
        let ended = timeout_at(until, passes).await.map_err(|_| {
            Failure::OutOfTime(format!(
                "the passes did not end within the {} ms that were left of the invocation; the next invocation continues",
                millis(began_with)
            ))
        })?;
        let names = chosen.iter().map(|spec| spec.name.as_str());
        let late: Vec<&str> =
            names.zip(&ended).filter(|(_, report)| report.is_none()).map(|(name, _)| name).collect();
        if !late.is_empty() {
            return Err(Failure::OutOfTime(format!(
                "only {} ms were left of the invocation, too few for a pass, so these clusters were not checked: {}",
                millis(began_with),
                late.join(", ")
            )));
        }
        let clusters: Vec<ClusterReport> = ended.into_iter().flatten().collect();
        Ok(Report { version: VERSION, dry_run: mode == Mode::DryRun, clusters })
    }

    /// The clusters of callbacks' messages: every entry of each scope. A scope that is not configured selects all
    /// clusters: a callback from a node with another configuration is still a trigger.
    fn of_scopes(&self, scopes: Scopes) -> Vec<&Spec> {
        let settings = self.app.settings();
        let all = || settings.clusters.iter().collect();
        let Some(scopes) = scopes else { return all() };
        let unknown = scopes.iter().find(|scope| settings.entries_of_scope(scope).is_empty());
        if let Some(unknown) = unknown {
            let scope = text::message(unknown);
            warn!(scope, "a message has a scope that is not configured; checking all clusters");
            return all();
        }
        let is_meant = |spec: &&Spec| scopes.iter().any(|scope| spec.has_scope(scope));
        settings.clusters.iter().filter(is_meant).collect()
    }

    /// The selected clusters, in the order of the configuration.
    fn chosen(&self, order: &Order) -> Result<Vec<&Spec>, Failure> {
        let settings = self.app.settings();
        let known = &settings.clusters;
        let Some(wanted) = &order.cluster else { return Ok(known.iter().collect()) };
        let mut chosen = BTreeSet::new();
        for name in wanted {
            let called = settings.entries_called(name);
            if called.is_empty() {
                return Err(Failure::UnknownCluster { unknown: name.clone(), known: settings.names() });
            }
            chosen.extend(called.into_iter().map(|spec| &spec.name));
        }
        Ok(known.iter().filter(|spec| chosen.contains(&spec.name)).collect())
    }
}

fn mode(order: &Order) -> Mode {
    if order.dry_run { Mode::DryRun } else { Mode::Apply }
}

/// The time until a deadline.
fn left(deadline: u64) -> Duration {
    Duration::from_millis(deadline.saturating_sub(now().0))
}

#[expect(
    clippy::disallowed_methods,
    reason = "Lambda gives the deadline as a date, and takes metrics with one"
)]
fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    Timestamp(millis(since.unwrap_or_default()))
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

//! Following a cluster until it has a primary and its endpoints point there: what a callback asks for.
//!
//! Invariant 10: bounded. A callback comes before the promotion is finished, and on the old primary perhaps before any member
//! is promoted, so one pass is not enough.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::backoff::Backoff;
use super::deadline::Span;
use super::insync::Insync;
use super::members::Members;
use super::pass::{Mode, Settings, pass_with};
use crate::ports::Ports;
use repoint_domain::decide::snapshot::Snapshot;
use repoint_domain::report::{ClusterReport, Outcome};
use repoint_domain::spec::Spec;

/// How often the members are asked while none is the primary.
const ASK_EVERY: Duration = Duration::from_millis(100);

/// Makes passes until one finds or makes everything right, or time runs out; returns the last one's report. What an earlier
/// pass has changed is in its own report, and not waited for.
pub async fn follow(
    spec: &Spec,
    new_ports: impl Fn() -> Ports,
    settings: &Settings,
    insync: &Insync,
) -> ClusterReport {
    let deadline = Instant::now() + settings.limit;
    // Before a pass is made again where members say the same.
    let mut backoff = Backoff::default();
    let mut wait = backoff.next(settings.limit);
    let mut members = Members::default();
    loop {
        let ports = new_ports();
        let limit = deadline.saturating_duration_since(Instant::now());
        let span = Span::of(limit);
        let settings = Settings { limit, ..*settings };
        let report = Box::pin(pass_with(spec, &ports, &settings, Mode::Apply, &mut members)).await;
        let snapshot = Snapshot::of(spec, members.sites(spec));
        if matches!(report.outcome, Outcome::Converged | Outcome::Changed) {
            return insync.wait(report, new_ports, span).await;
        }
        let retry_at = Instant::now() + wait;
        loop {
            let next = Instant::now() + ASK_EVERY;
            if next >= deadline {
                return report;
            }
            let news = tokio::select! {
                biased;
                news = members.news(spec, &ports.members) => Some(news),
                () = sleep_until(next) => None,
            };
            members.look(news, spec, &ports.members, deadline).await;
            let now = Snapshot::of(spec, members.sites(spec));
            if !now.agrees(&snapshot) {
                break;
            }
            if now.names_a_primary() && Instant::now() >= retry_at {
                wait = backoff.next(settings.limit);
                break;
            }
        }
    }
}

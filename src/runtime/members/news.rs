//! Seeing within milliseconds that there is a new primary.
//!
//! For each `GET /cluster` a member reads the DCS, and for `GET /primary` it makes one query to its own PostgreSQL (Patroni,
//! `api.py`, `do_GET_cluster`, `get_postgresql_status`). So while there is no primary and one may be there at any moment, the
//! members are asked for the second alone, and often. What they say only sets off asking them for everything (invariant 1).

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use futures::future::select_all;
use tokio::time::{Instant, sleep_until};

use super::Members;
use crate::ports::{MemberPorts, Patroni};
use repoint_domain::decide::verdict::{HoldKind, Verdict, verdict};
use repoint_domain::observed::member::{Member, members};
use repoint_domain::observed::{Answers, MemberStatus, Observed};
use repoint_domain::spec::Spec;
use repoint_domain::state::State;
use repoint_domain::values::cluster::ApiUrl;

/// How often each member is asked, if it answers that soon.
const EVERY: Duration = Duration::from_millis(25);

impl Members {
    /// Waits until a member says something else of itself than it did last; for ever if that is not to be expected.
    pub fn news(&self, spec: &Spec, ports: &MemberPorts) -> impl Future<Output = ()> + use<> {
        let observed = self.observed(spec);
        let asked = if awaits_a_primary(spec, &observed) { statuses(&observed) } else { Vec::new() };
        let patroni = ports.patroni.clone();
        async move {
            if asked.is_empty() {
                return pending().await;
            }
            let each = asked.into_iter().map(|(url, said)| Box::pin(says_other(patroni.clone(), url, said)));
            select_all(each).await;
        }
    }
}

/// Whether there is no primary, and nothing that has to run out before there is one: while a member that does not answer
/// holds the leader key, that is up to a `ttl`. Other holds, as of a standby cluster, do not end by themselves.
fn awaits_a_primary(spec: &Spec, observed: &Observed) -> bool {
    let awaits = match verdict(spec, observed, &State::default()) {
        Verdict::Hold(hold) => matches!(hold.kind(), HoldKind::NoPrimary | HoldKind::Promoting),
        Verdict::Primary(_) => false,
    };
    awaits && observed.sites.values().any(is_free)
}

/// Whether a `/cluster` can be read, and none names a leader that does not answer.
fn is_free(answers: &Answers) -> bool {
    let members = members(answers);
    let answers = |name| members.iter().any(|own| own.name.as_ref() == Some(name) && own.status().is_some());
    let listed: Vec<_> = members.iter().filter_map(Member::view).flat_map(|view| &view.members).collect();
    !listed.is_empty() && listed.iter().all(|listed| !listed.role.leads() || answers(&listed.name))
}

/// What those said of themselves that answer.
fn statuses(observed: &Observed) -> Vec<(ApiUrl, MemberStatus)> {
    let answers = observed.sites.values().flatten();
    answers.filter_map(|(url, answer)| Some((url.clone(), answer.status.clone().ok()?))).collect()
}

/// Asks a member until it does not say the same. One that stops answering has said nothing new.
async fn says_other(patroni: Arc<dyn Patroni>, url: ApiUrl, said: MemberStatus) {
    let mut next = Instant::now();
    loop {
        next = Instant::now().max(next + EVERY);
        sleep_until(next).await;
        if patroni.status(&url).await.is_ok_and(|now| gist(&now) != gist(&said)) {
            return;
        }
    }
}

/// What a verdict rests on.
fn gist(status: &MemberStatus) -> impl PartialEq + use<'_> {
    (status.answers_primary, &status.role, &status.state, status.timeline)
}

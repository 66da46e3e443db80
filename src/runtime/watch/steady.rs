//! Seeing that nothing has changed, at the cost of one request.
//!
//! A thousand clusters of three members are six thousand requests a second if each member is asked for all it knows, and each
//! `GET /cluster` makes a member read the DCS. While all agree, the primary's own word is enough: it answers 503, another
//! thing, or nothing as soon as it no longer leads. Now and then the others are asked the same, since one of them may claim to
//! be the primary as well. What they say only sets off asking them for all they know (invariant 1).

use futures::future::join_all;
use tokio::time::timeout;

use crate::ports::Patroni;
use crate::runtime::members::SILENT_AFTER;
use repoint_domain::decide::snapshot::Snapshot;
use repoint_domain::decide::steady::steady;
use repoint_domain::observed::{MemberStatus, Sites, Wal};
use repoint_domain::spec::Spec;
use repoint_domain::values::cluster::ApiUrl;

/// Who is asked for its status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whom {
    Primary,
    Members,
}

/// What the members of a cluster that agree last said of themselves.
pub struct Steady {
    primary: ApiUrl,
    said: Vec<(ApiUrl, MemberStatus)>,
}

impl Steady {
    /// What members have just said, if their own status is enough next time.
    pub fn of(spec: &Spec, sites: &Sites, snapshot: &Snapshot) -> Option<Self> {
        let primary = steady(spec, sites, snapshot)?.clone();
        let answers = sites.values().flatten();
        let said = answers.filter_map(|(url, answer)| Some((url.clone(), gist(answer.status.clone().ok()?))));
        Some(Self { primary, said: said.collect() })
    }

    /// Asks; whether they say the same.
    pub async fn lasts(&self, patroni: &dyn Patroni, whom: Whom) -> bool {
        let asked = self.said.iter().filter(|(url, _)| whom == Whom::Members || *url == self.primary);
        let asking = asked.map(|(url, said)| async move {
            // A member that takes longer is not waited for before all are asked for all they know.
            let answer = timeout(SILENT_AFTER, patroni.status(url)).await;
            answer.ok().and_then(Result::ok).is_some_and(|now| gist(now) == *said)
        });
        join_all(asking).await.into_iter().all(|is_same| is_same)
    }
}

/// Without what always changes.
fn gist(status: MemberStatus) -> MemberStatus {
    MemberStatus { wal: Wal::default(), ..status }
}

//! One member: its last answer, and the request under way.

use std::time::Duration;

use tokio::task::AbortHandle;
use tokio::time::Instant;

use crate::limits::Asked;
use repoint_domain::observed::MemberAnswer;
use repoint_domain::values::cluster::ApiUrl;
use repoint_domain::values::failure::{Failure, Kind};

/// How long a request may take once a new primary is known and every member that has answered agrees.
pub const GRACE: Duration = Duration::from_millis(300);

/// One member.
#[derive(Debug, Default)]
pub struct Seat {
    /// Its last answer, and when that came. Boxed: a map has room for eleven members, and few clusters have more than three.
    pub answer: Option<(Box<MemberAnswer>, Instant)>,
    /// The request under way.
    pub question: Option<Asked>,
    pub under_way: Option<AbortHandle>,
    /// Its last request was met by silence.
    pub is_silent: bool,
}

impl Seat {
    /// What is known of it now: with a request under way, nothing.
    pub fn known(&self, url: &ApiUrl) -> Option<MemberAnswer> {
        let failed = |answer: &MemberAnswer| answer.status.is_err() && answer.view.is_err();
        match (&self.answer, &self.question) {
            (Some((answer, _)), None) => Some((**answer).clone()),
            // In the words of last time, so that a member that stays silent has the same message in each observation.
            (Some((answer, _)), Some(_)) if failed(answer) => Some((**answer).clone()),
            (_, Some(question)) => Some(unanswered(url, question)),
            (None, None) => None,
        }
    }

    /// When the request under way was sent.
    pub fn asked(&self) -> Option<Instant> {
        self.question.as_ref()?.at()
    }

    /// Until when it is waited for, if it is: one that was silent last time only where there is doubt. A grace counts from
    /// when the request was sent: a callback asks while the promotion is under way, and has waited for most of it when the new
    /// primary is there. A request that has not been sent yet has no grace: queueing is not silence.
    pub fn awaited_until(&self, rest: Rest, is_doubtful: bool, until: Instant) -> Option<Instant> {
        self.question.as_ref()?;
        let within = |grace| self.asked().map_or(until, |asked| until.min(asked + grace));
        let end = match (self.is_silent, rest) {
            (true, _) if !is_doubtful => return None,
            (true, _) => within(GRACE),
            (false, Rest::Grace(grace)) => within(grace),
            (false, Rest::Whole | Rest::Promoting) => until,
        };
        Some(end).filter(|end| Instant::now() < *end)
    }
}

/// How long the other members may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rest {
    /// As long as a request may take: their answers may change the verdict.
    Whole,
    /// So long from when the request was sent: a new primary is known.
    Grace(Duration),
    /// [`PROMOTING_GRACE`](super::PROMOTING_GRACE), and then every member is asked again.
    Promoting,
}

/// A member that has been asked and has not answered yet, or has not even been asked.
pub fn unanswered(url: &ApiUrl, question: &Asked) -> MemberAnswer {
    let message = match question.at() {
        Some(_) => "no answer yet",
        None => {
            "not asked yet: the limit of open files bounds how many members are asked at the same time; if this lasts, \
             raise it (`LimitNOFILE=` in the unit, `ulimit -n` in a shell)"
        }
    };
    let failure = |call: &str| Failure::new(Kind::Unavailable, call, url.to_string(), message);
    MemberAnswer { peer: None, status: Err(failure("GET /primary")), view: Err(failure("GET /cluster")) }
}

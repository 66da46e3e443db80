//! `POST /switchover`: the one request that changes something at Patroni.
//!
//! It is never repeated. Patroni answers after the switchover, which takes up to twice the larger of 10 s and `loop_wait`
//! (`api.py`, `poll_failover_result`), and where it does not know how it ended, `/cluster` does.

use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::CONTENT_TYPE;
use serde_json::json;

use super::Rest;
use repoint_domain::drill::gates::Switch;
use repoint_domain::values::text;

/// How long an answer is waited for: that of a `loop_wait` of 30 s, and some more.
const WITHIN: Duration = Duration::from_secs(75);
/// The longest answer that is read; it is a sentence.
const LONGEST_ANSWER: usize = 4096;

/// A user name and password of Patroni's `restapi.authentication`.
#[derive(Clone)]
pub struct BasicAuth {
    /// The user.
    pub username: String,
    /// The password; never printed.
    pub password: String,
}

/// What became of the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SwitchoverAnswer {
    /// Patroni says that it is done.
    Done(String),
    /// Patroni changes nothing.
    Refused(String),
    /// The request was not sent, since there is no connection.
    NotSent(String),
    /// It may have been done or not.
    Unclear(String),
}

impl Rest {
    /// Asks the leader for a switchover to the candidate.
    pub async fn switchover(&self, switch: &Switch, auth: Option<&BasicAuth>) -> SwitchoverAnswer {
        let body = json!({ "leader": switch.from, "candidate": switch.to }).to_string();
        let request = self
            .client
            .post(format!("{}/switchover", switch.leader_url))
            .header(CONTENT_TYPE, "application/json")
            .timeout(WITHIN)
            .body(body);
        let request = match auth {
            Some(BasicAuth { username, password }) => request.basic_auth(username, Some(password)),
            None => request,
        };
        let mut response = match request.send().await {
            Ok(response) => response,
            Err(error) => {
                let reason = self.reasons.of(&switch.leader_url, &error);
                return if error.is_connect() {
                    SwitchoverAnswer::NotSent(reason)
                } else {
                    SwitchoverAnswer::Unclear(reason)
                };
            }
        };
        let status = response.status();
        let mut answer = Vec::new();
        while let Ok(Some(chunk)) = response.chunk().await {
            answer.extend_from_slice(&chunk);
            if answer.len() > LONGEST_ANSWER {
                break;
            }
        }
        answer.truncate(LONGEST_ANSWER);
        judged(status, &text::message(String::from_utf8_lossy(&answer).trim()), auth.is_some())
    }
}

/// What a status means (`api.py`, `do_POST_failover` and `check_access`).
fn judged(status: StatusCode, said: &str, has_auth: bool) -> SwitchoverAnswer {
    let message = format!("{}: {said}", status.as_u16());
    match status.as_u16() {
        200 => SwitchoverAnswer::Done(message),
        401 | 403 => {
            let hint = if has_auth {
                "Patroni does not accept `patroni.username` and the password in `patroni.password_file`, or wants a client \
                 certificate (`patroni.certificate_file`)"
            } else {
                "set `patroni.username` and `patroni.password_file` to those of Patroni's `restapi.authentication`, or \
                 `patroni.certificate_file` where it wants a client certificate"
            };
            SwitchoverAnswer::Refused(format!("{message}; {hint}"))
        }
        400..500 => SwitchoverAnswer::Refused(message),
        // 202: a switchover is scheduled, which was not asked for. 503: it failed, or its end is not known.
        _ => SwitchoverAnswer::Unclear(message),
    }
}

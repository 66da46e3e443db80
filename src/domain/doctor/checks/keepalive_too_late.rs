//! The load balancer's idle timeout, and PostgreSQL's TCP keepalive.

use crate::doctor::check::{Check, Judge, Judgement, NotChecked, Severity, Wrong, fine, wrong_or};
use crate::doctor::subject::{Listener, Site};

pub const CHECK: Check = Check {
    id: "keepalive_too_late",
    severity: Severity::Warning,
    title: "Idle sessions end without notice",
    why: "A Network Load Balancer forgets a connection that was idle for the listener's idle timeout, and says so to neither end. \
          The server keeps the session, its locks and its slot; the client finds out with its next query. TCP keepalives that \
          come sooner keep the connection known. PostgreSQL leaves them to the operating system unless set: 2 h on Linux.",
    link: "https://docs.aws.amazon.com/elasticloadbalancing/latest/network/update-idle-timeout.html",
    judge: Judge::Listener(judge),
};

const TIMEOUT: &str = "tcp.idle_timeout.seconds";
/// What AWS takes where it is not set (Elastic Load Balancing API, `ListenerAttribute`).
const DEFAULT_TIMEOUT_SECONDS: u64 = 350;
const KEEPALIVE: &str = "tcp_keepalives_idle";

fn judge(listener: &Listener<'_>) -> Judgement {
    let group = listener.balancer.group;
    // A pooler has keepalives of its own.
    if group.has_own_port() {
        return fine();
    }
    let timeout = listener.attributes()?.number(TIMEOUT).unwrap_or(DEFAULT_TIMEOUT_SECONDS);
    let (mut wrong, mut gap) = (Vec::new(), None);
    for site in group.sites() {
        let seconds = match idle_seconds(site) {
            Ok(seconds) if (1..timeout).contains(&seconds) => continue,
            Ok(seconds) => seconds,
            Err(why) => {
                gap = gap.or(Some(why));
                continue;
            }
        };
        let remedy = format!(
            "patronictl edit-config {} --pg {KEEPALIVE}={}",
            site.spec.scope,
            (timeout / 3).clamp(1, 60)
        );
        wrong.push(if seconds == 0 {
            // The kernel of the nodes, a node's own patroni.yml or the clients may have a shorter one.
            let found = format!("{KEEPALIVE} is not set in {}, {TIMEOUT} is {timeout}", site.name());
            Wrong::new(found, remedy).with(Severity::Info)
        } else {
            Wrong::new(
                format!("{KEEPALIVE} is {seconds} s in {}, {TIMEOUT} is {timeout}", site.name()),
                remedy,
            )
        });
    }
    wrong_or(wrong, gap)
}

/// After how many idle seconds PostgreSQL sends the first keepalive; 0: the operating system decides.
fn idle_seconds(site: Site<'_>) -> Result<u64, NotChecked> {
    let Some(text) = site.config()?.parameters.get(KEEPALIVE) else { return Ok(0) };
    seconds(text).ok_or_else(|| NotChecked::Unknown(format!("{KEEPALIVE} is `{text}`, which is no time")))
}

/// A parameter's time in seconds, with the units that PostgreSQL knows.
fn seconds(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let number: u64 = text[..digits].parse().ok()?;
    match text[digits..].trim() {
        "" | "s" => Some(number),
        "ms" => Some(number / 1000),
        "min" => number.checked_mul(60),
        "h" => number.checked_mul(3600),
        "d" => number.checked_mul(86_400),
        _ => None,
    }
}

//! Whether Patroni has a watchdog on this machine.

use crate::doctor::check::{Check, Judge, Judgement, Severity, fine, unknown, wrong};
use crate::doctor::subject::File;
use crate::values::failure::Kind;

pub const CHECK: Check = Check {
    id: "watchdog_missing",
    severity: Severity::Warning,
    title: "Patroni has no watchdog",
    why: "If Patroni hangs or is killed while PostgreSQL runs on, another member is promoted when the leader key expires, and two members \
          take writes. A watchdog resets the host before that. On EC2 it is the kernel's `softdog`.",
    link: "https://patroni.readthedocs.io/en/latest/watchdog.html",
    judge: Judge::File(judge),
};

const PREPARE: &str = "echo softdog > /etc/modules-load.d/softdog.conf && modprobe softdog; a udev rule     `KERNEL==\"watchdog\", OWNER=\"postgres\"`; then: systemctl restart patroni";

fn judge(file: &File<'_>) -> Judgement {
    if matches!(file.its.watchdog_mode.as_deref(), Some("off" | "false" | "disable" | "disabled")) {
        let remedy = format!("in {}: `watchdog: {{mode: automatic}}`; then: {PREPARE}", file.path);
        return wrong("watchdog.mode is off", remedy);
    }
    match &file.node.watchdog {
        Some((_, Ok(true))) => fine(),
        Some((path, Ok(false))) => wrong(format!("the user of Patroni may not write {path}"), PREPARE),
        Some((path, Err(failure))) if failure.kind == Kind::NotFound => {
            wrong(format!("{path} does not exist"), PREPARE)
        }
        Some((_, Err(failure))) => Err(failure.into()),
        None => unknown("the watchdog device was not read"),
    }
}

//! Whether Patroni calls repoint on this machine.

use crate::doctor::check::{Check, Judge, Judgement, Severity, fine, unknown, wrong};
use crate::doctor::subject::File;

pub const CHECK: Check = Check {
    id: "callback_missing",
    severity: Severity::Warning,
    title: "Patroni does not call repoint when a role changes",
    why: "Only the member that is promoted calls its callback. If the callback is missing there, the failover to that member is noticed \
          by the next scheduled check alone: the file of every member needs it.",
    link: "https://patroni.readthedocs.io/en/latest/yaml_configuration.html",
    judge: Judge::File(judge),
};

const ACTION: &str = "on_role_change";
const OURS: &str = "repoint";

fn judge(file: &File<'_>) -> Judgement {
    let calls_us = |command: &str| command.contains(OURS);
    let also = file.callbacks().find(|(_, command)| calls_us(command));
    // Without a topic and without any of our callbacks the daemon asks Patroni, and needs none.
    let is_wanted = also.is_some() || file.facts().configured.callback_topic.is_some();
    match file.callback(ACTION) {
        Some(command) if calls_us(command) => fine(),
        _ if !is_wanted => fine(),
        Some(command) => unknown(format!("{ACTION} runs {command}, which may call repoint or not")),
        None => wrong(
            match also {
                Some((action, _)) => {
                    format!("postgresql.callbacks has repoint for {action}, and nothing for {ACTION}")
                }
                None => format!("postgresql.callbacks has no {ACTION}"),
            },
            format!(
                "in {}, under `postgresql.callbacks`: `{ACTION}: repoint callback --config /etc/repoint.toml`; then: {}",
                file.path,
                file.reload()
            ),
        ),
    }
}

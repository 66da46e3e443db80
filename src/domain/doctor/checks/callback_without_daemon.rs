//! Whether callbacks reach the daemon.

use crate::doctor::check::{Check, Judge, Judgement, Severity, fine, wrong};
use crate::doctor::subject::File;
use crate::values::failure::Kind;

pub const CHECK: Check = Check {
    id: "callback_without_daemon",
    severity: Severity::Warning,
    title: "Callbacks do not reach the daemon",
    why: "A callback with mode `daemon` calls the daemon on this machine, which has connections and credentials ready. Where it cannot, \
          it starts a process of its own: seconds later, and with the rights of Patroni's user.",
    link: "https://patroni.readthedocs.io/en/latest/yaml_configuration.html",
    judge: Judge::File(judge),
};

fn judge(file: &File<'_>) -> Judgement {
    let calls_us = file.callbacks().any(|(_, command)| command.contains("repoint"));
    let Some((path, Err(failure))) = file.node.socket.as_ref().filter(|_| calls_us) else { return fine() };
    let remedy = match failure.kind {
        Kind::Denied => {
            "run the daemon as the user of Patroni: `User=` and `Group=` in repoint.service, as it is delivered; then: systemctl restart repoint"
        }
        Kind::NotFound | Kind::Unavailable => {
            "systemctl enable --now repoint; or without a daemon here, in the configuration of repoint: `[callback] mode = \"detached\"`"
        }
        // This process may not use the socket, which says nothing of Patroni's user.
        _ => return Err(failure.into()),
    };
    wrong(format!("{path}: {}", failure.message), remedy)
}

//! `repoint callback`: trigger a check and return.
//!
//! Patroni never waits, and never sees a failure. A callback is a trigger without facts (invariant 1): the next
//! callback kills this process with all its children (`patroni/postgresql/callback_executor.py`), and
//! `on_role_change` comes before the promotion is finished.

use std::collections::BTreeSet;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use tracing::{info, warn};

use super::print;
use crate::app::control;
use crate::config::{CallbackMode, Settings};
use repoint_domain::spec::Spec;

pub const HELP: &str = "\
In patroni.yml, as the user that runs Patroni:
  postgresql:
    callbacks:
      on_role_change: repoint callback --config /etc/repoint.toml
      on_start: repoint callback --config /etc/repoint.toml

Patroni appends the action, the role and the scope. They are not trusted as facts: a callback only triggers a check of
the cluster, and returns within milliseconds. [callback] mode says what checks it: `daemon` (a `repoint watch` on this
host, or else a process of its own), `sns` (a topic that calls the Lambda) or `self` (a process of its own, which
Patroni cannot kill).";

/// A daemon on the same host answers within 1 ms; a slower one is skipped.
const ANSWER_WITHIN: Duration = Duration::from_millis(200);

/// The arguments that Patroni appends to the command.
#[derive(Clone, Copy, Debug)]
pub struct Called<'a> {
    /// `on_start`, `on_stop`, `on_restart`, `on_reload` or `on_role_change`.
    pub action: &'a str,
    /// `master`, `primary`, `promoted` (3.0.0), `replica`, `standby_leader`, `demoted`, `uninitialized`, or another
    /// word.
    pub role: &'a str,
    /// The scope.
    pub scope: &'a str,
}

impl<'a> Called<'a> {
    /// The last three arguments: the command in `patroni.yml` may have arguments of its own before them.
    pub fn from(arguments: &'a [String]) -> Option<Self> {
        let [.., action, role, scope] = arguments else { return None };
        Some(Self { action, role, scope })
    }
}

/// Triggers a check as configured.
pub fn main(settings: &Settings, config: &Path, arguments: &[String]) -> ExitCode {
    let Some(called) = Called::from(arguments) else {
        return print::usage_error("Patroni appends three arguments: ACTION ROLE SCOPE");
    };
    let Called { action, role, scope } = called;
    if settings.entries_of_scope(scope).is_empty() {
        let known: BTreeSet<&str> = settings.clusters.iter().flat_map(Spec::scopes).collect();
        return print::usage_error(&format!(
            "{} has no cluster `{scope}`; its clusters are {}",
            config.display(),
            known.into_iter().collect::<Vec<_>>().join(", ")
        ));
    }
    let detached = match &settings.callback.mode {
        CallbackMode::Daemon => match call_daemon(settings, scope) {
            Ok(()) => {
                info!(cluster.name = scope, action, role, "callback: the daemon checks the cluster");
                return ExitCode::SUCCESS;
            }
            Err(error) => {
                let socket = settings.watch.socket.display();
                warn!(cluster.name = scope, %error, "callback: no daemon at {socket} accepted the trigger, so repoint checks the cluster in a process of its own");
                detach(config, called)
            }
        },
        CallbackMode::Sns(_) | CallbackMode::Detached => detach(config, called),
    };
    match detached {
        Ok(process) => {
            info!(
                cluster.name = scope,
                action, role, process, "callback: a process of its own checks the cluster"
            );
            ExitCode::SUCCESS
        }
        Err(error) => print::error(&format!("callback: cannot start a process: {error}")),
    }
}

/// Triggers the daemons of this host: for each entry of the scope one that watches it, be it that of all clusters or
/// of a shard.
fn call_daemon(settings: &Settings, scope: &str) -> io::Result<()> {
    let sockets = control::sockets(&settings.watch.socket);
    let entries = settings.entries_of_scope(scope);
    entries.into_iter().try_for_each(|entry| observe(&sockets, entry.name.as_str()))
}

/// Triggers one socket after the other until a daemon accepts; else returns why none does.
fn observe(sockets: &[PathBuf], name: &str) -> io::Result<()> {
    let mut why = io::Error::from(ErrorKind::NotFound);
    for socket in sockets {
        match control::observe(socket, name, ANSWER_WITHIN) {
            Ok(()) => return Ok(()),
            // A daemon's refusal says more than a missing socket, such as that of a killed daemon.
            Err(error) if matches!(why.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) => {
                why = error;
            }
            Err(_) => {}
        }
    }
    Err(why)
}

/// Starts a process that outlives this one. It leaves Patroni's process tree when this one ends, and makes itself the
/// leader of a new session.
fn detach(config: &Path, called: Called) -> io::Result<u32> {
    let program = std::env::current_exe()?;
    let mut command = Command::new(program);
    command
        .arg("callback")
        .arg("--config")
        .arg(config)
        .args(["--detached", called.action, called.role, called.scope])
        // Patroni's own pipes, which must not get our output.
        .env_remove("NOTIFY_SOCKET")
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    Ok(command.spawn()?.id())
}

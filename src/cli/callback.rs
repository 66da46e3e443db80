//! `repoint callback`: hand over, and be gone.
//!
//! Law: Patroni never waits, and is never failed. What it says is a reason to look, not a fact: the next callback kills
//! this process with all its children (`patroni/postgresql/callback_executor.py`), and `on_role_change` comes before the
//! promotion is finished.

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

/// A daemon on the same host answers within a millisecond; one that does not is passed over.
const ANSWER_WITHIN: Duration = Duration::from_millis(200);

/// What Patroni appends to the command.
#[derive(Clone, Copy, Debug)]
pub struct Called<'a> {
    /// `on_start`, `on_stop`, `on_restart`, `on_reload` or `on_role_change`.
    pub action: &'a str,
    /// `master`, `primary`, `promoted` (3.0.0), `replica`, `standby_leader`, `demoted`, `uninitialized`, and whatever comes.
    pub role: &'a str,
    /// The cluster.
    pub scope: &'a str,
}

impl<'a> Called<'a> {
    /// The last three arguments: the command in `patroni.yml` may have some of its own before.
    pub fn from(arguments: &'a [String]) -> Option<Self> {
        let [.., action, role, scope] = arguments else { return None };
        Some(Self { action, role, scope })
    }
}

/// Hands over to whoever is configured.
pub fn main(settings: &Settings, config: &Path, arguments: &[String]) -> ExitCode {
    let Some(called) = Called::from(arguments) else {
        return print::usage_error("Patroni appends three arguments: ACTION ROLE SCOPE");
    };
    let Called { action, role, scope } = called;
    if settings.entries_of_scope(scope).is_empty() {
        let known: BTreeSet<&str> = settings.clusters.iter().flat_map(Spec::scopes).collect();
        return print::usage_error(&format!(
            "{} has no cluster `{scope}`; it has {}",
            config.display(),
            known.into_iter().collect::<Vec<_>>().join(", ")
        ));
    }
    let detached = match &settings.callback.mode {
        CallbackMode::Daemon => match call_daemon(settings, scope) {
            Ok(()) => {
                info!(cluster.name = scope, action, role, "callback: the daemon looks");
                return ExitCode::SUCCESS;
            }
            Err(error) => {
                let socket = settings.watch.socket.display();
                warn!(cluster.name = scope, %error, "callback: no daemon at {socket} takes over, so repoint looks by itself");
                detach(config, called)
            }
        },
        CallbackMode::Sns(_) | CallbackMode::Detached => detach(config, called),
    };
    match detached {
        Ok(process) => {
            info!(cluster.name = scope, action, role, process, "callback: handed over");
            ExitCode::SUCCESS
        }
        Err(error) => {
            print::error(&format!("callback: it cannot hand over to a process of its own: {error}"))
        }
    }
}

/// To the daemons of this host: each entry of the scope to one that watches it, be it that of all clusters or of a shard.
fn call_daemon(settings: &Settings, scope: &str) -> io::Result<()> {
    let sockets = control::sockets(&settings.watch.socket);
    let entries = settings.entries_of_scope(scope);
    entries.into_iter().try_for_each(|entry| observe(&sockets, entry.name.as_str()))
}

/// Says "look" at one socket after the other until a daemon takes it; or else why none does.
fn observe(sockets: &[PathBuf], name: &str) -> io::Result<()> {
    let mut why = io::Error::from(ErrorKind::NotFound);
    for socket in sockets {
        match control::observe(socket, name, ANSWER_WITHIN) {
            Ok(()) => return Ok(()),
            // What a daemon says tells more than that there is none, such as where one was killed.
            Err(error) if matches!(why.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) => {
                why = error;
            }
            Err(_) => {}
        }
    }
    Err(why)
}

/// Starts what goes on when this process is gone. It leaves Patroni's process tree when this one ends, at once, and makes
/// itself a session of its own.
fn detach(config: &Path, called: Called) -> io::Result<u32> {
    let program = std::env::current_exe()?;
    let mut command = Command::new(program);
    command
        .arg("callback")
        .arg("--config")
        .arg(config)
        .args(["--detached", called.action, called.role, called.scope])
        // Patroni's own, which is not to hear of us.
        .env_remove("NOTIFY_SOCKET")
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    Ok(command.spawn()?.id())
}

//! What only this machine can say, for `doctor --local`: Patroni's files, its user's rights, units, the clock, the hosts file.
//!
//! It reads alone. What this process may not read is a failure that names it (invariant 2).

mod access;
mod haproxy_cfg;
mod patroni_yml;
mod process;
mod system;

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use repoint_domain::doctor::facts::node::{HaproxyCfg, NodeFacts, PatroniYml};
use repoint_domain::observed::Read;
use repoint_domain::values::failure::{Failure, Kind};

use process::Patroni;

/// Where Patroni's watchdog is unless its file says otherwise (Patroni, `watchdog/linux.py`).
const WATCHDOG: &str = "/dev/watchdog";
/// Where distributions have HAProxy's configuration.
const HAPROXY: &str = "/etc/haproxy/haproxy.cfg";

/// Reads this machine, whose files are below `root` (`/`, but for tests). `socket` is the daemon's control socket, where callbacks
/// call the daemon; `has_backends`: whether backends of HAProxy are configured.
pub async fn read(root: &Path, socket: Option<&Path>, has_backends: bool) -> NodeFacts {
    let running = process::running(root);
    let patroni = files(root, &running);
    let user = running.first().and_then(|patroni| patroni.user.clone());
    let device = patroni.values().find_map(|yml| yml.as_ref().ok()?.watchdog_device.clone());
    let device = device.unwrap_or_else(|| WATCHDOG.to_owned());
    let watchdog = access::may_write(&below(root, Path::new(&device)), user.as_ref());
    let (units, clock) = tokio::join!(system::units(), system::is_clock_synchronised());
    NodeFacts {
        host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
        // Without Patroni it is of no use.
        watchdog: (!patroni.is_empty()).then_some((device, watchdog)),
        patroni,
        units,
        socket: socket.map(|path| (path.display().to_string(), access::reaches_daemon(path, user.as_ref()))),
        is_clock_synchronised: Some(clock),
        haproxy: has_backends.then(|| (HAPROXY.to_owned(), haproxy(root))),
        hosts: Some(text(&below(root, Path::new("/etc/hosts"))).map(|hosts| system::hosts(&hosts))),
    }
}

fn haproxy(root: &Path) -> Read<HaproxyCfg> {
    text(&below(root, Path::new(HAPROXY))).map(|cfg| haproxy_cfg::parse(&cfg))
}

/// The files that Patroni runs with here, or else those that it would run with.
fn files(root: &Path, running: &[Patroni]) -> BTreeMap<String, Read<PatroniYml>> {
    let mut files = BTreeMap::new();
    for patroni in running {
        let (name, read) = match &patroni.file {
            Some(path) => (path.display().to_string(), patroni_yml::read(&below(root, path))),
            None => (format!("the environment of process {}", patroni.process), Ok(PatroniYml::default())),
        };
        files.insert(name, read.map(|yml| patroni_yml::with_environment(yml, &patroni.environment)));
    }
    if running.is_empty() {
        for path in candidates(root) {
            let read = patroni_yml::read(&below(root, &path));
            // Others of Patroni's folder, such as Debian's dcs.yml, are a part of one.
            if !read.as_ref().is_ok_and(|yml| yml.scope.is_none()) {
                files.insert(path.display().to_string(), read);
            }
        }
    }
    files
}

/// Where Patroni's files usually are.
fn candidates(root: &Path) -> Vec<PathBuf> {
    let folder = Path::new("/etc/patroni");
    let mut paths = patroni_yml::in_folder(&below(root, folder)).unwrap_or_default();
    paths = paths.into_iter().filter_map(|path| Some(folder.join(path.file_name()?))).collect();
    let single = PathBuf::from("/etc/patroni.yml");
    if below(root, &single).exists() {
        paths.push(single);
    }
    paths
}

fn below(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}

/// The text of a file.
fn text(path: &Path) -> Read<String> {
    std::fs::read_to_string(path).map_err(|error| failure("read", path, &error))
}

/// The failure of a call of the operating system.
fn failure(call: &str, path: &Path, error: &std::io::Error) -> Failure {
    let kind = match error.kind() {
        ErrorKind::NotFound => Kind::NotFound,
        ErrorKind::PermissionDenied => Kind::Unauthenticated,
        _ => Kind::Unavailable,
    };
    let failure = Failure::new(kind, call, path.display().to_string(), error.to_string());
    if kind == Kind::Unauthenticated {
        return failure.with_hint("run `repoint doctor --local` as root or as the user of Patroni");
    }
    failure
}

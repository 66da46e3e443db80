//! Units of systemd, the clock, the hosts file.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

use repoint_domain::doctor::facts::node::{HostsLine, Unit};
use repoint_domain::observed::Read;
use repoint_domain::values::failure::{Failure, Kind};
use repoint_domain::values::text;

/// systemd answers within milliseconds; one that hangs is not waited for.
const WITHIN: Duration = Duration::from_secs(5);

/// The units of Patroni and repoint that systemd has loaded: one that is enabled or runs is.
pub async fn units() -> BTreeMap<String, Read<Unit>> {
    let arguments = ["show", "--property=Id,ActiveState,UnitFileState", "patroni*", "repoint*"];
    match output("systemctl", &arguments).await {
        Ok(shown) => loaded(&shown),
        Err(failure) => BTreeMap::from([("systemctl".to_owned(), Err(failure))]),
    }
}

/// Whether the kernel says that its clock is synchronised.
///
/// # Errors
/// If there is no timedatectl, or it does not say.
pub async fn is_clock_synchronised() -> Read<bool> {
    let shown = output("timedatectl", &["show", "--property=NTPSynchronized", "--value"]).await?;
    match shown.trim() {
        "yes" => Ok(true),
        "no" => Ok(false),
        other => {
            let message = format!("NTPSynchronized is `{}`", text::word(other));
            Err(Failure::new(Kind::Invalid, "timedatectl show", "this machine", message))
        }
    }
}

async fn output(program: &str, arguments: &[&str]) -> Read<String> {
    let failure = |kind, message: String| {
        Failure::new(kind, format!("{program} {}", arguments[0]), "this machine", text::message(&message))
    };
    let mut command = Command::new(program);
    command.args(arguments).env("LC_ALL", "C.UTF-8").kill_on_drop(true);
    let ended = timeout(WITHIN, command.output()).await;
    let ended =
        ended.map_err(|_| failure(Kind::Unavailable, format!("no answer within {} s", WITHIN.as_secs())))?;
    let output = ended.map_err(|error| match error.kind() {
        ErrorKind::NotFound => failure(Kind::NotFound, format!("there is no {program}")),
        _ => failure(Kind::Unavailable, error.to_string()),
    })?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(failure(Kind::Unavailable, String::from_utf8_lossy(&output.stderr).into_owned()))
}

/// What `systemctl show` has printed: a block for each unit, of `NAME=VALUE`.
fn loaded(shown: &str) -> BTreeMap<String, Read<Unit>> {
    let unit = |block: &str| {
        let value = |name: &str| {
            let is = |line: &str| line.strip_prefix(name)?.strip_prefix('=').map(text::word);
            block.lines().find_map(is)
        };
        let enabled = value("UnitFileState").filter(|state| !state.is_empty());
        let unit = Unit {
            active: value("ActiveState")?,
            enabled: enabled.unwrap_or_else(|| "not-found".to_owned()),
        };
        Some((value("Id")?, Ok(unit)))
    };
    shown.split("\n\n").filter_map(unit).collect()
}

/// The lines of a hosts file.
pub fn hosts(file: &str) -> Vec<HostsLine> {
    let line = |line: &str| {
        let mut words = line.split('#').next().unwrap_or_default().split_whitespace().map(text::message);
        let address = words.next()?;
        Some((address, words.collect()))
    };
    file.lines().filter_map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_read_from_what_systemctl_shows() {
        let shown = "Id=patroni@17-main.service\nActiveState=active\nUnitFileState=enabled\n\n\
                     Id=repoint.service\nActiveState=inactive\nUnitFileState=\n";
        let unit =
            |active: &str, enabled: &str| Ok(Unit { active: active.to_owned(), enabled: enabled.to_owned() });
        let expected = BTreeMap::from([
            ("patroni@17-main.service".to_owned(), unit("active", "enabled")),
            ("repoint.service".to_owned(), unit("inactive", "not-found")),
        ]);
        assert_eq!(loaded(shown), expected);
        assert_eq!(loaded(""), BTreeMap::new());
    }
}

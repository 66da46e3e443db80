//! Units of this machine that should run.

use crate::doctor::check::{Check, Judge, Judgement, Severity, Wrong, fine};
use crate::doctor::facts::Facts;
use crate::doctor::facts::node::Unit;

pub const CHECK: Check = Check {
    id: "unit_not_running",
    severity: Severity::Warning,
    title: "A unit of systemd does not run",
    why: "The unit has failed, or is enabled and was stopped: what it is for is not done on this machine.",
    link: "https://www.freedesktop.org/software/systemd/man/latest/systemctl.html",
    judge: Judge::Setup(judge),
};

fn judge(facts: &Facts) -> Judgement {
    let Some(node) = &facts.node else { return fine() };
    let mut found = Vec::new();
    for (name, unit) in &node.units {
        let unit = unit.as_ref()?;
        // Of a program's several units (Debian's patroni.service and patroni@.service, the daemon and the timer) one runs.
        let runs = |(other, unit): (&String, Option<&Unit>)| {
            program(other) == program(name) && unit.is_some_and(|unit| unit.active == "active")
        };
        let is_stopped = unit.active == "inactive"
            && unit.enabled == "enabled"
            && !node.units.iter().map(|(other, unit)| (other, unit.as_ref().ok())).any(runs);
        if unit.active == "failed" || is_stopped {
            let enabled = &unit.enabled;
            found.push(Wrong::new(
                format!("{name} on {} is {} ({enabled})", node.host, unit.active),
                format!("systemctl restart {name}; its reason: journalctl -u {name} -n 50"),
            ));
        }
    }
    Ok(found)
}

/// What the name of a unit begins with.
fn program(unit: &str) -> &str {
    unit.split(['@', '-', '.']).next().unwrap_or(unit)
}

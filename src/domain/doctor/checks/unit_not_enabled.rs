//! Units of this machine that do not return after a reboot.

use crate::doctor::check::{Check, Judge, Judgement, Severity, Wrong, fine};
use crate::doctor::facts::Facts;

pub const CHECK: Check = Check {
    id: "unit_not_enabled",
    severity: Severity::Info,
    title: "A unit of systemd does not start after a reboot",
    why: "The unit runs and is not enabled: after a reboot of the machine it stays down until an operator starts it. Some keep Patroni \
          so on purpose, and then this is to be ignored.",
    link: "https://www.freedesktop.org/software/systemd/man/latest/systemctl.html",
    judge: Judge::Setup(judge),
};

fn judge(facts: &Facts) -> Judgement {
    let Some(node) = &facts.node else { return fine() };
    let mut found = Vec::new();
    for (name, unit) in &node.units {
        let unit = unit.as_ref()?;
        if unit.active == "active" && unit.enabled == "disabled" {
            found.push(Wrong::new(
                format!("{name} on {} is active and disabled", node.host),
                format!("systemctl enable {name}"),
            ));
        }
    }
    Ok(found)
}

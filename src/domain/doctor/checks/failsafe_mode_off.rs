//! What happens to the primary when the DCS is lost.

use crate::doctor::check::{Check, Judge, Judgement, Severity, fine, wrong};
use crate::doctor::subject::Site;

pub const CHECK: Check = Check {
    id: "failsafe_mode_off",
    severity: Severity::Warning,
    title: "Losing the DCS stops writes",
    why: "When Patroni cannot reach etcd, Consul or ZooKeeper it demotes a healthy primary, since another member might have taken the \
          leader key: an outage of the DCS is an outage of every cluster that it serves. With `failsafe_mode` (Patroni 3.0) the \
          primary stays as long as it reaches every other member.",
    link: "https://patroni.readthedocs.io/en/latest/dcs_failsafe_mode.html",
    judge: Judge::Site(judge),
};

fn judge(site: &Site<'_>) -> Judgement {
    let config = site.config()?;
    if config.failsafe_mode == Some(true) || config.is_standby_cluster {
        return fine();
    }
    let set = format!("patronictl edit-config {} -s failsafe_mode=true", site.spec.scope);
    let releases = || site.members().filter_map(|member| member.health().ok()?.release());
    let remedy = match releases().min() {
        Some((major, minor)) if major < 3 => {
            format!("upgrade Patroni {major}.{minor} to 3.0 or newer on every member; then: {set}")
        }
        _ => set,
    };
    wrong("failsafe_mode is off", remedy)
}

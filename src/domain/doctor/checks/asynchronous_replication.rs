//! Synchronous mode.

use crate::doctor::check::{Check, Judge, Judgement, Severity, fine, wrong};
use crate::doctor::subject::Site;
use crate::values::units::bytes;

pub const CHECK: Check = Check {
    id: "asynchronous_replication",
    severity: Severity::Info,
    title: "Replication is asynchronous",
    why: "A failover may lose transactions that were acknowledged to a client: Patroni promotes a replica that lacks up to \
          `maximum_lag_on_failover` of WAL, and what was written since the primary last stated its position in the DCS. With \
          `synchronous_mode` only a replica that has every acknowledged transaction is promoted, and each commit waits for it.",
    link: "https://patroni.readthedocs.io/en/latest/replication_modes.html",
    judge: Judge::Site(judge),
};

fn judge(site: &Site<'_>) -> Judgement {
    let config = site.config()?;
    if config.is_synchronous() || config.is_standby_cluster || site.is_single() {
        return fine();
    }
    let lag = bytes(config.maximum_lag_bytes());
    wrong(
        format!("synchronous_mode is off, maximum_lag_on_failover is {lag}"),
        format!("patronictl edit-config {} -s synchronous_mode=on", site.spec.scope),
    )
}

//! The members of the DCS.

use crate::doctor::check::{Check, Judge, Judgement, Severity, fine, wrong};
use crate::doctor::subject::File;

pub const CHECK: Check = Check {
    id: "dcs_members_even",
    severity: Severity::Warning,
    title: "The DCS has an even number of members",
    why: "etcd works while more than half of its members live. Two members survive the loss of none, and four no more than three do: \
          the additional one only makes a loss likelier. Without the DCS Patroni promotes nothing.",
    link: "https://patroni.readthedocs.io/en/latest/ha_multi_dc.html",
    judge: Judge::File(judge),
};

fn judge(file: &File<'_>) -> Judgement {
    // A single host may be a name of all, or the member on this machine.
    let hosts = file.its.dcs_hosts.as_deref().unwrap_or_default();
    if hosts.len() % 2 == 1 || hosts.is_empty() {
        return fine();
    }
    wrong(
        format!("the file lists {} hosts of etcd: {}", hosts.len(), hosts.join(", ")),
        format!(
            "run etcd on {} machines, and list all of them in {}",
            (hosts.len() + 1).clamp(3, 5),
            file.path
        ),
    )
}

//! Members that have lost the DCS.

use crate::doctor::check::{Check, Judge, Judgement, Severity, fine, wrong};
use crate::doctor::subject::Member;
use crate::values::units::seconds;

pub const CHECK: Check = Check {
    id: "dcs_stale",
    severity: Severity::Warning,
    title: "A member has not reached the DCS for some time",
    why: "Patroni reaches the DCS every `loop_wait`. A member that does not cannot be promoted, and a primary that does not is demoted \
          when its leader key expires.",
    link: "https://patroni.readthedocs.io/en/latest/rest_api.html",
    judge: Judge::Member(judge),
};

fn judge(member: &Member<'_>) -> Judgement {
    let Some(age) = member.health()?.dcs_age_seconds else { return fine() };
    let limit = 2 * member.site.config()?.loop_wait_seconds();
    if age <= limit {
        return fine();
    }
    let name = member.name();
    wrong(
        format!("dcs_last_seen is {} old, more than 2 × loop_wait ({limit} s)", seconds(age)),
        format!(
            "on the host of {name}: journalctl -u patroni -n 50 names the DCS endpoint that fails; allow that connection (etcd: 2379, Consul: 8500, ZooKeeper: 2181)"
        ),
    )
}

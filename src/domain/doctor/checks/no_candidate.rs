//! Whether any replica could take over.

use crate::doctor::check::{Check, Judge, Judgement, Severity, fine, wrong};
use crate::doctor::facts::patroni::{ListedMember, PatroniConfig};
use crate::doctor::subject::Site;
use crate::values::units::bytes;

pub const CHECK: Check = Check {
    id: "no_candidate",
    severity: Severity::Critical,
    title: "No replica can take over",
    why: "Patroni promotes a replica only if it runs, no tag keeps it from that, and it lags no more than `maximum_lag_on_failover`. \
          None does: if the primary is lost now, writes stay down until an operator acts.",
    link: "https://patroni.readthedocs.io/en/latest/replication_modes.html",
    judge: Judge::Site(judge),
};

fn judge(site: &Site<'_>) -> Judgement {
    if site.is_single() {
        return fine();
    }
    let (config, members) = (site.config()?, &site.view()?.members);
    let replicas = members.iter().filter(|member| !member.leads());
    let obstacles: Option<Vec<(&ListedMember, Obstacle)>> =
        replicas.map(|member| Some((member, obstacle(member, config)?))).collect();
    let Some(obstacles) = obstacles else { return fine() };
    let scope = &site.spec.scope;
    let Some((first, worst)) = obstacles.first() else {
        return wrong(
            format!("GET /cluster lists no replica, and {} members are configured", site.spec.members.len()),
            "start Patroni on the other members: systemctl start patroni",
        );
    };
    let remedy = match worst {
        Obstacle::Tag(tag) => {
            format!(
                "remove the tag `{tag}` in patroni.yml of {}; then: patronictl reload {scope} {}",
                first.name, first.name
            )
        }
        Obstacle::State(_) | Obstacle::Lag(_) => format!("patronictl reinit {scope} {}", first.name),
    };
    let found: Vec<String> = obstacles
        .iter()
        .map(|(member, obstacle)| match obstacle {
            Obstacle::State(state) => format!("{} is `{state}`", member.name),
            Obstacle::Tag(tag) => format!("{} has the tag {tag}", member.name),
            Obstacle::Lag(lag) => format!("{} lags {}", member.name, bytes(*lag)),
        })
        .collect();
    wrong(found.join(", "), remedy)
}

/// What keeps a replica from taking over.
enum Obstacle<'a> {
    State(&'a str),
    Tag(&'static str),
    Lag(u64),
}

fn obstacle<'a>(member: &'a ListedMember, config: &PatroniConfig) -> Option<Obstacle<'a>> {
    if !member.runs() {
        return Some(Obstacle::State(&member.state));
    }
    if member.is_kept_from_failover() {
        return Some(Obstacle::Tag(if member.has_tag("nofailover") {
            "nofailover"
        } else {
            "failover_priority"
        }));
    }
    // A replica whose lag is unknown is no reason to say that it lags (replica_behind says so). A standby cluster counts
    // against another primary.
    let lag = member.lag_bytes.filter(|lag| *lag > config.maximum_lag_bytes());
    lag.filter(|_| !config.is_standby_cluster).map(Obstacle::Lag)
}

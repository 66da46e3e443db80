//! Members of different versions.

use std::collections::{BTreeMap, BTreeSet};

use crate::doctor::check::{Check, Judge, Judgement, NotChecked, Severity, fine, wrong};
use crate::doctor::subject::Site;

pub const CHECK: Check = Check {
    id: "mixed_versions",
    severity: Severity::Warning,
    title: "Members run different versions",
    why: "An upgrade that was not finished: after a failover the cluster runs another version of PostgreSQL or Patroni than before. \
          Between releases Patroni renames roles and settings, and one member may not understand what another has written.",
    link: "https://patroni.readthedocs.io/en/latest/releases.html",
    judge: Judge::Site(judge),
};

fn judge(site: &Site<'_>) -> Judgement {
    let (mut patroni, mut server): (Versions, Versions) = Default::default();
    let mut unread: Option<NotChecked> = None;
    for member in site.members() {
        let health = match member.health() {
            Ok(health) => health,
            Err(why) => {
                unread = Some(why);
                continue;
            }
        };
        if let Some((major, minor)) = health.release() {
            patroni.entry(format!("{major}.{minor}")).or_default().insert(member.name());
        }
        if let Some(version) = health.server_version {
            server.entry(postgresql(version)).or_default().insert(member.name());
        }
    }
    let (is_patroni, is_server) = (patroni.len() > 1, server.len() > 1);
    if !is_patroni && !is_server {
        return unread.map_or_else(fine, Err);
    }
    let (what, versions) = if is_patroni { ("Patroni", patroni) } else { ("PostgreSQL", server) };
    let found: Vec<String> = versions
        .into_iter()
        .map(|(version, members)| {
            format!("{what} {version} on {}", members.into_iter().collect::<Vec<_>>().join(", "))
        })
        .collect();
    let restart = if is_patroni {
        "systemctl restart patroni on each".to_owned()
    } else {
        format!("patronictl restart {} MEMBER", site.spec.scope)
    };
    wrong(found.join("; "), format!("upgrade the older ones, replicas first; then: {restart}"))
}

type Versions = BTreeMap<String, BTreeSet<String>>;

/// `server_version` as it is written: 170006 is 17.6, and 90624 is 9.6.24.
fn postgresql(version: u64) -> String {
    match version {
        100_000.. => format!("{}.{}", version / 10_000, version % 10_000),
        _ => format!("{}.{}.{}", version / 10_000, version / 100 % 100, version % 100),
    }
}

//! Whether a former primary can join again.

use std::collections::BTreeSet;

use crate::doctor::check::{Check, Judge, Judgement, Severity, Wrong, fine, unknown};
use crate::doctor::subject::Site;

pub const CHECK: Check = Check {
    id: "no_rewind",
    severity: Severity::Warning,
    title: "A former primary cannot be rewound",
    why: "After a failover the former primary usually has WAL that the new one lacks. Patroni lets it join again with `pg_rewind`; \
          without that it stays down until it is copied again as a whole, and until then the cluster has one member less. \
          `pg_rewind` itself needs `wal_log_hints` or data checksums.",
    link: "https://patroni.readthedocs.io/en/latest/dynamic_configuration.html",
    judge: Judge::Site(judge),
};

fn judge(site: &Site<'_>) -> Judgement {
    let config = site.config()?;
    if site.is_single() {
        return fine();
    }
    let scope = &site.spec.scope;
    // A member's own file takes precedence; only the one on this machine can be read.
    let node = site.cluster.facts.node.as_ref();
    let files = node.into_iter().flat_map(|node| node.files_of(scope));
    let local: BTreeSet<Option<bool>> = files.map(|yml| yml.use_pg_rewind).collect();
    let is_used = match (local.iter().flatten().next(), config.use_pg_rewind) {
        (Some(own), _) => *own,
        (None, Some(dynamic)) => dynamic,
        // Neither file nor dynamic configuration has it.
        (None, None) if !local.is_empty() => false,
        (None, None) => {
            return unknown(
                "GET /config has no postgresql.use_pg_rewind, and patroni.yml may have it; --local on a member reads that file",
            );
        }
    };
    let hints = config.parameters.get("wal_log_hints").map(|value| value.to_ascii_lowercase());
    let is_without_hints = hints.is_some_and(|value| matches!(value.as_str(), "off" | "false" | "no" | "0"));
    let set = "patronictl edit-config";
    Ok(match (is_used, is_without_hints) {
        (true, false) => Vec::new(),
        (false, _) => vec![Wrong::new(
            "postgresql.use_pg_rewind is off",
            format!("{set} {scope} -s postgresql.use_pg_rewind=true"),
        )],
        // Enough where the data has checksums, which Patroni does not report.
        (true, true) => vec![
            Wrong::new(
                "postgresql.parameters.wal_log_hints is off, which is enough only with data checksums",
                format!("{set} {scope} -p wal_log_hints=on; then: patronictl restart {scope}"),
            )
            .with(Severity::Info),
        ],
    })
}

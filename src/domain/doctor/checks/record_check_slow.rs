//! How long a health check takes to notice.

use crate::doctor::check::{Check, Judge, Judgement, Severity, fine, wrong};
use crate::doctor::subject::Record;
use crate::values::record::Failover;

pub const CHECK: Check = Check {
    id: "record_check_slow",
    severity: Severity::Info,
    title: "The health check of a failover record is slow",
    why: "The SECONDARY is answered only once so many checks in a row have failed. repoint usually has moved the record by then, and \
          the health check helps only where repoint cannot.",
    link: "https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/health-checks-creating-values.html",
    judge: Judge::Record(judge),
};

/// Seconds: three checks with the shorter of the two intervals, 10 s.
const MOST_SECONDS: u32 = 30;

fn judge(record: &Record<'_>) -> Judgement {
    if record.spec.failover != Some(Failover::Primary) {
        return fine();
    }
    let Some((id, check)) = record.health_check()? else { return fine() };
    let (Some(interval), Some(threshold)) = (check.interval_seconds, check.failure_threshold) else {
        return fine();
    };
    let seconds = interval.saturating_mul(threshold);
    if check.is_disabled || seconds <= MOST_SECONDS {
        return fine();
    }
    let found =
        format!("the health check {id} fails after {threshold} checks every {interval} s: {seconds} s");
    if interval <= 10 {
        return wrong(
            found,
            format!("aws route53 update-health-check --health-check-id {id} --failure-threshold 3"),
        );
    }
    // The interval of a health check cannot be changed.
    let settings = [
        check.address.as_ref().map(|address| format!(",IPAddress={address}")),
        check.host.as_ref().map(|host| format!(",FullyQualifiedDomainName={host}")),
        check.port.map(|port| format!(",Port={port}")),
        check.path.as_ref().map(|path| format!(",ResourcePath={path}")),
    ];
    let settings: String = settings.into_iter().flatten().collect();
    wrong(
        found,
        format!(
            "aws route53 create-health-check --caller-reference repoint-{} --health-check-config \
             Type={}{settings},RequestInterval=10,FailureThreshold=3; then in the [[cluster.record]] with health_check_id = \
             \"{id}\": health_check_id = \"ID\"",
            record.spec.key.place.name, check.kind
        ),
    )
}

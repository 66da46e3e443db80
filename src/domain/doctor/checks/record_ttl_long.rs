//! The time to live of a record set.

use crate::doctor::check::{Check, Judge, Judgement, Severity, fine, wrong};
use crate::doctor::subject::Record;
use crate::values::record::Answer;

pub const CHECK: Check = Check {
    id: "record_ttl_long",
    severity: Severity::Warning,
    title: "The TTL of a record is long",
    why: "Resolvers and clients keep the old address until the TTL is over. After a failover they connect to the former primary for \
          that long, however quickly the record was changed.",
    link: "https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/resource-record-sets-values-shared.html",
    judge: Judge::Record(judge),
};

/// What Route 53's documentation recommends at most for records with a health check, in seconds.
const MOST_SECONDS: u32 = 60;

fn judge(record: &Record<'_>) -> Judgement {
    let ttl_seconds = match record.spec.ttl_seconds {
        Some(ttl_seconds) => ttl_seconds,
        // repoint gives a new record set a short one.
        None => match record.set()?.map(|set| &set.answer) {
            Some(Answer::Values { ttl_seconds, .. }) => *ttl_seconds,
            Some(Answer::Alias(_)) | None => return fine(),
        },
    };
    if ttl_seconds <= MOST_SECONDS {
        return fine();
    }
    let place = &record.spec.key.place;
    wrong(
        format!("the TTL of {}/{} is {ttl_seconds} s", place.name, place.record_type),
        format!("in the [[cluster.record]] with the name {}: ttl = 5", place.name),
    )
}

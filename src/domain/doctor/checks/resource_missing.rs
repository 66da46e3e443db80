//! What is configured and does not exist.

use crate::doctor::check::{Check, Judge, Judgement, Severity, Wrong, fine};
use crate::doctor::facts::Facts;
use crate::observed::Read;
use crate::values::failure::{Failure, Kind};

pub const CHECK: Check = Check {
    id: "resource_missing",
    severity: Severity::Critical,
    title: "Something that the configuration names does not exist",
    why: "It was deleted, or created again under another name, or it is in another account or Region than these credentials and the \
          ARN say. repoint cannot use it: the endpoint does not follow the primary, or nothing is alerted, or no state is kept.",
    link: "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html",
    judge: Judge::Setup(judge),
};

fn judge(facts: &Facts) -> Judgement {
    let groups = facts.groups.values().map(|its| ("arn of a [[cluster.target_group]]", missing(&its.group)));
    let zones = facts.zones.values().map(|zone| ("zone_id of a [[cluster.record]]", missing(zone)));
    let checks = facts.health_checks.values();
    let checks = checks.map(|check| ("health_check_id of a [[cluster.record]]", missing(check)));
    let topics = facts.topics.iter().map(|(arn, its)| {
        let is_callback = facts.configured.callback_topic.as_ref() == Some(arn);
        let key = if is_callback { "sns_topic_arn of [callback]" } else { "arn of an [[alerts.topic]]" };
        (key, missing(&its.attributes))
    });
    let functions = facts.functions.values().map(|its| ("function of [lambda]", missing(&its.configuration)));
    let table = facts.table.iter().map(|table| ("dynamodb_table of [state]", missing(table)));
    let all = groups.chain(zones).chain(checks).chain(topics).chain(functions).chain(table);
    let wrong = |(key, failure): (&str, Option<&Failure>)| {
        failure.map(|failure| {
            Wrong::new(failure.to_string(), format!("create it, or set {key} to one that exists"))
        })
    };
    let wrong: Vec<Wrong> = all.filter_map(wrong).collect();
    if wrong.is_empty() { fine() } else { Ok(wrong) }
}

fn missing<T>(read: &Read<T>) -> Option<&Failure> {
    read.as_ref().err().filter(|failure| failure.kind == Kind::NotFound)
}

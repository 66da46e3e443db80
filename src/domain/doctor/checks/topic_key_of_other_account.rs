//! The keys of encrypted topics.

use crate::doctor::check::{Check, Judge, Judgement, Severity, fine, unknown, wrong};
use crate::doctor::facts::Facts;
use crate::doctor::subject::Topic;

pub const CHECK: Check = Check {
    id: "topic_key_of_other_account",
    severity: Severity::Critical,
    title: "An alert topic is encrypted with a key that only another account may use",
    why: "The AWS managed key alias/aws/sns serves its own account alone. What is published from another account is refused: every \
          alert waits in the state and then is dropped. A topic for several accounts needs a key of its own, whose policy allows \
          kms:GenerateDataKey and kms:Decrypt.",
    link: "https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html",
    judge: Judge::Topic(judge),
};

fn judge(topic: &Topic<'_>) -> Judgement {
    let Some(key) = topic.attributes()?.get("KmsMasterKeyId").filter(|key| !key.is_empty()) else {
        return fine();
    };
    let arn = topic.arn;
    if !key.ends_with("alias/aws/sns") {
        // Rights on a key come from its policy, its grants and the publisher's policies.
        return unknown(if topic.is_of_alerts() {
            format!(
                "it is encrypted with the key {key}, and whether repoint may use that was not read; repoint test-alert --topic {arn} \
                 shows it"
            )
        } else {
            format!(
                "it is encrypted with the key {key}, and whether the nodes may use that was not read; on a node, aws sns publish \
                 --topic-arn {arn} --message test shows it"
            )
        });
    }
    match own_account(topic.facts) {
        _ if !topic.is_of_alerts() => fine(),
        None => unknown(format!(
            "it is encrypted with {key}, which serves its own account alone, and repoint's account is not known; repoint \
             test-alert --topic {arn} shows it"
        )),
        Some(own) if own == arn.account() => fine(),
        Some(own) => wrong(
            format!("KmsMasterKeyId is {key} for {arn}, and repoint publishes from the account {own}"),
            format!(
                "aws sns set-topic-attributes --topic-arn {arn} --attribute-name KmsMasterKeyId --attribute-value KEY"
            ),
        ),
    }
}

/// The account that repoint's own credentials belong to: that of its function, or of target groups that it changes without a
/// role, since those have no resource policy.
fn own_account(facts: &Facts) -> Option<&str> {
    let mut functions = facts.functions.values().filter_map(|its| its.configuration.as_ref().ok());
    let of_function = functions.find_map(|its| its.arn.split(':').nth(4));
    let mut groups = facts.clusters.iter().flat_map(|cluster| &cluster.spec.groups);
    of_function.or_else(|| groups.find(|group| group.assume.is_none()).map(|group| group.arn.account()))
}

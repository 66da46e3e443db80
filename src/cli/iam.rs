//! `repoint iam`: what IAM has to allow.

use std::process::ExitCode;

use super::print;
use crate::config::{HandOver, LONGEST_MANAGED, Rights, Settings, policy};

/// Prints the policy for this configuration. Nobody is asked.
pub fn main(settings: &Settings, rights: Rights, has_instances: bool) -> ExitCode {
    if rights == Rights::Callback && !matches!(settings.callback.hand_over, HandOver::Sns(_)) {
        return print::usage_error(
            "[callback] hand_over is not `sns`, so a callback passes itself if it has to: take `--for run`",
        );
    }
    let policy = policy(settings, rights, has_instances);
    let length = policy.to_string().chars().count();
    if length > LONGEST_MANAGED {
        tracing::warn!(
            "the policy has {length} characters, and a managed policy may have {LONGEST_MANAGED}: make one for each part of \
             the clusters with `--cluster`, and attach them all"
        );
    }
    print::json(&policy, true)
}

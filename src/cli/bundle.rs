//! `repoint bundle`: the configuration and what follows from it, for deployment tools.

use std::path::Path;
use std::process::ExitCode;

use super::print;
use crate::config::{Settings, bundle, text};

pub const HELP: &str = "\
Examples:
  repoint bundle > bundle.json                  then in Terraform: bundle = file(\"bundle.json\")
  repoint bundle --no-instances > bundle.json   if every target group is of type `ip`
  jq .policy bundle.json                        the policy of the function

It contains the configuration's text, the policy, and the names of clusters, scopes, target groups, listeners, Regions,
zones, topics, table and services. No request is made. Print it again whenever the configuration changes.";

/// Prints the bundle, without any request.
pub fn main(settings: &Settings, path: &Path, is_part: bool, has_instances: bool) -> ExitCode {
    if is_part {
        return print::usage_error(
            "a bundle contains the whole configuration: omit `--cluster`, or split the file",
        );
    }
    match text(path) {
        Ok(text) => print::json(&bundle(settings, &text, has_instances), true),
        Err(error) => print::usage_error(&error.to_string()),
    }
}

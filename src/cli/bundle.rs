//! `repoint bundle`: the configuration and what follows from it, for whatever deploys the function.

use std::path::Path;
use std::process::ExitCode;

use super::print;
use crate::config::{Settings, bundle, text};

/// Prints the bundle. Nobody is asked.
pub fn main(settings: &Settings, path: &Path, is_part: bool, has_instances: bool) -> ExitCode {
    if is_part {
        return print::usage_error(
            "a bundle is of the whole configuration, whose text it holds: leave out `--cluster`, or part the file",
        );
    }
    match text(path) {
        Ok(text) => print::json(&bundle(settings, &text, has_instances), true),
        Err(error) => print::usage_error(&error.to_string()),
    }
}

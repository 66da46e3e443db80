//! Where the configuration comes from: the environment, a file, or a layer.
//!
//! Law: there is one place, and it is named. Two that could be meant are an error, never a choice.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use repoint::config::{self, Environment, Settings, StateStore};

/// Names the file.
const FILE: &str = "REPOINT_CONFIG";
/// Holds the TOML text itself.
const INLINE: &str = "REPOINT_CONFIG_INLINE";
/// The file's name where nothing names one.
const NAME: &str = "repoint.toml";
/// Where Lambda puts the files of layers ("Working with layers").
const LAYERS: &str = "/opt";

/// Finds, reads and checks the configuration; `folder` is the one that the binary lies in.
///
/// # Errors
/// If there is none, or two, or it is bad: then with the file, the line and the key of each problem.
pub fn settings(variables: &BTreeMap<String, String>, folder: &Path) -> anyhow::Result<Settings> {
    let environment = Environment::from_variables(variables.clone());
    let named = environment.get(&[FILE]).map(|(_, path)| PathBuf::from(path));
    let path = match (named, environment.get(&[INLINE])) {
        (Some(_), Some(_)) => {
            bail!("{FILE} and {INLINE} are both set: keep the one that is meant, and remove the other")
        }
        (None, Some((_, text))) => return Ok(config::read(Path::new(INLINE), text, &environment)?),
        (Some(path), None) => path,
        (None, None) => {
            let places = [folder.join(NAME), Path::new(LAYERS).join(NAME)];
            let found = places.iter().find(|path| path.exists()).cloned();
            found.with_context(|| {
                let [beside, layer] = places.map(|path| path.display().to_string());
                format!(
                    "there is no configuration: neither {beside} (beside the binary) nor {layer} (in a layer) exists\n  \
                     hint: put it there, name another file with {FILE}, or set {INLINE} to its text"
                )
            })?
        }
    };
    Ok(config::load(&path, &environment)?)
}

/// What can be configured and makes little sense in a Lambda.
pub fn warnings(settings: &Settings) -> Vec<String> {
    match &settings.state.store {
        StateStore::DynamoDb(_) => Vec::new(),
        StateStore::File(path) => vec![format!(
            "memory is kept in the file {}, which lasts no longer than this execution environment and which no other \
             one sees: set `state.dynamodb_table`",
            path.display()
        )],
    }
}

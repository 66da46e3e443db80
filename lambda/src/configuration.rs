//! The source of the configuration: the environment, a file, or a layer.
//!
//! There is one source, and messages name it. Two possible sources are an error, never a choice.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use repoint::config::{self, Environment, Settings, StateStore};

/// The variable with the path of the file.
const FILE: &str = "REPOINT_CONFIG";
/// The variable with the TOML text itself.
const INLINE: &str = "REPOINT_CONFIG_INLINE";
/// The default name of the file.
const NAME: &str = "repoint.toml";
/// Where Lambda puts the files of layers ("Working with layers").
const LAYERS: &str = "/opt";

/// Finds, reads and checks the configuration; `folder` is that of the binary.
///
/// # Errors
/// If there is none, or two, or it is invalid: then with the file, line and key of each problem.
pub fn settings(variables: &BTreeMap<String, String>, folder: &Path) -> anyhow::Result<Settings> {
    let environment = Environment::from_variables(variables.clone());
    let named = environment.get(&[FILE]).map(|(_, path)| PathBuf::from(path));
    let path = match (named, environment.get(&[INLINE])) {
        (Some(_), Some(_)) => {
            bail!("{FILE} and {INLINE} are both set: remove one of them")
        }
        (None, Some((_, text))) => {
            return Ok(of_lambda(config::read(Path::new(INLINE), text, &environment)?));
        }
        (Some(path), None) => path,
        (None, None) => {
            let places = [folder.join(NAME), Path::new(LAYERS).join(NAME)];
            let found = places.iter().find(|path| path.exists()).cloned();
            found.with_context(|| {
                let [beside, layer] = places.map(|path| path.display().to_string());
                format!(
                    "there is no configuration: neither {beside} (beside the binary) nor {layer} (in a layer) exists\n  \
                     hint: create one of them, set {FILE} to another path, or set {INLINE} to its text"
                )
            })?
        }
    };
    Ok(of_lambda(config::load(&path, &environment)?))
}

/// No socket of HAProxy is here: `repoint watch` beside it serves it.
fn of_lambda(mut settings: Settings) -> Settings {
    for spec in &mut settings.clusters {
        spec.backends.clear();
    }
    settings
}

/// Warns about settings that make little sense in a Lambda.
pub fn warnings(settings: &Settings) -> Vec<String> {
    match &settings.state.store {
        StateStore::DynamoDb(_) => Vec::new(),
        StateStore::File(path) => vec![format!(
            "the state is kept in the file {}, which exists only in this execution environment and is lost with it: set \
             `state.dynamodb_table`",
            path.display()
        )],
    }
}

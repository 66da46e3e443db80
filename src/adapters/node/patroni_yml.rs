//! `patroni.yml` (Patroni, `yaml_configuration` and `environment`).
//!
//! The file has passwords. Nothing of it is kept but what [`PatroniYml`] has.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{fs, io};

use serde_json::Value;

use repoint_domain::doctor::facts::node::PatroniYml;
use repoint_domain::observed::Read;
use repoint_domain::values::failure::{Failure, Kind};
use repoint_domain::values::text;

use super::{failure, text as text_of};
use crate::adapters::patroni::details::{switch, table};

/// Reads a file, or the files of a folder in the order of their names, of which a later one takes precedence.
///
/// # Errors
/// If one cannot be read, or is not YAML.
pub fn read(path: &Path) -> Read<PatroniYml> {
    let files = if path.is_dir() {
        in_folder(path).map_err(|error| failure("read", path, &error))?
    } else {
        vec![path.to_owned()]
    };
    let mut whole = Value::Null;
    for file in files {
        let read: Result<Value, _> = serde_saphyr::from_str(&text_of(&file)?);
        // The message of the parser may have a line of the file, and the line a password.
        let invalid =
            |_| Failure::new(Kind::Invalid, "read", file.display().to_string(), "it is not valid YAML");
        merge(&mut whole, read.map_err(invalid)?);
    }
    Ok(parse(&whole))
}

/// The files of Patroni in a folder, in the order of their names.
pub fn in_folder(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
    paths.retain(|path| path.extension().is_some_and(|end| end == "yml" || end == "yaml"));
    paths.sort();
    Ok(paths)
}

fn merge(whole: &mut Value, part: Value) {
    match (whole, part) {
        (Value::Object(whole), Value::Object(part)) => {
            for (name, value) in part {
                merge(whole.entry(name).or_insert(Value::Null), value);
            }
        }
        (whole, part) => *whole = part,
    }
}

fn parse(yml: &Value) -> PatroniYml {
    let (postgresql, restapi, watchdog) = (&yml["postgresql"], &yml["restapi"], &yml["watchdog"]);
    PatroniYml {
        scope: word(&yml["scope"]),
        name: word(&yml["name"]),
        callbacks: table(&postgresql["callbacks"]),
        watchdog_mode: mode(&watchdog["mode"]),
        watchdog_device: word(&watchdog["device"]),
        use_pg_rewind: switch(&postgresql["use_pg_rewind"]),
        restapi_connect_address: word(&restapi["connect_address"]),
        postgresql_connect_address: word(&postgresql["connect_address"]),
        has_restapi_authentication: is_set(&restapi["authentication"]["username"])
            || is_set(&restapi["auth"]),
        restapi_verify_client: mode(&restapi["verify_client"]),
        has_restapi_allowlist: is_set(&restapi["allowlist"])
            || switch(&restapi["allowlist_include_members"]) == Some(true),
        dcs_hosts: ["etcd3", "etcd"].iter().find_map(|dcs| hosts(&yml[*dcs]["hosts"])),
    }
}

/// The same with what the environment says instead, by which Patroni goes first.
pub fn with_environment(yml: PatroniYml, environment: &BTreeMap<String, String>) -> PatroniYml {
    let value = |name: &str| environment.get(&format!("PATRONI_{name}")).map(|value| text::message(value));
    let has_password = value("RESTAPI_USERNAME").is_some() && value("RESTAPI_PASSWORD").is_some();
    let hosts_of = |name| value(name).and_then(|value| hosts(&Value::String(value)));
    PatroniYml {
        scope: value("SCOPE").or(yml.scope),
        name: value("NAME").or(yml.name),
        restapi_connect_address: value("RESTAPI_CONNECT_ADDRESS").or(yml.restapi_connect_address),
        postgresql_connect_address: value("POSTGRESQL_CONNECT_ADDRESS").or(yml.postgresql_connect_address),
        has_restapi_authentication: has_password || yml.has_restapi_authentication,
        restapi_verify_client: value("RESTAPI_VERIFY_CLIENT").or(yml.restapi_verify_client),
        has_restapi_allowlist: value("RESTAPI_ALLOWLIST").is_some() || yml.has_restapi_allowlist,
        dcs_hosts: hosts_of("ETCD3_HOSTS").or_else(|| hosts_of("ETCD_HOSTS")).or(yml.dcs_hosts),
        ..yml
    }
}

/// A name, which YAML may take for a number.
fn word(value: &Value) -> Option<String> {
    match value {
        Value::String(word) => Some(text::message(word)).filter(|word| !word.is_empty()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// A mode, of which YAML may take `off` for a switch.
fn mode(value: &Value) -> Option<String> {
    match value {
        Value::Bool(is_on) => Some(if *is_on { "on" } else { "off" }.to_owned()),
        other => word(other).map(|mode| mode.to_ascii_lowercase()),
    }
}

fn is_set(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        _ => true,
    }
}

/// A list, or text that is parted by commas.
fn hosts(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::Array(items) => Some(items.iter().filter_map(word).collect()),
        Value::String(text) => {
            let parts = text
                .trim_matches(['[', ']'])
                .split(',')
                .map(|part| text::message(part.trim_matches([' ', '"', '\''])));
            Some(parts.filter(|part| !part.is_empty()).collect())
        }
        _ => None,
    }
}

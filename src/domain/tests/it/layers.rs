//! The core is pure, and each of its layers imports only those before it.

use std::fs;
use std::path::{Path, PathBuf};

/// From the bottom up.
const LAYERS: [&str; 13] = [
    "values", "spec", "observed", "state", "decide", "plan", "audit", "report", "alerts", "history",
    "doctor", "drill", "clients",
];

/// The code without comments of the files at `path`, or of those below it.
fn sources(path: &Path) -> Vec<(PathBuf, String)> {
    if path.is_dir() {
        let entries = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path());
        return entries.flat_map(|path| sources(&path)).collect();
    }
    let Ok(text) = fs::read_to_string(path) else { return Vec::new() };
    let code: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    vec![(path.to_owned(), code.join("\n"))]
}

fn layer(name: &str) -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let found: Vec<_> =
        [root.join(name), root.join(format!("{name}.rs"))].iter().flat_map(|path| sources(path)).collect();
    assert!(!found.is_empty(), "no sources in {name}");
    found
}

#[track_caller]
fn never(name: &str, words: &[String]) {
    for (path, code) in layer(name) {
        for word in words {
            assert!(!code.contains(word.as_str()), "{} speaks of `{word}`", path.display());
        }
    }
}

#[test]
fn the_core_is_pure() {
    let outside = ["std::fs", "std::env", "std::time", "std::net::Tcp", "std::process", "async ", "println!"];
    for name in LAYERS.into_iter().chain(["rates"]) {
        never(name, &outside.map(str::to_owned));
    }
}
#[test]
fn a_layer_imports_only_those_before_it() {
    for (at, name) in LAYERS.into_iter().enumerate() {
        let later: Vec<String> = LAYERS[at + 1..].iter().map(|later| format!("crate::{later}")).collect();
        never(name, &later);
    }
}

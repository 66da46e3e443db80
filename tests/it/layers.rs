//! The direction of the crate: nothing points back. The core is a crate of its own, which imports nothing of ours.

use std::fs;
use std::path::{Path, PathBuf};

fn sources(folder: &str) -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut waiting = vec![root.join(folder)];
    if root.join(format!("{folder}.rs")).exists() {
        waiting.push(root.join(format!("{folder}.rs")));
    }
    let mut found = Vec::new();
    while let Some(path) = waiting.pop() {
        if path.is_dir() {
            waiting.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.exists() {
            let code: Vec<String> = fs::read_to_string(&path)
                .unwrap()
                .lines()
                .filter(|line| !line.trim_start().starts_with("//"))
                .map(str::to_owned)
                .collect();
            found.push((path, code.join("\n")));
        }
    }
    assert!(!found.is_empty(), "no sources in {folder}");
    found
}

#[track_caller]
fn never(folder: &str, words: &[&str]) {
    for (path, code) in sources(folder) {
        for word in words {
            assert!(!code.contains(word), "{} speaks of `{word}`", path.display());
        }
    }
}

#[test]
fn nothing_points_back() {
    let all = [
        "limits",
        "unsaved",
        "counters",
        "ports",
        "runtime",
        "adapters",
        "config",
        "app",
        "drill",
        "cli",
        "permission",
    ];
    for (folder, allowed) in [
        ("limits", &["limits", "counters"][..]),
        ("counters", &["counters", "permission"]),
        ("unsaved", &["unsaved"]),
        ("ports", &["limits", "unsaved", "ports"]),
        ("runtime", &["limits", "unsaved", "ports", "runtime"]),
        ("permission", &["permission"]),
        ("adapters", &["limits", "counters", "ports", "adapters", "permission"]),
        ("config", &["config", "permission"]),
        ("app", &["limits", "unsaved", "counters", "ports", "runtime", "adapters", "config", "app"]),
        ("drill", &["adapters", "config", "app", "drill"]),
        ("cli", &["config", "app", "drill", "cli"]),
    ] {
        let forbidden: Vec<String> =
            all.iter().filter(|name| !allowed.contains(name)).map(|name| format!("crate::{name}")).collect();
        never(folder, &forbidden.iter().map(String::as_str).collect::<Vec<_>>());
    }
    never(
        "../lambda/src",
        &["repoint::limits", "repoint::ports", "repoint::runtime", "repoint::adapters", "repoint::cli"],
    );
}

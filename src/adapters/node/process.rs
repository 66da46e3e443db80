//! The Patroni processes of this machine.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::access::User;

/// A running Patroni.
pub struct Patroni {
    /// Its process id.
    pub process: u32,
    /// The file, or the folder of files, that it was started with.
    pub file: Option<PathBuf>,
    /// The `PATRONI_` variables that it was started with, which take precedence over the file; none where this process may not
    /// read them.
    pub environment: BTreeMap<String, String>,
    /// The user that it runs as.
    pub user: Option<User>,
}

/// All of them, in the order of their process ids.
pub fn running(root: &Path) -> Vec<Patroni> {
    let proc = root.join("proc");
    let entries = fs::read_dir(&proc).into_iter().flatten().flatten();
    let mut processes: Vec<u32> =
        entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    processes.sort_unstable();
    processes.into_iter().filter_map(|process| patroni(&proc.join(process.to_string()), process)).collect()
}

fn patroni(folder: &Path, process: u32) -> Option<Patroni> {
    let arguments = strings(&fs::read(folder.join("cmdline")).ok()?);
    let file = own_arguments(&arguments)?.iter().find(|argument| !argument.starts_with('-')).map(|file| {
        let file = PathBuf::from(file);
        let working = || fs::read_link(folder.join("cwd")).ok();
        if file.is_relative() {
            working().map_or_else(|| file.clone(), |working| working.join(&file))
        } else {
            file
        }
    });
    let variables = fs::read(folder.join("environ")).map(|bytes| strings(&bytes)).unwrap_or_default();
    let variable = |text: &String| {
        let (name, value) = text.split_once('=')?;
        name.starts_with("PATRONI_").then(|| (name.to_owned(), value.to_owned()))
    };
    let status = fs::read_to_string(folder.join("status")).unwrap_or_default();
    Some(Patroni {
        process,
        file,
        environment: variables.iter().filter_map(variable).collect(),
        user: User::of_status(&status),
    })
}

/// The arguments of Patroni itself, if a process is one: `python3 /usr/bin/patroni FILE`, `python3 -m patroni FILE`, or
/// `patroni FILE`.
fn own_arguments(arguments: &[String]) -> Option<&[String]> {
    let is_program = |argument: &String| {
        let name = argument.rsplit('/').next().unwrap_or_default();
        matches!(name, "patroni" | "patroni.py")
    };
    // The interpreter, its options, and then the program.
    let at = arguments.iter().take(4).position(is_program)?;
    let is_run = at == 0 || arguments[0].rsplit('/').next().is_some_and(|name| name.starts_with("python"));
    is_run.then(|| &arguments[at + 1..])
}

/// Strings, each of which ends in a zero byte.
fn strings(bytes: &[u8]) -> Vec<String> {
    let parts = bytes.split(|byte| *byte == 0).filter(|part| !part.is_empty());
    parts.map(|part| String::from_utf8_lossy(part).into_owned()).collect()
}

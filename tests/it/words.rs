//! The words that no message, no comment, no document and no name of a test may have: messages are plain technical English (src/README.md).
//!
//! A user sees every string literal of the sources, and every text in `infra`. Comments are held to the words that are
//! wrong anywhere. A string that is a name (a key of the configuration or of JSON, a word on the wire) is listed in
//! [`NAMES`].

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

/// The folders that are checked.
const FOLDERS: [&str; 10] = [
    "src",
    "lambda/src",
    "infra/ansible",
    "infra/cloudformation",
    "infra/grafana",
    "infra/package",
    "infra/patroni",
    "infra/prometheus",
    "infra/systemd",
    "infra/terraform",
];

/// The documents that are checked as comments are.
const DOCUMENTS: [&str; 5] =
    ["README.md", "infra/guide", ".github/CONTRIBUTING.md", ".github/SECURITY.md", "tests/README.md"];

/// Never, in a message or in a comment (nor is `Law:`: an invariant has a number). A message names
/// the component that acts, and has no metaphor.
const NEVER: &str = "whoever|whomever|whosoever|somebody|someone|nobody|anybody|everybody|anyone|everyone|people\
    |those who|they who|he who|who has|told|untold|faces?|night|morning|weather|sabotage|vouch\\w*|strangers?\
    |worry|worries|worried|hinges|kin|mends?|mended|anew";

/// Never in a message, where they stand for a technical term: state, check, notify, message, cause.
const NEVER_SAID: &str = "memory|look|looks|looked|looking|tells?|telling|letter|story|dark|blind|crowded|overtaken\
    |hand over|hands over|handed over|hung up|out of reach";

/// The folders whose functions are tests and their helpers.
const TEST_FOLDERS: [&str; 5] =
    ["src/domain/tests", "tests/it", "tests/sandbox", "tests/lab", "lambda/tests"];

/// Never a part of such a function's name.
const NEVER_NAMED: [&str; 38] = [
    "anew",
    "anybody",
    "crowded",
    "diary",
    "door",
    "doors",
    "everybody",
    "law",
    "laws",
    "letter",
    "letters",
    "look",
    "looked",
    "looking",
    "looks",
    "memory",
    "morning",
    "night",
    "nobody",
    "overtaken",
    "people",
    "quarrel",
    "sabotage",
    "somebody",
    "speak",
    "speaks",
    "stranger",
    "strangers",
    "tell",
    "telling",
    "tells",
    "told",
    "untold",
    "vouch",
    "vouches",
    "who",
    "whoever",
    "whom",
];

/// Names, and phrases in which such a word is a technical term.
const NAMES: [&str; 11] = [
    // What a trigger says (invariant 1), and how it is written: on the control socket, in a message, in a topic's name.
    r"look now",
    r"\blook ?$",
    r"-look\b",
    r#""look""#,
    // Lambda's and CloudWatch's memory.
    r"memory (of the function|for the function)|function's memory|memory_mb|memory-?(mb|size)|in memory",
    r"lower-case letter",
    r"dead-letter|configuration-memory",
    r"begin with a letter",
    r"\{LOOK\}",
    // A resource's name in the Terraform module.
    r"aws_lambda_permission\.look|\{ look =",
    // A word of CSS and HTML.
    r"color-scheme: dark|light dark",
];

/// A part of a source file, and the line in which it begins.
#[derive(Debug)]
enum Text {
    Said(usize, String),
    Comment(usize, String),
}

/// The string literals and comments of a Rust source, without its unit tests.
fn of_rust(source: &str) -> Vec<Text> {
    let code: Vec<char> = source.split("#[cfg(test)]").next().unwrap_or_default().chars().collect();
    let (mut at, mut line, mut texts) = (0, 1, Vec::new());
    let starts = |at: usize, text: &str| code[at..].iter().take(text.len()).copied().eq(text.chars());
    while at < code.len() {
        let (begin, first_line) = (at, line);
        if starts(at, "//") {
            at += code[at..].iter().position(|c| *c == '\n').unwrap_or(code.len() - at);
            texts.push(Text::Comment(first_line, code[begin..at].iter().collect()));
        } else if code[at] == '"' || is_raw(&code, at) {
            let hashes = code[at..].iter().skip(1).take_while(|c| **c == '#').count();
            let is_raw = code[at] == 'r';
            at += if is_raw { hashes + 2 } else { 1 };
            let end: String = format!("\"{}", "#".repeat(if is_raw { hashes } else { 0 }));
            let begin = at;
            while at < code.len() && !starts(at, &end) {
                at += if !is_raw && code[at] == '\\' { 2 } else { 1 };
            }
            let text: String = code[begin..at.min(code.len())].iter().collect();
            line += text.matches('\n').count();
            at += end.len();
            texts.push(Text::Said(first_line, text));
        } else if code[at] == '\'' {
            // A character, or else a lifetime.
            at += match code.get(at + 1..at + 3) {
                Some(['\\', _]) => 4 + code[at + 3..].iter().position(|c| *c == '\'').unwrap_or(0),
                Some([_, '\'']) => 3,
                _ => 1,
            };
        } else {
            line += usize::from(code[at] == '\n');
            at += 1;
        }
    }
    texts
}

/// Whether a raw string begins here: `r"` or `r#"`, not the end of an identifier.
fn is_raw(code: &[char], at: usize) -> bool {
    let is_start = code[at] == 'r' && (at == 0 || !(code[at - 1].is_alphanumeric() || code[at - 1] == '_'));
    is_start && code[at + 1..].iter().find(|c| **c != '#') == Some(&'"')
}

/// Each line of a file that is no source: a user sees it, comments included.
fn of_text(source: &str) -> Vec<Text> {
    source.lines().enumerate().map(|(at, line)| Text::Said(at + 1, line.to_owned())).collect()
}

/// Each forbidden word of a file, with its line.
fn findings(path: &str, source: &str) -> Vec<String> {
    let is_rust = Path::new(path).extension().is_some_and(|end| end == "rs");
    found_in(path, if is_rust { of_rust(source) } else { of_text(source) })
}

fn found_in(path: &str, texts: Vec<Text>) -> Vec<String> {
    let never = words(NEVER);
    let never_said = words(&format!("{NEVER}|{NEVER_SAID}"));
    let names: Vec<regex::Regex> =
        NAMES.iter().map(|name| regex::Regex::new(&format!("(?im){name}")).unwrap()).collect();
    let mut found = Vec::new();
    for text in texts {
        let (line, text, words) = match text {
            Text::Said(line, text) => (line, text, &never_said),
            Text::Comment(line, text) => (line, text, &never),
        };
        let plain = names.iter().fold(text, |text, name| name.replace_all(&text, "…").into_owned());
        for word in words.find_iter(&plain) {
            let line = line + plain[..word.start()].matches('\n').count();
            found.push(format!("{path}:{line}: {}", word.as_str()));
        }
    }
    found
}

static FUNCTION: LazyLock<regex::Regex> = LazyLock::new(|| {
    regex::Regex::new(r"^\s*(?:pub(?:\([^)]*\))? )?(?:const )?(?:async )?fn (\w+)").unwrap()
});

/// Each function of a Rust source whose name has a forbidden word, with its line.
fn misnamed(path: &str, source: &str) -> Vec<String> {
    let name = |line| Some(FUNCTION.captures(line)?.get(1)?.as_str());
    let named = source.lines().enumerate().filter_map(|(at, line)| Some((at + 1, name(line)?)));
    let wrong = named.filter(|(_, name)| name.split('_').any(|word| NEVER_NAMED.contains(&word)));
    wrong.map(|(line, name)| format!("{path}:{line}: {name}")).collect()
}

fn words(list: &str) -> regex::Regex {
    regex::Regex::new(&format!(r"(?i)\b(?:laws?:|(?:{list})\b)")).unwrap()
}

/// The files of a folder with text that a user sees: no data, no file that a tool has written.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        let is_text = |path: &Path| {
            !path
                .extension()
                .is_some_and(|end| end == "json" || end == "hcl" || end == "tfstate" || end == "svg")
        };
        let name = entry.file_name().unwrap_or_default().to_string_lossy();
        // A user does not read what a test says.
        let is_hidden = name.starts_with('.') || name == "tests";
        if entry.is_dir() && !is_hidden {
            found.extend(files(&entry));
        } else if entry.is_file() && !is_hidden && is_text(&entry) {
            found.push(entry);
        }
    }
    found.sort();
    found
}

/// The Rust sources of a folder.
fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            found.extend(rust_files(&path));
        } else if path.extension().is_some_and(|end| end == "rs") {
            found.push(path);
        }
    }
    found
}

#[test]
fn messages_and_comments_are_plain() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    for folder in FOLDERS {
        for file in files(&root.join(folder)) {
            let path = file.strip_prefix(root).unwrap().display().to_string();
            found.extend(findings(&path, &fs::read_to_string(&file).unwrap()));
        }
    }
    for document in DOCUMENTS.map(|document| root.join(document)) {
        for file in if document.is_dir() { files(&document) } else { vec![document] } {
            let path = file.strip_prefix(root).unwrap().display().to_string();
            let text = fs::read_to_string(&file).unwrap();
            let lines = text.lines().enumerate();
            found.extend(found_in(
                &path,
                lines.map(|(at, line)| Text::Comment(at + 1, line.to_owned())).collect(),
            ));
        }
    }
    assert!(
        found.is_empty(),
        "{} words that no message, comment or document may have:\n{}",
        found.len(),
        found.join("\n")
    );
}

#[test]
fn test_functions_have_plain_names() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let sources = TEST_FOLDERS.map(|folder| rust_files(&root.join(folder))).concat();
    assert!(sources.len() > 100, "{} sources of tests", sources.len());
    let found: Vec<String> = sources
        .iter()
        .flat_map(|file| {
            let path = file.strip_prefix(root).unwrap().display().to_string();
            misnamed(&path, &fs::read_to_string(file).unwrap())
        })
        .collect();
    assert!(found.is_empty(), "names of tests with a word that none may have:\n{}", found.join("\n"));
}

#[test]
fn a_misnamed_function_is_found_in_its_line() {
    let source = "#[test]\nfn law_12_alert_once() {\n    pub(super) async fn it_was_told() {}\n}\nfn of_a_lawyer() {}\n";
    assert_eq!(misnamed("a.rs", source), ["a.rs:2: law_12_alert_once", "a.rs:3: it_was_told"]);
}

#[test]
fn a_word_is_found_in_its_line() {
    let source = "//! Law: plain.\n/// Nobody.\nfn f<'a>(c: char) -> &'a str {\n    let _ = ('\"', '\\'', r#\"a \"memory\"\"#);\n    \
                  // fine\n    \"the daemon \\\"looks\\\"\n at night\"\n}\n#[cfg(test)]\nconst T: &str = \"told\";\n";
    assert_eq!(
        findings("a.rs", source),
        ["a.rs:1: Law:", "a.rs:2: Nobody", "a.rs:4: memory", "a.rs:6: looks", "a.rs:7: night"]
    );
    assert_eq!(findings("a.tf", "\n# people\n"), ["a.tf:2: people"]);
    assert!(findings("a.rs", "f(\"look now\"); // in memory\n").is_empty());
}

//! The documentation fits the program, and its links lead somewhere.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};

use regex::Regex;
use repoint_domain::doctor::checks::CHECKS;
use repoint_domain::doctor::guide;

use crate::support::command::Repoint;

const REPOSITORY: &str = env!("CARGO_MANIFEST_DIR");

fn read(path: impl AsRef<Path>) -> String {
    fs::read_to_string(Path::new(REPOSITORY).join(path)).unwrap()
}

fn pattern(pattern: &str) -> Regex {
    Regex::new(pattern).unwrap()
}

/// Every Markdown file of the repository, by its path from the root.
fn pages() -> BTreeMap<PathBuf, String> {
    let mut folders: Vec<PathBuf> =
        [".github", "infra", "lambda", "src", "tests"].map(|name| Path::new(REPOSITORY).join(name)).to_vec();
    let mut files = vec![Path::new(REPOSITORY).join("README.md")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                files.push(path);
            }
        }
    }
    let relative = |path: PathBuf| path.strip_prefix(REPOSITORY).unwrap().to_owned();
    files.into_iter().map(|path| (relative(path.clone()), read(path))).collect()
}

/// A page without its code blocks.
fn prose(page: &str) -> String {
    let mut is_code = false;
    let mut prose = String::new();
    for line in page.lines() {
        let is_fence = line.trim_start().starts_with("```");
        is_code ^= is_fence;
        if !is_fence && !is_code {
            prose.push_str(line);
            prose.push('\n');
        }
    }
    prose
}

/// The anchors of a page's headings, as GitHub makes them.
fn anchors(page: &str) -> BTreeSet<String> {
    let mut anchors = BTreeSet::new();
    let page = prose(page);
    let lines = page.lines().filter(|line| line.starts_with('#'));
    for heading in lines.map(|line| line.trim_start_matches('#').trim()) {
        let is_kept = |one: &char| one.is_alphanumeric() || matches!(one, ' ' | '-' | '_');
        let anchor: String =
            heading.to_lowercase().chars().filter(is_kept).collect::<String>().replace(' ', "-");
        let again = (1..).map(|number| format!("{anchor}-{number}"));
        let free = std::iter::once(anchor.clone()).chain(again).find(|anchor| !anchors.contains(anchor));
        anchors.extend(free);
    }
    anchors
}

/// The path without its `..`, as a browser resolves it.
fn resolved(path: &Path) -> PathBuf {
    let mut parts = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                assert!(parts.pop(), "{} leaves the repository", path.display());
            }
            Component::CurDir => {}
            part => parts.push(part),
        }
    }
    parts
}

#[test]
fn every_link_leads_to_a_file_and_a_heading() {
    let pages = pages();
    assert!(pages.len() > 20, "{:?}", pages.keys());
    let anchors: BTreeMap<&Path, BTreeSet<String>> =
        pages.iter().map(|(path, page)| (path.as_path(), anchors(page))).collect();
    let (code, link) = (pattern("`[^`]*`"), pattern(r"\]\(([^)\s]+)\)"));
    let mut broken = Vec::new();
    let mut links = 0;
    for (from, page) in &pages {
        let text = code.replace_all(&prose(page), "").into_owned();
        for found in link.captures_iter(&text) {
            let link = &found[1];
            if link.contains("://") || link.starts_with("mailto:") {
                continue;
            }
            links += 1;
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let to = if file.is_empty() { from.clone() } else { resolved(&from.with_file_name(file)) };
            let is_there = if anchor.is_empty() {
                Path::new(REPOSITORY).join(&to).exists()
            } else {
                anchors.get(to.as_path()).is_some_and(|anchors| anchors.contains(anchor))
            };
            if !is_there {
                broken.push(format!("{}: {link}", from.display()));
            }
        }
    }
    assert!(links > 100, "{links}");
    assert!(broken.is_empty(), "{broken:#?}");
}

/// Such as `tests/run lab`; `NAME` stands for any.
#[test]
fn every_path_in_the_text_exists() {
    let paths = pattern(r"`((?:\.cargo|\.ci|\.github|infra|lambda|src|tests)/[\w./-]+)[ `]");
    let mut seen = 0;
    let mut missing = Vec::new();
    for (from, page) in &pages() {
        for found in paths.captures_iter(&prose(page)).filter(|found| !found[1].contains("NAME")) {
            seen += 1;
            if !Path::new(REPOSITORY).join(&found[1]).exists() {
                missing.push(format!("{}: {}", from.display(), &found[1]));
            }
        }
    }
    assert!(seen > 50, "{seen}");
    assert!(missing.is_empty(), "{missing:#?}");
}

#[test]
fn every_variable_of_a_test_in_the_text_is_read() {
    let variable = pattern("REPOINT_TEST_[A-Z_]+");
    let mut code = String::new();
    let mut folders = vec![Path::new(REPOSITORY).join("tests")];
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                code.push_str(&read(path));
            }
        }
    }
    let mut missing = Vec::new();
    for (from, page) in &pages() {
        let named = variable.find_iter(page).map(|found| found.as_str());
        let unread = named.filter(|name| !code.contains(&format!("\"{name}\"")));
        missing.extend(unread.map(|name| format!("{}: {name}", from.display())));
    }
    assert!(missing.is_empty(), "{missing:#?}");
}

/// The keys below a table of the configuration, by their full names, as the program lists them when it refuses one.
/// `headers` are the tables on the way there, each as it stands in brackets.
async fn keys(headers: &[String]) -> BTreeSet<String> {
    let table = headers.last().map_or_else(String::new, |header| header.trim_matches(['[', ']']).to_owned());
    let text = format!("{}\nnone_of_them = 1\n", headers.join("\n"));
    let ran = Repoint::new(text).run(&["check"]).await;
    let Some((_, list)) = ran.stderr.split_once("unknown field `none_of_them`, expected ") else {
        return BTreeSet::new();
    };
    let mut all = BTreeSet::new();
    for key in pattern("`([a-z0-9_]+)`").captures_iter(list.lines().next().unwrap()) {
        let name = if table.is_empty() { key[1].to_owned() } else { format!("{table}.{}", &key[1]) };
        let mut below = BTreeSet::new();
        for header in [format!("[{name}]"), format!("[[{name}]]")] {
            below.append(&mut Box::pin(keys(&[headers, &[header]].concat())).await);
        }
        if below.is_empty() {
            all.insert(name);
        }
        all.append(&mut below);
    }
    all
}

#[tokio::test]
async fn the_reference_has_every_key_of_the_configuration_and_no_other() {
    // A site's target groups and discovery are described once, with the cluster's.
    let known: BTreeSet<String> = keys(&[])
        .await
        .into_iter()
        .map(|key| key.replace("cluster.site.target_group.", "cluster.target_group."))
        .map(|key| key.replace("cluster.site.discover.", "cluster.discover."))
        .collect();
    assert!(known.contains("cluster.site.alias.dns_name"), "{known:?}");

    let reference = read("infra/guide/configuration.md");
    let rows = pattern(r"(?m)^\| `([a-z0-9_.]+)` \|");
    let described: Vec<String> = rows.captures_iter(&reference).map(|row| row[1].to_owned()).collect();
    let unique: BTreeSet<String> = described.iter().cloned().collect();
    assert_eq!(described.len(), unique.len(), "a key stands twice: {described:?}");

    let missing: Vec<_> = known.difference(&unique).collect();
    let invented: Vec<_> = unique.difference(&known).collect();
    assert!(
        missing.is_empty() && invented.is_empty(),
        "missing: {missing:?}, unknown to the program: {invented:?}"
    );
}

#[tokio::test]
async fn the_configurations_of_the_documentation_are_accepted() {
    let pages = pages();
    let mut tried = 0;
    let blocks = pattern(r"(?s)```toml\n(.*?)```");
    for (path, page) in &pages {
        for block in blocks.captures_iter(page) {
            let text = &block[1];
            if text.contains("scope = ") && !text.contains('…') {
                let ran = Repoint::new(text).run(&["check"]).await;
                assert_eq!(ran.code, 0, "{}: {ran}", path.display());
                tried += 1;
            }
        }
    }
    assert!(tried >= 2, "{tried}");
}

/// What follows the comment in the page of doctor is written from the checks: `INSTA_UPDATE=always` writes it.
#[test]
#[expect(clippy::disallowed_methods, reason = "as insta has it, the environment says whether to write")]
fn doctor_has_an_entry_for_each_check() {
    const PAGE: &str = "infra/guide/doctor.md";
    let page = read(PAGE);
    let (before, entries) = page.split_once(" -->\n\n").unwrap();
    let written = guide::entries(CHECKS);
    if std::env::var("INSTA_UPDATE").is_ok_and(|update| update == "always") {
        fs::write(Path::new(REPOSITORY).join(PAGE), format!("{before} -->\n\n{written}")).unwrap();
    } else {
        assert!(
            entries == written,
            "{PAGE} is not what the checks say: INSTA_UPDATE=always cargo it guide::doctor"
        );
    }
}

#[test]
fn the_readme_is_short() {
    let lines = read("README.md").lines().count();
    assert!(lines < 250, "{lines} lines; what a page of infra/guide can say goes there");
}

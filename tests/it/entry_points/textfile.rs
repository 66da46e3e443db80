//! The metrics of `repoint run`, in a file for `node_exporter`.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use repoint_sandbox::http::sandbox::Site;

use super::place::{PG3, Place};

const SECTION: &str = "[metrics]\ntextfile = \"metrics/repoint.prom\"\n[pass]\ndeadline_seconds = 2\n";
const SUCCESS: &str = "repoint_cluster_last_pass_success_timestamp_seconds{scope=\"batman\"} ";

fn place() -> (Place, PathBuf) {
    let place = Place::new(SECTION);
    let folder = place.folder.path().join("metrics");
    fs::create_dir(&folder).unwrap();
    (place, folder.join("repoint.prom"))
}

fn line(text: &str, begin: &str) -> String {
    text.lines()
        .find(|line| line.starts_with(begin))
        .unwrap_or_else(|| panic!("no {begin} in\n{text}"))
        .to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_writes_its_metrics_whole_and_readable() {
    let (place, path) = place();
    place.meddle(PG3);
    assert_eq!(place.run(&["run"]).await.0, 0);
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(
        line(&text, "repoint_retargets_total{scope=\"batman\",cause=\"correction\"}").chars().last(),
        Some('0')
    );
    assert!(text.contains("repoint_retargets_total{scope=\"batman\",cause=\"adoption\"} 1\n"), "{text}");
    assert!(text.contains("repoint_cluster_has_primary{scope=\"batman\"} 1\n"), "{text}");
    // A process that ends has no counters of its own.
    for of_process in
        ["repoint_passes", "repoint_aws_", "repoint_alerts_published", "repoint_config_", "_bucket"]
    {
        assert!(!text.contains(of_process), "{text}");
    }
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o644);
    let files = fs::read_dir(path.parent().unwrap()).unwrap().count();
    assert_eq!(files, 1, "the temporary file is gone");
    // To look is not to run.
    let before = fs::metadata(&path).unwrap().modified().unwrap();
    assert_eq!(place.run(&["plan"]).await.0, 0);
    assert_eq!(fs::metadata(&path).unwrap().modified().unwrap(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_fails_keeps_when_the_last_success_was() {
    let (place, path) = place();
    assert_eq!(place.run(&["run"]).await.0, 0);
    let good = line(&fs::read_to_string(&path).unwrap(), SUCCESS);
    place.sandbox.with(Site::throttle);
    assert_eq!(place.run(&["run"]).await.0, 1);
    assert_eq!(line(&fs::read_to_string(&path).unwrap(), SUCCESS), good);
    // Without an earlier file it counts from its own run, which the next one keeps.
    fs::remove_file(&path).unwrap();
    let mut lines = Vec::new();
    for _ in 0..2 {
        assert_eq!(place.run(&["run"]).await.0, 1);
        lines.push(line(&fs::read_to_string(&path).unwrap(), SUCCESS));
    }
    assert!(lines[0] == lines[1] && !lines[0].ends_with(" 0.0"), "{lines:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_cannot_be_written_is_a_warning() {
    let (place, path) = place();
    fs::remove_dir(path.parent().unwrap()).unwrap();
    let (code, said) = place.run(&["run", "--quiet"]).await;
    assert_eq!(code, 0, "{said}");
    assert!(
        said.contains("the metrics were not written to metrics/repoint.prom: No such file or directory"),
        "{said}"
    );
}

/// As with Citus: what is of one entry is told apart from what is of the other.
#[tokio::test(flavor = "multi_thread")]
async fn entries_with_one_scope_have_their_names() {
    let (place, path) = place();
    let configuration = place.folder.path().join("repoint.toml");
    let text = fs::read_to_string(&configuration).unwrap();
    let second = "\n[[cluster]]\nname = \"robin\"\nscope = \"batman\"\nmembers = [\"http://127.0.0.1:1\"]\n";
    fs::write(&configuration, format!("{text}{second}")).unwrap();
    place.run(&["run"]).await;
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains("repoint_cluster_has_primary{scope=\"batman\",entry=\"batman\"} 1\n"), "{text}");
    assert!(text.contains("repoint_cluster_has_primary{scope=\"batman\",entry=\"robin\"} 0\n"), "{text}");
    let series: Vec<&str> = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.rsplit_once(' '))
        .map(|it| it.0)
        .collect();
    let unique: std::collections::BTreeSet<&&str> = series.iter().collect();
    assert_eq!(unique.len(), series.len(), "a series stands twice:\n{text}");
}

//! Memory that cannot be read, or that can be read and not saved: each kind of failure is told as what it is, and none as
//! a race that was lost.

use std::fs::{self, File};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::{published, value, written};
use crate::support::command::Ran;
use crate::support::http::{Server, json};
use crate::support::site::{aws, configuration, group, patroni};
use crate::support::table::{Table, in_table};

const EMPTY: &str = "{\"version\": 1, \"min_reader\": 1, \"clusters\": {}}\n";
const ALERT: &str = "repoint: batman: STATE STORE UNAVAILABLE, changes blocked";

/// The lines of the configuration under which a pass acts without memory.
const LENIENT: &str = "[state]\nrequired = false\n";

/// What a run says whose state must be saved and cannot, for `words`.
fn is_notified(ran: &Ran, aws: &Server, words: &str) {
    let cluster = &ran.json()["clusters"][0];
    assert_eq!((ran.code, &cluster["outcome"]), (1, &value!("held")), "{ran}");
    let holds = cluster["holds"].as_array().unwrap();
    let [hold] = &holds[..] else { panic!("{ran}") };
    assert_eq!(hold["reason"], "state_unavailable", "{ran}");
    assert!(hold["message"].as_str().unwrap().contains(words), "{ran}");
    assert_eq!(cluster["alerts"], value!([ALERT]), "{ran}");
    // Whatever is told of memory, in whatever part of the pass, is the store's own word.
    for warning in cluster["warnings"].as_array().into_iter().flatten() {
        assert!(warning.as_str().unwrap().contains(words), "{ran}");
    }
    assert_eq!((written(aws), published(aws)), (vec![], vec![ALERT.to_owned()]), "{ran}");
}

/// What a run says that needs no memory.
fn is_done_all_the_same(ran: &Ran, aws: &Server, words: &str) {
    let cluster = &ran.json()["clusters"][0];
    assert_eq!((ran.code, &cluster["outcome"]), (0, &value!("changed")), "{ran}");
    let warnings = cluster["warnings"].to_string();
    assert!(warnings.contains(words), "{ran}");
    assert_eq!(written(aws), ["RegisterTargets", "DeregisterTargets"], "{ran}");
}

/// A run with the state file at that path, once where it is required and once where it is not.
async fn is_reported_for_the_file(path: &Path, words: &str) {
    let run = async |more: &str| {
        let (members, aws) = (patroni().await, aws(|_| None).await);
        let repoint = configuration(&members, &aws.url(), &format!("{}{more}", group()));
        let repoint = repoint.with("REPOINT_STATE_FILE", path.to_str().unwrap());
        (repoint.run(&["run", "--format", "json"]).await, aws)
    };
    let before = fs::read_to_string(path).unwrap();
    let ((strict, its), (lenient, their)) = tokio::join!(run(""), run(LENIENT));
    is_notified(&strict, &its, words);
    is_done_all_the_same(&lenient, &their, words);
    assert_eq!(fs::read_to_string(path).unwrap(), before);
}

/// A folder with a state file in it.
fn place() -> (TempDir, PathBuf) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("state.json");
    fs::write(&path, EMPTY).unwrap();
    (folder, path)
}

#[tokio::test]
async fn a_full_disk_is_reported_as_the_cause() {
    let (folder, path) = place();
    // The draft is written where every write fails for want of room.
    symlink("/dev/full", folder.path().join("state.json.new")).unwrap();
    is_reported_for_the_file(&path, "No space left on device (os error 28): free some space there").await;
}

#[tokio::test]
async fn a_lock_that_another_process_holds_is_reported_as_the_cause() {
    let (folder, path) = place();
    let lock = File::create(folder.path().join("state.json.lock")).unwrap();
    lock.lock().unwrap();
    is_reported_for_the_file(&path, "another process has held the lock for 1.5 s").await;
}

#[tokio::test]
async fn a_draft_that_cannot_replace_the_file_is_reported_as_the_cause() {
    let (_folder, path) = place();
    // What is read there is a file that has no name any more; and what has its name is a folder, which no file replaces.
    let file = File::open(&path).unwrap();
    fs::remove_file(&path).unwrap();
    let link = PathBuf::from(format!("/proc/{}/fd/{}", std::process::id(), file.as_raw_fd()));
    fs::create_dir(fs::read_link(&link).unwrap()).unwrap();
    is_reported_for_the_file(&link, "Is a directory (os error 21)").await;
}

/// A run whose table refuses every call of that action so.
async fn is_reported_for_the_table(action: &'static str, code: &'static str) {
    let run = async |more: &str| {
        let (table, members) = (Table::new(), patroni().await);
        let refusal =
            format!("{{\"__type\": \"com.amazonaws.dynamodb.v20120810#{code}\", \"message\": \"so it is\"}}");
        let aws = aws(move |request| {
            let target = request.headers.get("x-amz-target");
            let is_refused = target.is_some_and(|target| target.ends_with(action));
            if is_refused { Some(json(400, &refusal)) } else { table.answer(request) }
        });
        let aws = aws.await;
        let repoint = in_table(configuration(&members, &aws.url(), &format!("{}{more}", group())));
        (repoint.run(&["run", "--format", "json"]).await, aws)
    };
    let words = format!("dynamodb:{action} on table repoint: {code}");
    let ((strict, its), (lenient, their)) = tokio::join!(run(""), run(LENIENT));
    is_notified(&strict, &its, &words);
    is_done_all_the_same(&lenient, &their, &words);
}

const THROTTLED: &str = "ProvisionedThroughputExceededException";

#[tokio::test]
async fn a_table_that_may_not_be_written_is_reported_as_the_cause() {
    is_reported_for_the_table("PutItem", "AccessDeniedException").await;
}

#[tokio::test]
async fn a_table_that_takes_no_more_writes_is_reported_as_the_cause() {
    is_reported_for_the_table("PutItem", THROTTLED).await;
}

#[tokio::test]
async fn a_table_that_takes_no_more_reads_is_reported_as_the_cause() {
    is_reported_for_the_table("GetItem", THROTTLED).await;
}

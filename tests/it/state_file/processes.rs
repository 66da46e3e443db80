//! Several processes at one file: they take turns, and one that is killed leaves it whole.
//!
//! The other processes are this test binary, told to run one of the ignored tests here.

#![expect(clippy::print_stdout, reason = "other processes are listened to")]

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{BufRead as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use repoint::adapters::state_file::StateFile;
use repoint::ports::Store as _;
use repoint_domain::state::{MOST_MESSAGES, State};
use repoint_domain::values::cluster::Timeline;
use repoint_domain::values::failure::Kind;
use rustix::fs::{CWD, Mode, mkfifoat};
use rustix::pipe::fcntl_setpipe_size;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader, Lines};
use tokio::net::unix::pipe;
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::{Instant, sleep, timeout};

use super::{batman, folder, message};

/// The file, for another process.
const FILE: &str = "STATE_FILE_OF_A_TEST";
/// How often the writer is killed, if not [`FEW_KILLS`] times.
const KILLS: &str = "REPOINT_TEST_KILLS";
const FEW_KILLS: u32 = 100;
/// Long enough for the slowest machine; only a failing test takes as long.
const PATIENCE: Duration = Duration::from_secs(30);

/// Another process, and what it says.
struct Other {
    child: Child,
    stdin: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Other {
    /// Runs one of the ignored tests of this file over `path`.
    fn start(test: &str, path: &Path) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", &format!("state_file::processes::{test}"), "--ignored", "--nocapture"])
            .env(FILE, path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let (stdin, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        Self { child, stdin, lines: BufReader::new(stdout).lines() }
    }

    /// The next thing it says, without what the test harness prints; `None` if it has ended.
    async fn said(&mut self) -> Option<String> {
        loop {
            let line = timeout(PATIENCE, self.lines.next_line()).await.unwrap().unwrap()?;
            if let Some((_, words)) = line.split_once("> ") {
                return Some(words.to_owned());
            }
        }
    }

    /// The next revision that it says it has saved.
    async fn saved(&mut self) -> Option<u64> {
        Some(self.said().await?.parse().unwrap())
    }

    /// Kills it, and answers the last revision that it still managed to tell of.
    async fn kill(mut self) -> Option<u64> {
        self.child.start_kill().unwrap();
        let mut last = None;
        while let Some(revision) = self.saved().await {
            last = Some(revision);
        }
        self.child.wait().await.unwrap();
        last
    }
}

/// What another process is told by its parent.
#[expect(clippy::disallowed_methods, reason = "the parent says it in the environment")]
fn given(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn path_given() -> PathBuf {
    PathBuf::from(given(FILE).expect("it is run by another test"))
}

/// On a line of its own, out at once; the test harness prints beside it.
fn say(words: impl std::fmt::Display) {
    println!("\n> {words}");
}

/// Some 10 KB, all of which follow from the revision: a mixture of two revisions would be seen.
fn of_revision(revision: u64) -> State {
    let mut state =
        State { revision, highest_timeline: u32::try_from(revision).ok().map(Timeline), ..State::default() };
    for index in 0..MOST_MESSAGES {
        let mut message = message(&format!("batman-{revision}-{index}"));
        message.body = revision.to_string().repeat(40 + usize::try_from(revision % 97).unwrap());
        state.post(message);
    }
    state
}

/// Saves one revision after the other, and says each.
#[tokio::test]
#[ignore = "another test runs it"]
async fn writer() {
    let store = StateFile::new(path_given());
    let mut revision = store.load(&batman()).await.unwrap().revision;
    loop {
        revision += 1;
        store.save(&batman(), &of_revision(revision)).await.unwrap();
        say(revision);
    }
}

/// Saves until there are 200 revisions, whoever saves them, and says its own.
#[tokio::test]
#[ignore = "another test runs it"]
async fn rival() {
    for revision in compete(StateFile::new(path_given())).await {
        say(revision);
    }
}

/// Takes the lock, says so, and keeps it until it is told to end.
#[test]
#[ignore = "another test runs it"]
fn holder() {
    let lock = OpenOptions::new().create(true).truncate(false).write(true).open(path_given()).unwrap();
    lock.lock().unwrap();
    say("held");
    std::io::stdin().lock().read_line(&mut String::new()).unwrap();
}

#[tokio::test]
async fn a_lock_that_another_process_keeps_is_named() {
    let folder = folder();
    let path = folder.path().join("state.json");
    let lock = folder.path().join("state.json.lock");
    let store = StateFile::new(path.clone());
    store.save(&batman(), &of_revision(1)).await.unwrap();
    let before = fs::read(&path).unwrap();

    let mut holder = Other::start("holder", &lock);
    assert_eq!(holder.said().await.as_deref(), Some("held"));
    assert_eq!(store.load(&batman()).await, Ok(of_revision(1)), "reading needs no lock");
    let began = Instant::now();
    let failure = store.save(&batman(), &of_revision(2)).await.unwrap_err();
    let waited = began.elapsed();
    assert!((Duration::from_millis(1500)..PATIENCE).contains(&waited), "{waited:?}");
    assert_eq!(failure.kind, Kind::Unavailable);
    assert!(failure.message.contains(&format!("`fuser {}`", lock.display())), "{failure}");
    assert_eq!(fs::read(&path).unwrap(), before);

    // It lets go while somebody waits for it.
    let (scope, next) = (batman(), of_revision(2));
    let (saved, ()) = tokio::join!(store.save(&scope, &next), async {
        drop(holder.stdin);
        holder.child.wait().await.unwrap();
    });
    saved.unwrap();
}

/// The draft is a pipe here, which takes in less than the file: its writer waits in the middle of it.
#[tokio::test]
async fn a_writer_that_is_killed_over_its_draft_leaves_the_old_file() {
    let folder = folder();
    let path = folder.path().join("state.json");
    let draft = folder.path().join("state.json.new");
    let store = StateFile::new(path.clone());
    store.save(&batman(), &of_revision(1)).await.unwrap();
    let before = fs::read(&path).unwrap();
    mkfifoat(CWD, &draft, Mode::RUSR | Mode::WUSR).unwrap();
    let mut reader = pipe::OpenOptions::new().read_write(true).open_receiver(&draft).unwrap();
    assert!(fcntl_setpipe_size(&reader, 4096).unwrap() + 1024 < before.len());

    let writer = Other::start("writer", &path);
    let mut begun = [0; 1024];
    timeout(PATIENCE, reader.read_exact(&mut begun)).await.unwrap().unwrap();
    assert!(begun.starts_with(b"{"));
    assert_eq!(writer.kill().await, None);
    assert_eq!(fs::read(&path).unwrap(), before);

    fs::remove_file(&draft).unwrap();
    store.save(&batman(), &of_revision(2)).await.unwrap();
}

const RACE_ENDS_AT: u64 = 200;

/// The revisions that were saved by this one, in the race for all of them.
async fn compete(store: StateFile) -> Vec<u64> {
    let mut won = Vec::new();
    loop {
        let known = store.load(&batman()).await.unwrap().revision;
        if known >= RACE_ENDS_AT {
            return won;
        }
        match store.save(&batman(), &of_revision(known + 1)).await {
            Ok(()) => won.push(known + 1),
            Err(failure) => assert_eq!(failure.kind, Kind::Conflict, "{failure}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_race_each_revision_is_saved_once() {
    let folder = folder();
    let path = folder.path().join("state.json");
    let shared = StateFile::new(path.clone());
    let tasks =
        [shared.clone(), shared, StateFile::new(path.clone())].map(|store| tokio::spawn(compete(store)));
    let others = [(); 2].map(|()| Other::start("rival", &path));

    let mut won: Vec<Vec<u64>> = Vec::new();
    for task in tasks {
        won.push(task.await.unwrap());
    }
    for mut other in others {
        let mut its = Vec::new();
        while let Some(revision) = other.saved().await {
            its.push(revision);
        }
        assert!(other.child.wait().await.unwrap().success());
        won.push(its);
    }
    let all: Vec<u64> = won.concat();
    let each: BTreeSet<u64> = all.iter().copied().collect();
    assert_eq!(all.len(), each.len(), "some revision was saved twice: {won:?}");
    assert_eq!(each, (1..=RACE_ENDS_AT).collect());
    assert!(won.iter().filter(|its| !its.is_empty()).count() > 1, "no race at all: {won:?}");
}

/// `SplitMix64`: the same numbers for the same seed.
struct SplitMix(u64);

impl SplitMix {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }
}

/// Where the killed were in their work, as far as that can be seen.
#[derive(Debug, Default)]
struct Traces {
    /// In the middle of a draft, or just before its renaming.
    draft: u32,
    /// Between the renaming and the word of it.
    unsaid: u32,
    /// Before the first save.
    idle: u32,
}

#[tokio::test]
async fn a_killed_writer_leaves_a_whole_file() {
    let kills = given(KILLS).map_or(FEW_KILLS, |kills| kills.parse().unwrap());
    let folder = folder();
    let path = folder.path().join("state.json");
    let draft = folder.path().join("state.json.new");
    let store = StateFile::new(path.clone());
    let mut random = SplitMix(20_261_120);
    let mut traces = Traces::default();
    let mut stored = 0;
    for kill in 0..kills {
        let mut writer = Other::start("writer", &path);
        let mut said = 0;
        // Some are killed as they start; most in full swing, a few saves and some microseconds later.
        let starts = random.below(10) > 0;
        for _ in 0..if starts { 1 + random.below(4) } else { 0 } {
            said = writer.saved().await.expect("it goes on until it is killed");
            stored += 1;
            assert_eq!(said, stored, "kill {kill}: it goes on where the one before was killed");
        }
        sleep(Duration::from_micros(random.below(if starts { 5_000 } else { 40_000 }))).await;
        said = writer.kill().await.unwrap_or(said);

        let left = store.load(&batman()).await.unwrap_or_else(|failure| panic!("kill {kill}: {failure}"));
        assert!(
            left.revision >= said.max(stored),
            "kill {kill}: {said} was saved, {} is left",
            left.revision
        );
        assert!(
            said == 0 || left.revision <= said + 1,
            "kill {kill}: {} is left after {said}",
            left.revision
        );
        let expected = if left.revision == 0 { State::default() } else { of_revision(left.revision) };
        assert_eq!(left, expected, "kill {kill}");
        traces.draft += u32::from(said > 0 && draft.exists());
        traces.unsaid += u32::from(said > 0 && left.revision > said);
        traces.idle += u32::from(said == 0 && left.revision == stored);
        stored = left.revision;
    }
    // Otherwise they were all killed where nothing can go wrong. How many die in the middle of a draft depends on how
    // long the disk takes to sync it, which may be no time at all.
    assert!(traces.draft + traces.unsaid > 0, "{traces:?}");
    // Nobody needs the draft of a dead one to be away.
    File::create(&draft).unwrap().write_all(b"half of it").unwrap();
    store.save(&batman(), &of_revision(stored + 1)).await.unwrap();
    assert_eq!(store.load(&batman()).await, Ok(of_revision(stored + 1)));
    println!("{kills} kills: {stored} revisions, {traces:?}");
}

//! Memory in a file: always whole, whoever dies while writing it, and never overwritten when it cannot be read.

mod processes;

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use futures::future::join_all;
use repoint::adapters::state_file::StateFile;
use repoint::ports::Store as _;
use repoint_domain::state::{
    Condition, ConditionKind, DrillLease, KnownLeader, KnownMember, LastMove, LastPrimary, LeaderChange,
    Lease, OutboxMessage, PendingEvent, Raw, Retargets, State, SurplusTarget, Unknown,
};
use repoint_domain::values::arn::VpcId;
use repoint_domain::values::cluster::{Address, EntryName, MemberName, SiteName, SystemId, Timeline};
use repoint_domain::values::failure::{Failure, Kind};
use repoint_domain::values::moves::MoveCause;
use repoint_domain::values::target::{Family, GroupKind, Target, TargetType};
use repoint_domain::values::timestamp::Timestamp;
use repoint_domain::values::utc::Utc;
use tempfile::TempDir;

use crate::support::evidence::{SYSTEM, host, name, url};

/// A folder on a real disk, where a sync is one.
fn folder() -> TempDir {
    TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

fn batman() -> EntryName {
    EntryName::new("batman")
}

fn message(id: &str) -> OutboxMessage {
    OutboxMessage {
        id: id.to_owned(),
        topic: None,
        subject: "repoint: batman: no primary".to_owned(),
        body: "words\n{\"cluster\":\"batman\"}\n".to_owned(),
        attributes: [("cluster".to_owned(), "batman".to_owned())].into(),
        claimed_by: "somebody".to_owned(),
        claimed_at: Timestamp(1_700_000_000_000),
    }
}

const GROUP: &str = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/pg/0";

/// A state with something of everything.
pub fn full(revision: u64) -> State {
    let address = Address { host: host(1), port: 5432 };
    let condition = |kind, subject: Option<&str>, notified| Condition {
        kind,
        subject: subject.map(str::to_owned),
        endpoint: Some(GROUP.to_owned()),
        site: Some(SiteName::new("us-east-1")),
        title: "a title".to_owned(),
        message: "for \"a reason\",\nin two lines".to_owned(),
        since: Timestamp(1),
        notified,
        unknown: Unknown::new(),
    };
    State {
        endpoints: [GROUP.to_owned()].into(),
        revision,
        highest_timeline: Some(Timeline(4)),
        system_id: Some(SystemId::new(SYSTEM)),
        primary: Some(LastPrimary {
            site: Some(SiteName::new("us-east-1")),
            member: Some(name(1)),
            address: Some(address.clone()),
            timeline: Timeline(4),
        }),
        leader: Some(KnownLeader { member: Some(name(1)), timeline: Timeline(4), since: Some(Timestamp(3)) }),
        changes: vec![LeaderChange { at: Timestamp(3), count: 2 }],
        site: Some(SiteName::new("us-east-1")),
        superseded: [SiteName::new("us-west-2")].into(),
        members_of_sites: [(
            SiteName::new("us-east-1"),
            [(name(1), KnownMember { api_url: Some(url(1)), address: None })].into(),
        )]
        .into(),
        members: [
            (name(1), KnownMember { api_url: Some(url(1)), address: Some(address) }),
            (MemberName::new("pg2 ü"), KnownMember { api_url: None, address: None }),
        ]
        .into(),
        group_kinds: [(
            GROUP.to_owned(),
            GroupKind { target_type: TargetType::Ip, family: Family::Ipv4, vpc: Some(VpcId::new("vpc-1")) },
        )]
        .into(),
        lease: Some(Lease {
            by: "host process 1".to_owned(),
            revision,
            timeline: Timeline(4),
            since: Timestamp(2),
            moves: None,
        }),
        drill: Some(DrillLease { by: "host process 2".to_owned(), since: Timestamp(6) }),
        conditions: vec![
            condition(ConditionKind::NoPrimary, None, None),
            condition(ConditionKind::MemberUnreachable, Some("pg2"), Some(Timestamp(3))),
        ],
        surplus: vec![SurplusTarget {
            group: GROUP.to_owned(),
            target: Target { id: host(9), port: 5432 },
            since: Timestamp(4),
        }],
        retargets: Retargets {
            counts: [("failover".to_owned(), 2)].into(),
            last: Some(LastMove {
                at: Utc(Timestamp(5)),
                cause: MoveCause::Failover,
                from: Some("pg2".to_owned()),
                to: Some("us-east-1/pg1".to_owned()),
            }),
        },
        outbox: vec![message("batman-1-0")],
        last_event: 7,
        pending_events: vec![PendingEvent {
            number: 7,
            since: Timestamp(5),
            json: "{\"version\":1,\"number\":7}".to_owned(),
        }],
        unknown: Unknown::new(),
    }
}

/// The same as the first versions wrote it: without the leader, the endpoints, the drill, the kinds of groups, the surplus, the
/// events, and the parts of a condition's subject.
pub fn first() -> State {
    let State { changes, drill, group_kinds, surplus, retargets, last_event, pending_events, .. } =
        State::default();
    let later =
        State { changes, drill, group_kinds, surplus, retargets, last_event, pending_events, ..full(1) };
    let mut first = State { leader: None, endpoints: [].into(), ..later };
    for condition in &mut first.conditions {
        (condition.endpoint, condition.site, condition.title) = (None, None, String::new());
    }
    first
}

fn empty(revision: u64) -> State {
    State { revision, ..State::default() }
}

#[tokio::test]
async fn what_is_saved_is_loaded() {
    let folder = folder();
    let path = folder.path().join("state.json");
    let store = StateFile::new(path.clone());
    assert_eq!(store.load(&batman()).await, Ok(State::default()));
    assert!(!path.exists(), "looking makes no file");

    store.save(&batman(), &full(1)).await.unwrap();
    store.save(&EntryName::new("robin"), &empty(1)).await.unwrap();
    store.save(&batman(), &State { outbox: Vec::new(), ..full(2) }).await.unwrap();
    let another = StateFile::new(path.clone());
    assert_eq!(another.load(&batman()).await, Ok(State { outbox: Vec::new(), ..full(2) }));
    assert_eq!(another.load(&EntryName::new("robin")).await, Ok(empty(1)));
    assert_eq!(another.load(&EntryName::new("joker")).await, Ok(State::default()));
    assert_eq!(files(folder.path()), ["state.json", "state.json.lock"]);
    assert!(fs::read_to_string(path).unwrap().ends_with("}\n"), "people read it, too");
}

/// Every kind of condition has a name that can be read back.
#[tokio::test]
async fn every_condition_is_read_back() {
    let kinds = ConditionKind::ALL;
    let mut state = full(1);
    let like = state.conditions[0].clone();
    state.conditions = kinds.map(|kind| Condition { kind, ..like.clone() }).to_vec();
    let folder = folder();
    let path = folder.path().join("state.json");
    let store = StateFile::new(path.clone());
    store.save(&batman(), &state).await.unwrap();
    assert_eq!(store.load(&batman()).await, Ok(state));
    let text = fs::read_to_string(path).unwrap();
    for kind in kinds {
        assert!(text.contains(&format!("\"{}\"", kind.as_str())), "{kind:?} in {text}");
    }
}

#[tokio::test]
async fn only_the_next_revision_is_saved() {
    let folder = folder();
    let store = StateFile::new(folder.path().join("state.json"));
    for revision in [0, 2, 9] {
        assert_eq!(kind(store.save(&batman(), &empty(revision)).await), Err(Kind::Conflict), "{revision}");
    }
    assert_eq!(files(folder.path()), ["state.json.lock"]);
    for revision in [1, 2, 3] {
        store.save(&batman(), &empty(revision)).await.unwrap();
    }
    for revision in [0, 1, 2, 3, 5] {
        let conflict = store.save(&batman(), &full(revision)).await.unwrap_err();
        assert_eq!(conflict.kind, Kind::Conflict);
        assert!(conflict.message.contains("the stored revision is 3"), "{conflict}");
    }
    assert_eq!(store.load(&batman()).await, Ok(empty(3)));
    store.save(&batman(), &empty(4)).await.unwrap();
}

fn kind(result: Result<(), Failure>) -> Result<(), Kind> {
    result.map_err(|failure| failure.kind)
}

fn files(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<String> = names.map(|name| name.into_string().unwrap()).collect();
    names.sort();
    names
}

/// A file that holds `full(1)`, as bytes.
async fn good() -> Vec<u8> {
    let folder = folder();
    let path = folder.path().join("state.json");
    StateFile::new(path.clone()).save(&batman(), &full(1)).await.unwrap();
    fs::read(path).unwrap()
}

#[tokio::test]
async fn what_cannot_be_read_is_said_and_left_as_it_is() {
    let good = good().await;
    let text = String::from_utf8(good.clone()).unwrap();
    let newer = text.replacen("\"version\": 1,\n  \"min_reader\": 1", "\"version\": 3, \"min_reader\": 2", 1);
    let without_version = text.replacen("\"version\": 1,", "", 1);
    let wrong = text.replacen("\"highest_timeline\": 4", "\"highest_timeline\": -4", 1);
    let mut flipped = good.clone();
    flipped[5] = 0xff;
    let mut lines = Vec::new();
    for (what, bytes) in [
        ("empty", Vec::new()),
        ("cut in half", good[..good.len() / 2].to_vec()),
        ("one byte short", good[..good.len() - 3].to_vec()),
        ("zeroes", vec![0; good.len()]),
        ("a flipped byte", flipped),
        ("twice", [good.clone(), good.clone()].concat()),
        ("a wrong value", wrong.into_bytes()),
        ("no version", without_version.into_bytes()),
        ("a newer version", newer.into_bytes()),
    ] {
        assert_ne!(bytes, good, "{what}");
        let folder = folder();
        let path = folder.path().join("state.json");
        fs::write(&path, &bytes).unwrap();
        let store = StateFile::new(path.clone());
        let failure = store.load(&batman()).await.unwrap_err();
        assert_eq!(failure.kind, Kind::Invalid, "{what}");
        assert_eq!(store.save(&batman(), &full(2)).await, Err(failure.clone()), "{what}");
        assert_eq!(store.save(&batman(), &full(1)).await, Err(failure.clone()), "{what}");
        assert_eq!(fs::read(&path).unwrap(), bytes, "{what}");
        assert_eq!(files(folder.path()), ["state.json", "state.json.lock"], "{what}");
        lines.push(format!("{what}: {failure}").replace(&path.display().to_string(), "FILE"));
    }
    insta::assert_snapshot!(lines.join("\n"), @"
    empty: reading the state file on FILE: it is damaged (EOF while parsing a value at line 1 column 0), and was not changed; restore it from a backup, or move it away: repoint then starts with empty state, so check first with `patronictl list` that the right primary leads
    cut in half: reading the state file on FILE: it is damaged (EOF while parsing a string at line 77 column 27), and was not changed; restore it from a backup, or move it away: repoint then starts with empty state, so check first with `patronictl list` that the right primary leads
    one byte short: reading the state file on FILE: it is damaged (EOF while parsing an object at line 139 column 3), and was not changed; restore it from a backup, or move it away: repoint then starts with empty state, so check first with `patronictl list` that the right primary leads
    zeroes: reading the state file on FILE: it is damaged (expected value at line 1 column 1), and was not changed; restore it from a backup, or move it away: repoint then starts with empty state, so check first with `patronictl list` that the right primary leads
    a flipped byte: reading the state file on FILE: it is damaged (invalid unicode code point at line 2 column 4), and was not changed; restore it from a backup, or move it away: repoint then starts with empty state, so check first with `patronictl list` that the right primary leads
    twice: reading the state file on FILE: it is damaged (trailing characters at line 141 column 1), and was not changed; restore it from a backup, or move it away: repoint then starts with empty state, so check first with `patronictl list` that the right primary leads
    a wrong value: reading the state file on FILE: it is damaged (the state of batman: invalid value: integer `-4`, expected u32 at line 3 column 28 of it), and was not changed; restore it from a backup, or move it away: repoint then starts with empty state, so check first with `patronictl list` that the right primary leads
    no version: reading the state file on FILE: it is damaged (missing field `version` at line 140 column 1), and was not changed; restore it from a backup, or move it away: repoint then starts with empty state, so check first with `patronictl list` that the right primary leads
    a newer version: reading the state file on FILE: it has version 3, and this repoint supports version 1: use the newer repoint that wrote it; it was not changed; do not delete it, it holds the highest timelines
    ");
}

#[tokio::test]
async fn a_missing_folder_is_made() {
    let folder = folder();
    let path = folder.path().join("var/lib/repoint/state.json");
    let store = StateFile::new(path.clone());
    assert_eq!(store.load(&batman()).await, Ok(State::default()));
    assert!(files(folder.path()).is_empty(), "looking makes no folder");
    store.save(&batman(), &full(1)).await.unwrap();
    assert_eq!(StateFile::new(path).load(&batman()).await, Ok(full(1)));
}

/// Somebody else's file in its place, or an edit of it, is read; what was read before is not believed any more.
#[tokio::test]
async fn what_others_write_is_seen() {
    let folder = folder();
    let path = folder.path().join("state.json");
    let (store, other) = (StateFile::new(path.clone()), StateFile::new(path.clone()));
    for revision in 1..20 {
        let (writer, reader) = if revision % 3 == 0 { (&other, &store) } else { (&store, &other) };
        writer.save(&batman(), &full(revision)).await.unwrap();
        assert_eq!(reader.load(&batman()).await, Ok(full(revision)));
        assert_eq!(writer.load(&batman()).await, Ok(full(revision)));
    }
    // An older one is put back, and then nothing is left.
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replacen("\"revision\": 19", "\"revision\": 7", 1)).unwrap();
    assert_eq!(store.load(&batman()).await.unwrap().revision, 7);
    assert_eq!(kind(store.save(&batman(), &full(20)).await), Err(Kind::Conflict));
    fs::remove_file(&path).unwrap();
    assert_eq!(store.load(&batman()).await, Ok(State::default()));
    store.save(&batman(), &full(1)).await.unwrap();
    assert_eq!(other.load(&batman()).await, Ok(full(1)));
}

/// A hundred clusters that save at the same time wait for a few writes, not for a hundred; each hears its own answer.
#[tokio::test]
async fn states_saved_together_are_written_together() {
    let folder = folder();
    let path = folder.path().join("state.json");
    let store = StateFile::new(path.clone());
    let scopes: Vec<EntryName> = (0..100).map(|number| EntryName::new(format!("batman-{number}"))).collect();
    store.save(&scopes[7], &full(1)).await.unwrap();
    let watched = fs::metadata(&path).unwrap().ino();
    let memories = [full(1), full(2)];
    let saves = scopes.iter().flat_map(|scope| memories.iter().map(|state| store.save(scope, state)));
    let answers: Vec<_> = join_all(saves).await.into_iter().map(kind).collect();
    for (number, pair) in answers.chunks(2).enumerate() {
        let expected = if number == 7 { [Err(Kind::Conflict), Ok(())] } else { [Ok(()), Ok(())] };
        assert_eq!(pair, expected, "{number}");
    }
    assert_ne!(fs::metadata(&path).unwrap().ino(), watched);
    let another = StateFile::new(path);
    for scope in &scopes {
        assert_eq!(another.load(scope).await, Ok(full(2)));
    }
}

/// One who gives up while it waits has saved nothing, and keeps nobody else from it.
#[tokio::test]
async fn a_save_that_is_given_up_keeps_no_other_waiting() {
    let folder = folder();
    let store = StateFile::new(folder.path().join("state.json"));
    let (robin, state) = (EntryName::new("robin"), full(1));
    let mut given_up = Box::pin(store.save(&robin, &state));
    assert!(futures::poll!(&mut given_up).is_pending());
    let (scope, state) = (batman(), full(1));
    let mut waits = Box::pin(store.save(&scope, &state));
    assert!(futures::poll!(&mut waits).is_pending());
    drop(given_up);
    waits.await.unwrap();
    assert_eq!(store.load(&robin).await, Ok(State::default()));
    assert_eq!(store.load(&batman()).await, Ok(full(1)));
}

/// Nobody may make a folder there, be it for want of rights or since it is no real file system; root neither.
#[tokio::test]
async fn a_folder_that_cannot_be_written_is_named() {
    let store = StateFile::new(PathBuf::from("/sys/repoint/state.json"));
    assert_eq!(store.load(&batman()).await, Ok(State::default()));
    let failure = store.save(&batman(), &full(1)).await.unwrap_err();
    assert_eq!((failure.kind, failure.resource.as_str()), (Kind::Invalid, "/sys/repoint"));
    assert!(failure.message.contains("set `[state] file` to another path"), "{failure}");
}

#[tokio::test]
async fn a_path_that_is_no_file_is_named() {
    let folder = folder();
    let path = folder.path().join("state.json");
    fs::create_dir(&path).unwrap();
    let store = StateFile::new(path.clone());
    let below = StateFile::new(path.join("state.json.lock/state.json"));
    fs::write(path.join("state.json.lock"), "").unwrap();
    for failure in [
        store.load(&batman()).await.unwrap_err(),
        store.save(&batman(), &full(1)).await.unwrap_err(),
        below.load(&batman()).await.unwrap_err(),
        below.save(&batman(), &full(1)).await.unwrap_err(),
    ] {
        assert!(failure.resource.starts_with(&path.display().to_string()), "{failure}");
    }
}

/// The draft is written where every write fails for want of room.
#[tokio::test]
async fn a_full_disk_leaves_the_old_file() {
    let folder = folder();
    let path = folder.path().join("state.json");
    let store = StateFile::new(path.clone());
    store.save(&batman(), &full(1)).await.unwrap();
    let before = fs::read(&path).unwrap();

    let draft = folder.path().join("state.json.new");
    std::os::unix::fs::symlink("/dev/full", &draft).unwrap();
    let failure = store.save(&batman(), &full(2)).await.unwrap_err();
    assert_eq!(failure.kind, Kind::Unavailable);
    assert!(failure.message.contains("No space left"), "{failure}");
    assert_eq!(fs::read(&path).unwrap(), before);
    assert_eq!(store.load(&batman()).await, Ok(full(1)));

    fs::remove_file(draft).unwrap();
    store.save(&batman(), &full(2)).await.unwrap();
}

/// A version for each shape that was ever written; they are read for ever.
#[tokio::test]
async fn every_version_is_read() {
    let folder = folder();
    let path = folder.path().join("state.json");
    for (golden, expected) in [
        (include_str!("state_file/version-1.json"), full(1)),
        (include_str!("state_file/version-1-first.json"), first()),
    ] {
        fs::write(&path, golden).unwrap();
        assert_eq!(StateFile::new(path.clone()).load(&batman()).await, Ok(expected));
    }
    // And the newest is the one that is written.
    let newest = folder.path().join("newest.json");
    StateFile::new(newest.clone()).save(&batman(), &full(1)).await.unwrap();
    assert_eq!(fs::read_to_string(newest).unwrap(), include_str!("state_file/version-1.json"));
}

#[tokio::test]
async fn a_state_that_cannot_be_read_fails_its_own_entry_alone() {
    let text = String::from_utf8(good().await).unwrap();
    let wrong = "\"highest_timeline\": -4";
    let folder = folder();
    let path = folder.path().join("state.json");
    fs::write(&path, text.replacen("\"highest_timeline\": 4", wrong, 1)).unwrap();
    let (store, robin) = (StateFile::new(path.clone()), EntryName::new("robin"));
    store.save(&robin, &full(1)).await.unwrap();
    assert_eq!(store.load(&robin).await, Ok(full(1)));
    assert_eq!(kind(store.load(&batman()).await.map(drop)), Err(Kind::Invalid));
    assert!(fs::read_to_string(&path).unwrap().contains(wrong), "it is written back as it was");
}

/// After a rollback, or while several machines are upgraded one by one.
#[tokio::test]
async fn what_a_newer_version_has_written_is_kept() {
    let folder = folder();
    let path = folder.path().join("state.json");
    fs::write(&path, include_str!("state_file/version-of-the-future.json")).unwrap();
    let store = StateFile::new(path.clone());
    let state = store.load(&batman()).await.unwrap();
    assert_eq!(state.highest_timeline, Some(Timeline(4)));
    assert_eq!(state.conditions[0].kind, ConditionKind::Unrecognized);
    assert_eq!(state.unknown["mood"], Raw::Text("good".to_owned()));
    store.save(&batman(), &State { revision: 2, ..state }).await.unwrap();

    let value = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
    let mut expected = value(include_str!("state_file/version-of-the-future.json"));
    expected["clusters"]["batman"]["revision"] = 2.into();
    assert_eq!(value(&fs::read_to_string(&path).unwrap()), expected);
}

/// `umask 077; sudo repoint adopt` must not shut the daemon out.
#[tokio::test]
async fn a_save_keeps_the_owner_and_mode_of_the_file() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = folder();
    let path = folder.path().join("state.json");
    StateFile::new(path.clone()).save(&batman(), &full(1)).await.unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o664)).unwrap();
    let is_root = fs::metadata(&path).unwrap().uid() == 0;
    if is_root {
        std::os::unix::fs::chown(&path, Some(12_345), Some(12_346)).unwrap();
    }
    let expected = fs::metadata(&path).unwrap();
    // Made under a mask as root has it.
    fs::write(folder.path().join("state.json.new"), "").unwrap();
    fs::set_permissions(folder.path().join("state.json.new"), fs::Permissions::from_mode(0o600)).unwrap();
    StateFile::new(path.clone()).save(&batman(), &full(2)).await.unwrap();
    // Who may only read the state may not open its lock: to open it is all that it takes to keep it.
    for (name, mode) in [("state.json", 0o664), ("state.json.lock", 0o660)] {
        let found = fs::metadata(folder.path().join(name)).unwrap();
        let of = |file: &fs::Metadata| (file.mode() & 0o777, file.uid(), file.gid());
        assert_eq!(of(&found), (mode, expected.uid(), expected.gid()), "{name}");
    }
}

/// In a folder that others write to, a link leads anywhere.
#[tokio::test]
async fn no_link_that_any_user_may_have_put_there_is_followed() {
    use std::os::unix::fs::PermissionsExt as _;
    for name in ["state.json.lock", "state.json.new"] {
        let folder = folder();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o1777)).unwrap();
        let path = folder.path().join("state.json");
        std::os::unix::fs::symlink("elsewhere", folder.path().join(name)).unwrap();
        let failure = StateFile::new(path.clone()).save(&batman(), &full(1)).await.unwrap_err();
        assert!(failure.message.contains("link"), "{name}: {failure}");
        assert!(!folder.path().join("elsewhere").exists(), "{name}");
    }
}

/// The first save of all, by root, in the folder of the user that the daemon runs as.
#[tokio::test]
async fn the_first_file_has_the_owner_of_the_folder() {
    let folder = folder();
    if fs::metadata(folder.path()).unwrap().uid() != 0 {
        return;
    }
    std::os::unix::fs::chown(folder.path(), Some(12_345), Some(12_346)).unwrap();
    let path = folder.path().join("state.json");
    StateFile::new(path.clone()).save(&batman(), &full(1)).await.unwrap();
    for name in ["state.json", "state.json.lock"] {
        let found = fs::metadata(folder.path().join(name)).unwrap();
        assert_eq!((found.uid(), found.gid()), (12_345, 12_346), "{name}");
    }
}

#[tokio::test]
async fn a_link_is_followed_and_stays_one() {
    let folder = folder();
    fs::create_dir(folder.path().join("real")).unwrap();
    let (link, real) = (folder.path().join("state.json"), folder.path().join("real/memory.json"));
    std::os::unix::fs::symlink("real/memory.json", &link).unwrap();
    let store = StateFile::new(link.clone());
    for revision in 1..3 {
        store.save(&batman(), &full(revision)).await.unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(StateFile::new(real.clone()).load(&batman()).await, Ok(full(revision)));
    }
    assert_eq!(files(&folder.path().join("real")), ["memory.json", "memory.json.lock"]);
    assert_eq!(files(folder.path()), ["real", "state.json"]);
}

/// Where the volume is not mounted, a new file there would begin without the old timeline.
#[tokio::test]
async fn a_link_into_a_folder_that_is_missing_is_refused_and_nothing_is_made() {
    let folder = folder();
    let link = folder.path().join("state.json");
    std::os::unix::fs::symlink("volume/memory.json", &link).unwrap();
    let store = StateFile::new(link);
    for failure in [
        store.load(&batman()).await.unwrap_err(),
        store.save(&batman(), &full(1)).await.unwrap_err(),
        store.check(&batman()).await.unwrap_err(),
    ] {
        assert!(failure.kind == Kind::Invalid && failure.message.contains("mount the volume"), "{failure}");
    }
    assert_eq!(files(folder.path()), ["state.json"]);
    // Into a folder that is there, the first save makes the file.
    fs::create_dir(folder.path().join("volume")).unwrap();
    store.save(&batman(), &full(1)).await.unwrap();
    assert_eq!(files(&folder.path().join("volume")), ["memory.json", "memory.json.lock"]);
}

#[tokio::test]
async fn links_in_a_circle_are_refused_and_stay() {
    let folder = folder();
    let (one, two) = (folder.path().join("one.json"), folder.path().join("two.json"));
    std::os::unix::fs::symlink(&two, &one).unwrap();
    std::os::unix::fs::symlink("one.json", &two).unwrap();
    let store = StateFile::new(one.clone());
    for failure in [
        store.load(&batman()).await.unwrap_err(),
        store.save(&batman(), &full(1)).await.unwrap_err(),
        store.check(&batman()).await.unwrap_err(),
    ] {
        assert!(failure.kind == Kind::Invalid && failure.message.contains("form a loop"), "{failure}");
    }
    assert!(fs::symlink_metadata(&one).unwrap().is_symlink());
    assert_eq!(files(folder.path()), ["one.json", "two.json"]);
}

/// The kernel follows forty, and so does what is written: no link among them becomes a file.
#[tokio::test]
async fn a_long_chain_of_links_is_followed_to_its_end() {
    let folder = folder();
    let name = |number: u32| folder.path().join(format!("link-{number:02}"));
    for number in 0..20 {
        std::os::unix::fs::symlink(name(number + 1), name(number)).unwrap();
    }
    let store = StateFile::new(name(0));
    for revision in 1..3 {
        store.save(&batman(), &full(revision)).await.unwrap();
    }
    assert!((0..20).all(|number| fs::symlink_metadata(name(number)).unwrap().is_symlink()));
    assert_eq!(StateFile::new(name(20)).load(&batman()).await, Ok(full(2)));
}

#[tokio::test]
async fn what_would_keep_it_from_being_saved_is_known_before() {
    let folder = folder();
    let path = folder.path().join("state.json");
    let store = StateFile::new(path.clone());
    assert_eq!(store.check(&batman()).await, Ok(()));
    assert_eq!(files(folder.path()), [""; 0], "nothing is written for that");
    store.save(&batman(), &full(1)).await.unwrap();
    assert_eq!(store.check(&batman()).await, Ok(()));
    // A file has no room for another one, and root may not make one there either.
    let failure = StateFile::new(path.join("state.json")).check(&batman()).await.unwrap_err();
    assert!(failure.resource.starts_with(&path.display().to_string()), "{failure}");
}

//! `repoint primary`: what it prints in each form, what it asks, and what it says where there is none.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::time::Duration;

use repoint_domain::state::State;
use repoint_domain::values::cluster::{SystemId, Timeline};
use serde_json::json as value;
use tokio::process::Command;

use crate::support::command::{Ran, Repoint};
use crate::support::http::Server;
use crate::support::site::{SYSTEM, aws, configuration, group, patroni, patroni_with};

async fn primary(repoint: &Repoint, arguments: &[&str]) -> Ran {
    repoint.run(&[&["primary"], arguments].concat()).await
}

/// A cluster that any client may ask for, with nothing of AWS.
fn alone(members: &[Server]) -> Repoint {
    let members: Vec<String> = members.iter().map(Server::url).collect();
    Repoint::new(format!("[[cluster]]\nscope = \"batman\"\nmembers = {members:?}\n"))
        .without("AWS_ACCESS_KEY_ID")
        .without("AWS_SECRET_ACCESS_KEY")
}

/// Three members, none of which leads.
async fn leaderless() -> Vec<Server> {
    patroni_with(|number, _| {
        (503, value!({"state": "running", "role": "replica", "timeline": 4, "patroni": {"name": format!("pg{number}")}}))
    })
    .await
}

#[tokio::test]
async fn each_format_is_printed() {
    let members = patroni().await;
    let repoint = alone(&members);
    for (arguments, printed) in [
        (
            &[][..],
            "host=10.0.1.12,10.0.1.11,10.0.1.13 port=5432 target_session_attrs=read-write connect_timeout=3\n",
        ),
        (&["--format", "dsn"], "host=10.0.1.12 port=5432\n"),
        (&["--format", "url", "batman"], "postgresql://10.0.1.12:5432/\n"),
        (&["--format", "env"], "PGHOST=10.0.1.12\nPGPORT=5432\n"),
        (
            &["--format", "pgservice", "--readers"],
            "[batman-readers]\nhost=10.0.1.11,10.0.1.13,10.0.1.12\nport=5432\ntarget_session_attrs=prefer-standby\n\
             connect_timeout=3\n",
        ),
        (&["--format", "dsn", "--standby"], "host=10.0.1.11 port=5432\n"),
    ] {
        let ran = primary(&repoint, arguments).await;
        assert_eq!((ran.code, ran.stdout.as_str(), ran.stderr.as_str()), (0, printed, ""), "{arguments:?}");
    }
    let before = repoint.run(&["--format", "text", "primary"]).await;
    assert!(before.stdout.starts_with("host=10.0.1.12,"), "{before}");
}

#[tokio::test]
async fn json_has_the_verdict_and_every_member() {
    let members = patroni().await;
    let repoint = alone(&members);
    let report = primary(&repoint, &["--format", "json"]).await.json();
    assert_eq!(report["verdict"]["member"], "pg2", "{report}");
    assert_eq!(report["nodes"], value!([{"member": "pg2", "host": "10.0.1.12", "port": 5432}]));
    let names: Vec<_> = report["members"].as_array().unwrap().iter().map(|one| &one["member"]).collect();
    assert_eq!(names, ["pg1", "pg2", "pg3"]);
    let before = repoint.run(&["--format", "json", "primary", "--readers"]).await.json();
    assert_eq!(before["nodes"].as_array().unwrap().len(), 2, "{before}");
}

#[tokio::test]
async fn without_a_primary_stdout_is_empty() {
    let members = leaderless().await;
    for arguments in [&[][..], &["--format", "json"], &["--format", "env", "--standby"], &["--readers"]] {
        let ran = primary(&alone(&members), arguments).await;
        insta::allow_duplicates! {
            insta::assert_snapshot!(ran.seen(), @"
            exit 1
            --- stdout
            --- stderr
            error: batman: the cluster has no primary: pg2 is named as leader but says it is not the primary; wait for the election, or see `patronictl list` and Patroni's log if it does not end
            ");
        }
    }
}

#[tokio::test]
async fn it_waits_until_there_is_one() {
    let members = patroni_with(|number, before| {
        let (status, role) = if number == 2 && before > 1 { (200, "primary") } else { (503, "replica") };
        let own = value!({"state": "running", "role": role, "timeline": 4, "database_system_identifier": SYSTEM,
            "patroni": {"name": format!("pg{number}")}});
        (status, own)
    });
    let members = members.await;
    let ran = primary(&alone(&members), &["--wait", "--format", "dsn"]).await;
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "host=10.0.1.12 port=5432\n"), "{ran}");
    assert_eq!(ran.stderr.matches("asking the members again").count(), 1, "{ran}");

    let nobody = leaderless().await;
    let began = tokio::time::Instant::now();
    let ran = primary(&alone(&nobody), &["--wait=2s"]).await;
    assert_eq!((ran.code, ran.stdout.as_str()), (1, ""), "{ran}");
    assert!(began.elapsed() >= Duration::from_secs(1), "{ran}");
    assert!(nobody[0].requests().len() >= 6, "{}", nobody[0].requests().len());
}

#[tokio::test]
async fn nothing_of_aws_is_asked() {
    let (members, aws) = (patroni().await, aws(|_| None).await);
    let configured = configuration(&members, &aws.url(), &group());
    let urls: Vec<String> = members.iter().map(Server::url).collect();
    let table = Repoint::new(format!(
        "[aws]\nendpoint_url = \"{}\"\n[state]\ndynamodb_table = \"repoint\"\n[[cluster]]\nscope = \"batman\"\nmembers = {urls:?}\n",
        aws.url()
    ));
    for repoint in [configured, table.without("REPOINT_STATE_FILE")] {
        let repoint = repoint.without("AWS_ACCESS_KEY_ID").without("AWS_SECRET_ACCESS_KEY");
        let ran = primary(&repoint, &["--format", "dsn"]).await;
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{ran}");
    }
    assert!(aws.requests().is_empty(), "{:?}", aws.actions());
}

#[tokio::test]
async fn the_state_file_vetoes_an_old_primary() {
    let members = patroni().await;
    let repoint = alone(&members);
    let state = |timeline: u32| {
        let (timeline, system_id) = (Some(Timeline(timeline)), Some(SystemId::new(SYSTEM)));
        let state = State { revision: 1, highest_timeline: timeline, system_id, ..State::default() };
        value!({"version": 1, "clusters": {"batman": state}})
    };
    fs::write(repoint.state_file(), state(4).to_string()).unwrap();
    let ran = primary(&repoint, &["--format", "dsn"]).await;
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{ran}");
    fs::write(repoint.state_file(), state(5).to_string()).unwrap();
    let ran = primary(&repoint, &["--format", "dsn"]).await;
    assert_eq!((ran.code, ran.stdout.as_str()), (1, ""), "{ran}");
    assert!(ran.stderr.contains("timeline 4, but timeline 5 was applied before"), "{ran}");
    // Without it the answer is that of the members alone, and the log says so.
    fs::write(repoint.state_file(), "damaged").unwrap();
    let ran = primary(&repoint, &["--format", "dsn"]).await;
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "host=10.0.1.12 port=5432\n"), "{ran}");
    assert!(ran.stderr.contains("the highest timeline and the members of the state are not known"), "{ran}");
}

#[tokio::test]
async fn a_section_of_a_service_file_is_written() {
    let members = patroni().await;
    let repoint = alone(&members);
    let folder = tempfile::tempdir().unwrap();
    let (file, link) = (folder.path().join("services"), folder.path().join("link"));
    symlink(&file, &link).unwrap();
    fs::write(&file, "[other]\npassword=secret\n\n[batman]\nhost=10.0.1.11\nuser=app\n").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let write = ["--format", "pgservice", "--write", link.to_str().unwrap()];
    let ran = primary(&repoint, &write).await;
    assert_eq!((ran.code, ran.stdout.as_str(), ran.stderr.as_str()), (0, "", ""), "{ran}");
    insta::assert_snapshot!(fs::read_to_string(&file).unwrap(), @"
    [other]
    password=secret

    [batman]
    host=10.0.1.12,10.0.1.11,10.0.1.13
    port=5432
    target_session_attrs=read-write
    connect_timeout=3
    user=app
    ");
    let before = fs::metadata(&file).unwrap();
    assert_eq!(before.permissions().mode() & 0o777, 0o600);
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(primary(&repoint, &write).await.code, 0);
    let after = fs::metadata(&file).unwrap();
    assert_eq!(after.modified().unwrap(), before.modified().unwrap(), "what is right is not written again");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "no temporary file is left");

    // Without a primary the file stays as it is.
    let nobody = leaderless().await;
    assert_eq!(primary(&alone(&nobody), &write).await.code, 1);
    assert!(fs::read_to_string(&file).unwrap().contains("host=10.0.1.12,"));
    let nowhere = ["--format", "pgservice", "--write", "nowhere/services"];
    let ran = primary(&repoint, &nowhere).await;
    assert_eq!(ran.code, 1, "{ran}");
    assert!(ran.stderr.contains("nowhere/services cannot be written: No such file"), "{ran}");
}

#[tokio::test]
async fn two_processes_write_two_sections_at_the_same_time() {
    let members = patroni().await;
    let repoint = alone(&members);
    let folder = tempfile::tempdir().unwrap();
    for round in 0..5 {
        let file = folder.path().join(format!("services-{round}"));
        let write = ["--format", "pgservice", "--write", file.to_str().unwrap()];
        let readers = [&write[..], &["--readers"]].concat();
        let (one, other) = tokio::join!(primary(&repoint, &write), primary(&repoint, &readers));
        assert_eq!((one.code, other.code), (0, 0), "{one}{other}");
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.contains("[batman]\n") && text.contains("[batman-readers]\n"), "{text}");
    }
}

#[tokio::test]
async fn what_is_wrong_with_the_command_line_is_said() {
    let two = "[[cluster]]\nscope = \"batman\"\nmembers = [\"http://127.0.0.1:1\"]\n\
               [[cluster]]\nscope = \"robin\"\nmembers = [\"http://127.0.0.1:1\"]\n";
    let usage = async |arguments: &[&str]| {
        let ran = primary(&Repoint::new(two), arguments).await;
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{ran}");
        ran.stderr
    };
    insta::assert_snapshot!(usage(&[]).await, @"error: several clusters are configured; use the name of one: batman, robin");
    insta::assert_snapshot!(usage(&["joker"]).await, @"error: the configuration has no cluster `joker`");
    insta::assert_snapshot!(usage(&["batman", "--write", "file"]).await, @"error: --write: it needs `--format pgservice`");
    for wrong in ["--wait=soon", "--wait=2w", "--wait=-1"] {
        let said = usage(&["batman", wrong]).await;
        assert!(said.contains("use a duration such as 30s, 5m or 1h, of a day at most"), "{said}");
    }
    let said = usage(&["batman", "--format", "jdbc"]).await;
    assert!(said.contains("possible values: hosts, dsn, url, env, pgservice, json"), "{said}");
    let ran = Repoint::new(two).run(&["status", "--format", "dsn"]).await;
    assert!(ran.code == 2 && ran.stderr.contains("possible values: text, json"), "{ran}");
    let chosen = primary(&Repoint::new(two), &["--cluster", "robin"]).await;
    assert!(
        chosen.code == 1 && chosen.stderr.starts_with("error: robin: no member can be reached"),
        "{chosen}"
    );
}

/// The example of the library, as its users build it.
#[tokio::test]
async fn a_program_of_ten_lines_finds_it() {
    let members = patroni().await;
    let urls: Vec<String> = members.iter().map(Server::url).collect();
    let folder = tempfile::tempdir().unwrap();
    let configuration = folder.path().join("repoint.toml");
    let state = folder.path().join("state.json");
    let text = format!("[state]\nfile = {state:?}\n[[cluster]]\nscope = \"batman\"\nmembers = {urls:?}\n");
    fs::write(&configuration, text).unwrap();
    // Tests that are selected by name build no example.
    let arguments = ["build", "--quiet", "--offline", "--locked", "--workspace", "--example", "primary"];
    let built =
        Command::new(env!("CARGO")).args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).status().await;
    assert!(built.unwrap().success());
    let example = Path::new(env!("CARGO_BIN_EXE_repoint")).with_file_name("examples").join("primary");
    let ran = Command::new(example).arg(&configuration).output().await.unwrap();
    assert_eq!(String::from_utf8_lossy(&ran.stdout), "host=10.0.1.12 port=5432\n", "{ran:?}");
}

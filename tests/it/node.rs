//! What doctor reads of the machine that it runs on: below a folder that stands for `/`.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;

use repoint::adapters::node;
use repoint_domain::doctor::facts::node::{NodeFacts, PatroniYml};
use repoint_domain::observed::Read;
use repoint_domain::values::failure::Kind;

/// As Debian's `pg_createconfig_patroni` writes it, and what many add.
const DEBIAN: &str = "\
scope: \"17-main\"
namespace: \"/postgresql-common/\"
name: pg1

etcd3:
  hosts:
  - 10.0.1.21:2379
  - 10.0.1.22:2379
  - 10.0.1.23:2379

restapi:
  listen: 10.0.1.11:8008
  connect_address: 10.0.1.11:8008
  authentication: &login
    username: operator
    password: 'sw0rd: #fish'
#  certfile: /etc/ssl/certs/ssl-cert-snakeoil.pem
  verify_client: optional

bootstrap:
  method: pg_createcluster
  dcs:
    ttl: 30
    postgresql:
      parameters:
#        wal_level: hot_standby

watchdog:
  mode: off # not yet
  device: /dev/watchdog0

postgresql:
  connect_address: pg1:5432
  use_pg_rewind: yes
  pg_hba:
  - local   all             all                                     peer
  callbacks:
    on_role_change: repoint callback --config /etc/repoint.toml
    on_start: |
      repoint callback
";

/// As the laboratory writes it: JSON is YAML.
const JSON: &str = r#"{"scope": "batman", "name": 7, "etcd3": {"hosts": "127.0.0.1:2379, 127.0.0.1:2381"},
    "restapi": {"allowlist_include_members": true}, "watchdog": {"mode": "required"}}"#;

fn write(root: &Path, path: &str, text: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// A process of that command line, environment and user.
fn run(root: &Path, process: u32, command: &str, environment: &str, status: &str) {
    let zeros = |text: &str| text.replace('|', "\0");
    write(root, &format!("proc/{process}/cmdline"), &zeros(command));
    write(root, &format!("proc/{process}/environ"), &zeros(environment));
    write(root, &format!("proc/{process}/status"), status);
}

/// A user who is neither the owner nor of the group of any file here.
const OTHER: &str = "Name:\tpatroni\nUid:\t65001\t65001\t65001\t65001\nGid:\t65002\t65002\t65002\t65002\nGroups:\t65002 65003 \n";

async fn read(root: &Path) -> NodeFacts {
    node::read(root, None, false).await
}

fn only(facts: NodeFacts) -> (String, Read<PatroniYml>) {
    let [(path, yml)]: [_; 1] = facts.patroni.into_iter().collect::<Vec<_>>().try_into().unwrap();
    (path, yml)
}

#[tokio::test]
async fn patroni_files_are_read() {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), "etc/patroni/config.yml", DEBIAN);
    // A part of Debian's files, without a scope.
    write(root.path(), "etc/patroni/dcs.yml", "zookeeper:\n  hosts: 127.0.0.1:2181\n");
    let (path, yml) = only(read(root.path()).await);
    assert_eq!(path, "/etc/patroni/config.yml");
    let text = |text: &str| Some(text.to_owned());
    let callbacks =
        [("on_role_change", "repoint callback --config /etc/repoint.toml"), ("on_start", "repoint callback")];
    let expected = PatroniYml {
        scope: text("17-main"),
        name: text("pg1"),
        callbacks: callbacks.map(|(action, command)| (action.to_owned(), command.to_owned())).into(),
        watchdog_mode: text("off"),
        watchdog_device: text("/dev/watchdog0"),
        use_pg_rewind: Some(true),
        restapi_connect_address: text("10.0.1.11:8008"),
        postgresql_connect_address: text("pg1:5432"),
        has_restapi_authentication: true,
        restapi_verify_client: text("optional"),
        has_restapi_allowlist: false,
        dcs_hosts: Some((21..=23).map(|host| format!("10.0.1.{host}:2379")).collect()),
    };
    assert_eq!(yml.unwrap(), expected);
}

#[tokio::test]
async fn a_running_patroni_names_its_file() {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), "etc/patroni.yml", DEBIAN);
    write(root.path(), "srv/lab/patroni.yml", JSON);
    let environment = "HOME=/|PATRONI_NAME=pg9|PATRONI_RESTAPI_USERNAME=u|PATRONI_RESTAPI_PASSWORD=p|";
    run(root.path(), 7, "/usr/bin/python3|-u|/opt/venv/bin/patroni|patroni.yml|", environment, OTHER);
    symlink("/srv/lab", root.path().join("proc/7/cwd")).unwrap();
    // Neither is Patroni.
    run(root.path(), 8, "vi|/etc/patroni|", "", OTHER);
    run(root.path(), 9, "/usr/bin/python3|/usr/bin/patronictl|list|", "", OTHER);
    let (path, yml) = only(read(root.path()).await);
    assert_eq!(path, "/srv/lab/patroni.yml");
    let expected = PatroniYml {
        scope: Some("batman".to_owned()),
        name: Some("pg9".to_owned()),
        watchdog_mode: Some("required".to_owned()),
        has_restapi_authentication: true,
        has_restapi_allowlist: true,
        dcs_hosts: Some(["127.0.0.1:2379", "127.0.0.1:2381"].map(str::to_owned).to_vec()),
        ..PatroniYml::default()
    };
    assert_eq!(yml.unwrap(), expected);
}

#[tokio::test]
async fn the_files_of_a_folder_are_one_configuration() {
    let root = tempfile::tempdir().unwrap();
    write(
        root.path(),
        "etc/patroni/10-base.yml",
        "scope: batman\nrestapi: {listen: a, connect_address: a}\n",
    );
    write(root.path(), "etc/patroni/20-node.yaml", "restapi: {connect_address: b}\n");
    write(root.path(), "etc/patroni/notes.txt", "scope: robin\n");
    run(root.path(), 7, "/usr/bin/patroni|/etc/patroni|", "", OTHER);
    let (path, yml) = only(read(root.path()).await);
    let yml = yml.unwrap();
    assert_eq!((path.as_str(), yml.scope.as_deref()), ("/etc/patroni", Some("batman")));
    assert_eq!(yml.restapi_connect_address.as_deref(), Some("b"));
}

#[tokio::test]
async fn a_file_that_cannot_be_read_is_named_without_what_it_has() {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), "etc/patroni.yml", "restapi:\n  password: sw0rdfish: [\n");
    run(root.path(), 7, "/usr/bin/patroni|/etc/none.yml|", "", OTHER);
    run(root.path(), 8, "/usr/bin/patroni|/etc/patroni.yml|", "", OTHER);
    let files: BTreeMap<_, _> = read(root.path()).await.patroni;
    assert_eq!(files["/etc/none.yml"].as_ref().unwrap_err().kind, Kind::NotFound);
    let invalid = files["/etc/patroni.yml"].as_ref().unwrap_err();
    assert_eq!(invalid.kind, Kind::Invalid);
    assert!(!format!("{invalid:?}").contains("sw0rdfish"), "{invalid}");
}

#[tokio::test]
async fn the_watchdog_is_judged_for_the_user_of_patroni() {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), "etc/patroni.yml", DEBIAN);
    let watchdog = |facts: NodeFacts| facts.watchdog.unwrap();
    run(root.path(), 7, "/usr/bin/patroni|/etc/patroni.yml|", "", OTHER);
    let (path, read_) = watchdog(read(root.path()).await);
    assert_eq!((path.as_str(), read_.unwrap_err().kind), ("/dev/watchdog0", Kind::NotFound));
    write(root.path(), "dev/watchdog0", "");
    for (mode, may) in [(0o660, false), (0o662, true)] {
        fs::set_permissions(root.path().join("dev/watchdog0"), fs::Permissions::from_mode(mode)).unwrap();
        assert_eq!(watchdog(read(root.path()).await).1, Ok(may), "{mode:o}");
    }
    // Root may do all.
    fs::set_permissions(root.path().join("dev/watchdog0"), fs::Permissions::from_mode(0o600)).unwrap();
    write(root.path(), "proc/7/status", "Uid:\t0\t0\t0\t0\nGid:\t0\t0\t0\t0\nGroups:\t\n");
    assert_eq!(watchdog(read(root.path()).await).1, Ok(true));
}

#[tokio::test]
async fn the_daemons_socket_is_judged_for_the_user_of_patroni() {
    let root = tempfile::tempdir().unwrap();
    fs::set_permissions(root.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let path = root.path().join("control.sock");
    let kind = async || {
        node::read(root.path(), Some(&path), false).await.socket.unwrap().1.map_err(|failure| failure.kind)
    };
    assert_eq!(kind().await, Err(Kind::NotFound));
    let listener = UnixListener::bind(&path).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o660)).unwrap();
    // Whose Patroni it is, is not known.
    assert_eq!(kind().await, Ok(()));
    run(root.path(), 7, "/usr/bin/patroni|/etc/patroni.yml|", "", OTHER);
    assert_eq!(kind().await, Err(Kind::Denied));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
    assert_eq!(kind().await, Ok(()));
    drop(listener);
    assert_eq!(kind().await, Err(Kind::Unavailable));
}

#[tokio::test]
async fn the_hosts_file_is_read() {
    let root = tempfile::tempdir().unwrap();
    let hosts = async || read(root.path()).await.hosts.unwrap();
    assert_eq!(hosts().await.unwrap_err().kind, Kind::NotFound);
    write(root.path(), "etc/hosts", "# local\n127.0.0.1 localhost\n127.0.1.1\tpg1.example.com pg1 # own\n\n");
    let line = |address: &str, names: &[&str]| {
        (address.to_owned(), names.iter().map(ToString::to_string).collect::<Vec<_>>())
    };
    let expected = vec![line("127.0.0.1", &["localhost"]), line("127.0.1.1", &["pg1.example.com", "pg1"])];
    assert_eq!(hosts().await.unwrap(), expected);
}

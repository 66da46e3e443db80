//! HAProxy's socket: what is read from it, and what is said to it. The answers are those of HAProxy 2.6.12.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use repoint::adapters::clock::SystemClock;
use repoint::adapters::haproxy::Haproxy;
use repoint::limits::{Clock, LeaseGuard};
use repoint::ports::Backends as _;
use repoint_domain::values::failure::Kind;
use repoint_domain::values::haproxy::{Backend, BackendKey, Server, ServerChange, ServerState, Setting};
use repoint_domain::values::target::Target;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::UnixListener;

const INFO: &str =
    "Name: HAProxy\nVersion: 2.6.12-1+deb12u4\nNbthread: 2\nPid: 25841\nUptime: 0d 0h00m04s\n\n";
const STATE: &str = "1\n# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight \
    srv_time_since_last_change srv_check_status srv_check_result srv_check_health srv_check_state srv_agent_state \
    bk_f_forced_id srv_f_forced_id srv_fqdn srv_port srvrecord srv_use_ssl srv_check_port srv_check_addr srv_agent_addr \
    srv_agent_port\n";
const STATISTICS: &str = "# pxname,svname,qcur,qmax,scur,smax,slim,stot,bin,bout,\n";

/// A HAProxy whose servers are these lines of `show servers state`; what is said to it is noted.
struct Fake {
    folder: TempDir,
    said: Arc<Mutex<Vec<String>>>,
}

impl Fake {
    fn start(servers: &'static str, sessions: &'static str, answer: &'static str) -> Self {
        let folder = TempDir::new().unwrap();
        let said = Arc::<Mutex<Vec<String>>>::default();
        let listener = UnixListener::bind(folder.path().join("socket")).unwrap();
        let noted = said.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let mut stream = BufReader::new(stream);
                let mut line = String::new();
                stream.read_line(&mut line).await.unwrap();
                let shown = format!("{INFO}{STATE}{servers}\n{STATISTICS}{sessions}\n");
                let answer = if line.starts_with("show info") { shown.as_str() } else { answer };
                noted.lock().unwrap().push(line.trim().to_owned());
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        Self { folder, said }
    }

    fn key(&self) -> BackendKey {
        key(&self.folder.path().join("socket"))
    }

    /// What was said besides reads.
    fn said(&self) -> Vec<String> {
        self.said.lock().unwrap().iter().filter(|line| !line.starts_with("show")).cloned().collect()
    }

    async fn change(&self, change: &ServerChange) -> Result<(), String> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let guard = LeaseGuard::new(&clock, Duration::from_mins(1));
        let changed = Haproxy.change(&self.key(), change, &guard).await;
        changed.map_err(|failure| failure.message)
    }
}

fn key(socket: &Path) -> BackendKey {
    BackendKey { socket: socket.display().to_string(), backend: "pg".to_owned() }
}

fn at(host: &str, port: u16) -> Target {
    Target { id: host.to_owned(), port }
}

const UP: &str = "2 pg 1 pg1 10.0.1.11 2 0 1 1 4 6 3 4 6 0 0 0 - 5432 - 0 8008 - - 8008\n";
const FOUR: &str = "2 pg 1 pg1 10.0.1.11 2 0 1 1 4 6 3 4 6 0 0 0 - 5432 - 0 8008 - - 8008\n\
    2 pg 2 pg2 10.0.1.12 0 5 1 1 4 1 0 0 14 0 0 0 - 5432 - 0 8008 - - 8008\n\
    2 pg 3 pg3 fd00::13 0 0 1 1 4 8 2 0 6 0 0 0 pg3.example.com 6432 - 0 8008 - - 8008\n\
    2 pg 4 pg4 - 0 32 1 1 4 1 0 0 14 0 0 0 pg4.example.com 5432 - 0 8008 - - 8008\n\
    2 pg 5 slot 10.0.1.11 2 4 1 1 0 1 0 4 0 0 0 0 - 5432 - 0 0 - - 0\n";

#[tokio::test]
async fn a_backend_is_read_with_its_servers_and_their_sessions() {
    let fake = Fake::start(FOUR, "pg,pg1,0,0,7,9,,20,1,1,\npg,pg2,0,0,0,0,,0,0,0,\n", "");
    let server = |name: &str, target, state, is_checked, sessions| Server {
        name: name.to_owned(),
        target,
        state,
        is_checked,
        sessions,
    };
    let servers = vec![
        server("pg1", Some(at("10.0.1.11", 5432)), ServerState::Up, true, 7),
        server("pg2", Some(at("10.0.1.12", 5432)), ServerState::Maintenance, true, 0),
        server("pg3", Some(at("fd00::13", 6432)), ServerState::Down, true, 0),
        server("pg4", None, ServerState::Maintenance, true, 0),
        // Disabled in the configuration, and made ready since; without a check.
        server("slot", Some(at("10.0.1.11", 5432)), ServerState::Up, false, 0),
    ];
    assert_eq!(Haproxy.read(&fake.key()).await, Ok(Backend { pid: 25841, servers }));
}

#[tokio::test]
async fn each_change_is_one_line_and_is_read_back() {
    let up = |sessions| Setting { sessions, ..Setting::new(&at("10.0.1.11", 5432), ServerState::Up) };
    let before = |state| Some(Setting { state, ..up(0) });
    let change = |before, options: Option<&str>, after| ServerChange {
        server: "pg1".to_owned(),
        before,
        options: options.map(ToOwned::to_owned),
        after,
    };
    let line = async |change: ServerChange| {
        let fake = Fake::start(UP, "", "\n");
        drop(fake.change(&change).await);
        fake.said().remove(0)
    };
    assert_eq!(line(change(before(ServerState::Down), None, up(0))).await, "set server pg/pg1 health up");
    assert_eq!(
        line(change(before(ServerState::Maintenance), None, up(0))).await,
        "set server pg/pg1 state ready; set server pg/pg1 health up"
    );
    let down = Setting { state: ServerState::Down, ..up(0) };
    assert_eq!(
        line(change(before(ServerState::Up), None, down.clone())).await,
        "set server pg/pg1 health down; shutdown sessions server pg/pg1"
    );
    assert_eq!(
        line(change(before(ServerState::Maintenance), None, down)).await,
        "set server pg/pg1 state ready; set server pg/pg1 health down; shutdown sessions server pg/pg1"
    );
    let maintenance = Setting { state: ServerState::Maintenance, ..up(0) };
    assert_eq!(
        line(change(before(ServerState::Up), None, maintenance)).await,
        "set server pg/pg1 state maint; shutdown sessions server pg/pg1"
    );
    let elsewhere = Some(Setting::new(&at("10.0.9.9", 5432), ServerState::Up));
    assert_eq!(
        line(change(elsewhere, None, up(0))).await,
        "set server pg/pg1 state maint; shutdown sessions server pg/pg1; set server pg/pg1 addr 10.0.1.11 port 5432; set \
         server pg/pg1 state ready; set server pg/pg1 health up"
    );
    assert_eq!(
        line(change(None, Some("check port 8008"), up(0))).await,
        "add server pg/pg1 10.0.1.11:5432 check port 8008; enable health pg/pg1; set server pg/pg1 state ready; set server \
         pg/pg1 health up"
    );
}

#[tokio::test]
async fn what_has_no_effect_is_a_failure_in_haproxys_words() {
    let wanted = Setting::new(&at("10.0.9.9", 5432), ServerState::Up);
    let change =
        ServerChange { server: "pg1".to_owned(), before: None, options: Some(String::new()), after: wanted };
    let refused = Fake::start(UP, "", "Permission denied\n\n");
    let message = refused.change(&change).await.unwrap_err();
    assert_eq!(
        message,
        "the server is 10.0.1.11:5432 (up), and not 10.0.9.9:5432 (up); HAProxy answered: Permission denied"
    );
}

#[tokio::test]
async fn what_cannot_be_read_says_why() {
    let folder = TempDir::new().unwrap();
    let absent = Haproxy.read(&key(&folder.path().join("absent"))).await.unwrap_err();
    assert_eq!(absent.kind, Kind::Unavailable);
    assert!(absent.hint.unwrap().contains("HAProxy does not run"), "{}", absent.message);

    let listener = UnixListener::bind(folder.path().join("socket")).unwrap();
    let answering = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut stream = BufReader::new(stream);
        stream.read_line(&mut String::new()).await.unwrap();
        stream
            .write_all(format!("{INFO}Can't find backend.\n\nNo such proxy.\n\n").as_bytes())
            .await
            .unwrap();
    });
    let unknown = Haproxy.read(&key(&folder.path().join("socket"))).await.unwrap_err();
    assert_eq!(
        (unknown.kind, unknown.message.as_str()),
        (Kind::Invalid, "HAProxy answered: Can't find backend.")
    );
    answering.await.unwrap();
}

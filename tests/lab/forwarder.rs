//! An ideal Network Load Balancer: a TCP forwarder whose new connections go to the target of a group that was
//! registered last, 20 ms after the emulator has it at the latest, and that cuts the connections to a target that is
//! gone.

use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Context as _;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::moto::TARGETS;

const POLLED_EVERY: Duration = Duration::from_millis(20);
const CONNECTS_WITHIN: Duration = Duration::from_secs(1);
/// What PostgreSQL answers to an INSERT of one row.
const INSERTED: &[u8] = b"INSERT 0 1\0";

/// The target that was registered last is the last.
type Targets = Vec<String>;

pub struct Forwarder {
    address: SocketAddr,
    is_frozen: watch::Sender<bool>,
    acknowledged: Arc<Mutex<BTreeSet<i64>>>,
    tasks: [JoinHandle<()>; 2],
}

impl Drop for Forwarder {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

impl Forwarder {
    /// Follows that group of the lab that has this folder.
    pub async fn start(lab_dir: &Path, group: &str) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.10:0").await?;
        let address = listener.local_addr()?;
        let (targets, followed) = watch::channel(Targets::new());
        let (is_frozen, frozen) = watch::channel(false);
        let acknowledged = Arc::<Mutex<BTreeSet<i64>>>::default();
        let (noted, group) = (lab_dir.join(TARGETS), group.to_owned());
        let polling = tokio::spawn(async move {
            loop {
                if let Some(now) = fs::read_to_string(&noted).ok().and_then(|noted| newest(&noted, &group)) {
                    targets.send_if_modified(|known| {
                        let differs = *known != now;
                        *known = now;
                        differs
                    });
                }
                sleep(POLLED_EVERY).await;
            }
        });
        let (seen, mut seen_first) = (acknowledged.clone(), followed.clone());
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(forward(client, followed.clone(), frozen.clone(), seen.clone()));
            }
        });
        timeout(CONNECTS_WITHIN * 20, seen_first.wait_for(|targets| !targets.is_empty()))
            .await
            .context("the group has no target")??;
        Ok(Self { address, is_frozen, acknowledged, tasks: [polling, accepting] })
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    pub fn host(&self) -> String {
        self.address.ip().to_string()
    }

    /// While frozen it takes connections and passes nothing on, as a network that has lost its way.
    pub fn freeze(&self, is_frozen: bool) {
        self.is_frozen.send_replace(is_frozen);
    }

    /// The numbers of the rows whose commits the server has acknowledged through it.
    pub fn acknowledged(&self) -> anyhow::Result<BTreeSet<i64>> {
        Ok(self.acknowledged.lock().ok().context("a connection has panicked")?.clone())
    }
}

/// What a group holds, as the emulator has noted it; a line that is being written has no end yet.
fn newest(noted: &str, group: &str) -> Option<Targets> {
    let whole = &noted[..noted.rfind('\n')?];
    let held = whole
        .lines()
        .rev()
        .find_map(|line| line.split_once(' ')?.1.strip_prefix(group)?.strip_prefix(' '))?;
    Some(held.split(',').filter(|target| !target.is_empty()).map(str::to_owned).collect())
}

async fn forward(
    mut client: TcpStream,
    mut targets: watch::Receiver<Targets>,
    mut frozen: watch::Receiver<bool>,
    acknowledged: Arc<Mutex<BTreeSet<i64>>>,
) -> Option<()> {
    frozen.wait_for(|is_frozen| !is_frozen).await.ok()?;
    let target = targets.borrow_and_update().last().cloned()?;
    let connect = timeout(CONNECTS_WITHIN, TcpStream::connect(target.as_str()));
    let mut server = tokio::select! {
        server = connect => server.ok()?.ok()?,
        // A silent host does not answer to a connection either.
        _ = targets.wait_for(|targets| !targets.contains(&target)) => return None,
    };
    client.set_nodelay(true).ok()?;
    server.set_nodelay(true).ok()?;
    let ((mut from_client, mut to_client), (mut from_server, mut to_server)) =
        (client.split(), server.split());
    let row = Mutex::new(None);
    let sent = |bytes: &[u8]| {
        if let (Some(number), Ok(mut row)) = (row_of(bytes), row.lock()) {
            *row = Some(number);
        }
    };
    let answered = |bytes: &[u8]| {
        if bytes.windows(INSERTED.len()).any(|part| part == INSERTED)
            && let (Ok(mut row), Ok(mut all)) = (row.lock(), acknowledged.lock())
        {
            all.extend(row.take());
        }
    };
    tokio::select! {
        _ = pass(&mut from_client, &mut to_server, frozen.clone(), sent) => {}
        _ = pass(&mut from_server, &mut to_client, frozen, answered) => {}
        _ = targets.wait_for(|targets| !targets.contains(&target)) => {}
    }
    Some(())
}

/// Passes on what comes, and shows it to `see` once it has been passed on.
async fn pass(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    mut frozen: watch::Receiver<bool>,
    see: impl Fn(&[u8]),
) -> Option<()> {
    let mut bytes = [0; 16 * 1024];
    loop {
        let count = from.read(&mut bytes).await.ok().filter(|count| *count > 0)?;
        frozen.wait_for(|is_frozen| !is_frozen).await.ok()?;
        to.write_all(&bytes[..count]).await.ok()?;
        see(&bytes[..count]);
    }
}

/// The number in `INSERT INTO … (id) VALUES (7)`.
fn row_of(bytes: &[u8]) -> Option<i64> {
    let text = String::from_utf8_lossy(bytes);
    let (_, after) = text.split_once("VALUES (")?;
    after.split(')').next()?.parse().ok()
}

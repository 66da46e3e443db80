//! An ideal Network Load Balancer: a TCP forwarder whose new connections go to the target of a group as soon as the emulator
//! shows it, and that cuts the connections to a target that is gone.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Context as _;
use serde_json::json;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::aws::Aws;
use crate::moto::Moto;

const POLLED_EVERY: Duration = Duration::from_millis(20);
const CONNECTS_WITHIN: Duration = Duration::from_secs(1);
/// What PostgreSQL answers to an INSERT of one row.
const INSERTED: &[u8] = b"INSERT 0 1\0";

type Targets = BTreeSet<(String, u16)>;

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
    /// Follows that group.
    pub async fn start(venv: &Path, group: &str) -> anyhow::Result<Self> {
        let aws = Aws::start(venv, &Moto::endpoint())?;
        let listener = TcpListener::bind("127.0.0.10:0").await?;
        let address = listener.local_addr()?;
        let (targets, followed) = watch::channel(Targets::new());
        let (is_frozen, frozen) = watch::channel(false);
        let acknowledged = Arc::<Mutex<BTreeSet<i64>>>::default();
        let asked = json!({ "TargetGroupArn": group });
        let polling = tokio::spawn(async move {
            loop {
                if let Ok(health) = aws.call("elbv2", "describe_target_health", asked.clone()).await {
                    let described =
                        health["TargetHealthDescriptions"].as_array().cloned().unwrap_or_default();
                    let target = |described: &serde_json::Value| {
                        let port = u16::try_from(described["Target"]["Port"].as_u64()?).ok()?;
                        Some((described["Target"]["Id"].as_str()?.to_owned(), port))
                    };
                    let now: Targets = described.iter().filter_map(target).collect();
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

async fn forward(
    mut client: TcpStream,
    mut targets: watch::Receiver<Targets>,
    mut frozen: watch::Receiver<bool>,
    acknowledged: Arc<Mutex<BTreeSet<i64>>>,
) -> Option<()> {
    frozen.wait_for(|is_frozen| !is_frozen).await.ok()?;
    let target = targets.borrow_and_update().first().cloned()?;
    let connect = TcpStream::connect((target.0.as_str(), target.1));
    let mut server = timeout(CONNECTS_WITHIN, connect).await.ok()?.ok()?;
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

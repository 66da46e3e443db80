//! A slow road to the emulator: an HTTP proxy that holds every answer back for a while.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::moto::Moto;

/// Serves until dropped.
pub struct Latency {
    address: SocketAddr,
    requests: Arc<AtomicUsize>,
    server: JoinHandle<()>,
}

impl Latency {
    /// Listens on a free port and adds `delay` before each answer.
    pub async fn start(delay: Duration) -> anyhow::Result<Self> {
        Self::of("", delay).await
    }

    /// The same, before answers to requests that begin so, for example `POST /`.
    pub async fn of(beginning: &'static str, delay: Duration) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.10:0").await?;
        let address = listener.local_addr()?;
        let requests = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&requests);
        let server = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(serve(client, beginning, delay, Arc::clone(&counter)));
            }
        });
        Ok(Self { address, requests, server })
    }

    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How many requests have come so far.
    pub fn requests(&self) -> usize {
        self.requests.load(Ordering::Relaxed)
    }
}

impl Drop for Latency {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// One request per connection: the emulator closes after its answer, and so does the proxy.
async fn serve(
    mut client: TcpStream,
    beginning: &str,
    delay: Duration,
    requests: Arc<AtomicUsize>,
) -> anyhow::Result<()> {
    let request = read_request(&mut client).await?;
    requests.fetch_add(1, Ordering::Relaxed);

    let mut emulator = TcpStream::connect(Moto::address()).await?;
    emulator.write_all(&request).await?;
    let mut answer = Vec::new();
    emulator.read_to_end(&mut answer).await?;

    if request.starts_with(beginning.as_bytes()) {
        sleep(delay).await;
    }
    client.write_all(&answer).await?;
    client.shutdown().await?;
    Ok(())
}

/// The request as it came, so that its signature stays good, but asking for a close.
async fn read_request(client: &mut TcpStream) -> anyhow::Result<Vec<u8>> {
    let mut received = Vec::new();
    let head_end = loop {
        ensure!(client.read_buf(&mut received).await? > 0, "closed before the end of the head");
        if let Some(at) = received.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
            break at;
        }
    };
    let mut body = received.split_off(head_end + 4);
    let head = String::from_utf8(received)?;
    let length = content_length(&head)?;
    while body.len() < length {
        ensure!(client.read_buf(&mut body).await? > 0, "closed before the end of the body");
    }

    let kept = head.lines().filter(|line| !line.is_empty() && !is_header(line, "connection"));
    let mut request = kept.collect::<Vec<_>>().join("\r\n").into_bytes();
    request.extend_from_slice(b"\r\nConnection: close\r\n\r\n");
    request.extend_from_slice(&body);
    Ok(request)
}

fn content_length(head: &str) -> anyhow::Result<usize> {
    let Some(line) = head.lines().find(|line| is_header(line, "content-length")) else {
        return Ok(0);
    };
    let (_, value) = line.split_once(':').context("a header without a colon")?;
    Ok(value.trim().parse()?)
}

fn is_header(line: &str, name: &str) -> bool {
    line.split_once(':').is_some_and(|(key, _)| key.eq_ignore_ascii_case(name))
}

//! The daemon's HTTP server: GET and HEAD, a few pages, no state.
//!
//! It has a thread and an event loop of its own, so that no client delays a pass, whatever it does. Each connection is for one
//! request; how many there are and how long each may take is bounded (invariant 10). A browser on this machine may be made to
//! ask a loopback address under another site's name ("DNS rebinding"), so on loopback only names of this machine are
//! answered.

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener as Listener};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use futures::future::BoxFuture;
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CONTENT_TYPE, ETAG, HOST, HeaderName, HeaderValue, IF_NONE_MATCH};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;
use tokio::sync::{Semaphore, watch as channel};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// More wait in the kernel's queue.
const CONNECTIONS: usize = 32;
/// How long a client may take to send its request.
const HEADERS_WITHIN: Duration = Duration::from_secs(5);
/// How long a connection may take in all: a client that reads slowly holds an answer of some megabytes for so long.
const CONNECTION_WITHIN: Duration = Duration::from_secs(15);
/// How long answers under way may take when the server ends.
const END_WITHIN: Duration = Duration::from_secs(1);
/// A request has a path and few headers.
const BUFFER: usize = 16 * 1024;
const TEXT: &str = "text/plain; charset=utf-8";
/// What every answer says to a browser: nothing of any other server is loaded, sent to or framed, whatever stands in a page;
/// nothing is kept, and no other page may use an answer.
const HEADERS: [(&str, &str); 5] = [
    (
        "content-security-policy",
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; \
         base-uri 'none'; frame-ancestors 'none'",
    ),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("cache-control", "no-store"),
    ("cross-origin-resource-policy", "same-origin"),
];

/// An answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// What the body is.
    pub content_type: &'static str,
    /// The body.
    pub body: String,
    /// What no other body of that path has: a client that has this one is only answered that nothing has changed.
    pub tag: Option<String>,
}

impl Answer {
    /// An answer with status 200.
    #[must_use]
    pub fn ok(content_type: &'static str, body: String) -> Self {
        Self { status: 200, content_type, body, tag: None }
    }

    /// A line of text.
    #[must_use]
    pub fn text(status: u16, text: &str) -> Self {
        Self { status, content_type: TEXT, body: format!("{text}\n"), tag: None }
    }
}

/// What answers a path and query. It is awaited on the server's thread.
pub type Pages = dyn Fn(&str) -> BoxFuture<'static, Answer> + Send + Sync;

/// A running server; it ends when this is dropped, and lets answers under way end.
pub struct Server {
    address: SocketAddr,
    _stop: channel::Sender<()>,
}

impl Server {
    /// Listens at an address, and answers what `pages` says.
    ///
    /// # Errors
    /// If the address cannot be used, or no thread can be started.
    pub fn start(address: SocketAddr, pages: Arc<Pages>) -> io::Result<Self> {
        let listener = Listener::bind(address)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = channel::channel(());
        thread::Builder::new().name("http".to_owned()).spawn(move || {
            // It was bound; that it cannot be registered is as unlikely as that no thread starts.
            if let Err(error) = runtime.block_on(serve(listener, pages, stopped)) {
                tracing::error!(%error, "the HTTP server has ended");
            }
        })?;
        Ok(Self { address, _stop: stop })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

async fn serve(listener: Listener, pages: Arc<Pages>, mut stopped: channel::Receiver<()>) -> io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    let is_loopback = listener.local_addr()?.ip().is_loopback();
    let slots = Arc::new(Semaphore::new(CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        let accept = async {
            // It is never closed.
            let slot = slots.clone().acquire_owned().await.ok();
            (slot, listener.accept().await)
        };
        let (slot, accepted) = tokio::select! {
            // The other end is gone.
            _ = stopped.changed() => break,
            Some(_) = connections.join_next() => continue,
            accepted = accept => accepted,
        };
        let Ok((stream, _)) = accepted else {
            // Such as too many open files.
            sleep(Duration::from_millis(100)).await;
            continue;
        };
        let (pages, stopped) = (pages.clone(), stopped.clone());
        connections.spawn(async move {
            drop(timeout(CONNECTION_WITHIN, connection(stream, pages, is_loopback, stopped)).await);
            drop(slot);
        });
    }
    drop(listener);
    drop(timeout(END_WITHIN, async { while connections.join_next().await.is_some() {} }).await);
    Ok(())
}

/// One request and its answer.
async fn connection(
    stream: TcpStream,
    pages: Arc<Pages>,
    is_loopback: bool,
    mut stopped: channel::Receiver<()>,
) {
    let answer = move |request: Request<Incoming>| {
        let pages = pages.clone();
        async move { Ok::<_, Infallible>(answered(&request, &*pages, is_loopback).await) }
    };
    let connection = http1::Builder::new()
        .keep_alive(false)
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS_WITHIN)
        .max_buf_size(BUFFER)
        .serve_connection(TokioIo::new(stream), service_fn(answer));
    let mut connection = std::pin::pin!(connection);
    // A client that goes away is no error.
    tokio::select! {
        ended = connection.as_mut() => drop(ended),
        _ = stopped.changed() => {
            connection.as_mut().graceful_shutdown();
            drop(connection.await);
        }
    }
}

async fn answered(request: &Request<Incoming>, pages: &Pages, is_loopback: bool) -> Response<Full<Bytes>> {
    let header = |name: HeaderName| request.headers().get(name).and_then(|value| value.to_str().ok());
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    let mut answer = if !is_read {
        Answer::text(405, "only GET and HEAD")
    } else if is_loopback && !is_of_this_machine(header(HOST).unwrap_or_default()) {
        Answer::text(421, "the Host header must be an IP address or localhost: a proxy in front must set it")
    } else {
        let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
        pages(target).await
    };
    let tag = answer.tag.take().map(|tag| format!("W/\"{tag}\""));
    if tag.is_some() && tag.as_deref() == header(IF_NONE_MATCH) {
        (answer.status, answer.body) = (304, String::new());
    }
    let mut response = Response::new(Full::new(Bytes::from(answer.body)));
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(answer.content_type));
    for (name, value) in HEADERS {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    if let Some(tag) = tag.and_then(|tag| HeaderValue::try_from(tag).ok()) {
        headers.insert(ETAG, tag);
    }
    if !is_read {
        headers.insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    }
    response
}

/// Whether a Host header names no other machine, whatever DNS says of that name.
fn is_of_this_machine(host: &str) -> bool {
    let name = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _)) => address,
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::is_of_this_machine;

    #[test]
    fn only_addresses_and_localhost_are_names_of_this_machine() {
        for name in ["127.0.0.1:9598", "localhost", "LocalHost:80", "[::1]:9598", "10.0.0.1"] {
            assert!(is_of_this_machine(name), "{name}");
        }
        for name in
            ["", "evil.example", "evil.example:9598", "localhost.evil.example", "127.0.0.1.evil.example:80"]
        {
            assert!(!is_of_this_machine(name), "{name}");
        }
    }
}

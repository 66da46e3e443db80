//! A server on loopback that answers as a test says: well, badly, or not at all.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Request {
    pub method: String,
    pub path: String,
    /// By their names in lower case.
    pub headers: BTreeMap<String, String>,
    pub body: String,
}

impl Request {
    /// The `Action` of AWS's query protocol, or the method for Route 53.
    pub fn action(&self) -> String {
        let field = self.body.split('&').find_map(|field| field.strip_prefix("Action="));
        field.map_or_else(
            || format!("{} {}", self.method, self.path.split('?').next().unwrap()),
            str::to_owned,
        )
    }
}

/// What a server does with a request.
#[derive(Clone, Debug)]
pub enum Reply {
    /// Answers with that status, type and body, and closes the connection.
    Full(u16, &'static str, String),
    /// Sends these bytes, whatever they are, and closes the connection.
    Raw(Vec<u8>),
    /// Sends these bytes over and over.
    Endless(Vec<u8>),
    /// Accepts, and never answers.
    Hang,
}

/// JSON with that status.
pub fn json(status: u16, body: &(impl ToString + ?Sized)) -> Reply {
    Reply::Full(status, "application/json", body.to_string())
}

/// XML with that status.
pub fn xml(status: u16, body: impl Into<String>) -> Reply {
    Reply::Full(status, "text/xml", body.into())
}

/// A running server.
pub struct Server {
    pub address: SocketAddr,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    /// Starts on a free port of 127.0.0.1.
    pub async fn start(reply: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        Self::listen(None, reply).await
    }

    /// Starts on a free port of 127.0.0.1, over TLS.
    pub async fn start_tls(
        tls: TlsAcceptor,
        reply: impl Fn(&Request) -> Reply + Send + Sync + 'static,
    ) -> Self {
        Self::listen(Some(tls), reply).await
    }

    async fn listen(
        tls: Option<TlsAcceptor>,
        reply: impl Fn(&Request) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = requests.clone();
        let reply = Arc::new(reply);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (seen, reply, tls) = (seen.clone(), reply.clone(), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        None => serve(stream, &seen, &*reply).await,
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                serve(stream, &seen, &*reply).await;
                            }
                        }
                    }
                });
            }
        });
        Self { address, requests }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What was asked so far.
    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    /// What was asked so far, by [`Request::action`].
    pub fn actions(&self) -> Vec<String> {
        self.requests().iter().map(Request::action).collect()
    }
}

async fn serve(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    seen: &Mutex<Vec<Request>>,
    reply: &(dyn Fn(&Request) -> Reply + Send + Sync),
) {
    let Some(request) = read(&mut stream).await else { return };
    seen.lock().unwrap().push(request.clone());
    // The other side may have gone: a test of timeouts wants just that.
    let _ = match reply(&request) {
        Reply::Full(status, kind, body) => {
            let head = format!(
                "HTTP/1.1 {status} Test\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                body.len()
            );
            stream.write_all(format!("{head}{body}").as_bytes()).await
        }
        Reply::Raw(bytes) => stream.write_all(&bytes).await,
        Reply::Endless(bytes) => loop {
            if let Err(error) = stream.write_all(&bytes).await {
                break Err(error);
            }
        },
        Reply::Hang => stream.read_u8().await.map(drop),
    };
}

/// The next request; `None` at the end of the connection.
pub async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Option<Request> {
    let mut bytes = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let fields = head.lines().skip(1).filter_map(|line| line.split_once(':'));
            let headers: BTreeMap<String, String> =
                fields.map(|(name, value)| (name.to_lowercase(), value.trim().to_owned())).collect();
            let length = headers.get("content-length").and_then(|length| length.parse().ok());
            if body.len() >= length.unwrap_or(0) {
                let mut words = head.split_whitespace().map(str::to_owned);
                let (method, path) = (words.next()?, words.next()?);
                return Some(Request { method, path, headers, body: body.to_owned() });
            }
        }
        match stream.read(&mut chunk).await {
            Ok(0) | Err(_) => return None,
            Ok(count) => bytes.extend_from_slice(&chunk[..count]),
        }
    }
}

//! A proxy that counts connections.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};

/// It passes everything on.
pub struct Proxy {
    address: SocketAddr,
    accepted: Arc<AtomicUsize>,
}

impl Proxy {
    /// In front of a server, given as `http://host:port`.
    pub async fn start(url: &str) -> Self {
        let to: SocketAddr = url.strip_prefix("http://").unwrap().parse().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let accepted = Arc::new(AtomicUsize::new(0));
        let counted = accepted.clone();
        tokio::spawn(async move {
            while let Ok((mut from, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(async move {
                    if let Ok(mut to) = TcpStream::connect(to).await {
                        // One of them hangs up in the end.
                        drop(copy_bidirectional(&mut from, &mut to).await);
                    }
                });
            }
        });
        Self { address, accepted }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The connections so far.
    pub fn connections(&self) -> usize {
        self.accepted.load(Ordering::Relaxed)
    }
}

//! A port that can refuse.
//!
//! While it is closed, the system itself refuses connections to it, and gives it to no other process.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::watch;
use tokio::time::sleep;

use super::super::server::{Handler, serve};

/// Connections that wait to be accepted.
const BACKLOG: u32 = 1024;
/// Before a port that another process has taken is tried again.
const AGAIN: Duration = Duration::from_millis(20);

/// A port of loopback.
pub(super) struct Port {
    address: SocketAddr,
    /// Bound, and never listening: the system then gives the port to no outgoing connection. Only Linux lets another
    /// socket listen beside it.
    _claim: Option<TcpSocket>,
}

impl Port {
    /// One that the system chooses.
    pub(super) fn reserve() -> io::Result<Self> {
        let socket = bound(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
        let address = socket.local_addr()?;
        Ok(Self { address, _claim: cfg!(target_os = "linux").then_some(socket) })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn listen(&self) -> io::Result<TcpListener> {
        bound(self.address)?.listen(BACKLOG)
    }

    /// Serves while the gate is open, from the first on; connections end when it closes.
    pub(super) async fn keep(
        self,
        first: TcpListener,
        mut gate: watch::Receiver<bool>,
        handler: Arc<Handler>,
    ) {
        let mut listener = Some(first);
        loop {
            let Some(open) = listener.take().or_else(|| self.listen().ok()) else {
                sleep(AGAIN).await;
                continue;
            };
            tokio::select! {
                () = serve(open, handler.clone()) => {}
                () = becomes(&mut gate, false) => {}
            }
            becomes(&mut gate, true).await;
        }
    }
}

fn bound(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    // The connections of before may still be on their way out.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

/// A gate whose sender is dropped stays as it is.
async fn becomes(gate: &mut watch::Receiver<bool>, wanted: bool) {
    if gate.wait_for(|is_open| *is_open == wanted).await.is_err() {
        std::future::pending::<()>().await;
    }
}

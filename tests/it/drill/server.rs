//! A server on loopback that speaks as much of PostgreSQL's protocol as the clients need (PostgreSQL, "Message Formats").

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

const SSL_REQUEST: u32 = 80_877_103;

/// What a server is.
#[derive(Clone, Default)]
pub struct Kind {
    pub is_standby: bool,
    /// An error with which every statement ends.
    pub error: Option<&'static str>,
    /// The password that it wants.
    pub password: Option<&'static str>,
    pub tls: Option<TlsAcceptor>,
}

/// Starts on a free port of 127.0.0.1, until the test ends.
pub async fn start(kind: Kind) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let kind = Arc::new(kind);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let kind = kind.clone();
            tokio::spawn(async move {
                let mut first = startup(&mut stream).await?;
                if first == SSL_REQUEST {
                    stream.write_all(if kind.tls.is_some() { b"S" } else { b"N" }).await.ok()?;
                    if let Some(tls) = &kind.tls {
                        let mut stream = tls.accept(stream).await.ok()?;
                        startup(&mut stream).await?;
                        return serve(stream, &kind).await;
                    }
                    first = startup(&mut stream).await?;
                }
                assert_ne!(first, SSL_REQUEST);
                serve(stream, &kind).await
            });
        }
    });
    address
}

/// Reads a message without a type; its code.
async fn startup(stream: &mut (impl AsyncRead + Unpin)) -> Option<u32> {
    let length = stream.read_u32().await.ok()?;
    let code = stream.read_u32().await.ok()?;
    let mut rest = vec![0; usize::try_from(length).ok()? - 8];
    stream.read_exact(&mut rest).await.ok()?;
    Some(code)
}

async fn serve(mut stream: impl AsyncRead + AsyncWrite + Unpin, kind: &Kind) -> Option<()> {
    if let Some(password) = kind.password {
        stream.write_all(&message(b'R', &3_u32.to_be_bytes())).await.ok()?;
        let (_, given) = read(&mut stream).await?;
        if given.strip_suffix(&[0]) != Some(password.as_bytes()) {
            return stream.write_all(&error("28P01")).await.ok();
        }
    }
    stream.write_all(&message(b'R', &0_u32.to_be_bytes())).await.ok()?;
    stream.write_all(&message(b'Z', b"I")).await.ok()?;
    while let (b'Q', _) = read(&mut stream).await? {
        if let Some(state) = kind.error {
            return stream.write_all(&error(state)).await.ok();
        }
        let row = if kind.is_standby {
            [Some("t"), Some("on"), Some("10.0.1.12"), Some("5432"), None, None]
        } else {
            [Some("f"), Some("off"), Some("10.0.1.11"), Some("5432"), Some("0000001A"), Some("731")]
        };
        let answer =
            [columns(row.len()), data(&row), message(b'C', b"SELECT 1\0"), message(b'Z', b"I")].concat();
        stream.write_all(&answer).await.ok()?;
    }
    Some(())
}

async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Option<(u8, Vec<u8>)> {
    let kind = stream.read_u8().await.ok()?;
    let length = stream.read_u32().await.ok()?;
    let mut body = vec![0; usize::try_from(length).ok()? - 4];
    stream.read_exact(&mut body).await.ok()?;
    Some((kind, body))
}

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).unwrap();
    [&[kind], &length.to_be_bytes()[..], body].concat()
}

fn error(state: &str) -> Vec<u8> {
    message(b'E', format!("SFATAL\0VFATAL\0C{state}\0Mwords\0\0").as_bytes())
}

/// Columns of type `text`, without a name.
fn columns(count: usize) -> Vec<u8> {
    let mut body = u16::try_from(count).unwrap().to_be_bytes().to_vec();
    for _ in 0..count {
        body.extend([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 25, 255, 255, 255, 255, 255, 255, 0, 0]);
    }
    message(b'T', &body)
}

fn data(row: &[Option<&str>]) -> Vec<u8> {
    let mut body = u16::try_from(row.len()).unwrap().to_be_bytes().to_vec();
    for value in row {
        match value {
            Some(text) => {
                body.extend(u32::try_from(text.len()).unwrap().to_be_bytes());
                body.extend(text.as_bytes());
            }
            None => body.extend(u32::MAX.to_be_bytes()),
        }
    }
    message(b'D', &body)
}

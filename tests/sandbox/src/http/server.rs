//! HTTP/1.1 on a listener that the caller bound.
//!
//! The handler decides everything, also how long to wait; the server only carries it out.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::exchange::{Reply, Request};

/// Answers a request: how long to wait first, and what to say then.
pub type Handler = dyn Fn(Request) -> (Duration, Reply) + Send + Sync;

/// Serves until it is dropped, and then closes every connection: a member that is down answers no request.
/// Until then connections are kept alive.
///
/// `HEAD` is given to the handler as such; a body that it answers with only sets `content-length`.
pub async fn serve(listener: TcpListener, handler: Arc<Handler>) {
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        // A refused accept (too many open files) passes; the listener itself does not fail.
        if let Ok((stream, _)) = listener.accept().await {
            connections.spawn(connection(stream, handler.clone()));
        } else {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

/// One connection. It also ends with an error when the peer closes it, which needs no report.
async fn connection(stream: TcpStream, handler: Arc<Handler>) {
    // A small answer in two packets would wait 40 ms for the peer's delayed acknowledgement.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| Box::pin(answer(request, handler.clone())));
    let mut connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    if let Err(error) = (&mut connection).await
        && error.is_user()
    {
        // The peer is to see "connection reset", not an orderly end.
        let _ = connection.into_parts().io.into_inner().set_zero_linger();
    }
}

async fn answer(
    request: hyper::Request<Incoming>,
    handler: Arc<Handler>,
) -> io::Result<Response<Full<Bytes>>> {
    let request = received(request).await?;
    let (delay, reply) = handler(request);
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
    match reply {
        Reply::Full { status, content_type, headers, body } => sent(status, content_type, headers, body),
        Reply::Hang => std::future::pending().await,
        // hyper closes a connection whose service failed, without writing anything.
        Reply::Reset => Err(io::ErrorKind::ConnectionReset.into()),
    }
}

async fn received(request: hyper::Request<Incoming>) -> io::Result<Request> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let headers: BTreeMap<String, String> = head
        .headers
        .iter()
        .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect();
    Ok(Request {
        method: head.method.to_string(),
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        headers,
        body: body.to_vec(),
    })
}

fn sent(
    status: u16,
    content_type: &'static str,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
) -> io::Result<Response<Full<Bytes>>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = StatusCode::from_u16(status).map_err(io::Error::other)?;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    for (name, value) in headers {
        let name = HeaderName::try_from(name).map_err(io::Error::other)?;
        response.headers_mut().append(name, HeaderValue::try_from(value).map_err(io::Error::other)?);
    }
    Ok(response)
}

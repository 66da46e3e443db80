//! Connections to AWS, and what opens them.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use repoint::adapters::aws::connect;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

use super::config;
use crate::support::http::{Request, read};

/// An endpoint that answers every call with a status, and keeps its connections.
struct Refusing {
    url: String,
    accepted: Arc<AtomicUsize>,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Refusing {
    async fn start(status: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (accepted, requests) = (Arc::<AtomicUsize>::default(), Arc::<Mutex<Vec<Request>>>::default());
        let (count, seen) = (accepted.clone(), requests.clone());
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::Relaxed);
                let seen = seen.clone();
                tokio::spawn(async move {
                    while let Some(request) = read(&mut stream).await {
                        seen.lock().unwrap().push(request);
                        let answer = format!("HTTP/1.1 {status} Test\r\nContent-Length: 0\r\n\r\n");
                        stream.write_all(answer.as_bytes()).await.unwrap();
                    }
                });
            }
        });
        Self { url, accepted, requests }
    }
}

/// Each would otherwise have its own, which reads the system's authorities for itself.
#[tokio::test]
async fn services_share_one_http_client() {
    let server = Refusing::start(403).await;
    let config = config(&server.url).await;
    connect::elbv2(&aws_sdk_elasticloadbalancingv2::Client::new(&config)).await;
    connect::sns(&aws_sdk_sns::Client::new(&config)).await;
    connect::dynamodb(&aws_sdk_dynamodb::Client::new(&config), "repoint").await;
    assert_eq!(server.accepted.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn connecting_sends_one_call_that_is_not_signed() {
    // What the SDK would try again.
    let server = Refusing::start(503).await;
    connect::route53(&aws_sdk_route53::Client::new(&config(&server.url).await)).await;
    let requests = server.requests.lock().unwrap();
    let signed: Vec<bool> =
        requests.iter().map(|request| request.headers.contains_key("authorization")).collect();
    assert_eq!(signed, [false], "{requests:#?}");
}

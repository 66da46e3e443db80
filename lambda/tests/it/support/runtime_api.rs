//! Lambda's side of the Runtime API and of the Extensions API, as their references describe them.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use repoint::adapters::clock::SystemClock;
use repoint::ports::Clock;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot, watch};

/// How an invocation, or the start, ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The header `Lambda-Runtime-Function-Error-Type`; `None` for an answer that is no error.
    pub error: Option<String>,
    pub body: Value,
}

impl Answer {
    /// What was answered.
    #[track_caller]
    pub fn good(self) -> Value {
        assert_eq!(self.error, None, "{:#}", self.body);
        self.body
    }

    /// The type and message of an error.
    #[track_caller]
    pub fn bad(&self) -> (String, String) {
        assert!(self.error.is_some(), "no error: {:#}", self.body);
        let text = |key: &str| self.body[key].as_str().unwrap().to_owned();
        (text("errorType"), text("errorMessage"))
    }
}

struct Invocation {
    id: String,
    deadline: u64,
    event: String,
}

/// Lambda.
pub struct RuntimeApi {
    pub address: SocketAddr,
    shared: Arc<Shared>,
    invocations: mpsc::UnboundedSender<Invocation>,
    init_error: tokio::sync::Mutex<mpsc::UnboundedReceiver<Answer>>,
}

struct Shared {
    /// What is waiting for somebody to ask for it.
    queue: tokio::sync::Mutex<mpsc::UnboundedReceiver<Invocation>>,
    /// Who waits for which answer.
    waiting: Mutex<BTreeMap<String, oneshot::Sender<Answer>>>,
    init_error: mpsc::UnboundedSender<Answer>,
    /// How many ask for an invocation now.
    asking: watch::Sender<usize>,
    /// The names of extensions.
    extensions: Mutex<Vec<String>>,
}

/// Counts one that asks, for as long as its connection lives.
struct Asking<'a>(&'a watch::Sender<usize>);

impl<'a> Asking<'a> {
    fn begin(asking: &'a watch::Sender<usize>) -> Self {
        asking.send_modify(|count| *count += 1);
        Self(asking)
    }
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

impl RuntimeApi {
    /// Listens on a free port of 127.0.0.1.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (invocations, queue) = mpsc::unbounded_channel();
        let (reported, init_error) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared {
            queue: tokio::sync::Mutex::new(queue),
            waiting: Mutex::default(),
            init_error: reported,
            asking: watch::channel(0).0,
            extensions: Mutex::default(),
        });
        let served = shared.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let served = served.clone();
                let service = service_fn(move |request| {
                    let served = served.clone();
                    async move { Ok::<_, Infallible>(served.answer(request).await) }
                });
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        Self { address, shared, invocations, init_error: tokio::sync::Mutex::new(init_error) }
    }

    /// Waits until so many invocations could be taken at once.
    pub async fn ready(&self, count: usize) {
        self.shared.asking.subscribe().wait_for(|asking| *asking >= count).await.unwrap();
    }

    /// Invokes the function, and waits for its answer until the deadline.
    pub async fn invoke(&self, id: &str, event: &str, within: Duration) -> Answer {
        let (sender, answer) = oneshot::channel();
        let waiting = &self.shared.waiting;
        waiting.lock().unwrap_or_else(PoisonError::into_inner).insert(id.to_owned(), sender);
        let deadline = SystemClock.now().0 + u64::try_from(within.as_millis()).unwrap();
        let sent = self.invocations.send(Invocation { id: id.to_owned(), deadline, event: event.to_owned() });
        assert!(sent.is_ok());
        let answer = tokio::time::timeout(within, answer).await;
        answer.unwrap_or_else(|_| panic!("no answer to {event} within {within:?}")).unwrap()
    }

    /// Why the function could not start.
    pub async fn init_error(&self) -> Answer {
        self.init_error.lock().await.recv().await.unwrap()
    }

    /// The extensions that were registered.
    pub fn extensions(&self) -> Vec<String> {
        self.shared.extensions.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Shared {
    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let (head, body) = request.into_parts();
        let header = |name: &str| Some(head.headers.get(name)?.to_str().ok()?.to_owned());
        let body = body.collect().await.unwrap().to_bytes();
        let answer = || Answer {
            error: header("lambda-runtime-function-error-type"),
            body: serde_json::from_slice(&body).unwrap(),
        };
        let path: Vec<&str> = head.uri.path().split('/').skip(1).collect();
        match (head.method.as_str(), path.as_slice()) {
            ("GET", ["2018-06-01", "runtime", "invocation", "next"]) => self.next().await,
            ("POST", ["2018-06-01", "runtime", "invocation", id, "response" | "error"]) => {
                let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(*id);
                // Whoever invoked may have given up.
                drop(waiting.map(|waiting| waiting.send(answer())));
                accepted()
            }
            ("POST", ["2018-06-01", "runtime", "init", "error"]) => {
                self.init_error.send(answer()).unwrap();
                accepted()
            }
            ("POST", ["2020-01-01", "extension", "register"]) => {
                let name = header("lambda-extension-name").unwrap();
                self.extensions.lock().unwrap_or_else(PoisonError::into_inner).push(name);
                let about =
                    json!({"functionName": "repoint", "functionVersion": "$LATEST", "handler": "bootstrap"});
                Response::builder()
                    .header("lambda-extension-identifier", "2bcfbf39-05c3-41de-beaa-fcfcc21c8f55")
                    .body(Full::from(about.to_string()))
                    .unwrap()
            }
            // It subscribes to nothing.
            ("GET", ["2020-01-01", "extension", "event", "next"]) => std::future::pending().await,
            (method, path) => panic!("Lambda has no {method} {path:?}"),
        }
    }

    async fn next(&self) -> Response<Full<Bytes>> {
        let asking = Asking::begin(&self.asking);
        let mut queue = self.queue.lock().await;
        let Some(Invocation { id, deadline, event }) = queue.recv().await else {
            std::future::pending().await
        };
        drop(asking);
        Response::builder()
            .header("lambda-runtime-aws-request-id", id)
            .header("lambda-runtime-deadline-ms", deadline)
            .header(
                "lambda-runtime-invoked-function-arn",
                "arn:aws:lambda:us-east-1:123456789012:function:repoint",
            )
            .header("lambda-runtime-trace-id", "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Sampled=1")
            .body(Full::from(event))
            .unwrap()
    }
}

fn accepted() -> Response<Full<Bytes>> {
    Response::builder().status(202).body(Full::from(r#"{"status": "OK"}"#)).unwrap()
}

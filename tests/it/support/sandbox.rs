//! The sandbox's AWS account behind its wire, and clients for it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_config::SdkConfig;
use repoint::adapters::aws::{Access, Options, in_region};
use repoint_sandbox::aws::{Account, wire};
use repoint_sandbox::http::exchange::Request;
use repoint_sandbox::http::server::serve;
use tokio::net::TcpListener;

pub struct Aws {
    account: Arc<Mutex<Account>>,
    pub url: String,
}

impl Aws {
    /// Serves the account on a free port of 127.0.0.1, at the beginning of its time.
    pub async fn start(account: Account) -> Self {
        Self::watched(account, |_| ()).await
    }

    /// The same; `before` hears of each request before the account does, and may keep it waiting.
    pub async fn watched(account: Account, before: impl Fn(&Request) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let account = Arc::new(Mutex::new(account));
        let served = account.clone();
        let answer = move |request: Request| {
            before(&request);
            let mut account = served.lock().unwrap_or_else(PoisonError::into_inner);
            (Duration::ZERO, wire::answer(&mut account, 0, &request))
        };
        tokio::spawn(serve(listener, Arc::new(answer)));
        Self { account, url }
    }

    pub fn account(&self) -> MutexGuard<'_, Account> {
        self.account.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The product's own configuration of the SDK, with credentials that any sandbox takes.
    pub async fn config(&self) -> SdkConfig {
        let access = Access::load(&Options {
            region: Some("us-east-1"),
            endpoint_url: Some(&self.url),
            ..Options::default()
        })
        .await;
        let credentials = aws_sdk_route53::config::Credentials::new("test", "test", None, None, "test");
        let provider = aws_sdk_route53::config::SharedCredentialsProvider::new(credentials);
        in_region(access.config(), "us-east-1").into_builder().credentials_provider(provider).build()
    }
}

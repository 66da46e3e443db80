//! The start of the function, before the first invocation.
//!
//! With a whole CPU the first pass would end sooner without connecting here, and with that of 512 MB or less later: its
//! handshakes would then take the time of a function that is slowed down (`tests/lab/lambda_figures.rs` measures it).
//!
//! Lambda allows 10 s for the start ("Lambda execution environment lifecycle", init phase), and the first invocation
//! waits for it: slow connections are cut off.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use lambda_runtime::Diagnostic;
use lambda_runtime_api_client::body::Body;
use lambda_runtime_api_client::{BoxError, PooledClient, build_request};
use repoint::app::App;
use tokio::time::{Instant, timeout};
use tracing::{error, info, warn};

use crate::configuration::{settings, warnings};
use crate::error::Failure;
use crate::handler::Handler;

/// A service that cannot be reached must not keep the function from starting: the first event may be about that.
const PREPARE_WITHIN: Duration = Duration::from_secs(3);
/// The variable that Lambda sets to the function's name.
const FUNCTION: &str = "AWS_LAMBDA_FUNCTION_NAME";
/// The Runtime API is on this machine.
const REPORT_WITHIN: Duration = Duration::from_secs(2);

/// Reads the configuration, and creates and connects the clients.
///
/// # Errors
/// [`Failure::BadConfiguration`].
pub async fn handler(variables: &BTreeMap<String, String>) -> Result<Handler, Failure> {
    let bad = |error: anyhow::Error| Failure::BadConfiguration(format!("{error:#}"));
    let binary = std::env::current_exe().unwrap_or_default();
    let settings = settings(variables, binary.parent().unwrap_or(Path::new("."))).map_err(bad)?;
    for warning in warnings(&settings) {
        warn!("{warning}");
    }
    let clusters = settings.clusters.len();
    let app = App::new(settings).await.map_err(|error| bad(error.into()))?;
    let began = Instant::now();
    app.prepare(PREPARE_WITHIN).await;
    let connected_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    info!(version = env!("CARGO_PKG_VERSION"), clusters, connected_ms, "started");
    Ok(Handler::new(app, variables.get(FUNCTION).cloned()))
}

/// Reports to Lambda, and to the log, why the function cannot start.
pub async fn report(failure: &Failure) {
    error!("{failure:?}");
    match timeout(REPORT_WITHIN, post(failure)).await {
        Ok(Ok(())) => {}
        Ok(Err(problem)) => error!("the failure could not be reported to Lambda: {problem}"),
        Err(_) => error!("the failure could not be reported to Lambda: its Runtime API does not answer"),
    }
}

async fn post(failure: &Failure) -> Result<(), BoxError> {
    let body = serde_json::to_vec(&Diagnostic::from(failure.clone()))?;
    let request = build_request()
        .method("POST")
        .uri("/2018-06-01/runtime/init/error")
        .header("lambda-runtime-function-error-type", failure.error_type())
        .body(Body::from(body))?;
    let answer = PooledClient::builder().build().call(request).await?;
    if answer.status().is_success() {
        Ok(())
    } else {
        Err(format!("its answer was {}", answer.status()).into())
    }
}

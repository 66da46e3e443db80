//! `bootstrap`: `repoint` as an AWS Lambda function, for the runtime provided.al2023 on arm64 and `x86_64`.
//!
//! | event | checks | answers |
//! |---|---|---|
//! | schedule, EC2 state change, Auto Scaling | all clusters | the report of `repoint run --format json` |
//! | SNS | the scopes in callbacks' messages, or all clusters | the report |
//! | `{"cluster": ["batman"], "dry_run": true}`, both optional | the selected clusters | the report |
//! | SQS | the same as SNS, once for the batch | `batchItemFailures`: every message if a cluster failed, or none |
//! | Function URL, authorised by IAM; its body may be the direct form | the selected clusters; GET changes nothing | an HTTP status, and the report or the error |
//!
//! An invocation fails with an `errorType` of [`error::Failure::error_type`]. The configuration is the file
//! `repoint.toml` beside the binary or in a layer, the file that `REPOINT_CONFIG` names, or the text in
//! `REPOINT_CONFIG_INLINE`. The state belongs in DynamoDB. `events/` has a sample of each event.
//!
//! What an invocation does not depend on is done once, before the first one: reading the configuration, and creating
//! and connecting the clients. A failed start is reported to Lambda, with the complete reason.

mod configuration;
mod deadline;
mod embedded_metrics;
mod error;
mod event;
mod handler;
mod http;
mod init;
mod json_log;
mod logs;
mod summary;

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Arc;

use lambda_runtime::layers::TracingLayer;
use lambda_runtime::{LambdaEvent, Runtime, service_fn, spawn_graceful_shutdown_handler};
use serde_json::Value;
use tracing::{error, info};

use self::handler::Handler;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    // A variable that is not UTF-8 cannot be one of repoint's.
    let variables: BTreeMap<String, String> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    logs::init(&variables);
    if !variables.contains_key("AWS_LAMBDA_RUNTIME_API") {
        error!(
            "AWS_LAMBDA_RUNTIME_API is not set: this program runs in AWS Lambda; elsewhere, use `repoint`"
        );
        return ExitCode::from(2);
    }
    let handler = match init::handler(&variables).await {
        Ok(handler) => Arc::new(handler),
        Err(problem) => {
            init::report(&problem).await;
            return ExitCode::FAILURE;
        }
    };
    match serve(handler).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            error!("the connection to Lambda's Runtime API failed: {problem}");
            ExitCode::FAILURE
        }
    }
}

/// Answers invocations until Lambda ends the process: one after the other, or as many concurrently as Lambda sends
/// (`AWS_LAMBDA_MAX_CONCURRENCY`).
async fn serve(handler: Arc<Handler>) -> Result<(), lambda_runtime::Error> {
    let busy = handler.clone();
    // Lambda sends SIGTERM only to functions that have an extension; this registers one that does nothing else.
    spawn_graceful_shutdown_handler(move || async move {
        let is_idle = busy.finish().await;
        info!(is_idle, "shut down");
    })
    .await;
    let service = service_fn(move |event: LambdaEvent<Value>| {
        let handler = handler.clone();
        async move { handler.answer(&event.payload, event.context.deadline).await }
    });
    Runtime::new(service).layer(TracingLayer::new()).run_concurrent().await
}

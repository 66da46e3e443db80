//! The Lambda and its schedules.

use serde_json::Value;

use crate::observed::Read;
use crate::values::event::{Request, requested};

/// What was read of a Lambda function.
#[derive(Clone, Debug)]
pub struct Function {
    /// `GetFunctionConfiguration`.
    pub configuration: Read<FunctionConfiguration>,
    /// `GetFunctionConcurrency`: the reserved concurrency, if there is one.
    pub reserved_concurrency: Read<Option<u32>>,
    /// Where failed asynchronous invocations go, if anywhere: by `GetFunctionEventInvokeConfig`, or else the function's
    /// dead-letter queue or topic.
    pub on_failure: Read<Option<String>>,
}

/// A function's configuration (Lambda API, `GetFunctionConfiguration`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FunctionConfiguration {
    /// Its ARN.
    pub arn: String,
    /// Seconds that an invocation may take.
    pub timeout_seconds: u32,
    /// Memory in MB, which decides on the processor share.
    pub memory_mb: u32,
    /// `Active`, `Pending`, `Inactive`, `Failed`.
    pub state: String,
    /// `Successful`, `InProgress`, `Failed`.
    pub last_update: String,
    /// Its VPC, where it is in one.
    pub vpc: Option<String>,
    /// The subnets of its interfaces.
    pub subnets: Vec<String>,
    /// The security groups of its interfaces.
    pub security_groups: Vec<String>,
}

/// A schedule of `EventBridge` Scheduler.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Schedule {
    /// Its name.
    pub name: String,
    /// `ENABLED` or `DISABLED`.
    pub state: String,
    /// Such as `rate(1 minutes)`.
    pub expression: String,
    /// The ARN that it calls.
    pub target: String,
    /// What its event requests.
    pub requests: Requested,
}

/// What a schedule requests of the Lambda.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Requested {
    /// A pass over these clusters, by name or scope; over all where there are none.
    Pass {
        /// `cluster`.
        clusters: Vec<String>,
        /// `dry_run`.
        is_dry_run: bool,
    },
    /// A test alert.
    TestAlert,
    /// Something that the Lambda refuses: the event as it is.
    Unknown(String),
}

impl Requested {
    /// What the Lambda does with the input of a schedule. One without an input sends EventBridge's envelope.
    #[must_use]
    pub fn of(input: Option<&str>) -> Self {
        let Some(input) = input else { return Self::default() };
        let event: Value = serde_json::from_str(input).unwrap_or_default();
        match requested(&event) {
            Ok(Some(Request::Event(_))) => Self::default(),
            Ok(Some(Request::Direct(order))) => {
                Self::Pass { clusters: order.cluster.unwrap_or_default(), is_dry_run: order.dry_run }
            }
            Ok(Some(Request::TestAlert)) => Self::TestAlert,
            Ok(None) | Err(_) => Self::Unknown(input.to_owned()),
        }
    }
}

impl Default for Requested {
    fn default() -> Self {
        Self::Pass { clusters: Vec::new(), is_dry_run: false }
    }
}

//! Hosted zones and health checks of Route 53.

/// A hosted zone (Route 53 API, `GetHostedZone`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostedZone {
    /// Its name.
    pub name: String,
    /// Whether it answers in its VPCs alone.
    pub is_private: bool,
    /// Those VPCs: Region and id.
    pub vpcs: Vec<(String, String)>,
}

/// A health check (Route 53 API, `HealthCheckConfig`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HealthCheck {
    /// `HTTP`, `TCP`, `CLOUDWATCH_METRIC`, `CALCULATED`, …
    pub kind: String,
    /// A disabled one counts as healthy.
    pub is_disabled: bool,
    /// Whether healthy and unhealthy change places.
    pub is_inverted: bool,
    /// What an alarm without data counts as: `Healthy`, `Unhealthy`, `LastKnownStatus`.
    pub insufficient_data: Option<String>,
    /// The address that is asked.
    pub address: Option<String>,
    /// The name that is asked.
    pub host: Option<String>,
    /// The port that is asked.
    pub port: Option<u16>,
    /// The path that is asked.
    pub path: Option<String>,
    /// Seconds between two of them.
    pub interval_seconds: Option<u32>,
    /// How many change the status.
    pub failure_threshold: Option<u32>,
}

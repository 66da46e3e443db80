//! How slow AWS is, where its documentation gives no number or a range.
//!
//! Every number names its source, and may be changed at any time.

use crate::Millis;

/// Delays and switches of the model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// From `RegisterTargets` to the first health check. Reported: 90 to 180 s in 2021, 180 to 300 s in 2023, less since
    /// (kubernetes-sigs/aws-load-balancer-controller#1834).
    pub registration_delay: Millis,
    /// How long a deregistered target still gets new connections, whatever its deregistration delay. Measured as about
    /// two minutes (aws-load-balancer-controller#2366).
    pub deregistration_routing: Millis,
    /// How long an unhealthy target still gets new connections. Reported as 30 to 40 s (aws/containers-roadmap#470).
    pub unhealthy_routing: Millis,
    /// From `ChangeResourceRecordSets` to INSYNC: "generally within 60 seconds" (Route 53 API, `GetChange`).
    pub dns_propagation: Millis,
    /// Route 53's API reference shows `InvalidChangeBatch` as a document of its own, which is the default here. Clients
    /// of other languages report the common `<ErrorResponse>`, with the messages in brackets; this sends that.
    pub wrap_invalid_change_batch: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            registration_delay: 90_000,
            deregistration_routing: 120_000,
            unhealthy_routing: 35_000,
            dns_propagation: 30_000,
            wrap_invalid_change_batch: false,
        }
    }
}

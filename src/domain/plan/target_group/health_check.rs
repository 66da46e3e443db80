//! Whether a target group's health check can choose among the members.
//!
//! A group whose health check passes on every member would spread writes over replicas, so it is held. So would
//! one whose health check no member passes: with no healthy target a Network Load Balancer sends to all of them (its user
//! guide, "Health checks for Network Load Balancer target groups").

use std::collections::BTreeSet;

use crate::observed::Observed;
use crate::spec::{GroupRole, Spec};
use crate::values::cluster::{ApiUrl, SiteName};
use crate::values::primary::Primary;
use crate::values::target::HealthCheck;

/// What answers 200 on the primary alone (`patroni/api.py`, `do_GET`).
const WRITER_PATHS: [&str; 5] = ["/", "/primary", "/master", "/leader", "/read-write"];
/// What answers 200 on replicas, and `/read-only` on the primary as well.
const READER_PATHS: [&str; 9] = [
    "/replica",
    "/read-only",
    "/sync",
    "/synchronous",
    "/quorum",
    "/async",
    "/asynchronous",
    "/read-only-sync",
    "/read-only-quorum",
];
/// How, and on which port, a member's REST API is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Api {
    /// Over TLS.
    pub https: bool,
    /// The TCP port.
    pub port: u16,
}

impl Api {
    /// As a health check's `HealthCheckProtocol` spells it.
    #[must_use]
    pub fn protocol(self) -> &'static str {
        if self.https { "HTTPS" } else { "HTTP" }
    }

    /// Whether a health check's `HealthCheckPort` is its port.
    #[must_use]
    pub fn is_at(self, port: &str) -> bool {
        port.parse() == Ok(self.port)
    }
}

/// What Patroni answers where it does not answer 200.
const NO: u16 = 503;

/// Why a health check cannot choose the members that belong to the group, if so, and what it should be.
///
/// # Errors
/// The reason and the remedy, as a sentence.
pub fn validate_health_check(
    check: &HealthCheck,
    role: GroupRole,
    apis: &BTreeSet<Api>,
) -> Result<(), String> {
    let (paths, path) = match role {
        GroupRole::Writer => (&WRITER_PATHS[..], "/primary"),
        GroupRole::Reader { .. } => (&READER_PATHS[..], "/replica"),
    };
    let found = if !["HTTP", "HTTPS"].contains(&check.protocol.as_str()) {
        format!("its health check is {}, which every member passes", check.protocol)
    } else if !apis.iter().any(|api| api.is_at(&check.port)) {
        format!("its health check asks port {}, which is not Patroni's", check.port)
    } else if !apis.iter().any(|api| api.is_at(&check.port) && api.protocol() == check.protocol) {
        let speaks = if check.protocol == "HTTP" { "HTTPS" } else { "HTTP" };
        format!(
            "its health check is {}, and Patroni's API speaks {speaks}, so no member passes it",
            check.protocol
        )
    } else if !check.path.as_deref().is_some_and(|asked| paths.contains(&plain(asked))) {
        let asked = check.path.as_deref().unwrap_or("/");
        format!("its health check requests {asked}, which does not show which members belong to the group")
    } else if let Some(codes) = check.codes.as_deref().filter(|codes| includes(codes, NO)) {
        format!(
            "its health check accepts {codes}, and Patroni answers {NO} for a member that does not belong"
        )
    } else {
        return Ok(());
    };
    // The port that is asked already, if a member has its API there.
    let asked = apis.iter().find(|api| api.is_at(&check.port));
    let api = asked.or(apis.first()).copied().unwrap_or(Api { https: false, port: 8008 });
    let advice = format!("use {}, port {}, path {path}, codes 200", api.protocol(), api.port);
    // A load balancer has no client certificate (Patroni, `restapi.verify_client`).
    let clients = if api.https { ", and `verify_client` of Patroni's REST API not `required`" } else { "" };
    Err(format!("{found}; {advice}{clients}"))
}

/// The REST APIs of the primary's site.
#[must_use]
pub fn apis(spec: &Spec, observed: &Observed, primary: &Primary) -> BTreeSet<Api> {
    apis_of(spec, observed, primary.site.as_ref())
}

/// The REST APIs of a site.
#[must_use]
pub fn apis_of(spec: &Spec, observed: &Observed, site: Option<&SiteName>) -> BTreeSet<Api> {
    let seeds = spec.site(site).map_or(&[][..], |site| &site.members);
    let views = observed.answers_of(site).values().filter_map(|answer| answer.view.as_ref().ok());
    let listed = views.flat_map(|view| &view.members).filter_map(|listed| listed.api_url.as_ref());
    let of_url = |url: &ApiUrl| Api { https: url.is_https(), port: url.port() };
    let discover = spec.site(site).and_then(|site| site.discover.as_ref());
    let discovered = discover.map(|discover| Api { https: discover.is_https, port: discover.port });
    seeds.iter().chain(listed).map(of_url).chain(discovered).collect()
}

/// Whether that path of Patroni's REST API answers 200 on the primary alone.
#[must_use]
pub fn is_of_primary(path: &str) -> bool {
    WRITER_PATHS.contains(&plain(path))
}

/// The path without its query, such as `?lag=16MB`.
fn plain(path: &str) -> &str {
    path.split('?').next().unwrap_or(path)
}

/// Whether a list such as `200-399,404` includes a code.
fn includes(codes: &str, code: u16) -> bool {
    codes.split(',').any(|part| {
        let (from, to) = part.split_once('-').unwrap_or((part, part));
        let range = from.trim().parse::<u16>().ok().zip(to.trim().parse::<u16>().ok());
        range.is_some_and(|(from, to)| (from..=to).contains(&code))
    })
}

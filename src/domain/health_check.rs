//! Whether a target group's health check can choose among the members.
//!
//! Law: a group whose health check takes every member for healthy would spread writes over replicas, so it is held.

use super::endpoint::HealthCheck;
use super::intent::{GroupRole, Intent};
use super::verdict::Primary;
use super::world::World;

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
/// What Patroni answers where it does not answer 200.
const NO: u16 = 503;

/// Why a health check cannot tell who belongs into the group, if so, and what it should be.
///
/// # Errors
/// In words for people.
pub fn tells_apart(check: &HealthCheck, role: GroupRole, ports: &[String]) -> Result<(), String> {
    let (paths, path) = match role {
        GroupRole::Writer => (&WRITER_PATHS[..], "/primary"),
        GroupRole::Reader { .. } => (&READER_PATHS[..], "/replica"),
    };
    let found = if !["HTTP", "HTTPS"].contains(&check.protocol.as_str()) {
        format!("its health check is {}, which every member passes", check.protocol)
    } else if !ports.contains(&check.port) {
        format!("its health check asks port {}, which is not Patroni's", check.port)
    } else if !check.path.as_deref().is_some_and(|asked| paths.contains(&plain(asked))) {
        let asked = check.path.as_deref().unwrap_or("/");
        format!("its health check asks for {asked}, which does not tell who belongs into it")
    } else if let Some(codes) = check.codes.as_deref().filter(|codes| includes(codes, NO)) {
        format!("its health check takes {codes} for healthy, and Patroni says no with {NO}")
    } else {
        return Ok(());
    };
    let port = ports.first().map_or("8008", String::as_str);
    Err(format!("{found}; let it be HTTP, port {port}, path {path}, codes 200"))
}

/// The ports of the REST APIs of the primary's site.
#[must_use]
pub fn rest_ports(intent: &Intent, world: &World, primary: &Primary) -> Vec<String> {
    let site = primary.site.as_ref();
    let seeds = intent.site(site).map_or(&[][..], |site| &site.members);
    let views = world.answers_of(site).values().filter_map(|answer| answer.view.as_ref().ok());
    let listed = views.flat_map(|view| &view.members).filter_map(|listed| listed.api_url.as_ref());
    let mut ports: Vec<u16> = seeds.iter().chain(listed).map(super::cluster::ApiUrl::port).collect();
    ports.sort_unstable();
    ports.dedup();
    ports.iter().map(ToString::to_string).collect()
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

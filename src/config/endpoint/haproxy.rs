//! Backends of HAProxy: `[[cluster.haproxy]]`.

use serde::Deserialize;
use serde_json::{Value, json};
use toml::Spanned;

use super::target_group::TargetRole;
use super::{Kind, Usage};
use crate::config::file::Cluster;
use crate::config::iam::Policy;
use crate::config::resolve::{Given, Place, Resolver};
use repoint_domain::spec::{BackendSpec, BackendStrategy, GroupRole, Spec};
use repoint_domain::values::assume::AssumedRole;
use repoint_domain::values::cluster::SiteName;
use repoint_domain::values::endpoint::Endpoint;
use repoint_domain::values::haproxy::{BackendKey, is_name};

pub(super) const KIND: Kind = Kind { key: "haproxy", resolve, allow, show };

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Haproxy {
    pub socket: Spanned<String>,
    pub backend: Spanned<String>,
    #[serde(default)]
    pub role: TargetRole,
    #[serde(default)]
    pub strategy: StrategyName,
    pub server: Option<Spanned<String>>,
    pub server_options: Option<Spanned<String>>,
    pub port: Option<Spanned<u16>>,
    pub max_lag_bytes: Option<Spanned<u64>>,
    pub primary_fallback: Option<Spanned<bool>>,
}

/// How a backend follows the members.
#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StrategyName {
    #[default]
    Warm,
    Exclusive,
}

fn resolve(resolver: &mut Resolver<'_>, cluster: &Cluster, _: Option<&AssumedRole>, spec: &mut Spec) {
    for given in &cluster.haproxy {
        let Some(backend) = resolver.backend(given) else { continue };
        let what = format!("backend `{}`", backend.key);
        let endpoint = Endpoint::Backend(backend.key.clone());
        resolver.claim(&spec.name, (endpoint, &what), &given.backend.span(), "cluster.haproxy.backend");
        spec.backends.push(backend);
    }
    spec.backends.sort_by(|a, b| a.key.cmp(&b.key));
}

/// HAProxy needs no rights.
fn allow(_: &mut Policy, _: &[Spec], _: Usage) {}

fn show(spec: &Spec, site: Option<&SiteName>) -> Vec<Value> {
    let its = site.is_none().then_some(&spec.backends);
    its.into_iter().flatten().map(|backend| json!(backend)).collect()
}

impl Resolver<'_> {
    fn backend(&mut self, backend: &Haproxy) -> Option<BackendSpec> {
        let socket =
            Given { value: backend.socket.get_ref().clone(), place: Place::File(backend.socket.span()) };
        if socket.value.trim().is_empty() {
            self.push_error(&backend.socket.span(), "cluster.haproxy.socket", "it is empty");
        }
        let socket = self.path_of(&socket, "cluster.haproxy.socket").display().to_string();
        let name = self.spanned(&backend.backend, "cluster.haproxy.backend", name);
        let port = self.port("cluster.haproxy.port", backend.port.as_ref());
        let role = self.role(
            "cluster.haproxy",
            backend.role,
            backend.max_lag_bytes.as_ref(),
            backend.primary_fallback.as_ref(),
        );
        let strategy = self.strategy_of(backend, role);
        Some(BackendSpec { key: BackendKey { socket, backend: name? }, role, strategy: strategy?, port })
    }

    fn strategy_of(&mut self, backend: &Haproxy, role: GroupRole) -> Option<BackendStrategy> {
        match backend.strategy {
            StrategyName::Warm => {
                if let Some(server) = &backend.server {
                    let message = "it applies only to `strategy = \"exclusive\"`";
                    self.push_error(&server.span(), "cluster.haproxy.server", message);
                }
                let options = backend.server_options.as_ref();
                let options =
                    options.map(|given| self.spanned(given, "cluster.haproxy.server_options", options_of));
                Some(BackendStrategy::Warm { server_options: options.flatten() })
            }
            StrategyName::Exclusive => {
                if let Some(options) = &backend.server_options {
                    let message = "it applies only to `strategy = \"warm\"`";
                    self.push_error(&options.span(), "cluster.haproxy.server_options", message);
                }
                if role != GroupRole::Writer {
                    let message = "readers need `strategy = \"warm\"`: there are several of them";
                    self.push_error(&backend.backend.span(), "cluster.haproxy.strategy", message);
                }
                let Some(server) = &backend.server else {
                    let message =
                        "`strategy = \"exclusive\"` requires it: the name of the one server of the backend";
                    self.push_error(&backend.backend.span(), "cluster.haproxy.server", message);
                    return None;
                };
                let server = self.spanned(server, "cluster.haproxy.server", name)?;
                Some(BackendStrategy::Exclusive { server })
            }
        }
    }
}

/// Parses a name of HAProxy's.
fn name(text: &str) -> Result<String, &'static str> {
    is_name(text)
        .then(|| text.to_owned())
        .ok_or("it must have letters, digits, and - _ . : alone, as HAProxy's names do")
}

/// What follows the address of a server: one line without what separates commands on the socket.
fn options_of(text: &str) -> Result<String, &'static str> {
    let is_plain = !text.contains([';', '\n', '\r', '\\', '#']);
    let is_checked = text.split_ascii_whitespace().any(|word| word == "check");
    match () {
        () if !is_plain => Err("it must be one line without ; # and \\"),
        () if !is_checked => {
            Err("it must have `check`: HAProxy has to find the primary by itself while repoint does not run")
        }
        () => Ok(text.split_ascii_whitespace().collect::<Vec<_>>().join(" ")),
    }
}

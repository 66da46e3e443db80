//! The sites of a cluster: one without a name, or several.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::ops::Range;

use toml::Spanned;

use super::Resolver;
use crate::config::endpoint::{record_name, zone_id};
use crate::config::file::{self, Cluster};
use repoint_domain::spec::{Reached, Site};
use repoint_domain::values::assume::AssumedRole;
use repoint_domain::values::cluster::{ApiUrl, MemberName, Scope, SiteName};
use repoint_domain::values::host::is_name;
use repoint_domain::values::record::Alias;

const NO_SEEDS: &str =
    "it is missing: list at least one member, as in [\"http://10.0.1.11:8008\"], or set `discover`";

impl Resolver<'_> {
    pub(super) fn sites(
        &mut self,
        scope: &Scope,
        cluster: &Cluster,
        role: Option<&AssumedRole>,
    ) -> Vec<Site> {
        const KEY: &str = "cluster.members";
        match &cluster.site[..] {
            [] if cluster.members.is_none() && cluster.discover.is_none() => {
                self.push_error(&cluster.scope.span(), KEY, NO_SEEDS);
                Vec::new()
            }
            [] => vec![Site {
                name: None,
                region: None,
                scope: scope.clone(),
                members: self.members(cluster.members.as_ref(), KEY),
                discover: self.discover(cluster.discover.as_ref(), "cluster.discover", scope, None, role),
                addresses: self.addresses(&cluster.addresses, "cluster.addresses"),
                alias: None,
            }],
            sites => {
                let members = cluster.members.as_ref().map(|members| (members.span(), KEY));
                let discover = cluster.discover.as_ref().map(|its| (its.span(), "cluster.discover"));
                for (span, key) in members.into_iter().chain(discover) {
                    let message = "in a cluster with sites it belongs in each [[cluster.site]]";
                    self.push_error(&span, key, message);
                }
                if let Some(member) = cluster.addresses.keys().next() {
                    let message = "in a cluster with sites it belongs in the [[cluster.site]], since members of two sites may have the same name";
                    self.push_error(&member.span(), "cluster.addresses", message);
                }
                let resolved = sites.iter().map(|site| self.site(scope, site, role)).collect();
                self.tell_apart(sites);
                resolved
            }
        }
    }

    fn site(&mut self, scope: &Scope, site: &file::Site, role: Option<&AssumedRole>) -> Site {
        for (key, text) in [("region", Some(&site.region)), ("scope", site.scope.as_ref())] {
            if let Some(empty) = text.filter(|text| text.get_ref().trim().is_empty()) {
                self.push_error(&empty.span(), &format!("cluster.site.{key}"), "it is empty");
            }
        }
        let scope = site.scope.as_ref().map_or_else(|| scope.clone(), |own| Scope::new(own.get_ref()));
        let region = site.region.get_ref();
        if site.members.is_none() && site.discover.is_none() {
            self.push_error(&site.region.span(), "cluster.site.members", NO_SEEDS);
        }
        Site {
            name: Some(name(site)),
            region: Some(region.clone()),
            members: self.members(site.members.as_ref(), "cluster.site.members"),
            discover: self.discover(
                site.discover.as_ref(),
                "cluster.site.discover",
                &scope,
                Some(region),
                role,
            ),
            scope,
            addresses: self.addresses(&site.addresses, "cluster.site.addresses"),
            alias: site.alias.as_ref().and_then(|alias| self.alias(alias)),
        }
    }

    fn members(&mut self, members: Option<&Spanned<Vec<Spanned<String>>>>, key: &str) -> Vec<ApiUrl> {
        let Some(members) = members else { return Vec::new() };
        if members.get_ref().is_empty() {
            let message = "it is empty: list at least one member, as in [\"http://10.0.1.11:8008\"]";
            self.push_error(&members.span(), key, message);
        }
        let mut urls: Vec<ApiUrl> = members
            .get_ref()
            .iter()
            .filter_map(|member| self.spanned(member, key, ApiUrl::parse_base))
            .collect();
        urls.sort();
        urls.dedup();
        urls
    }

    /// The addresses of members that clients do not reach at the address that Patroni reports.
    fn addresses(
        &mut self,
        addresses: &BTreeMap<Spanned<String>, Spanned<String>>,
        key: &str,
    ) -> BTreeMap<MemberName, Reached> {
        let mut reached = BTreeMap::new();
        for (member, address) in addresses {
            if member.get_ref().trim().is_empty() {
                self.push_error(&member.span(), key, "a member's name is empty");
            }
            if let Some(address) = self.spanned(address, key, reached_at) {
                reached.insert(MemberName::new(member.get_ref()), address);
            }
        }
        reached
    }

    /// A site's name and members must be unique.
    fn tell_apart(&mut self, sites: &[file::Site]) {
        let (mut names, mut members) = (BTreeSet::new(), BTreeSet::new());
        for site in sites {
            let (name, span) = (name(site), name_span(site));
            // A site's name precedes a member's name, separated by a slash.
            let is_plain =
                name.as_str().bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
            if !is_plain {
                self.push_error(
                    &span,
                    "cluster.site.name",
                    "it must consist of letters, digits, `-`, `_` and `.`",
                );
            }
            if !names.insert(name.clone()) {
                let message = format!("two sites have the name `{name}`: give each a unique `name`");
                self.push_error(&span, "cluster.site.name", message);
            }
            for member in site.members.iter().flat_map(Spanned::get_ref) {
                if ApiUrl::parse(member.get_ref()).is_ok_and(|url| !members.insert(url)) {
                    let message =
                        format!("`{}` is listed twice: a member belongs to one site", member.get_ref());
                    self.push_error(&member.span(), "cluster.site.members", message);
                }
            }
        }
    }

    fn alias(&mut self, alias: &file::Alias) -> Option<Alias> {
        let zone = self.spanned(&alias.zone_id, "cluster.site.alias.zone_id", zone_id);
        let dns_name = alias.dns_name.get_ref();
        if record_name(dns_name).is_err() {
            self.push_error(&alias.dns_name.span(), "cluster.site.alias.dns_name", "it is not a DNS name");
        }
        Some(Alias {
            zone: zone?,
            dns_name: dns_name.clone(),
            evaluate_target_health: alias
                .evaluate_target_health
                .as_ref()
                .is_none_or(|given| *given.get_ref()),
        })
    }
}

/// A site's name; the default is its Region.
pub(in crate::config) fn name(site: &file::Site) -> SiteName {
    SiteName::new(site.name.as_ref().unwrap_or(&site.region).get_ref())
}

fn name_span(site: &file::Site) -> Range<usize> {
    site.name.as_ref().unwrap_or(&site.region).span()
}

/// Parses an address or a host name, with a port if it differs from the one that Patroni reports.
fn reached_at(text: &str) -> Result<Reached, &'static str> {
    let at = |host: &str, port| Reached { host: host.to_owned(), port };
    if let Ok(ip) = text.parse::<IpAddr>() {
        return Ok(at(&ip.to_string(), None));
    }
    if let Ok(socket) = text.parse::<SocketAddr>() {
        return with_port(at(&socket.ip().to_string(), Some(socket.port())));
    }
    let reached = match text.rsplit_once(':').map(|(host, port)| (host, port.parse())) {
        Some((host, Ok(port))) => at(host, Some(port)),
        Some((_, Err(_))) | None => at(text, None),
    };
    if is_name(&reached.host) { with_port(reached) } else { Err(NO_ADDRESS) }
}

const NO_ADDRESS: &str = "it must be an address or host name, such as 10.99.0.11, pg1.example.com, 10.99.0.11:6432 or [2001:db8::11]:6432";

fn with_port(reached: Reached) -> Result<Reached, &'static str> {
    if reached.port == Some(0) { Err("a port must not be 0") } else { Ok(reached) }
}

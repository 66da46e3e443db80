//! The sites of a cluster: one without a name, or several.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::ops::Range;

use toml::Spanned;

use super::Resolver;
use super::record::{record_name, zone_id};
use crate::config::file::{self, Cluster, Record};
use repoint_domain::spec::{GroupSpec, Reached, Site};
use repoint_domain::values::arn::GroupArn;
use repoint_domain::values::assume::AssumedRole;
use repoint_domain::values::cluster::{ApiUrl, EntryName, MemberName, Scope, SiteName};
use repoint_domain::values::host::is_name;
use repoint_domain::values::record::{Alias, Failover, RecordType};

impl Resolver<'_> {
    pub(super) fn sites(&mut self, scope: &Scope, cluster: &Cluster) -> Vec<Site> {
        const KEY: &str = "cluster.members";
        match (&cluster.members, &cluster.site[..]) {
            (Some(members), []) => {
                let members = self.members(members, KEY);
                let addresses = self.addresses(&cluster.addresses, "cluster.addresses");
                vec![Site { name: None, region: None, scope: scope.clone(), members, addresses, alias: None }]
            }
            (None, []) => {
                let message = "it is missing: name at least one member, as in [\"http://10.0.1.11:8008\"]";
                self.push_error(&cluster.scope.span(), KEY, message);
                Vec::new()
            }
            (members, sites) => {
                if let Some(members) = members {
                    let message =
                        "a cluster with sites has none of its own: put them into each [[cluster.site]]";
                    self.push_error(&members.span(), KEY, message);
                }
                if let Some(member) = cluster.addresses.keys().next() {
                    let message =
                        "members of two sites may have the same name: put it into the [[cluster.site]]";
                    self.push_error(&member.span(), "cluster.addresses", message);
                }
                let resolved = sites.iter().map(|site| self.site(scope, site)).collect();
                self.tell_apart(sites);
                resolved
            }
        }
    }

    fn site(&mut self, scope: &Scope, site: &file::Site) -> Site {
        for (key, text) in [("region", Some(&site.region)), ("scope", site.scope.as_ref())] {
            if let Some(empty) = text.filter(|text| text.get_ref().trim().is_empty()) {
                self.push_error(&empty.span(), &format!("cluster.site.{key}"), "it is empty");
            }
        }
        Site {
            name: Some(name(site)),
            region: Some(site.region.get_ref().clone()),
            scope: site.scope.as_ref().map_or_else(|| scope.clone(), |own| Scope::new(own.get_ref())),
            members: self.members(&site.members, "cluster.site.members"),
            addresses: self.addresses(&site.addresses, "cluster.site.addresses"),
            alias: site.alias.as_ref().and_then(|alias| self.alias(alias)),
        }
    }

    fn members(&mut self, members: &Spanned<Vec<Spanned<String>>>, key: &str) -> Vec<ApiUrl> {
        if members.get_ref().is_empty() {
            let message = "it is empty: name at least one member, as in [\"http://10.0.1.11:8008\"]";
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

    /// Where clients reach members that they do not reach where Patroni says.
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

    /// A site's name and members are its own.
    fn tell_apart(&mut self, sites: &[file::Site]) {
        let (mut names, mut members) = (BTreeSet::new(), BTreeSet::new());
        for site in sites {
            let (name, span) = (name(site), name_span(site));
            // It stands before a member's name, with a slash between.
            let is_plain =
                name.as_str().bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
            if !is_plain {
                self.push_error(&span, "cluster.site.name", "it may have letters, digits, `-`, `_` and `.`");
            }
            if !names.insert(name.clone()) {
                let message = format!("site `{name}` is named twice: give each a `name` of its own");
                self.push_error(&span, "cluster.site.name", message);
            }
            for member in site.members.get_ref() {
                if ApiUrl::parse(member.get_ref()).is_ok_and(|url| !members.insert(url)) {
                    let message = format!("`{}` is named twice: a member is in one site", member.get_ref());
                    self.push_error(&member.span(), "cluster.site.members", message);
                }
            }
        }
    }

    fn alias(&mut self, alias: &file::Alias) -> Option<Alias> {
        let zone = self.spanned(&alias.zone_id, "cluster.site.alias.zone_id", zone_id);
        let dns_name = alias.dns_name.get_ref();
        if record_name(dns_name).is_err() {
            self.push_error(&alias.dns_name.span(), "cluster.site.alias.dns_name", "it is no DNS name");
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

    /// The target groups of the sites, each in its site's Region.
    pub(super) fn groups_of_sites(
        &mut self,
        entry: &EntryName,
        cluster: &Cluster,
        role: Option<&AssumedRole>,
    ) -> Vec<GroupSpec> {
        let mut groups = Vec::new();
        for site in &cluster.site {
            for group in &site.target_group {
                let region = site.region.get_ref();
                let its = GroupArn::parse(group.arn.get_ref()).map(|arn| arn.region().to_owned());
                if let Some(other) = its.ok().filter(|its| its != region) {
                    let message = format!("it is in {other}, and the site is in {region}");
                    self.push_error(&group.arn.span(), "cluster.site.target_group.arn", message);
                }
            }
            let its = self.groups(entry, &site.target_group, role).into_iter();
            groups.extend(its.map(|group| GroupSpec { site: Some(name(site)), ..group }));
        }
        groups
    }

    /// A record that leads to the load balancer of a site.
    pub(super) fn points_to_site(&mut self, sites: &[Site], record: &Record) {
        let (key, span) = ("cluster.record.points_to", record.points_to.span());
        let named = || sites.iter().filter_map(|site| Some((site, site.name.as_ref()?)));
        let failover = record.failover.as_ref().map(Spanned::get_ref);
        if named().next().is_none() {
            let message = "the cluster has no sites: add a [[cluster.site]] for each, with its `alias`";
            self.push_error(&span, key, message);
        } else if failover == Some(&Failover::Secondary) && named().count() < 2 {
            self.push_error(&span, key, "the SECONDARY leads to another site, and the cluster has only one");
        }
        for (site, name) in named() {
            let Some(alias) = &site.alias else {
                self.push_error(&span, key, format!("site `{name}` has no `alias` to lead to"));
                continue;
            };
            if failover.is_some() && !alias.evaluate_target_health {
                let message = format!(
                    "a failover alias must watch the health of its target, and the `alias` of site `{name}` says \
                     `evaluate_target_health = false`"
                );
                self.push_error(&span, key, message);
            }
        }
        if record.kind == RecordType::Cname {
            self.push_error(&span, key, "an alias of a load balancer is of type A or AAAA");
        }
        if let Some(ttl) = &record.ttl {
            let message = "a record that points to a site is an alias, and has the TTL of what it leads to";
            self.push_error(&ttl.span(), "cluster.record.ttl", message);
        }
    }
}

/// What a site is called: by its Region, unless it says otherwise.
fn name(site: &file::Site) -> SiteName {
    SiteName::new(site.name.as_ref().unwrap_or(&site.region).get_ref())
}

fn name_span(site: &file::Site) -> Range<usize> {
    site.name.as_ref().unwrap_or(&site.region).span()
}

/// An address or a host name, with a port if it is not the one that Patroni reports.
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

const NO_ADDRESS: &str = "it is no address or host name, such as 10.99.0.11, pg1.example.com, 10.99.0.11:6432 or [2001:db8::11]:6432";

fn with_port(reached: Reached) -> Result<Reached, &'static str> {
    if reached.port == Some(0) { Err("0 is no port") } else { Ok(reached) }
}

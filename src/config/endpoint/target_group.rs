//! Target groups: `[[cluster.target_group]]` and `[[cluster.site.target_group]]`.

mod strategy;
mod weighted;

use std::ops::Range;

use serde::Deserialize;
use serde_json::{Value, json};
use toml::Spanned;

use super::one_or_several::OneOrSeveral;
use super::{Kind, Usage};
use crate::config::file::Cluster;
use crate::config::iam::Policy;
use crate::config::resolve::{Place, Resolver, site_name};
use repoint_domain::spec::{GroupRole, GroupSpec, MAX_LAG_BYTES, Spec, Strategy};
use repoint_domain::values::arn::GroupArn;
use repoint_domain::values::assume::AssumedRole;
use repoint_domain::values::cluster::{EntryName, SiteName};
use repoint_domain::values::endpoint::Endpoint;

pub(super) const KIND: Kind = Kind { key: "target_group", resolve, allow, show };

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TargetGroup {
    pub arn: Spanned<String>,
    #[serde(default)]
    pub role: TargetRole,
    #[serde(default)]
    pub strategy: StrategyName,
    pub port: Option<Spanned<u16>>,
    pub availability_zone: Option<Spanned<String>>,
    pub max_lag_bytes: Option<Spanned<u64>>,
    pub primary_fallback: Option<Spanned<bool>>,
    pub deregister_after_seconds: Option<Spanned<f64>>,
    pub listener: Option<Spanned<OneOrSeveral>>,
    pub member: Option<Spanned<String>>,
    pub role_arn: Option<Spanned<String>>,
    pub external_id: Option<Spanned<String>>,
}

/// Which members belong in a target group.
#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TargetRole {
    #[default]
    Writer,
    Reader,
}

/// How a target group follows the primary.
#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StrategyName {
    #[default]
    Exclusive,
    Warm,
    Weighted,
}

/// The groups of a cluster and of its sites, in the order of their ARNs.
fn resolve(resolver: &mut Resolver<'_>, cluster: &Cluster, role: Option<&AssumedRole>, spec: &mut Spec) {
    spec.groups = resolver.groups(&spec.name, &cluster.target_group, role);
    spec.groups.extend(resolver.groups_of_sites(&spec.name, cluster, role));
    spec.groups.sort_by(|a, b| a.arn.cmp(&b.arn));
}

fn show(spec: &Spec, site: Option<&SiteName>) -> Vec<Value> {
    spec.groups.iter().filter(|group| group.site.as_ref() == site).map(|group| json!(group)).collect()
}

/// What doctor reads around target groups.
const LOAD_BALANCERS: [&str; 5] = [
    "elasticloadbalancing:DescribeTargetGroupAttributes",
    "elasticloadbalancing:DescribeLoadBalancers",
    "elasticloadbalancing:DescribeLoadBalancerAttributes",
    "elasticloadbalancing:DescribeListeners",
    "elasticloadbalancing:DescribeListenerAttributes",
];

/// Reading is allowed on all groups that the clusters have, and writing on each one.
fn allow(policy: &mut Policy, clusters: &[Spec], usage: Usage) {
    let groups: Vec<_> = clusters.iter().flat_map(|cluster| &cluster.groups).collect();
    for group in &groups {
        let arn = group.arn.as_str();
        policy.allow(
            &["elasticloadbalancing:DescribeTargetHealth", "elasticloadbalancing:DescribeTargetGroups"],
            arn,
        );
        for listener in group.strategy.listeners() {
            policy.allow(&["elasticloadbalancing:DescribeListeners"], listener.as_str());
        }
    }
    policy.allow_to_find_instances(clusters, usage.has_instances);
    if usage.inspects() && !groups.is_empty() {
        policy.allow(&LOAD_BALANCERS, "*");
        policy.allow(&["ec2:DescribeSecurityGroups", "ec2:DescribeSubnets"], "*");
    }
    if usage.writes() {
        for group in &groups {
            policy.allow(
                &["elasticloadbalancing:RegisterTargets", "elasticloadbalancing:DeregisterTargets"],
                group.arn.as_str(),
            );
        }
        for group in &groups {
            for listener in group.strategy.listeners() {
                policy.allow(&["elasticloadbalancing:ModifyListener"], listener.as_str());
            }
        }
    }
}

impl Resolver<'_> {
    /// The groups of a cluster, in the order of their ARNs. All groups behind one listener belong to one cluster,
    /// have different members, and have the same listeners and role.
    fn groups(
        &mut self,
        entry: &EntryName,
        groups: &[TargetGroup],
        role: Option<&AssumedRole>,
    ) -> Vec<GroupSpec> {
        let mut specs: Vec<GroupSpec> = Vec::new();
        for group in groups {
            let Some(spec) = self.group(entry, group, role) else { continue };
            if let Strategy::Weighted { listeners, member } = &spec.strategy {
                self.behind(entry, group, (listeners, member), &specs);
                let shares =
                    |other: &GroupSpec| other.strategy.listeners().iter().any(|its| listeners.contains(its));
                if specs.iter().any(|other| shares(other) && other.assume != spec.assume) {
                    let span = group.role_arn.as_ref().map_or_else(|| group.arn.span(), Spanned::span);
                    let message = "groups behind one listener must have the same role, which is also used for the listener";
                    self.push_error(&span, "cluster.target_group.role_arn", message);
                }
            }
            specs.push(spec);
        }
        specs.sort_by(|a, b| a.arn.cmp(&b.arn));
        specs
    }

    /// The target groups of the sites, each in its site's Region.
    fn groups_of_sites(
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
                    let message = format!("it is in {other}, but the site is in {region}");
                    self.push_error(&group.arn.span(), "cluster.site.target_group.arn", message);
                }
            }
            let its = self.groups(entry, &site.target_group, role).into_iter();
            groups.extend(its.map(|group| GroupSpec { site: Some(site_name(site)), ..group }));
        }
        groups
    }

    fn group(
        &mut self,
        entry: &EntryName,
        group: &TargetGroup,
        inherited: Option<&AssumedRole>,
    ) -> Option<GroupSpec> {
        let arn = self.spanned(&group.arn, "cluster.target_group.arn", GroupArn::parse);
        let port = self.port("cluster.target_group.port", group.port.as_ref());
        let availability_zone = group
            .availability_zone
            .as_ref()
            .and_then(|zone| self.spanned(zone, "cluster.target_group.availability_zone", availability_zone));
        let key = "cluster.target_group";
        let role = self.role(key, group.role, group.max_lag_bytes.as_ref(), group.primary_fallback.as_ref());
        let strategy = self.strategy(group, arn.as_ref());
        let own = self.assumed("cluster.target_group", group.role_arn.as_ref(), group.external_id.as_ref());
        let assume = own.or_else(|| inherited.cloned());
        let (arn, strategy) = (arn?, strategy?);
        self.is_of_partition(arn.partition(), &Place::File(group.arn.span()), "cluster.target_group.arn");
        let what = format!("target group `{}`", arn.name());
        self.claim(
            entry,
            (Endpoint::Group(arn.clone()), &what),
            &group.arn.span(),
            "cluster.target_group.arn",
        );
        Some(GroupSpec { arn, site: None, role, strategy, port, availability_zone, assume })
    }

    /// The members of an endpoint whose tables have that key.
    pub(super) fn role(
        &mut self,
        key: &str,
        role: TargetRole,
        lag: Option<&Spanned<u64>>,
        fallback: Option<&Spanned<bool>>,
    ) -> GroupRole {
        match role {
            TargetRole::Writer => {
                let message = "it applies only to readers: it requires `role = \"reader\"`";
                let spans = [lag.map(Spanned::span), fallback.map(Spanned::span)];
                for (name, span) in ["max_lag_bytes", "primary_fallback"].into_iter().zip(spans) {
                    if let Some(span) = span {
                        self.push_error(&span, &format!("{key}.{name}"), message);
                    }
                }
                GroupRole::Writer
            }
            TargetRole::Reader => GroupRole::Reader {
                max_lag_bytes: lag.map_or(MAX_LAG_BYTES, |lag| *lag.get_ref()),
                primary_fallback: fallback.is_none_or(|fallback| *fallback.get_ref()),
            },
        }
    }

    /// The port of an endpoint's members, where it is not the one that Patroni reports.
    pub(super) fn port(&mut self, key: &str, port: Option<&Spanned<u16>>) -> Option<u16> {
        if let Some(zero) = port.filter(|port| *port.get_ref() == 0) {
            self.push_error(&zero.span(), key, "a port must not be 0");
        }
        port.map(|port| *port.get_ref())
    }

    /// Reports a key that has no effect here.
    fn misplaced(&mut self, key: &str, span: Option<Range<usize>>, message: &str) {
        if let Some(span) = span {
            self.push_error(&span, &format!("cluster.target_group.{key}"), message);
        }
    }
}

/// Parses an Availability Zone, or `all` (ELB API, `TargetDescription`).
fn availability_zone(text: &str) -> Result<String, &'static str> {
    let is_plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    let is_zone = text.ends_with(|last: char| last.is_ascii_alphabetic()) && text.contains('-');
    if is_plain && (is_zone || text == "all") {
        Ok(text.to_owned())
    } else {
        Err("it must be an Availability Zone such as eu-west-1a, or `all`")
    }
}

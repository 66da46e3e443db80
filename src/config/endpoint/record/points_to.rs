//! What a record points to.

use toml::Spanned;

use super::{PointsToName, Record};
use crate::config::resolve::Resolver;
use repoint_domain::spec::{MAX_LAG_BYTES, PointsTo, Site};
use repoint_domain::values::record::{Failover, RecordType};

impl Resolver<'_> {
    pub(super) fn points_to(&mut self, sites: &[Site], record: &Record) -> Option<PointsTo> {
        let (lag, fallback) = (&record.max_lag_bytes, &record.primary_fallback);
        if !matches!(record.points_to.get_ref(), PointsToName::Readers) {
            let message = "it applies only to readers: it requires `points_to = \"readers\"`";
            let spans = [lag.as_ref().map(Spanned::span), fallback.as_ref().map(Spanned::span)];
            for (key, span) in ["max_lag_bytes", "primary_fallback"].into_iter().zip(spans) {
                if let Some(span) = span {
                    self.push_error(&span, &format!("cluster.record.{key}"), message);
                }
            }
        }
        match record.points_to.get_ref() {
            PointsToName::Primary => Some(PointsTo::Primary),
            PointsToName::Site => {
                self.points_to_site(sites, record);
                Some(PointsTo::Site)
            }
            PointsToName::Standby => Some(PointsTo::Standby),
            PointsToName::Readers if record.kind == RecordType::Cname => {
                let message = "a CNAME has one value, but there may be several readers: use `A` or `AAAA`";
                self.push_error(&record.points_to.span(), "cluster.record.points_to", message);
                None
            }
            PointsToName::Readers => Some(PointsTo::Readers {
                max_lag_bytes: lag.as_ref().map_or(MAX_LAG_BYTES, |lag| *lag.get_ref()),
                primary_fallback: fallback.as_ref().is_none_or(|fallback| *fallback.get_ref()),
            }),
        }
    }

    /// A record that points to the load balancer of a site.
    fn points_to_site(&mut self, sites: &[Site], record: &Record) {
        let (key, span) = ("cluster.record.points_to", record.points_to.span());
        let named = || sites.iter().filter_map(|site| Some((site, site.name.as_ref()?)));
        let failover = record.failover.as_ref().map(Spanned::get_ref);
        if named().next().is_none() {
            let message = "the cluster has no sites: add a [[cluster.site]] with an `alias` for each";
            self.push_error(&span, key, message);
        } else if failover == Some(&Failover::Secondary) && named().count() < 2 {
            self.push_error(&span, key, "the SECONDARY points to another site, but the cluster has only one");
        }
        for (site, name) in named() {
            let Some(alias) = &site.alias else {
                self.push_error(&span, key, format!("site `{name}` has no `alias` to point to"));
                continue;
            };
            if failover.is_some() && !alias.evaluate_target_health {
                let message = format!(
                    "a failover alias must evaluate the health of its target, but the `alias` of site `{name}` has \
             `evaluate_target_health = false`"
                );
                self.push_error(&span, key, message);
            }
        }
        if record.kind == RecordType::Cname {
            self.push_error(&span, key, "an alias of a load balancer must have type A or AAAA");
        }
        if let Some(ttl) = &record.ttl {
            let message = "a record that points to a site is an alias, which has the TTL of its target";
            self.push_error(&ttl.span(), "cluster.record.ttl", message);
        }
    }
}

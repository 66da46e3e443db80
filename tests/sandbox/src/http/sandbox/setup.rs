//! What a sandbox begins with, and the configuration of `repoint` for it.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;

use repoint_domain::spec::{GroupRole, PointsTo, Strategy};
use repoint_domain::values::arn::ListenerArn;
use repoint_domain::values::record::Failover;

use super::Site;
use crate::aws;
use crate::patroni::{Settings, Spec};
use crate::transport::Shape;

/// Any credentials will do. The process that is to use them gets these variables.
pub const CREDENTIALS: [(&str, &str); 3] = [
    ("AWS_ACCESS_KEY_ID", "sandbox"),
    ("AWS_SECRET_ACCESS_KEY", "sandbox"),
    // No credentials from the instance that this runs on.
    ("AWS_EC2_METADATA_DISABLED", "true"),
];

/// What a sandbox begins with.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The Region.
    pub region: String,
    /// The cluster's name.
    pub scope: String,
    /// The system identifier of its data.
    pub system_id: u64,
    /// The timeline on which its first member leads.
    pub timeline: u32,
    /// How many members: pg1, pg2 and so on, on 172.31.1.11, 172.31.1.12 and so on.
    pub members: usize,
    /// Patroni's times.
    pub patroni: Settings,
    /// AWS's times.
    pub aws: aws::settings::Settings,
    /// Which endpoints there are.
    pub shape: Shape,
    /// `alerts.grace_seconds`.
    pub alert_grace: u32,
    /// How many seconds pass in the models while one passes here.
    pub speed: u32,
}

impl Setup {
    /// Three members that agree within seconds, an AWS that is as quick, and endpoints that are still empty.
    #[must_use]
    pub fn quick() -> Self {
        Self {
            region: "us-east-1".to_owned(),
            scope: "batman".to_owned(),
            system_id: 7_710_341_171_024_913_225,
            timeline: 4,
            members: 3,
            patroni: Settings {
                // As short as Patroni's own rule allows: loop_wait + 2 * retry_timeout <= ttl.
                ttl: 4_000,
                loop_wait: 1_000,
                retry_timeout: 1_000,
                promotion_time: 500,
                start_time: 500,
                stop_time: 300,
                rewind_time: 500,
                clone_time: 1_000,
                ..Settings::default()
            },
            aws: aws::settings::Settings {
                registration_delay: 500,
                deregistration_routing: 500,
                unhealthy_routing: 500,
                dns_propagation: 500,
                ..aws::settings::Settings::default()
            },
            shape: Shape::default(),
            alert_grace: 2,
            speed: 1,
        }
    }

    /// The members, whose REST APIs answer at `addresses`. Nothing connects to their PostgreSQL.
    pub(super) fn specs(&self, addresses: &[SocketAddr]) -> Vec<Spec> {
        let superseded = self.patroni.loop_wait / (self.members as u64 + 1);
        let spec = |(index, address): (usize, &SocketAddr)| {
            let host = format!("172.31.1.{}", 11 + index);
            let spec = Spec::new(&format!("pg{}", index + 1), &host, superseded * index as u64);
            Spec { rest: (Arc::from(address.ip().to_string()), address.port()), ..spec }
        };
        addresses.iter().enumerate().map(spec).collect()
    }
}

/// The configuration of `repoint` for the site.
pub(super) fn configuration(site: &Site, endpoint: &str, state_file: &str) -> String {
    let grace = site.alert_grace;
    let spec = &site.resources.spec;
    let members: Vec<String> = spec
        .sites
        .iter()
        .flat_map(|site| &site.members)
        .map(|url| format!("{:?}", url.to_string()))
        .collect();
    let mut text = format!(
        "[aws]\nregion = {:?}\nendpoint_url = {endpoint:?}\n\n[state]\nfile = {state_file:?}\n\n\
         [alerts]\nsns_topic_arn = {:?}\ngrace_seconds = {grace}\n\n[[cluster]]\nscope = {:?}\nmembers = [{}]\n",
        site.account.region,
        site.resources.topic,
        spec.scope.as_str(),
        members.join(", "),
    );
    for group in &spec.groups {
        let _ = write!(text, "\n  [[cluster.target_group]]\n  arn = {:?}\n", group.arn.as_str());
        if let GroupRole::Reader { max_lag_bytes, primary_fallback } = group.role {
            let _ = writeln!(text, "  role = \"reader\"\n  {}", readers(max_lag_bytes, primary_fallback));
        }
        let _ = match &group.strategy {
            Strategy::Exclusive => Ok(()),
            Strategy::Warm { deregister_after_ms } => {
                let seconds = deregister_after_ms / 1000;
                writeln!(text, "  strategy = \"warm\"\n  deregister_after_seconds = {seconds}")
            }
            Strategy::Weighted { listeners, member } => {
                let listeners: Vec<&str> = listeners.iter().map(ListenerArn::as_str).collect();
                let member = member.as_str();
                writeln!(text, "  strategy = \"weighted\"\n  listener = {listeners:?}\n  member = {member:?}")
            }
        };
    }
    for record in &spec.records {
        let place = &record.key.place;
        let _ = write!(
            text,
            "\n  [[cluster.record]]\n  zone_id = {:?}\n  name = {:?}\n  type = {:?}\n",
            place.zone.as_str(),
            place.name.as_str(),
            place.record_type.as_str(),
        );
        if let Some(identifier) = &record.key.set_identifier {
            let _ = writeln!(text, "  set_identifier = {:?}", identifier.as_str());
        }
        if let Some(end) = record.failover {
            let end = if end == Failover::Primary { "PRIMARY" } else { "SECONDARY" };
            let _ = writeln!(text, "  failover = {end:?}");
        }
        let _ = match record.points_to {
            PointsTo::Primary => writeln!(text, "  points_to = \"primary\""),
            PointsTo::Standby => writeln!(text, "  points_to = \"standby\""),
            PointsTo::Site => writeln!(text, "  points_to = \"site\""),
            PointsTo::Readers { max_lag_bytes, primary_fallback } => {
                let readers = readers(max_lag_bytes, primary_fallback);
                writeln!(text, "  points_to = \"readers\"\n  {readers}")
            }
        };
    }
    text
}

fn readers(max_lag_bytes: u64, primary_fallback: bool) -> String {
    format!("max_lag_bytes = {max_lag_bytes}\n  primary_fallback = {primary_fallback}")
}

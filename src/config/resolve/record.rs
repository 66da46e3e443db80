//! The records of a cluster.

use std::net::IpAddr;

use toml::Spanned;

use super::Resolver;
use super::group::MAX_LAG_BYTES;
use crate::config::file::{self, Record};
use repoint_domain::spec::{PointsTo, RecordSpec, Site};
use repoint_domain::values::assume::AssumedRole;
use repoint_domain::values::cluster::EntryName;
use repoint_domain::values::endpoint::Endpoint;
use repoint_domain::values::host::is_name;
use repoint_domain::values::record::{RecordKey, RecordName, RecordPlace, RecordType, SetIdentifier, ZoneId};

/// The most that Route 53 takes as a TTL (`ResourceRecordSet`, `TTL`).
const LONGEST_TTL: u32 = 2_147_483_647;
/// The longest name, in bytes, its last dot included (Route 53 Developer Guide, "DNS domain name format").
const LONGEST_RECORD_NAME: usize = 255;

impl Resolver<'_> {
    pub(super) fn record(
        &mut self,
        entry: &EntryName,
        sites: &[Site],
        record: &Record,
        role: Option<&AssumedRole>,
    ) -> Option<RecordSpec> {
        let zone = self.spanned(&record.zone_id, "cluster.record.zone_id", zone_id);
        let name = self.spanned(&record.name, "cluster.record.name", record_name);
        for (key, text) in [
            ("cluster.record.set_identifier", &record.set_identifier),
            ("cluster.record.health_check_id", &record.health_check_id),
        ] {
            if let Some(empty) = text.as_ref().filter(|text| text.get_ref().trim().is_empty()) {
                self.push_error(&empty.span(), key, "it is empty");
            }
        }
        if let Some(ttl) = record.ttl.as_ref().filter(|ttl| *ttl.get_ref() > LONGEST_TTL) {
            let message = format!("it is above {LONGEST_TTL}, the most that Route 53 takes");
            self.push_error(&ttl.span(), "cluster.record.ttl", message);
        }
        match (&record.failover, &record.set_identifier) {
            (Some(failover), None) => {
                let message = "a failover record needs a `set_identifier` beside it";
                self.push_error(&failover.span(), "cluster.record.failover", message);
            }
            (None, Some(identifier)) => {
                let message = "it needs `failover = \"PRIMARY\"` or `\"SECONDARY\"` beside it; a simple record has none";
                self.push_error(&identifier.span(), "cluster.record.set_identifier", message);
            }
            _ => {}
        }
        let points_to = self.points_to(sites, record);
        let assume = self.role_of_record(record, role);
        let key = RecordKey {
            place: RecordPlace { zone: zone?, name: name?, record_type: record.kind },
            set_identifier: record.set_identifier.as_ref().map(|id| SetIdentifier::new(id.get_ref())),
        };
        self.has_one_role(&key.place, assume.as_ref(), record);
        self.claim(entry, Endpoint::Record(key.clone()), &record.name.span(), "cluster.record.name");
        Some(RecordSpec {
            key,
            failover: record.failover.as_ref().map(|failover| *failover.get_ref()),
            points_to: points_to?,
            ttl_seconds: record.ttl.as_ref().map(|ttl| *ttl.get_ref()),
            health_check_id: record.health_check_id.as_ref().map(|id| id.get_ref().clone()),
            assume,
        })
    }

    fn points_to(&mut self, sites: &[Site], record: &Record) -> Option<PointsTo> {
        let (lag, fallback) = (&record.max_lag_bytes, &record.primary_fallback);
        if !matches!(record.points_to.get_ref(), file::PointsTo::Readers) {
            let message = "it is for readers: put `points_to = \"readers\"` beside it";
            let spans = [lag.as_ref().map(Spanned::span), fallback.as_ref().map(Spanned::span)];
            for (key, span) in ["max_lag_bytes", "primary_fallback"].into_iter().zip(spans) {
                if let Some(span) = span {
                    self.push_error(&span, &format!("cluster.record.{key}"), message);
                }
            }
        }
        match record.points_to.get_ref() {
            file::PointsTo::Primary => Some(PointsTo::Primary),
            file::PointsTo::Site => {
                self.points_to_site(sites, record);
                Some(PointsTo::Site)
            }
            file::PointsTo::Standby => Some(PointsTo::Standby),
            file::PointsTo::Readers if record.kind == RecordType::Cname => {
                let message = "a CNAME has one value, and there may be several readers: use `A` or `AAAA`";
                self.push_error(&record.points_to.span(), "cluster.record.points_to", message);
                None
            }
            file::PointsTo::Readers => Some(PointsTo::Readers {
                max_lag_bytes: lag.as_ref().map_or(MAX_LAG_BYTES, |lag| *lag.get_ref()),
                primary_fallback: fallback.as_ref().is_none_or(|fallback| *fallback.get_ref()),
            }),
        }
    }
}

pub(super) fn zone_id(text: &str) -> Result<ZoneId, &'static str> {
    let id = text.strip_prefix("/hostedzone/").unwrap_or(text);
    let fits = !id.is_empty() && id.len() <= 32 && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    fits.then(|| ZoneId::new(id)).ok_or("it is no id of a hosted zone; one looks like Z0123456789ABCDEFGHIJ")
}

/// A name that a client can look up: letters, digits, `-` and `_`, or a `*` for a first label. Route 53 itself takes any
/// byte, and makes a record of `https://db.example.com`.
pub(super) fn record_name(text: &str) -> Result<RecordName, String> {
    let name = RecordName::new(text);
    let plain = name.as_str().strip_suffix('.').unwrap_or_default();
    let host = plain.strip_prefix("\\052.").unwrap_or(plain);
    if is_name(host) && name.as_str().len() <= LONGEST_RECORD_NAME {
        return Ok(name);
    }
    let odd = text.chars().find(|message| !message.is_ascii_alphanumeric() && !"-_.*\\".contains(*message));
    Err(match odd {
        _ if text.contains("://") => "it is a URL, and a record's name is the host name in it alone".to_owned(),
        Some(' ' | '\t' | '\n') => "a record's name has no spaces".to_owned(),
        Some(':') => "a record's name has no port".to_owned(),
        Some('/') => "a record's name has no path".to_owned(),
        Some(odd) if !odd.is_ascii() => {
            format!("it has `{odd}`: write an internationalised name in its ASCII form, `xn--…`")
        }
        Some('@') => "it has an at sign, which no host name has".to_owned(),
        Some(odd) => format!("it has `{odd}`, which no host name has"),
        None if host.contains("\\052") => "`*` can only be the whole first label, as in *.example.com".to_owned(),
        None if text.parse::<IpAddr>().is_ok() => "it is an address, and not a name".to_owned(),
        None => {
            "it is no DNS name: labels of 1 to 63 letters, digits, `-` and `_`, with dots between, of 255 bytes at most"
                .to_owned()
        }
    })
}

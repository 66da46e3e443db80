//! The addresses that members publish.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::doctor::check::{Check, Judge, Judgement, NotChecked, Severity, Wrong};
use crate::doctor::facts::patroni::ListedMember;
use crate::doctor::subject::Site;
use crate::observed::Read;
use crate::values::cluster::{ApiUrl, MemberName};
use crate::values::host::{is_fit, is_loopback, is_name};

pub const CHECK: Check = Check {
    id: "member_address",
    severity: Severity::Critical,
    title: "A member publishes an address that others cannot use",
    why: "Other members and repoint reach a member where its `connect_address` says. Behind 127.0.0.1, 0.0.0.0 or a name that does \
          not resolve, its replicas cannot stream from it, other members cannot ask for its position before an election, and repoint \
          cannot register it.",
    link: "https://patroni.readthedocs.io/en/latest/yaml_configuration.html",
    judge: Judge::Site(judge),
};

fn judge(site: &Site<'_>) -> Judgement {
    let (mut found, mut unread) = (Vec::new(), None);
    let mut seen = BTreeSet::new();
    // One that does not run has published nothing yet, or what it had before.
    for member in site.view()?.members.iter().filter(|member| member.runs()) {
        let mut add = |setting: &str, what: String| {
            let remedy = format!(
                "in patroni.yml of {}, an address that all machines can use as `{setting}.connect_address`; then: patronictl reload {} {}",
                member.name, site.spec.scope, member.name
            );
            found.push(Wrong::new(format!("{}: {what}", member.name), remedy));
        };
        match member.api_url.as_deref().filter(|url| !url.is_empty()) {
            None => add("restapi", "api_url is missing".to_owned()),
            Some(url) => match ApiUrl::parse(base(url)) {
                Err(error) => add("restapi", format!("api_url {url}: {error}")),
                Ok(parsed) if !seen.insert(parsed.to_string()) => {
                    add("restapi", format!("api_url {url} is another member's, too"));
                }
                Ok(parsed) => match host(site, parsed.host()) {
                    Ok(None) => {}
                    Ok(Some(why)) => add("restapi", format!("api_url {url} {why}")),
                    Err(why) => unread = Some(why),
                },
            },
        }
        if is_configured_elsewhere(site, member) {
            continue;
        }
        match member.host.as_deref().filter(|host| !host.is_empty()) {
            None => add("postgresql", "host is missing".to_owned()),
            Some(own) => match host(site, own) {
                Ok(None) => {}
                Ok(Some(why)) => add("postgresql", format!("host {own} {why}")),
                Err(why) => unread = Some(why),
            },
        }
    }
    match unread {
        Some(why) if found.is_empty() => Err(why),
        _ => Ok(found),
    }
}

/// `api_url` ends in `/patroni`.
fn base(url: &str) -> &str {
    url.strip_suffix("/patroni").unwrap_or(url)
}

/// Whether the configuration says where clients reach it.
fn is_configured_elsewhere(site: &Site<'_>, member: &ListedMember) -> bool {
    site.spec.addresses.contains_key(&MemberName::new(&member.name))
}

/// Why other machines cannot use a host.
fn host(site: &Site<'_>, host: &str) -> Result<Option<&'static str>, NotChecked> {
    let is_fit = |address: IpAddr| is_fit(address) || (site.is_local() && is_loopback(address));
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok((!is_fit(address)).then_some("is an address that other machines cannot use"));
    }
    if !is_name(host) {
        return Ok(Some("is neither one address nor one host name"));
    }
    let resolved: Option<&Read<Vec<IpAddr>>> = site.cluster.its.observed.names.get(host);
    match resolved {
        Some(Ok(addresses)) if !addresses.iter().any(|address| is_fit(*address)) => {
            Ok(Some("resolves to no address that other machines can use"))
        }
        Some(Err(failure)) => Err(failure.into()),
        // A pass resolves what an endpoint needs; a name that none needs is not known to be wrong.
        Some(Ok(_)) | None => Ok(None),
    }
}

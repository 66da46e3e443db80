//! This machine's own name in its hosts file.

use crate::doctor::check::{Check, Judge, Judgement, Severity, fine, wrong};
use crate::doctor::facts::node::HostsLine;
use crate::doctor::subject::File;
use crate::values::host::is_loopback;

pub const CHECK: Check = Check {
    id: "own_name_on_loopback",
    severity: Severity::Warning,
    title: "This machine's hosts file has its own name at a loopback address",
    why: "Patroni publishes that name as the member's address. On this machine it is 127.0.1.1 (Debian's installer and cloud-init write \
          that), and elsewhere the real address: programs on this machine cannot use what the cluster says of it, and repoint registers \
          no address that only one machine believes in.",
    link: "https://patroni.readthedocs.io/en/latest/yaml_configuration.html",
    judge: Judge::File(judge),
};

fn judge(file: &File<'_>) -> Judgement {
    let addresses = [
        ("postgresql", &file.its.postgresql_connect_address),
        ("restapi", &file.its.restapi_connect_address),
    ];
    let mut names = addresses
        .into_iter()
        .filter_map(|(setting, address)| Some((setting, host(address.as_deref()?))))
        .peekable();
    let Some(hosts) = file.node.hosts.as_ref().filter(|_| names.peek().is_some()) else { return fine() };
    let hosts = hosts.as_ref()?;
    let found = names.find_map(|(setting, name)| {
        let on_loopback = |(address, names): &&HostsLine| {
            address.parse().is_ok_and(is_loopback) && names.iter().any(|its| its.eq_ignore_ascii_case(name))
        };
        hosts.iter().find(on_loopback).map(|(address, _)| (setting, name, address))
    });
    match found {
        None => fine(),
        // A cluster on one machine.
        Some((_, "localhost", _)) if file.site.is_local() => fine(),
        Some((setting, name, address)) => wrong(
            format!("/etc/hosts has {address} {name}, and {setting}.connect_address is {name}"),
            format!(
                "remove {name} from the line {address} of /etc/hosts, or give {setting}.connect_address in {} as an address; then: {}",
                file.path,
                file.reload()
            ),
        ),
    }
}

/// The host of `HOST:PORT`.
fn host(address: &str) -> &str {
    address.rsplit_once(':').map_or(address, |(host, _)| host)
}

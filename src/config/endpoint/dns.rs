//! Names and zones of record sets, of a cluster's records and of the aliases of its sites.

use std::net::IpAddr;

use repoint_domain::values::host::is_name;
use repoint_domain::values::record::{RecordName, ZoneId};

/// The longest name, in bytes, including its final dot (Route 53 Developer Guide, "DNS domain name format").
const LONGEST_RECORD_NAME: usize = 255;

pub fn zone_id(text: &str) -> Result<ZoneId, &'static str> {
    let id = text.strip_prefix("/hostedzone/").unwrap_or(text);
    let fits = !id.is_empty() && id.len() <= 32 && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    fits.then(|| ZoneId::new(id)).ok_or("it must be the id of a hosted zone, such as Z0123456789ABCDEFGHIJ")
}

/// Parses a name that clients can resolve: letters, digits, `-` and `_`, or `*` as the first label. Route 53 itself
/// accepts any byte, even the name `https://db.example.com`.
pub fn record_name(text: &str) -> Result<RecordName, String> {
    let name = RecordName::new(text);
    let plain = name.as_str().strip_suffix('.').unwrap_or_default();
    let host = plain.strip_prefix("\\052.").unwrap_or(plain);
    if is_name(host) && name.as_str().len() <= LONGEST_RECORD_NAME {
        return Ok(name);
    }
    let odd = text.chars().find(|message| !message.is_ascii_alphanumeric() && !"-_.*\\".contains(*message));
    Err(match odd {
        _ if text.contains("://") => "it is a URL: a record's name is only the host name".to_owned(),
        Some(' ' | '\t' | '\n') => "it contains a space: a record's name must not".to_owned(),
        Some(':') => "it contains a colon: a record's name has no port".to_owned(),
        Some('/') => "it contains a slash: a record's name has no path".to_owned(),
        Some(odd) if !odd.is_ascii() => {
            format!("it contains `{odd}`: write an internationalised name in its ASCII form, `xn--…`")
        }
        Some('@') => "it contains an at sign, which is invalid in a host name".to_owned(),
        Some(odd) => format!("it contains `{odd}`, which is invalid in a host name"),
        None if host.contains("\\052") => "`*` is valid only as the whole first label, as in *.example.com".to_owned(),
        None if text.parse::<IpAddr>().is_ok() => "it is an address, not a name".to_owned(),
        None => {
            "it is not a DNS name: labels of 1 to 63 letters, digits, `-` and `_`, separated by dots, at most 255 bytes"
                .to_owned()
        }
    })
}

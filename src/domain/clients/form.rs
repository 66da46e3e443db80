//! The forms in which clients take a server, quoted as each of them wants it.
//!
//! The user, the database and the rest are the client's own: each form can be added to.

use std::fmt::Write as _;

use super::{Node, Nodes};

/// How long libpq tries a host, in seconds, before it tries the next one: without a limit a host that drops packets holds a
/// new connection for some two minutes. The request to connect is sent again after 1 s.
const CONNECT_TIMEOUT_SECONDS: &str = "3";

/// All of them, as libpq's `key=value` pairs ("Connection Strings"). A parameter that follows has the last word.
#[must_use]
pub fn hosts(nodes: &Nodes) -> String {
    let pairs = parameters(nodes);
    let pairs = pairs.iter().map(|(key, value)| format!("{key}={}", conninfo(value)));
    pairs.collect::<Vec<_>>().join(" ")
}

/// One of them, as libpq's `key=value` pairs.
#[must_use]
pub fn dsn(node: &Node) -> String {
    format!("host={} port={}", conninfo(&node.address.host), node.address.port)
}

/// One of them, as a URL that ends where the name of the database begins.
#[must_use]
pub fn url(node: &Node) -> String {
    let (host, port) = (&node.address.host, node.address.port);
    let host = if host.contains(':') { format!("[{}]", encoded(host)) } else { encoded(host) };
    format!("postgresql://{host}:{port}/")
}

/// One of them, as the lines of a shell or of an environment file.
#[must_use]
pub fn env(node: &Node) -> String {
    format!("PGHOST={}\nPGPORT={}", shell(&node.address.host), node.address.port)
}

/// The parameters that libpq tries all of them with.
pub(super) fn parameters(nodes: &Nodes) -> [(&'static str, String); 4] {
    let hosts: Vec<&str> = nodes.all().map(|node| node.address.host.as_str()).collect();
    let mut ports: Vec<String> = nodes.all().map(|node| node.address.port.to_string()).collect();
    // One port counts for all hosts.
    if ports.iter().all(|port| *port == ports[0]) {
        ports.truncate(1);
    }
    [
        ("host", hosts.join(",")),
        ("port", ports.join(",")),
        ("target_session_attrs", nodes.target_session_attrs.to_owned()),
        ("connect_timeout", CONNECT_TIMEOUT_SECONDS.to_owned()),
    ]
}

/// A value of a `key=value` pair: quoted where it is empty or has spaces, quotes or backslashes.
fn conninfo(value: &str) -> String {
    let is_plain = |one: char| !(one.is_whitespace() || one == '\'' || one == '\\');
    if !value.is_empty() && value.chars().all(is_plain) {
        return value.to_owned();
    }
    format!("'{}'", value.replace('\\', r"\\").replace('\'', r"\'"))
}

/// A word of a POSIX shell: quoted where it has any character that one could take for something else.
fn shell(value: &str) -> String {
    let is_plain = |one: char| one.is_ascii_alphanumeric() || "._:-".contains(one);
    if !value.is_empty() && value.chars().all(is_plain) {
        return value.to_owned();
    }
    format!("'{}'", value.replace('\'', r"'\''"))
}

/// The host of a URL: every byte encoded that RFC 3986 does not allow there as it is.
fn encoded(host: &str) -> String {
    let mut encoded = String::with_capacity(host.len());
    for byte in host.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b':' => {
                encoded.push(char::from(byte));
            }
            byte => drop(write!(encoded, "%{byte:02X}")),
        }
    }
    encoded
}

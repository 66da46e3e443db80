//! A connection string as libpq reads it: a URL, or `key=value` pairs (PostgreSQL, "Connection Strings"). The environment
//! fills in what it does not have.
//!
//! A parameter that would be passed over silently could make a drill measure something else than the application, so an
//! unknown one is an error.

use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;

use crate::config::Environment;

/// The parameters that have an effect, each with its variable.
const PARAMETERS: [(&str, &str); 14] = [
    ("host", "PGHOST"),
    ("hostaddr", "PGHOSTADDR"),
    ("port", "PGPORT"),
    ("user", "PGUSER"),
    ("password", "PGPASSWORD"),
    ("dbname", "PGDATABASE"),
    ("passfile", "PGPASSFILE"),
    ("sslmode", "PGSSLMODE"),
    ("sslrootcert", "PGSSLROOTCERT"),
    ("sslcert", "PGSSLCERT"),
    ("sslkey", "PGSSLKEY"),
    ("options", "PGOPTIONS"),
    ("application_name", "PGAPPNAME"),
    ("target_session_attrs", "PGTARGETSESSIONATTRS"),
];

/// Parameters that change nothing of what is measured: an attempt has a time limit of its own.
const WITHOUT_EFFECT: [&str; 10] = [
    "client_encoding",
    "connect_timeout",
    "fallback_application_name",
    "keepalives",
    "keepalives_count",
    "keepalives_idle",
    "keepalives_interval",
    "sslcompression",
    "sslsni",
    "tcp_user_timeout",
];

/// Why a connection string cannot be used. No message has a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DsnError {
    /// It does not have the form.
    #[error("{0}")]
    Form(String),
    /// A parameter that is not supported.
    #[error("the parameter `{0}` is not supported; supported are {supported}", supported = supported())]
    Unsupported(String),
    /// A value that is not supported.
    #[error("`{0}`: {1}")]
    Value(&'static str, String),
}

fn supported() -> String {
    PARAMETERS.map(|(name, _)| name).join(", ")
}

/// The parameters of a connection.
#[derive(Clone, PartialEq, Eq)]
pub struct Parameters(BTreeMap<String, String>);

impl Parameters {
    /// Reads a connection string; what it does not have is taken from the environment.
    ///
    /// # Errors
    /// If it is malformed, or has something that is not supported.
    pub fn read(dsn: Option<&str>, environment: &Environment) -> Result<Self, DsnError> {
        let mut given = dsn.map_or_else(|| Ok(BTreeMap::new()), parse)?;
        if let Some(negotiation) = given.remove("gssencmode").filter(|mode| mode == "require") {
            return Err(DsnError::Value("gssencmode", format!("`{negotiation}` is not supported")));
        }
        given.retain(|name, _| !WITHOUT_EFFECT.contains(&name.as_str()));
        let is_known = |name: &str| PARAMETERS.iter().any(|(known, _)| *known == name);
        if let Some(unknown) = given.keys().find(|name| !is_known(name)) {
            return Err(DsnError::Unsupported(unknown.clone()));
        }
        if environment.get(&["PGSERVICE"]).is_some() {
            return Err(DsnError::Unsupported("service (PGSERVICE)".to_owned()));
        }
        for (name, variable) in PARAMETERS {
            if let Some((_, value)) = environment.get(&[variable]) {
                given.entry(name.to_owned()).or_insert_with(|| value.to_owned());
            }
        }
        given.retain(|_, value| !value.is_empty());
        Ok(Self(given))
    }

    /// The value of a parameter.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

/// Reads either form.
fn parse(dsn: &str) -> Result<BTreeMap<String, String>, DsnError> {
    let dsn = dsn.trim();
    match dsn.strip_prefix("postgresql://").or_else(|| dsn.strip_prefix("postgres://")) {
        Some(rest) => url(rest),
        None => pairs(dsn),
    }
}

fn form(message: &str) -> DsnError {
    DsnError::Form(message.to_owned())
}

/// `[user[:password]@][host][:port][,…][/dbname][?name=value[&…]]`
fn url(rest: &str) -> Result<BTreeMap<String, String>, DsnError> {
    let mut given = BTreeMap::new();
    let mut add = |name: &str, value: &str| {
        let value = decoded(value)?;
        if !value.is_empty() {
            given.insert(name.to_owned(), value);
        }
        Ok::<_, DsnError>(())
    };
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    // A `/` in a password has to be encoded, as libpq wants it.
    let (authority, database) = rest.split_once('/').unwrap_or((rest, ""));
    let (login, hosts) = authority.rsplit_once('@').unwrap_or(("", authority));
    let (user, password) = login.split_once(':').unwrap_or((login, ""));
    add("user", user)?;
    add("password", password)?;
    let places = hosts.split(',').map(place).collect::<Result<Vec<_>, _>>()?;
    add("host", &places.iter().map(|(host, _)| *host).collect::<Vec<_>>().join(","))?;
    if places.iter().any(|(_, port)| !port.is_empty()) {
        add("port", &places.iter().map(|(_, port)| *port).collect::<Vec<_>>().join(","))?;
    }
    add("dbname", database)?;
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) =
            pair.split_once('=').ok_or_else(|| form("a parameter after the `?` of the URL has no `=`"))?;
        match (name, value) {
            ("ssl", "true") => add("sslmode", "require")?,
            _ => add(&decoded(name)?, value)?,
        }
    }
    Ok(given)
}

/// A host, which may be an IPv6 address in brackets, and its port.
fn place(text: &str) -> Result<(&str, &str), DsnError> {
    let Some(v6) = text.strip_prefix('[') else { return Ok(text.rsplit_once(':').unwrap_or((text, ""))) };
    let (host, after) =
        v6.split_once(']').ok_or_else(|| form("the IPv6 address in the URL has no closing `]`"))?;
    match after.strip_prefix(':') {
        Some(port) => Ok((host, port)),
        None if after.is_empty() => Ok((host, "")),
        None => Err(form("after the IPv6 address in the URL only `:` and a port may follow")),
    }
}

fn decoded(text: &str) -> Result<String, DsnError> {
    let decoded = percent_decode_str(text).decode_utf8();
    decoded.map(String::from).map_err(|_| form("a percent-encoded part of the URL is not UTF-8"))
}

/// `name = value` pairs; a value with white space is in single quotes, and `\` escapes a quote or itself.
fn pairs(text: &str) -> Result<BTreeMap<String, String>, DsnError> {
    let mut given = BTreeMap::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let (name, after) = rest.split_once('=').ok_or_else(|| {
            form("it is neither a URL (postgresql://…) nor made of name=value pairs: a `=` is missing")
        })?;
        let name = name.trim_end();
        if name.is_empty() || name.contains(char::is_whitespace) {
            return Err(form("a parameter has no `=`, or a value with white space has no quotes"));
        }
        let (value, after) = value(after.trim_start())?;
        given.insert(name.to_owned(), value);
        rest = after.trim_start();
    }
    Ok(given)
}

/// The value at the beginning, and what comes after it.
fn value(text: &str) -> Result<(String, &str), DsnError> {
    let quoted = text.strip_prefix('\'');
    let text = quoted.unwrap_or(text);
    let (mut value, mut is_escaped) = (String::new(), false);
    for (at, one) in text.char_indices() {
        match one {
            _ if is_escaped => {
                value.push(one);
                is_escaped = false;
            }
            '\\' => is_escaped = true,
            '\'' if quoted.is_some() => return Ok((value, &text[at + 1..])),
            one if quoted.is_none() && one.is_whitespace() => return Ok((value, &text[at..])),
            one => value.push(one),
        }
    }
    if quoted.is_some() { Err(form("a quoted value has no closing quote")) } else { Ok((value, "")) }
}

//! Why a member could not be asked, and what to do.

use std::error::Error;
use std::io;
use std::time::{Duration, SystemTime};

use rustix::io::Errno;
use rustls::pki_types::{ServerName, UnixTime};
use rustls::{AlertDescription, CertificateError, InvalidMessage};

use crate::adapters::tls::is_authority;
use repoint_domain::values::cluster::ApiUrl;
use repoint_domain::values::text;

/// The most names of a certificate that are listed.
const MOST_NAMES: usize = 8;

const CERTIFICATE_WANTED: &str = "the member requires a client certificate (Patroni's `restapi.verify_client`): \
    set `patroni.certificate_file` and `patroni.key_file`";

/// What a reason depends on besides the error.
#[derive(Clone, Copy, Debug)]
pub struct Reasons {
    /// Whether `patroni.ca_file` is set.
    pub has_ca: bool,
    /// Whether there is a client certificate.
    pub has_identity: bool,
}

impl Reasons {
    /// The cause in a few words: "connection refused" rather than "error sending request for url".
    pub fn of(self, url: &ApiUrl, error: &reqwest::Error) -> String {
        text::message(&self.words(url, error))
    }

    fn words(self, url: &ApiUrl, error: &reqwest::Error) -> String {
        if error.is_timeout() {
            let what = match (error.is_connect(), url.is_https()) {
                (true, true) => "no TLS connection",
                (true, false) => "no connection",
                (false, _) => "no complete answer",
            };
            return format!("{what} before the timeout");
        }
        let causes = causes(error);
        if let Some(tls) = causes.iter().find_map(|cause| cause.downcast_ref()) {
            return self.of_tls(tls);
        }
        if causes.iter().any(|cause| cause.downcast_ref().is_some_and(is_out_of_files)) {
            return "repoint has reached its limit of open files and connections: raise it (`LimitNOFILE=` in the unit, \
                    `ulimit -n` in a shell)"
                .to_owned();
        }
        let deepest = causes.last().map_or_else(|| error.to_string(), ToString::to_string);
        match (error.is_connect(), error.is_request(), url.is_https()) {
            (true, _, true) if is_end(error) => {
                "the member closed the connection during the TLS handshake".to_owned()
            }
            (false, true, true) if !self.has_identity => format!(
                "{deepest}; if the member requires a client certificate (Patroni's `restapi.verify_client`), set \
                 `patroni.certificate_file` and `patroni.key_file`"
            ),
            (false, true, false) => {
                format!("{deepest}; if Patroni's `restapi` has a `certfile`, use https:// in the URL")
            }
            _ => deepest,
        }
    }

    fn of_tls(self, error: &rustls::Error) -> String {
        match error {
            rustls::Error::InvalidCertificate(error) => self.of_certificate(error),
            rustls::Error::AlertReceived(alert) => self.of_alert(*alert),
            rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType) => {
                "the member answers without TLS: use http:// in the URL, or set `certfile` in Patroni's `restapi`"
                    .to_owned()
            }
            rustls::Error::PeerIncompatible(_) => no_common_version(&error.to_string()),
            other => format!("TLS failed: {other}"),
        }
    }

    fn of_certificate(self, error: &CertificateError) -> String {
        match error {
            CertificateError::UnknownIssuer if self.has_ca => {
                "the member's certificate is signed by no authority in `patroni.ca_file`: add the authority's certificate, \
                 or the member's own, to that file (intermediate certificates belong in Patroni's `restapi.certfile`)"
                    .to_owned()
            }
            CertificateError::UnknownIssuer => {
                "the member's certificate is signed by no authority that the system trusts: set `patroni.ca_file` to a \
                 file with the authority's certificate or the member's own"
                    .to_owned()
            }
            CertificateError::NotValidForNameContext { expected, presented } => wrong_name(expected, presented),
            CertificateError::ExpiredContext { time, not_after } => format!(
                "the member's certificate expired on {}: renew it, or correct this machine's clock (now {})",
                date(*not_after),
                date(*time)
            ),
            CertificateError::NotValidYetContext { time, not_before } => format!(
                "the member's certificate is not valid before {}: correct this machine's clock (now {}), or wait",
                date(*not_before),
                date(*time)
            ),
            error if is_authority(error) => {
                "the member's certificate is that of an authority (`CA:TRUE`, as `openssl req -x509` creates it), and is not \
                 in `patroni.ca_file`: add this certificate to the file"
                    .to_owned()
            }
            CertificateError::BadSignature => {
                "a signature is invalid: either the member does not have the key of its certificate, or another authority with \
                 the name of a trusted one has signed it; compare Patroni's `restapi.certfile` and `restapi.keyfile`"
                    .to_owned()
            }
            error => format!("the member's certificate is not acceptable: {error}"),
        }
    }

    fn of_alert(self, alert: AlertDescription) -> String {
        use AlertDescription as Alert;
        match (alert, self.has_identity) {
            (Alert::CertificateRequired | Alert::BadCertificate, false) => CERTIFICATE_WANTED.to_owned(),
            (Alert::HandshakeFailure, false) => {
                format!("the member ended the TLS handshake; perhaps {CERTIFICATE_WANTED}")
            }
            (Alert::CertificateExpired, true) => {
                "the member refuses the client certificate in `patroni.certificate_file` because it has expired: renew it"
                    .to_owned()
            }
            (
                Alert::UnknownCA
                | Alert::BadCertificate
                | Alert::CertificateUnknown
                | Alert::CertificateRequired
                | Alert::CertificateRevoked
                | Alert::UnsupportedCertificate
                | Alert::AccessDenied
                | Alert::DecryptError,
                true,
            ) => format!(
                "the member refuses the client certificate in `patroni.certificate_file` ({alert:?}): it must be signed by \
                 an authority in Patroni's `restapi.cafile`, and be issued for client authentication"
            ),
            (Alert::ProtocolVersion, _) => no_common_version("ProtocolVersion"),
            _ => format!("the member ended the TLS connection ({alert:?})"),
        }
    }
}

fn no_common_version(what: &str) -> String {
    format!(
        "the member and repoint, which speaks TLS 1.2 and 1.3, have no version or cipher suite in common ({what})"
    )
}

fn wrong_name(expected: &ServerName<'_>, presented: &[String]) -> String {
    let expected_name = expected.to_str();
    let kind = if matches!(expected, ServerName::IpAddress(_)) { "IP" } else { "DNS" };
    let has = match presented {
        [] => "it has no addresses or names (a common name does not count)".to_owned(),
        names => {
            let mut listed: Vec<&str> = names.iter().take(MOST_NAMES).map(|name| bare(name)).collect();
            if names.len() > MOST_NAMES {
                listed.push("…");
            }
            format!("it is for {}", listed.join(", "))
        }
    };
    format!(
        "the member's certificate is not valid for {expected_name}, the host of its URL; {has}: issue a new one, for example with \
         `openssl req -x509 -addext subjectAltName={kind}:{expected_name}`, or set `patroni.verify_hostname = false`"
    )
}

/// `pg1` of webpki's `DnsName("pg1")`, `10.0.0.1` of its `IpAddress(10.0.0.1)`.
fn bare(name: &str) -> &str {
    let inner = name.split_once('(').and_then(|(_, inner)| inner.strip_suffix(')'));
    inner.unwrap_or(name).trim_matches('"')
}

fn date(time: UnixTime) -> String {
    httpdate::fmt_http_date(SystemTime::UNIX_EPOCH + Duration::from_secs(time.as_secs()))
}

fn is_out_of_files(error: &io::Error) -> bool {
    let code = error.raw_os_error();
    [Errno::MFILE, Errno::NFILE].iter().any(|errno| code == Some(errno.raw_os_error()))
}

/// Whether the connection ended without TLS's `close_notify`.
pub fn is_end(error: &(dyn Error + 'static)) -> bool {
    let is_end = |error: &io::Error| error.kind() == io::ErrorKind::UnexpectedEof;
    causes(error).iter().any(|cause| cause.downcast_ref().is_some_and(is_end))
}

/// An error and its causes, the deepest last. An [`io::Error`] exposes the error that it wraps through `get_ref`.
fn causes<'a>(error: &'a (dyn Error + 'static)) -> Vec<&'a (dyn Error + 'static)> {
    let mut found = Vec::new();
    let mut next = Some(error);
    while let Some(cause) = next {
        found.push(cause);
        let wrapped = cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = match wrapped {
            Some(wrapped) => Some(wrapped),
            None => cause.source(),
        };
    }
    found
}

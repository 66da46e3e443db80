//! Which TLS certificates of servers are accepted: of Patroni's members, and of PostgreSQL in a drill.
//!
//! A certificate is signed by a configured authority, or is itself configured; either way it must not have expired, and
//! the handshake proves that the server has its key. Its name is checked unless the configuration says otherwise.

use std::sync::{Arc, LazyLock};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{WebPkiSupportedAlgorithms, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use tracing::debug;

/// Which certificates are accepted.
#[derive(Clone, Copy, Debug)]
pub enum Accepted<'a> {
    /// Any: the connection is encrypted, and who the server is remains unknown.
    Any,
    /// Those that are trusted.
    Trusted {
        /// The authorities, or servers' own certificates; without any, the system's authorities.
        by: Option<&'a [CertificateDer<'static>]>,
        /// Whether the name has to be the server's.
        verify_hostname: bool,
    },
}

/// The client's TLS configuration.
///
/// # Errors
/// If a certificate to trust is invalid, or the library lacks a protocol version.
pub fn client(
    accepted: Accepted<'_>,
    identity: Option<Arc<CertifiedKey>>,
    protocol: &str,
) -> Result<ClientConfig, Error> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let algorithms = provider.signature_verification_algorithms;
    let trust = match accepted {
        Accepted::Any => None,
        Accepted::Trusted { by, verify_hostname } => Some(Trust::new(by, verify_hostname, algorithms)?),
    };
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Verifier { trust, algorithms }));
    let mut config = match identity {
        Some(pair) => config.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(pair))),
        None => config.with_no_client_auth(),
    };
    config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
    Ok(config)
}

/// The trusted certificates.
#[derive(Debug)]
struct Trust {
    /// The configured ones.
    configured: Option<RootCertStore>,
    /// Where none are configured. They are read at the first handshake: most members have no TLS.
    system: LazyLock<RootCertStore>,
    /// Servers' own certificates, compared byte for byte: `openssl req -x509` creates an authority's certificate
    /// (`CA:TRUE`), which webpki does not accept as a server's.
    own: Vec<CertificateDer<'static>>,
    verify_hostname: bool,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Trust {
    fn new(
        ca: Option<&[CertificateDer<'static>]>,
        verify_hostname: bool,
        algorithms: WebPkiSupportedAlgorithms,
    ) -> Result<Self, Error> {
        let configured = ca.map(|certificates| {
            let mut authorities = RootCertStore::empty();
            certificates.iter().try_for_each(|certificate| authorities.add(certificate.clone()))?;
            Ok::<_, Error>(authorities)
        });
        Ok(Self {
            configured: configured.transpose()?,
            system: LazyLock::new(system_authorities),
            own: ca.unwrap_or_default().to_vec(),
            verify_hostname,
            algorithms,
        })
    }

    fn verify(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        now: UnixTime,
    ) -> Result<(), Error> {
        let certificate = ParsedCertificate::try_from(end_entity)?;
        if self.own.contains(end_entity) {
            self.is_in_order(&certificate, now)?;
        } else {
            self.is_signed(&certificate, intermediates, now)?;
        }
        if self.verify_hostname {
            verify_server_name(&certificate, server_name)?;
        }
        Ok(())
    }

    fn is_signed(
        &self,
        certificate: &ParsedCertificate<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), Error> {
        let authorities = self.configured.as_ref().unwrap_or_else(|| &self.system);
        let algorithms = self.algorithms.all;
        verify_server_cert_signed_by_trust_anchor(certificate, authorities, intermediates, now, algorithms)
    }

    /// Checks everything but the signature's authority, which does not matter here. webpki checks the validity period
    /// first.
    fn is_in_order(&self, certificate: &ParsedCertificate<'_>, now: UnixTime) -> Result<(), Error> {
        let no_roots = RootCertStore::empty();
        match verify_server_cert_signed_by_trust_anchor(certificate, &no_roots, &[], now, self.algorithms.all)
        {
            Err(Error::InvalidCertificate(error)) if is_unsigned(&error) || is_authority(&error) => Ok(()),
            checked => checked,
        }
    }
}

fn system_authorities() -> RootCertStore {
    let system = rustls_native_certs::load_native_certs();
    for error in &system.errors {
        debug!("some of the system's certificate authorities cannot be read: {error}");
    }
    let mut authorities = RootCertStore::empty();
    authorities.add_parsable_certificates(system.certs);
    authorities
}

fn is_unsigned(error: &CertificateError) -> bool {
    matches!(error, CertificateError::UnknownIssuer)
}

/// Whether a certificate is rejected as a server's because it is an authority's.
#[must_use]
pub fn is_authority(error: &CertificateError) -> bool {
    let CertificateError::Other(other) = error else { return false };
    matches!(other.0.downcast_ref(), Some(webpki::Error::CaUsedAsEndEntity))
}

/// Checks what a server presents; without trust, that it has the key alone.
#[derive(Debug)]
struct Verifier {
    trust: Option<Trust>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if let Some(trust) = &self.trust {
            trust.verify(end_entity, intermediates, server_name, now)?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

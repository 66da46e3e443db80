//! Certificates and keys in PEM.
//!
//! An unusable file is refused when the configuration is read, with the specific mistake, and not at the first
//! handshake.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys};

/// The contents of `patroni.ca_file`.
#[derive(Clone)]
pub struct Authorities {
    /// Its path.
    pub path: PathBuf,
    /// Authorities, or the members' own certificates.
    pub certificates: Vec<CertificateDer<'static>>,
}

/// A client certificate with its key.
#[derive(Clone)]
pub struct Identity {
    /// The path of the certificate.
    pub certificate: PathBuf,
    /// The path of the key.
    pub key: PathBuf,
    /// Both; the key is never printed.
    pub pair: Arc<CertifiedKey>,
}

impl fmt::Debug for Authorities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authorities").field("path", &self.path).finish_non_exhaustive()
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("certificate", &self.certificate)
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}

/// Why a certificate and a key do not form a pair.
pub enum PairError {
    /// The certificate is at fault.
    Certificate(String),
    /// The key is at fault.
    Key(String),
}

/// The certificates of a file, each usable as a trust anchor.
///
/// # Errors
/// What is wrong with the file; the message continues after the file's name.
pub fn authorities(bytes: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let certificates = certificates(bytes)?;
    for (number, certificate) in (1..).zip(&certificates) {
        webpki::anchor_from_trusted_cert(certificate).map_err(|error| {
            format!("cannot be used: its certificate number {number} is damaged: {error}")
        })?;
    }
    Ok(certificates)
}

/// The certificates of a file, in its order.
///
/// # Errors
/// What is wrong with the file; the message continues after the file's name.
pub fn certificates(bytes: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let certificates: Vec<_> =
        CertificateDer::pem_slice_iter(bytes).collect::<Result<_, _>>().map_err(|error| damaged(&error))?;
    match certificates.as_slice() {
        [] if is_binary(bytes) => Err("is binary (DER or PKCS #12), not PEM: convert it, for example with \
             `openssl x509 -inform der -in FILE -out FILE.pem`"
            .to_owned()),
        [] if holds(bytes, "PRIVATE KEY-----") => Err("holds a private key and no certificate".to_owned()),
        [] => Err("holds no PEM certificate, which begins with `-----BEGIN CERTIFICATE-----`".to_owned()),
        _ => Ok(certificates),
    }
}

/// The private key of a file.
///
/// # Errors
/// What is wrong with the file; the message continues after the file's name.
pub fn private_key(bytes: &[u8]) -> Result<PrivateKeyDer<'static>, String> {
    if holds(bytes, "BEGIN ENCRYPTED PRIVATE KEY") || holds(bytes, "Proc-Type: 4,ENCRYPTED") {
        let message = "holds an encrypted key, which repoint cannot decrypt: write an unencrypted copy, for example with \
             `openssl pkey -in FILE -out FILE.plain`, which only repoint's user may read";
        return Err(message.to_owned());
    }
    PrivateKeyDer::from_pem_slice(bytes).map_err(|error| match error {
        pem::Error::NoItemsFound if is_binary(bytes) => {
            "is binary (DER or PKCS #12), not PEM: convert it, for example with \
             `openssl pkey -inform der -in FILE -out FILE.pem`"
                .to_owned()
        }
        pem::Error::NoItemsFound if holds(bytes, "BEGIN CERTIFICATE-----") => {
            "holds a certificate and no private key".to_owned()
        }
        pem::Error::NoItemsFound => "holds no PEM private key".to_owned(),
        error => damaged(&error),
    })
}

/// A certificate (first in its chain) and its key.
///
/// # Errors
/// If they do not belong together, or one of them is unusable.
pub fn pair(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<Arc<CertifiedKey>, PairError> {
    CertifiedKey::from_der(chain, key, &default_provider()).map(Arc::new).map_err(|error| match error {
        Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => PairError::Key(
            "does not belong to the first certificate in `patroni.certificate_file`".to_owned(),
        ),
        Error::InvalidCertificate(error) => {
            PairError::Certificate(format!("cannot be used: its first certificate is damaged: {error}"))
        }
        error => PairError::Key(format!("cannot be used: {error}")),
    })
}

fn damaged(error: &pem::Error) -> String {
    match error {
        pem::Error::MissingSectionEnd { .. } => "is damaged PEM: a section has no END line".to_owned(),
        error => format!("is damaged PEM: {error}"),
    }
}

fn holds(bytes: &[u8], words: &str) -> bool {
    bytes.windows(words.len()).any(|part| part == words.as_bytes())
}

/// Whether a file begins with an ASN.1 sequence, as every DER file with a certificate or a key does.
fn is_binary(bytes: &[u8]) -> bool {
    bytes.first() == Some(&0x30)
}

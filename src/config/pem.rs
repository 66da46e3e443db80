//! Certificates and keys, as PEM has them.
//!
//! Law: what cannot be used is refused when the configuration is read, with the mistake that was made, and not at the first
//! handshake.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys};

/// What `patroni.ca_file` holds.
#[derive(Clone)]
pub struct Authorities {
    /// Where it lies.
    pub path: PathBuf,
    /// Authorities, or the members' own certificates.
    pub certificates: Vec<CertificateDer<'static>>,
}

/// A client certificate and its key, which belong together.
#[derive(Clone)]
pub struct Identity {
    /// Where the certificate lies.
    pub certificate: PathBuf,
    /// Where the key lies.
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

/// Why two files are no pair of a certificate and its key.
pub enum PairError {
    /// It is the certificate's fault.
    Certificate(String),
    /// It is the key's.
    Key(String),
}

/// The certificates of a file, each fit to be trusted.
///
/// # Errors
/// What is wrong with it, after the file's name.
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
/// What is wrong with it, after the file's name.
pub fn certificates(bytes: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let certificates: Vec<_> =
        CertificateDer::pem_slice_iter(bytes).collect::<Result<_, _>>().map_err(|error| damaged(&error))?;
    match certificates.as_slice() {
        [] if is_binary(bytes) => Err("is not PEM but binary (DER or PKCS #12): convert it, as in \
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
/// What is wrong with it, after the file's name.
pub fn private_key(bytes: &[u8]) -> Result<PrivateKeyDer<'static>, String> {
    if holds(bytes, "BEGIN ENCRYPTED PRIVATE KEY") || holds(bytes, "Proc-Type: 4,ENCRYPTED") {
        let message = "holds an encrypted key, and repoint has no passphrase: write it without one, as in \
                       `openssl pkey -in FILE -out FILE.plain`, into a file that only repoint's user may read";
        return Err(message.to_owned());
    }
    PrivateKeyDer::from_pem_slice(bytes).map_err(|error| match error {
        pem::Error::NoItemsFound if is_binary(bytes) => {
            "is not PEM but binary (DER or PKCS #12): convert it, as in \
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
/// If they do not belong together, or one of them cannot be used.
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
        pem::Error::MissingSectionEnd { .. } => {
            "is damaged PEM: a section has no line that ends it".to_owned()
        }
        error => format!("is damaged PEM: {error}"),
    }
}

fn holds(bytes: &[u8], words: &str) -> bool {
    bytes.windows(words.len()).any(|part| part == words.as_bytes())
}

/// Whether it begins as every DER file does that holds a certificate, a key or both: with a sequence.
fn is_binary(bytes: &[u8]) -> bool {
    bytes.first() == Some(&0x30)
}

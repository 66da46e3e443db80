//! Certificates and keys that cannot be used: the key of the configuration, the file and the mistake are named.

use rcgen::{CertificateParams, KeyPair};
use tempfile::TempDir;

use super::{CLUSTER, check};
use crate::support::command::Repoint;

struct Files(TempDir);

impl Files {
    fn new() -> Self {
        let files = Self(TempDir::new().unwrap());
        let (key, other) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        let certificate =
            CertificateParams::new(vec!["repoint".to_owned()]).unwrap().self_signed(&key).unwrap();
        let cut = certificate.pem().replace("-----END", "-----");
        let armour = |name: &str| format!("-----BEGIN {name}-----\nAAAA\n-----END {name}-----\n");
        for (name, content) in [
            ("certificate.pem", certificate.pem().into_bytes()),
            ("certificate.der", certificate.der().to_vec()),
            ("key.pem", key.serialize_pem().into_bytes()),
            ("key.der", key.serialize_der()),
            ("other.pem", other.serialize_pem().into_bytes()),
            ("encrypted.pem", armour("ENCRYPTED PRIVATE KEY").into_bytes()),
            ("old.pem", b"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAAAA\n-----END RSA PRIVATE KEY-----\n".to_vec()),
            ("cut.pem", cut.into_bytes()),
            ("nonsense.pem", armour("CERTIFICATE").into_bytes()),
            ("text.pem", b"no certificate".to_vec()),
        ] {
            std::fs::write(files.0.path().join(name), content).unwrap();
        }
        files
    }

    async fn said(&self, keys: &[(&str, &str)]) -> String {
        let lines: String = keys
            .iter()
            .map(|(key, file)| format!("{key} = '{}'\n", self.0.path().join(file).display()))
            .collect();
        let ran = Repoint::new(format!("[patroni]\n{lines}{CLUSTER}")).run(&["check"]).await;
        assert!((ran.code == 2) != ran.stderr.is_empty(), "{ran}");
        let first = ran.stderr.lines().next().unwrap_or_default();
        first.replace(&format!("{}/", self.0.path().display()), "")
    }
}

#[tokio::test]
async fn a_ca_file_that_is_none_is_refused() {
    let files = Files::new();
    assert_eq!(files.said(&[("ca_file", "certificate.pem")]).await, "");
    let mut said = Vec::new();
    for file in ["certificate.der", "key.pem", "cut.pem", "nonsense.pem", "text.pem"] {
        said.push(files.said(&[("ca_file", file)]).await);
    }
    insta::assert_snapshot!(said.join("\n"), @"
    error: repoint.toml:2: `patroni.ca_file`: certificate.der is binary (DER or PKCS #12), not PEM: convert it, for example with `openssl x509 -inform der -in FILE -out FILE.pem`
    error: repoint.toml:2: `patroni.ca_file`: key.pem holds a private key and no certificate
    error: repoint.toml:2: `patroni.ca_file`: cut.pem is damaged PEM: a section has no END line
    error: repoint.toml:2: `patroni.ca_file`: nonsense.pem cannot be used: its certificate number 1 is damaged: TrailingData(SignedData)
    error: repoint.toml:2: `patroni.ca_file`: text.pem holds no PEM certificate, which begins with `-----BEGIN CERTIFICATE-----`
    ");
}

#[tokio::test]
async fn a_client_certificate_and_a_key_that_do_not_fit_are_refused() {
    let files = Files::new();
    let with = async |certificate: &str, key: &str| {
        files.said(&[("certificate_file", certificate), ("key_file", key)]).await
    };
    assert_eq!(with("certificate.pem", "key.pem").await, "");
    let mut said = Vec::new();
    for (certificate, key) in [
        ("certificate.pem", "other.pem"),
        ("certificate.pem", "encrypted.pem"),
        ("certificate.pem", "old.pem"),
        ("certificate.pem", "key.der"),
        ("certificate.pem", "certificate.pem"),
        ("certificate.pem", "text.pem"),
        ("key.pem", "key.pem"),
        ("certificate.der", "key.pem"),
        ("nonsense.pem", "key.pem"),
    ] {
        said.push(with(certificate, key).await);
    }
    insta::assert_snapshot!(said.join("\n"), @"
    error: repoint.toml:3: `patroni.key_file`: other.pem does not belong to the first certificate in `patroni.certificate_file`
    error: repoint.toml:3: `patroni.key_file`: encrypted.pem holds an encrypted key, which repoint cannot decrypt: write an unencrypted copy, for example with `openssl pkey -in FILE -out FILE.plain`, which only repoint's user may read
    error: repoint.toml:3: `patroni.key_file`: old.pem holds an encrypted key, which repoint cannot decrypt: write an unencrypted copy, for example with `openssl pkey -in FILE -out FILE.plain`, which only repoint's user may read
    error: repoint.toml:3: `patroni.key_file`: key.der is binary (DER or PKCS #12), not PEM: convert it, for example with `openssl pkey -inform der -in FILE -out FILE.pem`
    error: repoint.toml:3: `patroni.key_file`: certificate.pem holds a certificate and no private key
    error: repoint.toml:3: `patroni.key_file`: text.pem holds no PEM private key
    error: repoint.toml:2: `patroni.certificate_file`: key.pem holds a private key and no certificate
    error: repoint.toml:2: `patroni.certificate_file`: certificate.der is binary (DER or PKCS #12), not PEM: convert it, for example with `openssl x509 -inform der -in FILE -out FILE.pem`
    error: repoint.toml:2: `patroni.certificate_file`: nonsense.pem cannot be used: its first certificate is damaged: BadEncoding
    ");
}

#[tokio::test]
async fn one_of_a_pair_needs_the_other_wherever_it_is_named() {
    let ran = Repoint::new(CLUSTER).with("REPOINT_PATRONI_KEY_FILE", "key.pem").run(&["check"]).await;
    insta::assert_snapshot!(ran.stderr, @"error: environment variable REPOINT_PATRONI_KEY_FILE: it requires `patroni.certificate_file`");
}

#[tokio::test]
async fn whether_host_names_are_verified_is_shown() {
    assert!(check(CLUSTER).await.contains("verify_hostname = true"));
    let off = Repoint::new(CLUSTER).with("REPOINT_PATRONI_VERIFY_HOSTNAME", "false").run(&["check"]).await;
    assert!(off.stdout.contains("verify_hostname = false"), "{off}");
}

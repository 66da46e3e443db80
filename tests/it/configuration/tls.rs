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
        let lines: String =
            keys.iter().map(|(key, file)| format!("{key} = {:?}\n", self.0.path().join(file))).collect();
        let ran = Repoint::new(format!("[patroni]\n{lines}{CLUSTER}")).run(&["check"]).await;
        assert!((ran.code == 2) == (!ran.stderr.is_empty()), "{ran}");
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
    insta::assert_snapshot!(said.join("\n"), @"");
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
    insta::assert_snapshot!(said.join("\n"), @"");
}

#[tokio::test]
async fn one_of_a_pair_needs_the_other_wherever_it_is_named() {
    let ran = Repoint::new(CLUSTER).with("REPOINT_PATRONI_KEY_FILE", "key.pem").run(&["check"]).await;
    insta::assert_snapshot!(ran.stderr, @"");
}

#[tokio::test]
async fn whether_names_are_checked_is_told() {
    assert!(check(CLUSTER).await.contains("verify_hostname = true"));
    let off = Repoint::new(CLUSTER).with("REPOINT_PATRONI_VERIFY_HOSTNAME", "false").run(&["check"]).await;
    assert!(off.stdout.contains("verify_hostname = false"), "{off}");
}

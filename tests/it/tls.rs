//! Patroni over HTTPS: whom repoint trusts, and how it is trusted.

use std::sync::Arc;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use repoint::adapters::patroni::{Options, Rest};
use repoint::domain::cluster::ApiUrl;
use repoint::domain::world::MemberAnswer;
use repoint::ports::Patroni;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

use crate::support::http::{Server, json};

/// A certificate authority of the test's own.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        Self { issuer }
    }

    fn pem(&self) -> Vec<u8> {
        self.issuer.pem().into_bytes()
    }

    /// A certificate and its key for a name or address.
    fn issue(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        (certificate.pem(), key.serialize_pem())
    }
}

/// A member whose certificate is for `name`, and that asks its clients for one of `clients`.
async fn member(authority: &Authority, name: &str, clients: Option<&Authority>) -> Server {
    let (certificate, key) = authority.issue(name);
    let provider = Arc::new(default_provider());
    let builder =
        ServerConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions().unwrap();
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(clients) => {
            let mut roots = RootCertStore::empty();
            roots.add(CertificateDer::from_pem_slice(&clients.pem()).unwrap()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            builder.with_client_cert_verifier(verifier.build().unwrap())
        }
    };
    let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
    let config = builder.with_single_cert(chain, key).unwrap();
    let answer = r#"{"state": "running", "role": "primary"}"#;
    Server::start_tls(TlsAcceptor::from(Arc::new(config)), move |_| json(200, answer)).await
}

async fn ask(server: &Server, ca: &Authority, identity: Option<(String, String)>) -> MemberAnswer {
    let second = Duration::from_secs(2);
    let identity = identity.map(|(certificate, key)| format!("{certificate}\n{key}").into_bytes());
    let options =
        Options { connect_timeout: second, timeout: second, ca: Some(ca.pem()), identity, at_once: 8 };
    let url = ApiUrl::parse(&format!("https://127.0.0.1:{}", server.address.port())).unwrap();
    Rest::new(&options).unwrap().ask(&url).await
}

#[tokio::test]
async fn the_configured_authority_is_trusted_and_no_other() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    let server = member(&ours, "127.0.0.1", None).await;
    assert!(ask(&server, &ours, None).await.health.unwrap().answers_primary);
    let failure = ask(&server, &theirs, None).await.health.unwrap_err();
    assert!(failure.message.contains("certificate"), "{failure}");
}

#[tokio::test]
async fn a_certificate_for_another_address_is_refused() {
    let ours = Authority::new();
    let server = member(&ours, "10.9.9.9", None).await;
    let failure = ask(&server, &ours, None).await.health.unwrap_err();
    assert!(failure.message.contains("certificate"), "{failure}");
}

#[tokio::test]
async fn a_member_that_asks_for_a_client_certificate_gets_it() {
    let (ours, clients) = (Authority::new(), Authority::new());
    let server = member(&ours, "127.0.0.1", Some(&clients)).await;
    let identity = clients.issue("repoint");
    assert!(ask(&server, &ours, Some(identity)).await.health.unwrap().answers_primary);
    assert!(ask(&server, &ours, None).await.health.is_err());
    assert!(server.requests().iter().all(|request| request.path == "/primary" || request.path == "/cluster"));
}

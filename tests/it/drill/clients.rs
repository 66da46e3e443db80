//! The clients of a drill, at a server that is good, a standby, failing, or not to be trusted.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::time::Duration;

use rcgen::{CertificateParams, KeyPair};
use repoint::config::Environment;
use repoint::drill::clients::{Clients, Stopwatch};
use repoint::drill::endpoint::Endpoint;
use repoint_domain::drill::attempts::{Attempt, ClientKind, ErrorKind, Server};
use repoint_domain::values::cluster::Timeline;
use tempfile::TempDir;
use tokio::time::{interval, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;

use super::server::{Kind, start};

fn endpoint(address: SocketAddr, more: &str, variables: &[(&str, &str)]) -> Endpoint {
    let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let dsn = format!("host={} port={} user=app {more}", address.ip(), address.port());
    Endpoint::read(Some(&dsn), &Environment::from_variables(variables)).unwrap()
}

/// The first attempt of each client.
async fn first_attempts(endpoint: Endpoint) -> Vec<(ClientKind, Attempt)> {
    let mut clients = Clients::start(&[endpoint], &[], Stopwatch::started());
    let made = async {
        let mut ticks = interval(Duration::from_millis(5));
        while clients.so_far().iter().any(|client| client.attempts.is_empty()) {
            ticks.tick().await;
        }
    };
    timeout(Duration::from_secs(10), made).await.expect("each client makes an attempt");
    clients.stop().await;
    clients.so_far().into_iter().map(|client| (client.kind, client.attempts[0].clone())).collect()
}

/// Why the first attempts failed, of all clients: they see the same.
async fn error(endpoint: Endpoint) -> Option<ErrorKind> {
    let errors: Vec<_> =
        first_attempts(endpoint).await.into_iter().map(|(_, attempt)| attempt.error).collect();
    assert!(errors.iter().all(|error| *error == errors[0]), "{errors:?}");
    errors[0].clone()
}

#[tokio::test]
async fn a_server_that_takes_writes_is_good_for_all_and_named() {
    let address = start(Kind::default()).await;
    let attempts = first_attempts(endpoint(address, "sslmode=disable", &[])).await;
    let kinds: Vec<ClientKind> = attempts.iter().map(|(kind, _)| *kind).collect();
    assert_eq!(kinds, [ClientKind::NewConnections, ClientKind::OneConnection, ClientKind::Reader]);
    for (_, attempt) in attempts {
        let server = Server { address: "10.0.1.11:5432".to_owned(), timeline: Some(Timeline(26)) };
        assert_eq!((attempt.error, attempt.server), (None, Some(server)));
    }
}

#[tokio::test]
async fn a_standby_is_good_for_readers_alone() {
    let address = start(Kind { is_standby: true, ..Kind::default() }).await;
    for (kind, attempt) in first_attempts(endpoint(address, "sslmode=disable", &[])).await {
        assert_eq!(attempt.error, kind.writes().then_some(ErrorKind::Standby), "{kind:?}");
        assert_eq!(attempt.server.unwrap().address, "10.0.1.12:5432");
    }
}

#[tokio::test]
async fn errors_have_their_kinds() {
    let address = start(Kind { error: Some("57P03"), ..Kind::default() }).await;
    let sql = |state: &str| Some(ErrorKind::Sql(state.to_owned()));
    assert_eq!(error(endpoint(address, "sslmode=disable", &[])).await, sql("57P03"));
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    assert_eq!(error(endpoint(free, "sslmode=disable", &[])).await, Some(ErrorKind::Refused));
    // It is HTTP that listens there: whatever it says, it is no good answer.
    let http = crate::support::http::Server::start(|_| crate::support::http::Reply::Raw(Vec::new())).await;
    assert!(error(endpoint(http.address, "sslmode=require", &[])).await.is_some());
}

#[tokio::test]
async fn the_password_comes_from_the_file_that_the_environment_names() {
    let address = start(Kind { password: Some("se:cret"), ..Kind::default() }).await;
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("pgpass");
    std::fs::write(&file, format!("127.0.0.1:{}:app:app:se\\:cret\n", address.port())).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    let passfile = [("PGPASSFILE", file.to_str().unwrap())];
    assert_eq!(error(endpoint(address, "sslmode=disable", &passfile)).await, None);
    let other = Some(ErrorKind::Sql("28P01".to_owned()));
    assert_eq!(error(endpoint(address, "sslmode=disable password=other", &passfile)).await, other);
}

/// A server whose certificate is for that name, and the file with the certificate.
async fn with_certificate(name: &str, folder: &TempDir) -> (SocketAddr, String) {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec![name.to_owned()]).unwrap().self_signed(&key).unwrap();
    let file = folder.path().join(format!("{name}.crt"));
    std::fs::write(&file, certificate.pem()).unwrap();
    let private = PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], private)
        .unwrap();
    let tls = Some(TlsAcceptor::from(Arc::new(config)));
    (start(Kind { tls, ..Kind::default() }).await, file.to_str().unwrap().to_owned())
}

#[tokio::test]
async fn each_sslmode_verifies_what_it_should() {
    let folder = TempDir::new().unwrap();
    let (right, its) = with_certificate("127.0.0.1", &folder).await;
    let (named, other) = with_certificate("writer.example", &folder).await;
    let untrusted = Some(ErrorKind::Tls);
    for (address, mode, root, expected) in [
        (right, "verify-full", Some(&its), None),
        (right, "verify-full", Some(&other), untrusted.clone()),
        (named, "verify-full", Some(&other), untrusted.clone()),
        (named, "verify-ca", Some(&other), None),
        (named, "verify-ca", Some(&its), untrusted.clone()),
        // With a root certificate, `require` is `verify-ca`.
        (named, "require", Some(&its), untrusted),
        (named, "require", None, None),
        (named, "prefer", None, None),
    ] {
        let root = root.map_or(String::new(), |root| format!("sslrootcert={root}"));
        let error = error(endpoint(address, &format!("sslmode={mode} {root}"), &[])).await;
        assert_eq!(error, expected, "{mode} {root}");
    }
}

#[tokio::test]
async fn without_tls_prefer_connects_and_require_does_not() {
    let address = start(Kind::default()).await;
    assert_eq!(error(endpoint(address, "sslmode=prefer", &[])).await, None);
    assert_eq!(error(endpoint(address, "sslmode=require", &[])).await, Some(ErrorKind::Tls));
}

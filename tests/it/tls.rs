//! Patroni over HTTPS: which members are trusted, and what is said of the others.

mod clients;

use std::sync::Arc;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, SanType, date_time_ymd};
use repoint::adapters::patroni::{Options, Rest};
use repoint::limits::Asked;
use repoint::ports::Patroni;
use repoint_domain::observed::MemberAnswer;
use repoint_domain::values::cluster::ApiUrl;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::aws_lc_rs::{default_provider, sign::any_supported_type};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::sign::{CertifiedKey, SingleCertAndKey};
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

use crate::support::http::{Reply, Server, json};

const ADDRESS: &str = "127.0.0.1";

/// A certificate and its key; or several certificates, as a server sends them.
struct Pair {
    params: CertificateParams,
    chain: Vec<CertificateDer<'static>>,
    key: KeyPair,
}

impl Pair {
    /// What its owner has: itself and, if need be, those between it and an authority.
    fn own(&self) -> CertificateDer<'static> {
        self.chain[0].clone()
    }

    fn certified(&self) -> Arc<CertifiedKey> {
        certified(&self.chain, &self.key)
    }
}

fn certified(chain: &[CertificateDer<'static>], key: &KeyPair) -> Arc<CertifiedKey> {
    let key = PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).unwrap();
    Arc::new(CertifiedKey::new(chain.to_vec(), any_supported_type(&key).unwrap()))
}

/// A certificate for these addresses or names, with the common name that each has by default.
fn params(names: &[&str]) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.distinguished_name.push(DnType::CommonName, "pg1");
    params
}

/// With the extensions of `openssl req -x509`: a critical `CA:TRUE`, the identifiers of the keys, and no usage.
fn as_openssl_does(names: &[&str]) -> CertificateParams {
    let mut params = params(names);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.use_authority_key_identifier_extension = true;
    params
}

fn self_signed(params: CertificateParams) -> Pair {
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    Pair { params, chain: vec![certificate.der().clone()], key }
}

/// An authority of the test's own.
fn authority(name: &str) -> Pair {
    let mut params = as_openssl_does(&[]);
    params.distinguished_name.push(DnType::CommonName, name);
    self_signed(params)
}

fn signed(params: CertificateParams, by: &Pair) -> Pair {
    let key = KeyPair::generate().unwrap();
    let issuer = Issuer::from_params(&by.params, &by.key);
    let certificate = params.signed_by(&key, &issuer).unwrap();
    Pair { params, chain: vec![certificate.der().clone()], key }
}

/// A member with that certificate, which asks its clients for one of `clients`.
async fn member_with(pair: Arc<CertifiedKey>, clients: Option<&Pair>) -> Server {
    let answer = r#"{"state": "running", "role": "primary"}"#;
    Server::start_tls(acceptor(pair, clients), move |_| json(200, answer)).await
}

fn acceptor(pair: Arc<CertifiedKey>, clients: Option<&Pair>) -> TlsAcceptor {
    let provider = Arc::new(default_provider());
    let builder =
        ServerConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions().unwrap();
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(clients) => {
            let mut roots = RootCertStore::empty();
            roots.add(clients.own()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            builder.with_client_cert_verifier(verifier.build().unwrap())
        }
    };
    let config = builder.with_cert_resolver(Arc::new(SingleCertAndKey::from(pair)));
    TlsAcceptor::from(Arc::new(config))
}

async fn member(pair: &Pair) -> Server {
    member_with(pair.certified(), None).await
}

/// Trusting these, and nothing else set.
fn trusting(ca: &[&Pair]) -> Options {
    let second = Duration::from_secs(2);
    Options {
        connect_timeout: second,
        timeout: second,
        ca: Some(ca.iter().map(|pair| pair.own()).collect()),
        identity: None,
        verify_hostname: true,
        at_once: 8,
    }
}

/// Whatever the name.
fn without_name(options: Options) -> Options {
    Options { verify_hostname: false, ..options }
}

async fn ask_by(scheme: &str, server: &Server, options: &Options) -> MemberAnswer {
    let url = ApiUrl::parse(&format!("{scheme}://{ADDRESS}:{}", server.address.port())).unwrap();
    Rest::new(options).unwrap().ask(&url, &Asked::default()).await
}

#[track_caller]
fn accepted(answer: &MemberAnswer) {
    assert!(answer.status.as_ref().is_ok_and(|own| own.answers_primary), "{:?}", answer.status);
}

/// What is said of a member that is not trusted.
#[track_caller]
fn refused(answer: MemberAnswer) -> String {
    answer.status.expect_err("it is not trusted").message
}

async fn trust(server: &Server, options: &Options) -> MemberAnswer {
    ask_by("https", server, options).await
}

#[tokio::test]
async fn what_openssl_makes_is_trusted_where_it_is_configured_itself() {
    let (its, other) = (self_signed(as_openssl_does(&[ADDRESS])), self_signed(as_openssl_does(&[ADDRESS])));
    let server = member(&its).await;
    accepted(&trust(&server, &trusting(&[&other, &its])).await);
    insta::assert_snapshot!(refused(trust(&server, &trusting(&[&other])).await), @"the member's certificate is that of an authority (`CA:TRUE`, as `openssl req -x509` creates it), and is not in `patroni.ca_file`: add this certificate to the file");
}

#[tokio::test]
async fn a_self_signed_leaf_is_trusted_where_it_is_configured_itself() {
    let (its, other) = (self_signed(params(&[ADDRESS])), self_signed(params(&[ADDRESS])));
    let server = member(&its).await;
    accepted(&trust(&server, &trusting(&[&other, &its])).await);
    insta::assert_snapshot!(refused(trust(&server, &trusting(&[&authority("other")])).await), @"the member's certificate is signed by no authority in `patroni.ca_file`: add the authority's certificate, or the member's own, to that file (intermediate certificates belong in Patroni's `restapi.certfile`)");
}

/// Its authority need not be known.
#[tokio::test]
async fn a_signed_certificate_is_trusted_where_it_is_configured_itself() {
    let its = signed(params(&[ADDRESS]), &authority("unknown"));
    accepted(&trust(&member(&its).await, &trusting(&[&its])).await);
}

#[tokio::test]
async fn a_chain_is_trusted_by_its_root_where_it_is_whole() {
    let root = authority("root");
    let mut intermediate = as_openssl_does(&[]);
    intermediate.distinguished_name.push(DnType::CommonName, "intermediate");
    let intermediate = signed(intermediate, &root);
    let mut leaf = signed(params(&[ADDRESS]), &intermediate);
    let broken = member(&leaf).await;
    leaf.chain.push(intermediate.own());
    accepted(&trust(&member(&leaf).await, &trusting(&[&root])).await);
    insta::assert_snapshot!(refused(trust(&broken, &trusting(&[&root])).await), @"the member's certificate is signed by no authority in `patroni.ca_file`: add the authority's certificate, or the member's own, to that file (intermediate certificates belong in Patroni's `restapi.certfile`)");
}

#[tokio::test]
async fn a_certificate_for_another_name_is_refused_unless_names_do_not_count() {
    let root = authority("root");
    let server = member(&signed(params(&["pg1.example.com", "10.9.9.9"]), &root)).await;
    insta::assert_snapshot!(refused(trust(&server, &trusting(&[&root])).await), @"the member's certificate is not valid for 127.0.0.1, the host of its URL; it is for pg1.example.com, 10.9.9.9: issue a new one, for example with `openssl req -x509 -addext subjectAltName=IP:127.0.0.1`, or set `patroni.verify_hostname = false`");
    accepted(&trust(&server, &without_name(trusting(&[&root]))).await);
    // What is said of a stranger's certificate is not its name.
    let foreign = authority("stranger");
    insta::assert_snapshot!(refused(trust(&server, &without_name(trusting(&[&foreign]))).await), @"the member's certificate is signed by no authority in `patroni.ca_file`: add the authority's certificate, or the member's own, to that file (intermediate certificates belong in Patroni's `restapi.certfile`)");
}

#[tokio::test]
async fn a_certificate_without_a_name_is_trusted_where_names_do_not_count() {
    let its = self_signed(as_openssl_does(&[]));
    let server = member(&its).await;
    insta::assert_snapshot!(refused(trust(&server, &trusting(&[&its])).await), @"the member's certificate is not valid for 127.0.0.1, the host of its URL; it has no addresses or names (a common name does not count): issue a new one, for example with `openssl req -x509 -addext subjectAltName=IP:127.0.0.1`, or set `patroni.verify_hostname = false`");
    accepted(&trust(&server, &without_name(trusting(&[&its]))).await);
}

/// The clock's own date is in the text.
fn without_now(message: &str) -> String {
    regex::Regex::new(r"\(now [^)]*GMT\)").unwrap().replace(message, "(now NOW)").into_owned()
}

#[tokio::test]
async fn a_certificate_out_of_its_time_is_refused_even_if_trusted() {
    let root = authority("root");
    let expired = |mut params: CertificateParams| {
        (params.not_before, params.not_after) = (date_time_ymd(2019, 1, 1), date_time_ymd(2020, 1, 1));
        params
    };
    let early = |mut params: CertificateParams| {
        params.not_before = date_time_ymd(2090, 1, 1);
        params
    };
    let of = async |its: &Pair| {
        let options = trusting(&[&root, its]);
        without_now(&refused(trust(&member(its).await, &without_name(options)).await))
    };
    let ca = of(&self_signed(expired(as_openssl_does(&[ADDRESS])))).await;
    insta::assert_snapshot!(ca, @"the member's certificate expired on Wed, 01 Jan 2020 00:00:00 GMT: renew it, or correct this machine's clock (now NOW)");
    assert_eq!(of(&self_signed(expired(params(&[ADDRESS])))).await, ca);
    assert_eq!(of(&signed(expired(params(&[ADDRESS])), &root)).await, ca);
    insta::assert_snapshot!(of(&self_signed(early(as_openssl_does(&[ADDRESS])))).await, @"the member's certificate is not valid before Sun, 01 Jan 2090 00:00:00 GMT: correct this machine's clock (now NOW), or wait");
}

/// Byte for byte, and with the key: anybody can read a certificate.
#[tokio::test]
async fn a_configured_certificate_without_its_key_is_refused() {
    let its = self_signed(as_openssl_does(&[ADDRESS]));
    let thief = member_with(certified(&its.chain, &KeyPair::generate().unwrap()), None).await;
    insta::assert_snapshot!(refused(trust(&thief, &trusting(&[&its])).await), @"a signature is invalid: either the member does not have the key of its certificate, or another authority with the name of a trusted one has signed it; compare Patroni's `restapi.certfile` and `restapi.keyfile`");
    let mut params = as_openssl_does(&[ADDRESS]);
    params.subject_alt_names.push(SanType::DnsName("anything.example.com".try_into().unwrap()));
    let renewed = Pair { chain: vec![params.self_signed(&its.key).unwrap().der().clone()], ..its };
    let old = self_signed(as_openssl_does(&[ADDRESS]));
    assert!(trust(&member(&renewed).await, &trusting(&[&old])).await.status.is_err());
}

#[tokio::test]
async fn http_and_https_at_the_other_ones_port_are_reported() {
    let its = self_signed(as_openssl_does(&[ADDRESS]));
    let secured = member(&its).await;
    let message = refused(ask_by("http", &secured, &trusting(&[&its])).await);
    let (_, hint) = message.split_once("; ").unwrap_or_else(|| panic!("{message}"));
    insta::assert_snapshot!(hint, @"if Patroni's `restapi` has a `certfile`, use https:// in the URL");
    // As Python's `http.server` answers what it cannot read.
    let plain = tokio::net::TcpListener::bind((ADDRESS, 0)).await.unwrap();
    let port = plain.local_addr().unwrap().port();
    tokio::spawn(async move {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        while let Ok((mut stream, _)) = plain.accept().await {
            stream.read_u8().await.unwrap();
            stream.write_all(b"HTTP/1.0 400 Bad request version\r\n\r\n").await.unwrap();
        }
    });
    let url = ApiUrl::parse(&format!("https://{ADDRESS}:{port}")).unwrap();
    let answer = Rest::new(&trusting(&[&its])).unwrap().ask(&url, &Asked::default()).await;
    insta::assert_snapshot!(refused(answer), @"the member answers without TLS: use http:// in the URL, or set `certfile` in Patroni's `restapi`");
}

/// As Python does, unless it is told otherwise. Half an answer is none.
#[tokio::test]
async fn an_answer_is_whole_without_a_word_at_its_end() {
    let its = self_signed(as_openssl_does(&[ADDRESS]));
    for (body, is_whole) in
        [(r#"{"state": "running", "role": "primary"}"#, true), (r#"{"state": "runn"#, false)]
    {
        let raw = format!("HTTP/1.0 200 OK\r\n\r\n{body}").into_bytes();
        let server =
            Server::start_tls(acceptor(its.certified(), None), move |_| Reply::Raw(raw.clone())).await;
        assert_eq!(trust(&server, &trusting(&[&its])).await.status.is_ok(), is_whole, "{body}");
    }
}

//! The emulated AWS as clients of the real one reach it: each service at an address of its own, over TLS or without. HAProxy
//! keeps a client's connection open between requests, which moto does not, and refuses a request without a signature before
//! anything else sees it.
//!
//! The certificate is like those of AWS's endpoints: RSA with 2,048 bits, signed by an intermediate authority, which is sent
//! too. Its root stands among the authorities of certifi, so that a client has as many to read as it would on Lambda.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PKCS_RSA_SHA256, RsaKeySize,
};
use tokio::net::TcpStream;
use tokio::process::Command;

use crate::haproxy;
use crate::lab::Lab;
use crate::moto::Moto;
use crate::service::{Service, Signal};
use crate::wait::wait_until;

/// The variable that names a service's endpoint, and the address that its client finds.
const SERVICES: [(&str, &str); 4] = [
    ("AWS_ENDPOINT_URL_ELASTIC_LOAD_BALANCING_V2", "127.0.0.41"),
    ("AWS_ENDPOINT_URL_ROUTE_53", "127.0.0.42"),
    ("AWS_ENDPOINT_URL_SNS", "127.0.0.43"),
    ("AWS_ENDPOINT_URL_DYNAMODB", "127.0.0.44"),
];
const PLAIN: u16 = 8080;
const FRONTEND: &str = "
defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
frontend aws
    default_backend moto
    http-request return status 403 unless { req.hdr(authorization) -m found }
";
const TLS: u16 = 8443;

pub struct Terminator {
    service: Service,
    /// Every authority that a client trusts.
    authorities: PathBuf,
}

impl Terminator {
    pub async fn start(lab: &Lab) -> anyhow::Result<Self> {
        let chain = Chain::new()?;
        let (pem, authorities) = (lab.dir.join("terminator.pem"), lab.dir.join("authorities.pem"));
        fs::write(&pem, chain.presented())?;
        fs::write(&authorities, usual_authorities(lab).await? + &chain.root.pem())?;
        let (configuration, log) = (lab.dir.join("terminator.cfg"), lab.dir.join("terminator.log"));
        let (moto, port) = Moto::address();
        let mut text = FRONTEND.to_owned();
        for (_, address) in SERVICES {
            writeln!(text, "    bind {address}:{PLAIN}")?;
            writeln!(text, "    bind {address}:{TLS} ssl crt {} alpn http/1.1", pem.display())?;
        }
        write!(text, "backend moto\n    server moto {moto}:{port}\n")?;
        fs::write(&configuration, text)?;
        let mut command = Command::new(haproxy::program());
        command.arg("-db").arg("-f").arg(configuration);
        let service = Service::start(command, &log)?;
        wait_until("HAProxy listens", Duration::from_secs(10), async || {
            Ok(TcpStream::connect((SERVICES[0].1, TLS)).await?)
        })
        .await
        .with_context(|| service.log_tail())?;
        Ok(Self { service, authorities })
    }

    /// What leads a client of AWS here. Python's takes its authorities from a variable of its own.
    pub fn environment(&self, is_tls: bool) -> anyhow::Result<Vec<(&'static str, String)>> {
        let (scheme, port) = if is_tls { ("https", TLS) } else { ("http", PLAIN) };
        let urls = SERVICES.map(|(name, address)| (name, format!("{scheme}://{address}:{port}")));
        let authorities = self.authorities.to_str().context("a text")?;
        let trusted = ["SSL_CERT_FILE", "AWS_CA_BUNDLE"].map(|name| (name, authorities.to_owned()));
        Ok(urls.into_iter().chain(trusted).collect())
    }

    pub async fn stop(mut self) -> anyhow::Result<()> {
        self.service.end(Signal::KILL).await
    }
}

/// The authorities that Python's clients trust by default, as PEM.
async fn usual_authorities(lab: &Lab) -> anyhow::Result<String> {
    let answer = Command::new(lab.venv.join("bin/python")).args(["-m", "certifi"]).output().await?;
    ensure!(answer.status.success(), "{answer:?}");
    Ok(fs::read_to_string(String::from_utf8(answer.stdout)?.trim())?)
}

/// A certificate for every service, the authority that signed it, and the one that signed that.
struct Chain {
    key: KeyPair,
    leaf: Certificate,
    intermediate: Certificate,
    root: Certificate,
}

impl Chain {
    fn new() -> anyhow::Result<Self> {
        let key = || KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048);
        let authority = |name: &str| {
            let mut params = CertificateParams::default();
            params.distinguished_name.push(DnType::CommonName, name);
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
            params
        };
        let (root, root_key) = (authority("the lab's root"), key()?);
        let (intermediate, intermediate_key) = (authority("the lab's intermediate"), key()?);
        let addresses: Vec<String> = SERVICES.iter().map(|(_, address)| (*address).to_owned()).collect();
        let (leaf, leaf_key) = (CertificateParams::new(addresses)?, key()?);
        let by_root = Issuer::from_params(&root, &root_key);
        let by_intermediate = Issuer::from_params(&intermediate, &intermediate_key);
        Ok(Self {
            leaf: leaf.signed_by(&leaf_key, &by_intermediate)?,
            intermediate: intermediate.signed_by(&intermediate_key, &by_root)?,
            root: root.self_signed(&root_key)?,
            key: leaf_key,
        })
    }

    /// What the server presents, and its key, as HAProxy takes them.
    fn presented(&self) -> String {
        self.leaf.pem() + &self.intermediate.pem() + &self.key.serialize_pem()
    }
}

//! Members that ask their clients for a certificate.

use repoint::adapters::patroni::Options;

use super::{
    ADDRESS, Pair, accepted, as_openssl_does, authority, member_with, params, refused, self_signed, signed,
    trust, trusting,
};
use crate::support::http::Server;

/// A member whose clients need a certificate of an authority, and the two.
async fn place() -> (Pair, Pair, Server) {
    let (its, clients) = (self_signed(as_openssl_does(&[ADDRESS])), authority("clients"));
    let server = member_with(its.certified(), Some(&clients)).await;
    (its, clients, server)
}

fn with(identity: &Pair, options: Options) -> Options {
    Options { identity: Some(identity.certified()), ..options }
}

#[tokio::test]
async fn a_member_that_asks_for_a_client_certificate_gets_it() {
    let (its, clients, server) = place().await;
    let identity = signed(params(&["repoint"]), &clients);
    accepted(&trust(&server, &with(&identity, trusting(&[&its]))).await);
    assert!(server.requests().iter().all(|request| request.path == "/primary" || request.path == "/cluster"));
}

/// In TLS 1.3 the refusal comes after the handshake, in the place of the answer.
#[tokio::test]
async fn a_client_certificate_that_is_wanted_is_asked_for() {
    let (its, _, server) = place().await;
    insta::assert_snapshot!(refused(trust(&server, &trusting(&[&its])).await), @"the member requires a client certificate (Patroni's `restapi.verify_client`): set `patroni.certificate_file` and `patroni.key_file`");
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn a_client_certificate_of_another_authority_is_reported_as_refused() {
    let (its, _, server) = place().await;
    let identity = signed(params(&["repoint"]), &authority("another"));
    insta::assert_snapshot!(refused(trust(&server, &with(&identity, trusting(&[&its]))).await), @"the member refuses the client certificate in `patroni.certificate_file` (UnknownCA): it must be signed by an authority in Patroni's `restapi.cafile`, and be issued for client authentication");
}

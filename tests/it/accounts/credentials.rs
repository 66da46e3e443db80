//! Credentials that change under a process: rotated, revoked, over.

use std::fs;

use repoint_sandbox::http::sandbox::Setup;
use repoint_sandbox::transport::Shape;

use super::world::{BALANCERS, DNS, Observed};
use crate::entry_points::place::{PG2, PG3, Place};

const USER: &str = "arn:aws:iam::123456789012:user/repoint";

/// A host whose credentials are in the shared file: the first key is the one that AWS knows.
fn place() -> Place {
    let shape = Shape { is_filled: true, ..Shape::default() };
    let mut place = Place::of("[callback]\nmode = \"daemon\"\n", Setup { shape, ..Setup::quick() });
    let file = place.folder.path().join("credentials");
    place.set("AWS_ACCESS_KEY_ID", "");
    place.set("AWS_SECRET_ACCESS_KEY", "");
    place.set("AWS_SHARED_CREDENTIALS_FILE", file.to_str().unwrap());
    write(&place, "AKIAFIRST");
    place.sandbox.with(|site| site.iam.add_key("AKIAFIRST", USER));
    place
}

fn write(place: &Place, key: &str) {
    let text = format!("[default]\naws_access_key_id = {key}\naws_secret_access_key = secret\n");
    fs::write(place.folder.path().join("credentials"), text).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_reads_keys_that_were_rotated_in_the_file() {
    let place = place();
    let _daemon = place.daemon().await;
    place
        .until(|site| site.account.calls().iter().any(|call| call.action.ends_with("DescribeTargetHealth")))
        .await;
    place.sandbox.with(|site| {
        site.iam.revoke_key("AKIAFIRST");
        site.iam.add_key("AKIASECOND", USER);
    });
    write(&place, "AKIASECOND");
    place.switchover(PG2).await;
    place.until_right(PG2).await;
    let signers =
        place.sandbox.with(|site| site.writes().iter().map(|write| write.by.clone()).collect::<Vec<_>>());
    assert!(!signers.is_empty() && signers.iter().all(|by| by == "AKIASECOND"), "{signers:?}");
}

/// Each call is made again once, and no more; the hint names where the credentials come from.
#[tokio::test(flavor = "multi_thread")]
async fn credentials_that_stay_refused_are_named_before_any_policy() {
    let place = place();
    write(&place, "AKIAUNKNOWN");
    let asked = place.asked();
    let output = place.command(&["run", "--format", "json"]).output().await.unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{text}");
    let hint = text.split("\"hint\":").nth(1).unwrap_or_default().trim_start();
    assert!(hint.starts_with("\"credentials of the profile `default`"), "{text}");
    assert!(hint.contains("credentials)"), "{text}");
    assert!(!text.contains("allow the IAM action"), "{text}");
    assert_eq!(asked.count("DescribeTargetHealth"), 2, "{text}");
}

/// A daemon whose credentials are refused says so, and the callback looks by itself; afterwards the daemon does again.
#[tokio::test(flavor = "multi_thread")]
async fn a_callback_is_not_handed_to_a_daemon_that_cannot_act() {
    let place = place();
    let mut daemon = place.daemon().await;
    place
        .until(|site| site.account.calls().iter().any(|call| call.action.ends_with("DescribeTargetHealth")))
        .await;
    let callback = ["callback", "on_role_change", "primary", "batman"];
    let (code, said) = place.run(&callback).await;
    assert!(code == 0 && said.contains("the daemon checks the cluster"), "{said}");
    place.sandbox.with(|site| site.iam.revoke_key("AKIAFIRST"));
    // Until the daemon has been refused.
    let (_, _) = place.run(&callback).await;
    daemon.says("AWS refused the credentials").await;
    daemon.says("pass").await;
    let (code, said) = place.run(&callback).await;
    assert!(code == 0 && said.contains("the daemon cannot act: AWS refused the credentials"), "{said}");
    assert!(
        said.contains("no daemon at") && said.contains("a process of its own checks the cluster"),
        "{said}"
    );
    place.sandbox.with(|site| site.iam.add_key("AKIAFIRST", USER));
    daemon.says("pass").await;
}

/// Every session of both roles is over; each role is assumed anew once, however many calls are refused.
#[tokio::test(flavor = "multi_thread")]
async fn a_role_s_session_that_is_over_is_replaced_within_the_pass() {
    let observed = Observed::new("us-east-1");
    let _daemon = observed.place.daemon().await;
    observed.place.until(|site| site.iam.issued() >= 2).await;
    let host = |site: &mut repoint_sandbox::http::sandbox::Site, member| {
        site.cluster.spec(member).postgres.0.to_string()
    };
    observed.place.until(|site| !site.writes().is_empty()).await;
    observed.place.switchover(PG2).await;
    observed.place.until_right(PG2).await;
    let before = observed.place.sandbox.with(|site| {
        site.iam.end_sessions();
        site.iam.issued()
    });
    assert_eq!(before, 2, "one session for each role");
    observed.place.switchover(PG3).await;
    observed.place.until_right(PG3).await;
    let wanted = observed.place.sandbox.with(|site| host(site, PG3));
    observed
        .place
        .until(|site| {
            let account = &site.others[1];
            let zones = account.zone_ids();
            zones
                .iter()
                .flat_map(|zone| {
                    account.resolve(site.now + 60_000, zone, repoint_sandbox::transport::NAME, "A")
                })
                .any(|it| it == wanted)
        })
        .await;
    let after = observed.place.sandbox.with(|site| site.iam.issued());
    assert_eq!(after, 4, "one more for each of {BALANCERS} and {DNS}");
}

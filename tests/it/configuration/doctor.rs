//! `[[doctor.ignore]]`.

use super::{CLUSTER, refused};
use crate::support::command::Repoint;

#[tokio::test]
async fn what_is_ignored_names_a_check_and_a_reason() {
    let ignore = "[[doctor.ignore]]\nid = \"cross_zone_off\"\nreason = \"one zone\"\ncluster = \"batman\"\n";
    let ran = Repoint::new(format!("{ignore}{CLUSTER}")).run(&["check", "--format", "json"]).await;
    assert_eq!(ran.json()["doctor"]["ignore"][0]["cluster"], "batman", "{ran}");

    let wrong = "[[doctor.ignore]]\nid = \"cross_zone\"\nreason = \" \"\ncluster = \"robin\"\n";
    insta::assert_snapshot!(refused(format!("{wrong}{CLUSTER}")).await, @r#"
    error: repoint.toml:2: `doctor.ignore.id`: `cross_zone`: no check has this id; infra/guide/doctor.md lists them
      2 | id = "cross_zone"
    repoint.toml:3: `doctor.ignore.reason`: ` `: say why: the report shows it
      3 | reason = " "
    repoint.toml:4: `doctor.ignore.cluster`: `robin`: no cluster of this configuration has this name
      4 | cluster = "robin"
    "#);
}

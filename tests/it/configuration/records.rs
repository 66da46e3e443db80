//! Record sets: what belongs to which kind.

use super::{check, record, refused};

#[tokio::test]
async fn half_a_failover_record_is_refused() {
    insta::assert_snapshot!(refused(record("failover = \"PRIMARY\"")).await, @r#"
    error: repoint.toml:9: `cluster.record.failover`: a failover record requires a `set_identifier`
      9 | failover = "PRIMARY"
    "#);
    insta::assert_snapshot!(refused(record("set_identifier = \"primary\"")).await, @r#"
    error: repoint.toml:9: `cluster.record.set_identifier`: it requires `failover = "PRIMARY"` or `"SECONDARY"`; a simple record has none
      9 | set_identifier = "primary"
    "#);
}

fn readers(lines: &str) -> String {
    record(lines).replace("\"primary\"", "\"readers\"")
}

#[tokio::test]
async fn a_record_of_readers_has_its_limit_and_its_fallback_filled_in() {
    let shown = check(readers("")).await;
    let record = shown.split("[[cluster.record]]").nth(1).unwrap_or_default();
    for line in ["points_to = \"readers\"", "max_lag_bytes = 16777216", "primary_fallback = true"] {
        assert!(record.contains(line), "no `{line}` in {shown}");
    }
    let shown = check(readers("max_lag_bytes = 5\nprimary_fallback = false")).await;
    assert!(shown.contains("max_lag_bytes = 5") && shown.contains("primary_fallback = false"), "{shown}");
}

#[tokio::test]
async fn what_belongs_to_another_kind_of_record_is_named() {
    insta::assert_snapshot!(refused(record("max_lag_bytes = 1\nprimary_fallback = true")).await, @r#"
    error: repoint.toml:9: `cluster.record.max_lag_bytes`: it applies only to readers: it requires `points_to = "readers"`
      9 | max_lag_bytes = 1
    repoint.toml:10: `cluster.record.primary_fallback`: it applies only to readers: it requires `points_to = "readers"`
      10 | primary_fallback = true
    "#);
    insta::assert_snapshot!(refused(readers("").replace("\"A\"", "\"CNAME\"")).await, @r#"
    error: repoint.toml:8: `cluster.record.points_to`: a CNAME has one value, but there may be several readers: use `A` or `AAAA`
      8 | points_to = "readers"
    "#);
}

/// Route 53 makes a record of any text.
#[tokio::test]
async fn a_name_that_no_client_resolves_is_refused() {
    for (name, why) in [
        ("https://db.example.com", "it is a URL"),
        ("db.example.com:5432", "no port"),
        ("db.example.com/path", "no path"),
        ("db example.com", "contains a space"),
        (" db.example.com", "contains a space"),
        ("a.*.example.com", "`*` is valid only as the whole first label"),
        ("db*.example.com", "`*` is valid only as the whole first label"),
        ("10.0.1.11", "it is an address"),
        ("dätenbank.example.com", "ASCII form"),
        ("db@example.com", "an at sign"),
        ("", "not a DNS name"),
        (".", "not a DNS name"),
        ("db..example.com", "not a DNS name"),
        ("-db.example.com", "not a DNS name"),
    ] {
        let said = refused(record("").replace("a.example.com", name)).await;
        let place = format!("error: repoint.toml:6: `cluster.record.name`: `{name}`: ");
        assert!(said.starts_with(&place) && said.contains(why), "{said}");
    }
    for name in [
        "DB.Example.com.",
        "_pg._tcp.example.com",
        "*.example.com",
        "\\\\052.example.com",
        "db",
        "xn--dtenbank-0za.example.com",
    ] {
        check(record("").replace("a.example.com", name)).await;
    }
}

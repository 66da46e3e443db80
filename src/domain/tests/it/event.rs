//! What a schedule requests, by the event that it sends.

use repoint_domain::doctor::facts::function::Requested;

#[test]
fn what_a_schedule_sends_is_read_as_the_lambda_reads_it() {
    let pass = |clusters: &[&str], is_dry_run| {
        let clusters = clusters.iter().map(ToString::to_string).collect();
        Requested::Pass { clusters, is_dry_run }
    };
    let envelope = r#"{"detail-type": "Scheduled Event", "source": "aws.scheduler", "detail": "{}"}"#;
    for (input, requests) in [
        (None, pass(&[], false)),
        (Some("{}"), pass(&[], false)),
        (Some(envelope), pass(&[], false)),
        (Some(r#"{"cluster": ["batman"], "dry_run": true}"#), pass(&["batman"], true)),
        (Some(r#"{"test_alert": true}"#), Requested::TestAlert),
    ] {
        assert_eq!(Requested::of(input), requests, "{input:?}");
    }
    for odd in [
        r#"{"clusters": ["batman"]}"#,
        "not JSON",
        "[]",
        r#"{"test_alert": 1}"#,
        r#"{"cluster": []}"#,
        r#"{"detail-type": "Scheduled Event"}"#,
    ] {
        assert_eq!(Requested::of(Some(odd)), Requested::Unknown(odd.to_owned()));
    }
}

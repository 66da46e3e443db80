//! `REPOINT_LOG`: the common spellings are understood, and nothing else silences the log.

use repoint::config::LogFilter;

use crate::support::command::Repoint;
use crate::support::site::{aws, configuration, group, patroni};

#[test]
fn the_common_spellings_are_understood() {
    for (written, understood) in [
        ("warning", "warn"),
        ("WARN", "warn"),
        ("Info", "info"),
        ("err", "error"),
        ("OFF", "off"),
        (" debug ", "debug"),
        ("error,repoint=WARNING", "error,repoint=warn"),
        ("warn, hyper_util::client = Debug", "warn,hyper_util::client=debug"),
    ] {
        assert_eq!(
            LogFilter::parse(written).map(|filter| filter.to_string()).as_deref(),
            Ok(understood),
            "{written}"
        );
    }
}

#[test]
fn anything_else_is_refused() {
    for written in [
        "verbose",
        "repoint",
        "info,",
        ",",
        "repoint=loud",
        "=info",
        "repoint=",
        "a b=info",
        "info;warn",
        "5",
    ] {
        assert!(LogFilter::parse(written).is_err(), "{written}");
    }
}

#[tokio::test]
async fn a_filter_that_is_none_is_an_error_that_says_what_would_be() {
    for arguments in [&["check"][..], &["plan"], &["watch"]] {
        let ran = Repoint::new("").with("REPOINT_LOG", "verbose").run(arguments).await;
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{ran}");
        insta::allow_duplicates!(
            insta::assert_snapshot!(ran.stderr, @"error: environment variable REPOINT_LOG: `verbose` is not a log level: use off, error, warn, info, debug or trace, or a list with levels for parts of the program, such as `error,repoint=debug`")
        );
    }
}

#[tokio::test]
async fn a_level_by_another_name_is_no_silence() {
    let (members, aws) = (patroni().await, aws(|_| None).await);
    // A member's `/cluster` that cannot be read is no line of the log, so something that is has to be wrong.
    let run = async |level: &str| {
        let repoint = configuration(&members, &aws.url(), &group());
        repoint.with("REPOINT_LOG", level).run(&["run"]).await.stderr
    };
    let lines = run("DEBUG").await;
    assert!(lines.contains("DEBUG"), "{lines}");
    assert_eq!(run("off").await, "");
}

/// Colours are for terminals, in the log as elsewhere.
#[tokio::test]
async fn a_log_that_goes_to_a_file_has_no_escape_sequences() {
    let (members, aws) = (patroni().await, aws(|_| None).await);
    let repoint =
        || configuration(&members, &aws.url(), &group()).without("NO_COLOR").with("REPOINT_LOG", "debug");
    let ran = repoint().run(&["run"]).await;
    assert!(ran.stderr.contains("DEBUG") && !ran.stderr.contains('\u{1b}'), "{ran}");
    let forced = repoint().with("CLICOLOR_FORCE", "1").run(&["run"]).await;
    assert!(forced.stderr.contains('\u{1b}'), "{forced}");
    let refused = repoint().with("CLICOLOR_FORCE", "1").with("NO_COLOR", "1").run(&["run"]).await;
    assert!(!refused.stderr.contains('\u{1b}'), "{refused}");
}

//! How it starts, and what Lambda hears if it cannot.

use std::path::Path;
use std::time::Duration;

use super::support::bootstrap::{Bootstrap, Variables};
use super::support::site::{Site, cluster};

/// Starts it, and gives the message that Lambda was told.
async fn refused(variables: Variables<'_>) -> String {
    let function = Bootstrap::start(variables).await;
    let answer = function.api.init_error().await;
    let (kind, message) = answer.bad();
    assert_eq!((answer.error.as_deref(), kind.as_str()), (Some("BadConfiguration"), "BadConfiguration"));
    let (code, log) = function.ended().await;
    assert_eq!(code, Some(1));
    let logged = log.iter().any(|line| {
        line["level"] == "ERROR" && line["message"] == format!("BadConfiguration: {message}").as_str()
    });
    assert!(logged, "{log:#?}");
    message
}

#[tokio::test]
async fn a_bad_file_is_reported_to_lambda_with_its_line() {
    let site = Site::start();
    let path = site.file("repoint.toml", &site.configuration().replace("scope =", "scoep ="));
    let message = refused(&[("REPOINT_CONFIG", path.to_str().unwrap())]).await;
    let path = regex::Regex::new(r"\S+/repoint.toml").unwrap();
    insta::assert_snapshot!(path.replace_all(&message, "FOLDER/repoint.toml"), @r#"
    FOLDER/repoint.toml:13: `scoep`: unknown field `scoep`, expected one of `name`, `scope`, `members`, `discover`, `addresses`, `site`, `system_id`, `role_arn`, `external_id`, `target_group`, `record`, `haproxy`
      13 | scoep = "batman"
    "#);
}

#[tokio::test]
async fn a_bad_text_is_reported_to_lambda_with_its_line() {
    insta::assert_snapshot!(refused(&[("REPOINT_CONFIG_INLINE", "[aws]\nregoin = \"us-east-1\"\n")]).await, @r#"
    REPOINT_CONFIG_INLINE:2: `regoin`: unknown field `regoin`, expected one of `region`, `endpoint_url`, `limit_percent`
      2 | regoin = "us-east-1"
    "#);
}

#[tokio::test]
async fn an_invalid_certificate_is_reported_to_lambda() {
    let site = Site::start();
    let ca = site.file("ca.pem", "no certificate");
    let text = format!("[patroni]\nca_file = {ca:?}\n{}", site.configuration());
    let message = refused(&[("REPOINT_CONFIG_INLINE", &text)]).await;
    assert!(message.contains("certificate"), "{message}");
}

#[tokio::test]
async fn two_configurations_are_one_too_many() {
    let both = [("REPOINT_CONFIG", "/etc/repoint.toml"), ("REPOINT_CONFIG_INLINE", "[aws]")];
    insta::assert_snapshot!(refused(&both).await, @"REPOINT_CONFIG and REPOINT_CONFIG_INLINE are both set: remove one of them");
}

#[tokio::test]
async fn a_misspelt_variable_is_reported_to_lambda() {
    let site = Site::start();
    let text = site.configuration();
    let message = refused(&[("REPOINT_CONFIG_INLINE", &text), ("REPOINT_CONFIGURATION", "x")]).await;
    assert!(message.contains("REPOINT_CONFIGURATION: unknown variable"), "{message}");
}

#[tokio::test]
async fn the_text_itself_may_be_a_variable() {
    let site = Site::start();
    let function = Bootstrap::ready(&[("REPOINT_CONFIG_INLINE", &site.configuration())]).await;
    site.switch_over().await;
    assert_eq!(cluster(&function.invoke("{}").await.good())["outcome"], "changed");
}

/// A copy of the binary in that folder.
fn copy(folder: &Path) -> std::path::PathBuf {
    let (from, to) = (env!("CARGO_BIN_EXE_bootstrap"), folder.join("bootstrap"));
    // A debug build is large; another file system needs a real copy.
    if std::fs::hard_link(from, &to).is_err() {
        std::fs::copy(from, &to).unwrap();
    }
    to
}

#[tokio::test]
async fn the_file_lies_beside_the_binary() {
    let site = Site::start();
    let file = site.file("repoint.toml", &site.configuration());
    let function = Bootstrap::start_from(&copy(file.parent().unwrap()), &[]).await;
    function.api.ready(1).await;
    assert_eq!(cluster(&function.invoke("{}").await.good())["outcome"], "converged");
}

#[tokio::test]
async fn a_missing_file_is_reported_with_the_places() {
    let folder = tempfile::TempDir::new().unwrap();
    let function = Bootstrap::start_from(&copy(folder.path()), &[]).await;
    let (kind, message) = function.api.init_error().await.bad();
    assert_eq!(kind, "BadConfiguration");
    insta::assert_snapshot!(message.replace(folder.path().to_str().unwrap(), "FOLDER"), @"
    there is no configuration: neither FOLDER/repoint.toml (beside the binary) nor /opt/repoint.toml (in a layer) exists
      hint: create one of them, set REPOINT_CONFIG to another path, or set REPOINT_CONFIG_INLINE to its text
    ");
    assert_eq!(function.ended().await.0, Some(1));
}

#[tokio::test]
async fn a_state_file_is_warned_of() {
    let site = Site::start();
    let text = site.configuration().replace("dynamodb_table = \"repoint\"", "file = \"/tmp/no/state.json\"");
    let function = Bootstrap::ready(&[("REPOINT_CONFIG_INLINE", &text)]).await;
    let warned = |line: &String| line.contains("WARN") && line.contains("set `state.dynamodb_table`");
    assert!(function.lines().iter().any(warned), "{:#?}", function.lines());
}

#[tokio::test]
async fn it_ends_when_lambda_says_so() {
    let site = Site::start();
    let function = site.function().await;
    function.invoke("{}").await.good();
    assert_eq!(
        function.api.extensions().len(),
        1,
        "Lambda sends SIGTERM only where an extension is registered"
    );
    let (code, log) = function.stopped().await;
    let last = log.last().unwrap();
    assert_eq!(
        (code, &last["message"], &last["is_idle"]),
        (Some(0), &"shut down".into(), &true.into()),
        "{log:#?}"
    );
}

#[tokio::test]
async fn what_is_under_way_is_answered_before_the_end() {
    let site = Site::start();
    let function = site.function().await;
    site.switch_over().await;
    site.delay_patroni(Duration::from_millis(150));
    let stop = async {
        function.logged("invoked").await;
        function.stop();
    };
    let (answer, ()) = tokio::join!(function.invoke("{}"), stop);
    assert_eq!(cluster(&answer.good())["outcome"], "changed");
    let (code, log) = function.ended().await;
    assert_eq!((code, &log.last().unwrap()["is_idle"]), (Some(0), &true.into()), "{log:#?}");
}

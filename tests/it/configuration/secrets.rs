//! Passwords in URLs: nothing that is printed has them.

use std::path::Path;

use proptest::prelude::*;
use repoint::config::{Environment, read, show};
use repoint_domain::values::text::message;

use super::{CLUSTER, check};

const SECRET: &str = "S3CRET";

/// What `repoint check` says of a configuration, whether it is good or bad.
fn said(text: &str) -> String {
    match read(Path::new("repoint.toml"), text, &Environment::default()) {
        Ok(settings) => show(&settings).to_string(),
        Err(problems) => problems.to_string(),
    }
}

fn quoted(value: &str) -> [String; 2] {
    // JSON's escapes are TOML's; a string of several lines may have quotation marks in it.
    let lines = value.replace('\\', r"\\").replace("\"\"", "\"\\\"");
    [serde_json::to_string(value).unwrap(), format!("\"\"\"\n{lines}\"\"\"")]
}

#[tokio::test]
async fn a_password_with_a_comma_is_masked() {
    let text = format!("[aws]\nendpoint_url = \"https://user:a,b@aws.example.com\"\n{CLUSTER}");
    assert!(check(&text).await.contains("endpoint_url = \"https://***@aws.example.com\""));
}

/// A message shows one line, which may be the middle of the string, or end in what looks like the string's end.
#[test]
fn a_line_of_a_string_of_several_lines_is_not_shown() {
    for url in [
        "user:S3CRET\"\"\"@host",
        "user:\nS3CRET\"\"\"@host",
        "user:S3CRET\"\"\"x\n@host",
        "user:S3CRET\"a:b@host",
    ] {
        for text in [
            format!("[aws]\nendpoint_url = \"\"\"\n{url}\"\"\"\n{CLUSTER}"),
            format!("x = \"\"\"{url}\"\"\"\n"),
        ] {
            let said = said(&text);
            assert!(!said.contains(SECRET), "{said}");
        }
    }
}

#[test]
fn a_password_with_quotes_or_a_scheme_in_it_is_masked() {
    for url in
        ["user:S3CRET://@host", "user:\"\"S3CRET@host", "user:S3CRET\" \"@host", "user:S3CRET\" \"a:b@host"]
    {
        let said = said(&format!("[aws]\nendpoint_url = \"{url}\"\n{CLUSTER}"));
        assert!(said.contains("***@host") && !said.contains(SECRET), "{said}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_password_of_any_characters_is_printed_nowhere(
        before in r"(\PC|[\n:/@?#,'`\x22 ]){0,12}",
        after in r"(\PC|[\n:/@?#,'`\x22 ]){0,12}",
        scheme in r"(https?://)?",
    ) {
        let url = format!("{scheme}user:{before}{SECRET}{after}@aws.example.com:8008");
        for value in quoted(&url) {
            for text in [
                format!("[aws]\nendpoint_url = {value}\n{CLUSTER}"),
                format!("[[cluster]]\nscope = \"batman\"\nmembers = [\"http://10.0.1.11:8008\", {value}]\n"),
                format!("[aws]\nregion = 5 # {}\nendpoint_url = {value}\n", "it is no text"),
                format!("[[cluster]]\nscope = \"batman\"\nmembers = {value}\n"),
                // Not even TOML.
                format!("[[cluster]]\nscope = \"batman\"\nmembers = [{}]\n", value.replace('\\', "")),
            ] {
                let said = said(&text);
                prop_assert!(!said.contains(SECRET), "{text}\n{said}");
            }
        }
    }

    /// Whoever prints a URL has encoded it.
    #[test]
    fn nor_in_what_other_programs_say(before in r"[!-?A-~]{0,12}", after in r"[!-?A-~]{0,12}") {
        let said = message(&format!("error sending request for url (https://user:{before}{SECRET}{after}@host/)"));
        prop_assert!(!said.contains(SECRET), "{said}");
    }
}

#[test]
fn what_is_no_url_stays_as_it_is() {
    let words = "User: arn:aws:sts::123456789012:assumed-role/ops/me@example.com is not authorized, see https://aws.amazon.com";
    assert_eq!(message(words), words);
}

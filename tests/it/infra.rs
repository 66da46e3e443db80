//! What is shipped beside the program fits it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// The IAM actions that stand in a text.
fn actions(text: &str) -> BTreeSet<String> {
    let pattern = r#""((?:elasticloadbalancing|route53|ec2|sns|dynamodb):[A-Z][A-Za-z]+)""#;
    let pattern = regex::Regex::new(pattern).unwrap();
    pattern.captures_iter(text).map(|found| found[1].to_owned()).collect()
}

#[test]
fn the_policy_allows_what_the_program_calls_and_nothing_else() {
    let adapters = ["elbv2", "elbv2/listener", "route53", "ec2", "sns", "state_dynamodb"];
    let called: BTreeSet<String> =
        adapters.iter().flat_map(|name| actions(&read(&format!("src/adapters/{name}.rs")))).collect();
    assert_eq!(actions(&read("infra/patroni/iam-policy.json")), called);
    let only = actions(&read("infra/patroni/iam-policy-sns-only.json"));
    assert_eq!(only, BTreeSet::from(["sns:Publish".to_owned()]));
    for policy in ["infra/patroni/iam-policy.json", "infra/patroni/iam-policy-sns-only.json"] {
        let policy: serde_json::Value = serde_json::from_str(&read(policy)).unwrap();
        assert_eq!(policy["Version"], "2012-10-17");
    }
}

/// A change has no zone in its name (Service Authorization Reference, "Amazon Route 53").
#[test]
fn changes_are_asked_about_by_a_resource_of_their_own() {
    let policy: serde_json::Value = serde_json::from_str(&read("infra/patroni/iam-policy.json")).unwrap();
    let statements = policy["Statement"].as_array().unwrap();
    let asks = |statement: &&serde_json::Value| statement["Action"].to_string().contains("route53:GetChange");
    let resources: Vec<_> = statements.iter().filter(asks).map(|statement| &statement["Resource"]).collect();
    assert_eq!(resources, ["arn:aws:route53:::change/*"]);
}

/// The callbacks' command is the units' program with the units' configuration.
#[test]
fn units_and_callbacks_name_the_same_program_and_configuration() {
    let program = "/usr/local/bin/repoint ";
    let configuration = "--config /etc/repoint.toml";
    for file in
        ["infra/systemd/repoint.service", "infra/systemd/repoint-run.service", "infra/patroni/callbacks.yml"]
    {
        let text = read(file);
        let commands: Vec<&str> = text.lines().filter(|line| line.contains(program)).collect();
        assert!(!commands.is_empty(), "{file}");
        assert!(commands.iter().all(|line| line.ends_with(configuration)), "{file}: {commands:?}");
    }
    let unit = read("infra/systemd/repoint.service");
    // The defaults of `watch.socket` and `state.file` lie in what systemd makes for the unit.
    assert!(unit.contains("RuntimeDirectory=repoint\n") && unit.contains("StateDirectory=repoint\n"));
    // It would end with each run, and take the daemon's socket along.
    assert!(!read("infra/systemd/repoint-run.service").contains("\nRuntimeDirectory"));
    assert!(read("src/config/resolve/triggers.rs").contains("\"/run/repoint/repoint.sock\""));
    assert!(read("src/config/resolve.rs").contains("\"/var/lib/repoint/state.json\""));
}

//! What is shipped beside the program fits it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use repoint::domain::permission::needed;

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
fn every_call_of_the_program_has_its_statement() {
    let adapters = ["elbv2", "elbv2/listener", "route53", "ec2", "sns", "state_dynamodb"];
    let called: BTreeSet<String> =
        adapters.iter().flat_map(|name| actions(&read(&format!("src/adapters/{name}.rs")))).collect();
    assert!(called.len() >= 13, "{called:?}");
    let missing: Vec<_> = called.iter().filter(|action| needed(action, "Z1", "aws").is_none()).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// The examples' policies are what the program prints for their configurations.
#[test]
fn the_examples_have_the_policies_of_their_configurations() {
    for example in ["complete", "existing"] {
        let folder = format!("infra/terraform/examples/{example}");
        let output = Command::new(env!("CARGO_BIN_EXE_repoint"))
            .args(["iam", "--no-instances", "--config", "repoint.toml"])
            .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(&folder))
            .env_clear()
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        let printed = String::from_utf8(output.stdout).unwrap();
        assert_eq!(
            printed,
            read(&format!("{folder}/policy.json")),
            "print it anew: repoint iam --no-instances"
        );
    }
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

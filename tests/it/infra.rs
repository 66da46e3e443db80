//! What is shipped beside the program fits it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use repoint::permission::needed;

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

/// The examples' bundles are what the program prints for their configurations.
#[test]
fn the_examples_have_the_bundles_of_their_configurations() {
    for example in ["complete", "existing", "fleet", "two-regions"] {
        let folder = format!("infra/terraform/examples/{example}");
        let output = Command::new(env!("CARGO_BIN_EXE_repoint"))
            .args(["bundle", "--no-instances", "--config", "repoint.toml"])
            .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(&folder))
            .env_clear()
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        let printed = String::from_utf8(output.stdout).unwrap();
        assert_eq!(
            printed,
            read(&format!("{folder}/bundle.json")),
            "print it anew: repoint bundle --no-instances > {folder}/bundle.json"
        );
    }
}

/// Both templates make the same: their statements allow the same actions under the same conditions, and their alarms say
/// the same.
#[test]
fn terraform_and_cloudformation_have_the_same_permissions_and_alarms() {
    let files = ["alarms", "failures", "iam", "schedule", "topics"];
    let module: String = files.iter().map(|name| read(&format!("infra/terraform/{name}.tf"))).collect();
    let template = read("infra/cloudformation/repoint.yaml");
    let monitoring = read("infra/cloudformation/monitoring.yaml");

    let pattern = regex::Regex::new(r"\b(?:aws|ec2|kms|lambda|logs|sns|sqs|sts):[A-Z*][A-Za-z*]*").unwrap();
    let said = |text: &str| -> BTreeSet<String> {
        pattern.find_iter(text).map(|found| found.as_str().to_owned()).collect()
    };
    assert_eq!(said(&module), said(&template));
    assert!(said(&template).len() > 20);

    let alarms = regex::Regex::new(r#"description += "(\$\{var\.name\}: [^"]+)""#).unwrap();
    let alarms: Vec<_> = alarms.captures_iter(&module).map(|found| found[1].to_owned()).collect();
    assert_eq!(alarms.len(), 11);
    for alarm in alarms {
        let alarm = alarm
            .replace("${var.name}", "${AWS::StackName}")
            .replace("${var.no_success_minutes}", "${NoSuccessMinutes}")
            .replace("`reserved_concurrency`", "ReservedConcurrency");
        let of_metrics = alarm.replace("${AWS::StackName}", "${Name}");
        let is_there =
            template.contains(&format!("\"{alarm}\"")) || monitoring.contains(&format!("\"{of_metrics}\""));
        assert!(is_there, "{alarm}");
    }
}

/// Both templates make the same dashboard, of metrics that the function's log and AWS have.
#[test]
fn terraform_and_cloudformation_have_the_same_dashboard() {
    let (module, template) =
        (read("infra/terraform/dashboard.tf"), read("infra/cloudformation/monitoring.yaml"));
    let found = |pattern: &str, text: &str| -> BTreeSet<String> {
        let pattern = regex::Regex::new(pattern).unwrap();
        pattern.captures_iter(text).map(|found| found[1].to_owned()).collect()
    };
    let titles = found(r#""title": "([^"]+)""#, &template);
    assert_eq!(titles, found(r#"title\s+= "([^"]+)""#, &module));
    assert_eq!(titles.len(), 9, "eight widgets, and the alarms");
    let queries = found(r#""query": "SOURCE '[^']+' \| ([^"]+)""#, &template);
    assert_eq!(queries, found(r#"\{ title = "[^"]+", query = "([^"]+)" \}"#, &module));
    assert_eq!(queries.len(), 2);

    let written = found(r#"\("([A-Z]\w+)", Unit::"#, &read("lambda/src/embedded_metrics.rs"));
    let shown = found(r#"\["repoint", "(\w+)""#, &template);
    assert_eq!((shown.len(), &shown), (8, &written));
    let (_, names) = module.split_once("for name in [").unwrap();
    let names = found(r#""(\w+)""#, names.split_once(']').unwrap().0);
    assert_eq!(names, written);
    let alarmed = found(r"      MetricName: (\w+)\n", &template);
    assert!(alarmed.len() == 3 && alarmed.is_subset(&written), "{alarmed:?}");
}

/// What is not known to be sent must not be a condition: a callback that is not let in is never noticed.
#[test]
fn callbacks_are_let_in_by_the_arn_of_their_topic_alone() {
    let (module, template) = (read("infra/terraform/topics.tf"), read("infra/cloudformation/repoint.yaml"));
    let (_, permission) = module.split_once("resource \"aws_lambda_permission\" \"look\"").unwrap();
    assert!(permission.contains("\n  source_arn ") && !permission.contains("\n  source_account"));
    let (_, permission) = template.split_once("\n  TriggerPermission:").unwrap();
    let (permission, _) = permission.split_once("\n\n").unwrap();
    assert!(permission.contains("\n      SourceArn:") && !permission.contains("\n      SourceAccount:"));
}

/// No service acts with a role for another account's sake, nor for another resource.
#[test]
fn every_role_says_for_what_a_service_may_act() {
    let module = ["iam", "schedule"].map(|name| read(&format!("infra/terraform/{name}.tf"))).concat();
    for text in [module, read("infra/cloudformation/repoint.yaml")] {
        let roles: Vec<&str> = text.split("sts:AssumeRole").skip(1).collect();
        assert_eq!(roles.len(), 2);
        for role in roles {
            let trust: String = role.lines().take(12).collect();
            assert!(trust.contains("aws:SourceAccount") && trust.contains("aws:SourceArn"), "{trust}");
        }
    }
}

/// What the package brings to be copied and filled in.
#[test]
fn the_example_of_the_package_is_a_sound_configuration() {
    let output = Command::new(env!("CARGO_BIN_EXE_repoint"))
        .args(["check", "--config", "infra/package/repoint.toml"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env_clear()
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
}

/// The callbacks' command is the units' program with the units' configuration.
#[test]
fn units_and_callbacks_name_the_same_program_and_configuration() {
    // Without a folder: systemd and Patroni find it in /usr/local/bin as well as where the package puts it.
    let program = regex::Regex::new(r"[=:] ?repoint (watch|run|callback) ").unwrap();
    let configuration = "--config /etc/repoint.toml";
    for file in
        ["infra/systemd/repoint.service", "infra/systemd/repoint-run.service", "infra/patroni/callbacks.yml"]
    {
        let text = read(file);
        let commands: Vec<&str> = text.lines().filter(|line| program.is_match(line)).collect();
        assert!(!commands.is_empty(), "{file}");
        assert!(commands.iter().all(|line| line.ends_with(configuration)), "{file}: {commands:?}");
    }
    let unit = read("infra/systemd/repoint.service");
    // The defaults of `watch.socket` and `state.file` lie in what systemd makes for the unit.
    assert!(unit.contains("RuntimeDirectory=repoint\n") && unit.contains("StateDirectory=repoint\n"));
    // systemd would take the sockets of all daemons along with the first that ends.
    assert!(unit.contains("RuntimeDirectoryPreserve=yes\n"));
    // The reload fails for what the daemon would refuse.
    // By the shell's own `kill`: a small system has no other.
    let reload = format!("sh -c 'repoint check {configuration} >/dev/null && kill -HUP $MAINPID'\n");
    assert!(unit.contains(&reload), "{unit}");
    // It would end with each run, and take the daemon's socket along.
    assert!(!read("infra/systemd/repoint-run.service").contains("\nRuntimeDirectory"));
    assert!(read("src/config/resolve/triggers.rs").contains("\"/run/repoint/repoint.sock\""));
    assert!(read("src/config/resolve/state.rs").contains("\"/var/lib/repoint/state.json\""));
}

/// `cargo lambda` sets by itself what the release profile leaves open, panics that end the process among it.
#[test]
fn cargo_lambda_builds_the_same_program() {
    let manifest: toml::Table = read("Cargo.toml").parse().unwrap();
    let release = &manifest["profile"]["release"];
    assert_eq!(release["panic"].as_str(), Some("unwind"));
    for key in ["strip", "lto", "codegen-units"] {
        assert!(release.get(key).is_some(), "{key}");
    }
}

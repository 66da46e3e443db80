//! The policy that `repoint iam` prints, checked by other programs: an emulated IAM that checks actions, and a linter that knows
//! their resources and condition keys.

use std::process::Stdio;
use std::sync::Arc;

use anyhow::{Context as _, ensure};
use libtest_mimic::Trial;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use crate::deployment::Deployment;
use crate::lab::Lab;
use crate::member::Member;
use crate::stage::Stage;
use crate::state_table::{TABLE, create_table};

const LINTER: &str = include_str!("lint_policy.py");

/// The type of an empty group is asked only once. The sandbox sees it.
const UNSEEN: &str = "elasticloadbalancing:DescribeTargetGroups";

pub fn trials(stage: &Arc<Stage>) -> Vec<Trial> {
    vec![
        stage.long_trial("iam::the_policy_is_enough_and_nothing_of_it_is_too_much", enough),
        stage.trial("iam::a_linter_finds_nothing_in_the_policies", linted),
    ]
}

/// Every kind of endpoint, state in a table, and waiting for Route 53.
struct Everything<'a> {
    deployment: Deployment<'a>,
    listener: String,
    /// The replica's.
    group: String,
}

impl Everything<'_> {
    /// Points everything at the replica.
    async fn mislead(&self, replica: &Member) -> anyhow::Result<()> {
        self.deployment.mislead(replica).await?;
        self.deployment.infra.forward(&self.listener, &[(&self.group, 1)]).await
    }
}

async fn everything<'a>(lab: &'a Lab, replica: &Member) -> anyhow::Result<Everything<'a>> {
    create_table(lab).await?;
    let mut deployment = Deployment::new(lab).await?;
    deployment.store_state_in(TABLE);
    deployment.configure_everything(replica, replica).await?;
    let infra = deployment.infra.clone();
    let mut groups = Vec::new();
    for member in lab.cluster.members() {
        groups.push((member.name.clone(), infra.target_group(&member.name, "ip").await?));
    }
    let (_, group) = groups.iter().find(|(member, _)| *member == replica.name).context("its group")?;
    let group = group.clone();
    let listener = infra.listener("pg", &[(&group, 1)]).await?;
    for (member, group) in &groups {
        deployment.configure_weighted(group, &listener, member)?;
    }
    deployment.configure("\n[pass]\nwait_insync_seconds = 5\n");
    Ok(Everything { deployment, listener, group })
}

async fn policy(deployment: &Deployment<'_>, arguments: &[&str]) -> anyhow::Result<Value> {
    let outcome = deployment.repoint(&[&["iam"], arguments].concat()).await?;
    ensure!(outcome.code == 0, "{outcome:?}");
    Ok(serde_json::from_str(&outcome.stdout)?)
}

/// The statements' numbers, and each action's in its statement.
fn actions(policy: &Value) -> Vec<(usize, usize, String)> {
    let mut actions = Vec::new();
    for (at, statement) in policy["Statement"].as_array().into_iter().flatten().enumerate() {
        for (number, action) in statement["Action"].as_array().into_iter().flatten().enumerate() {
            actions.push((at, number, action.as_str().unwrap_or_default().to_owned()));
        }
    }
    actions
}

async fn enough(lab: &Lab) -> anyhow::Result<()> {
    let replicas = lab.cluster.replicas().await?;
    let wrong = replicas.first().context("a replica")?;
    let mut all = everything(lab, wrong).await?;
    let policy = policy(&all.deployment, &[]).await?;

    let exact = all.deployment.infra.user("exact", &policy).await?;
    all.deployment.act_as(exact);
    lab.moto.enforce_iam().await?;
    let report = all.deployment.run(0).await?;
    lab.moto.stop_enforcing().await?;
    ensure!(report["outcome"] == "changed" && report["warnings"].is_null(), "{report}");

    for (statement, number, action) in actions(&policy) {
        if action == UNSEEN {
            continue;
        }
        let mut less = policy.clone();
        let statement = &mut less["Statement"][statement];
        let sid = statement["Sid"].as_str().context("a Sid")?.to_owned();
        let allowed = statement["Action"].as_array_mut().context("a list of actions")?;
        allowed.remove(number);
        if allowed.is_empty() {
            // IAM takes no statement without an action.
            *allowed = vec![json!("sts:GetCallerIdentity")];
        }
        let name = format!("without-{}", action.replace(':', "-"));
        let restricted = all.deployment.infra.user(&name, &less).await?;
        all.deployment.act_as(restricted);
        all.mislead(wrong).await?;
        lab.moto.enforce_iam().await?;
        let outcome = all.deployment.repoint(&["run", "--format", "json"]).await;
        lab.moto.stop_enforcing().await?;
        let report = outcome?.stdout;
        let hint = format!("allow the IAM action `{action}` on ");
        let named = format!("(statement `{sid}` of `repoint iam`)");
        let is_named = report.contains(&hint) && report.contains(&named);
        let is_refused = report.contains(&format!("is not authorized to perform: {action}"));
        ensure!(is_named && is_refused, "{action}, {sid}: {report}");
    }
    Ok(())
}

async fn linted(lab: &Lab) -> anyhow::Result<()> {
    let replicas = lab.cluster.replicas().await?;
    let Everything { deployment, .. } = everything(lab, replicas.first().context("a replica")?).await?;
    for whom in ["run", "plan"] {
        let policy = policy(&deployment, &["--for", whom]).await?;
        let findings = lint(lab, &policy).await?;
        // The linter expects a resource of every type that the action knows, an application load balancer's listener too.
        let wants_more = |finding: &&Value| {
            let detail = finding["detail"].as_array().into_iter().flatten();
            finding["issue"] == "RESOURCE_MISMATCH"
                && detail.into_iter().all(|detail| {
                    detail["action"] == "elasticloadbalancing:ModifyListener"
                        && detail["required_format"]
                            .as_str()
                            .is_some_and(|format| format.contains("listener/app/"))
                })
        };
        let findings: Vec<_> = findings.iter().filter(|finding| !wants_more(finding)).collect();
        ensure!(findings.is_empty(), "{findings:?} in {policy}");
    }
    // The linter does check.
    let mut wrong = policy(&deployment, &[]).await?;
    for statement in wrong["Statement"].as_array_mut().into_iter().flatten() {
        if statement["Sid"].as_str().is_some_and(|sid| sid.starts_with("MoveRecords")) {
            statement["Condition"] = json!({ "StringEquals": { "route53:Nonsense": ["x"] } });
        }
    }
    let findings = lint(lab, &wrong).await?;
    ensure!(
        findings.iter().any(|finding| finding["issue"] == "UNKNOWN_CONDITION_FOR_ACTION"),
        "{findings:?}"
    );
    Ok(())
}

async fn lint(lab: &Lab, policy: &Value) -> anyhow::Result<Vec<Value>> {
    let mut linter = Command::new(lab.venv.join("bin/python"))
        .args(["-c", LINTER])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let mut input = linter.stdin.take().context("no pipe to the linter")?;
    input.write_all(policy.to_string().as_bytes()).await?;
    drop(input);
    let output = linter.wait_with_output().await?;
    ensure!(output.status.success(), "{output:?}");
    Ok(serde_json::from_slice(&output.stdout)?)
}

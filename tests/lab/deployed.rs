//! A deployment of `infra/`, put up by its own tool: the function that it made, as it made it, goes through a real
//! failover.

use std::fs;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use tokio::process::{Child, Command};

use crate::command::Program;
use crate::function::Function;
use crate::infra::Infra;
use crate::lab::{Lab, callback_home};
use crate::mailbox::{Mailbox, events};
use crate::member::Member;
use crate::moto::Moto;
use crate::wait::wait_until;

/// Where the examples deploy to.
pub const REGION: &str = "us-east-1";
pub const ACCOUNT: &str = "123456789012";
/// A callback's message, and a pass.
pub const PROMPTLY: Duration = Duration::from_mins(1);
const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/lab");

/// A Python program that puts an example up, says as JSON what it made (`outputs`, the function's `environment`, its
/// role's `policies`), and takes it down, with nothing left.
pub struct Tool<'a> {
    lab: &'a Lab,
    script: &'static str,
}

impl<'a> Tool<'a> {
    pub fn new(lab: &'a Lab, script: &'static str) -> Self {
        Self { lab, script }
    }

    pub fn start(&self, arguments: &[&str]) -> anyhow::Result<Child> {
        let child = Command::new(self.lab.venv.join("bin/python"))
            // Nothing is written beside the sources.
            .arg("-B")
            .arg(format!("{SCRIPTS}/{}", self.script))
            .args(arguments)
            .env("TMPDIR", &self.lab.dir)
            .current_dir(&self.lab.dir)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        Ok(child)
    }

    /// Waits for its end; what it printed.
    pub async fn finish(&self, child: Child) -> anyhow::Result<String> {
        let output = child.wait_with_output().await?;
        let said = |bytes| String::from_utf8_lossy(bytes).into_owned();
        let (printed, log) = (said(&output.stdout), said(&output.stderr));
        ensure!(output.status.success(), "{}:\n{printed}{log}", self.script);
        Ok(printed)
    }

    pub async fn up(&self, example: &str, inputs: &Value) -> anyhow::Result<Value> {
        let bootstrap = Function::bootstrap();
        let bootstrap = bootstrap.to_str().context("a text")?;
        let folder = self.folder(example);
        // What a failed trial left.
        drop(fs::remove_dir_all(&folder));
        let inputs = inputs.to_string();
        let options = ["--bootstrap", bootstrap, "--inputs", &inputs];
        Ok(serde_json::from_str(&self.about(example, "up", &options).await?)?)
    }

    pub async fn down(&self, example: &str) -> anyhow::Result<()> {
        self.about(example, "down", &[]).await?;
        Ok(())
    }

    async fn about(&self, example: &str, verb: &str, options: &[&str]) -> anyhow::Result<String> {
        let (endpoint, folder) = (Moto::endpoint(), self.folder(example));
        let usual = ["--endpoint", &endpoint, "--folder", folder.to_str().context("a text")?];
        self.finish(self.start(&[&usual, options, &[verb, example]].concat())?).await
    }

    fn folder(&self, example: &str) -> PathBuf {
        self.lab.dir.join(format!("{}-{example}", self.script.trim_end_matches(".py")))
    }
}

/// The example that makes everything itself.
pub async fn complete(lab: &Lab, tool: &Tool<'_>) -> anyhow::Result<()> {
    let infra = Infra::in_region(&lab.aws, REGION).await?;
    let made = tool.up("complete", &json!({ "members": members(lab) })).await?;
    let output = |name: &str| anyhow::Ok(made["outputs"][name].as_str().context("an output")?.to_owned());
    let deployed = Deployed {
        lab,
        infra,
        alerts: Mailbox::behind(&lab.aws, REGION, &output("alert_topic_arn")?).await?,
        group: output("target_group_arn")?,
        zone: output("zone_id")?,
        made: &made,
    };
    deployed.may_do_what_is_printed(&["--no-instances"]).await?;
    deployed.follow_a_failover().await?;
    deployed.alerts.close().await?;
    tool.down("complete").await
}

/// The example `existing`: a network, group, zone and topic that exist already, with files of their own.
pub async fn existing(lab: &Lab, tool: &Tool<'_>) -> anyhow::Result<()> {
    let infra = Infra::in_region(&lab.aws, REGION).await?;
    let alerts = Mailbox::in_region(&lab.aws, REGION, "db-alerts").await?;
    let group = infra.target_group("pg-writer", "ip").await?;
    let zone = infra.zone("db.example.com").await?;
    let configuration = format!(
        "[aws]\nregion = \"{REGION}\"\n\n[state]\ndynamodb_table = \"repoint\"\n\n\
         [alerts]\nsns_topic_arn = \"{}\"\n\n\
         [callback]\nmode = \"sns\"\nsns_topic_arn = \"arn:aws:sns:{REGION}:{ACCOUNT}:repoint-look\"\n\n\
         [[cluster]]\nscope = \"batman\"\nmembers = {:?}\n\n\
         [[cluster.target_group]]\narn = \"{group}\"\n\n\
         [[cluster.record]]\nzone_id = \"{zone}\"\nname = \"primary.db.example.com\"\ntype = \"A\"\n\
         points_to = \"primary\"\n",
        alerts.topic,
        members(lab)
    );
    let bundle_file = lab.dir.join("bundle.json");
    fs::write(&bundle_file, printed(lab, "bundle", &configuration, &[]).await?.to_string())?;
    let inputs = json!({
        "alert_topic_arn": alerts.topic,
        "vpc_id": infra.vpc,
        "subnet_ids": [infra.subnet],
        "database_security_group_id": infra.security_group("database").await?,
        "bundle_file": bundle_file,
    });
    let made = tool.up("existing", &inputs).await?;
    let deployed = Deployed { lab, infra, alerts, group, zone, made: &made };
    deployed.may_do_what_is_printed(&[]).await?;
    deployed.follow_a_failover().await?;
    tool.down("existing").await
}

pub fn members(lab: &Lab) -> Vec<&str> {
    lab.cluster.members().iter().map(|member| member.rest_url.as_str()).collect()
}

/// What a command of `repoint` prints for this configuration.
pub async fn printed(lab: &Lab, command: &str, configuration: &str, flags: &[&str]) -> anyhow::Result<Value> {
    let file = lab.dir.join("deployed.toml");
    fs::write(&file, configuration)?;
    let arguments = [&[command, "--config", file.to_str().context("a text")?], flags].concat();
    let outcome = Program::new(&lab.program, &lab.dir).run(&arguments).await?;
    ensure!(outcome.code == 0, "{outcome:?}");
    Ok(serde_json::from_str(&outcome.stdout)?)
}

/// The report of each cluster that the function has checked.
pub async fn reports(lab: &Lab, region: &str, function: &Value, order: &Value) -> anyhow::Result<Vec<Value>> {
    let answer = invoke(lab, region, function, order).await?;
    ensure!(answer["FunctionError"].is_null(), "{answer}");
    let payload: Value = serde_json::from_str(answer["Payload"].as_str().context("a payload")?)?;
    let clusters = payload["clusters"].as_array().context("clusters")?.clone();
    ensure!(!clusters.is_empty(), "{payload}");
    Ok(clusters)
}

async fn invoke(lab: &Lab, region: &str, function: &Value, order: &Value) -> anyhow::Result<Value> {
    let args = json!({ "FunctionName": function, "Payload": order.to_string() });
    lab.aws.call_in(region, "lambda", "invoke", args).await
}

struct Deployed<'a> {
    lab: &'a Lab,
    infra: Infra<'a>,
    alerts: Mailbox<'a>,
    group: String,
    zone: String,
    made: &'a Value,
}

impl Deployed<'_> {
    fn configuration(&self) -> anyhow::Result<&str> {
        self.made["environment"]["REPOINT_CONFIG_INLINE"].as_str().context("a configuration")
    }

    async fn may_do_what_is_printed(&self, flags: &[&str]) -> anyhow::Result<()> {
        let printed = printed(self.lab, "iam", self.configuration()?, flags).await?;
        let given = &self.made["policies"]["repoint"];
        ensure!(*given == printed, "{given} is not {printed}");
        Ok(())
    }

    /// Asks first, is refused, adopts the primary, and follows Patroni's own callbacks to the next one. What the role
    /// may do is enforced.
    async fn follow_a_failover(&self) -> anyhow::Result<()> {
        let Lab { cluster, moto, .. } = self.lab;
        let old = cluster.leader().await?;
        moto.enforce_iam().await?;
        let report = self.report(&json!({ "dry_run": true })).await?;
        ensure!(report["outcome"] == "planned", "{report}");
        ensure!(
            self.targets().await?.is_empty() && self.addresses().await?.is_empty(),
            "a plan moves nothing"
        );

        self.names_what_is_missing().await?;

        let report = self.report(&json!({})).await?;
        ensure!(report["outcome"] == "changed" && report["warnings"].is_null(), "{report}");
        self.ensure_points_at(&old).await?;

        fs::write(callback_home(&self.lab.dir).join("repoint.toml"), self.configuration()?)?;
        cluster.kill9(&old).await?;
        let new = cluster.wait_new_leader(&old).await?;
        let what = format!("the function has moved everything to {}", new.name);
        wait_until(&what, PROMPTLY, async || self.ensure_points_at(&new).await).await?;
        wait_until("an alert is published", PROMPTLY, async || {
            let notified = events(&self.alerts.messages().await?)?;
            ensure!(notified.contains(&"retargeted triggered".to_owned()), "{notified:?}");
            Ok(())
        })
        .await?;
        let report = self.report(&json!({})).await?;
        ensure!(report["outcome"] == "converged" && report["warnings"].is_null(), "{report}");
        moto.stop_enforcing().await
    }

    /// With one right less.
    async fn names_what_is_missing(&self) -> anyhow::Result<()> {
        let deny = json!({ "Version": "2012-10-17", "Statement": {
            "Effect": "Deny", "Action": "elasticloadbalancing:RegisterTargets", "Resource": "*",
        } });
        let role = json!({ "RoleName": self.made["outputs"]["role_name"], "PolicyName": "deny" });
        let mut args = role.clone();
        args["PolicyDocument"] = json!(deny.to_string());
        self.lab.aws.call("iam", "put_role_policy", args).await?;
        let refused = self.invoke(&json!({})).await?;
        let missing = "(statement `MoveTargets` of `repoint iam`)";
        let is_named = refused["Payload"].as_str().is_some_and(|error| error.contains(missing));
        ensure!(refused["FunctionError"] == "Unhandled" && is_named, "{refused}");
        self.lab.aws.call("iam", "delete_role_policy", role).await?;
        Ok(())
    }

    async fn report(&self, order: &Value) -> anyhow::Result<Value> {
        let function = &self.made["outputs"]["function_name"];
        Ok(reports(self.lab, REGION, function, order).await?.remove(0))
    }

    async fn invoke(&self, order: &Value) -> anyhow::Result<Value> {
        invoke(self.lab, REGION, &self.made["outputs"]["function_name"], order).await
    }

    async fn ensure_points_at(&self, member: &Member) -> anyhow::Result<()> {
        let (targets, addresses) = (self.targets().await?, self.addresses().await?);
        ensure!(targets == [(member.host.clone(), member.pg_port)], "{targets:?}");
        ensure!(addresses == [json!([{ "Value": member.host }])], "{addresses:?}");
        Ok(())
    }

    async fn targets(&self) -> anyhow::Result<Vec<(String, u16)>> {
        self.infra.targets(&self.group).await
    }

    /// The values of the records that lead to the primary.
    async fn addresses(&self) -> anyhow::Result<Vec<Value>> {
        let records = self.infra.records(&self.zone).await?;
        let records = records.as_array().into_iter().flatten();
        let is_ours =
            |record: &&Value| record["Name"].as_str().is_some_and(|name| name.starts_with("primary."));
        Ok(records.filter(is_ours).map(|record| record["ResourceRecords"].clone()).collect())
    }
}

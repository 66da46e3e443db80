//! What a user of the product has: target groups, a zone, a topic, and a `repoint.toml` that names them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};

use crate::aws::{Credentials, environment};
use crate::command::{Outcome, Program};
use crate::infra::{Infra, record, with};
use crate::lab::{Lab, callback_home};
use crate::mailbox::Mailbox;
use crate::member::Member;
use crate::moto::Moto;
use crate::recording::{Call, writes};
use crate::wait::wait_until;

pub const NAME: &str = "writer.db.example.test";
pub const TTL: u32 = 30;

#[derive(Clone)]
pub struct Deployment<'a> {
    lab: &'a Lab,
    pub infra: Infra<'a>,
    pub mailbox: Mailbox<'a>,
    pub ip_group: String,
    pub instance_group: String,
    pub zone: String,
    /// By the address of the member that runs there.
    instances: BTreeMap<String, String>,
    configuration: String,
    pub endpoint: String,
    credentials: Option<Credentials>,
}

impl<'a> Deployment<'a> {
    /// An `ip` group and an `instance` group, both empty, and a zone without records. Nothing is configured yet.
    pub async fn new(lab: &'a Lab) -> anyhow::Result<Self> {
        let seeds: Vec<&str> = lab.cluster.members().iter().map(|member| member.rest_url.as_str()).collect();
        Self::of(lab, &format!("scope = \"batman\"\nmembers = {seeds:?}\n")).await
    }

    /// The same for the cluster that these lines describe.
    pub async fn of(lab: &'a Lab, cluster: &str) -> anyhow::Result<Self> {
        let infra = Infra::new(&lab.aws).await?;
        let mut instances = BTreeMap::new();
        for member in lab.cluster.members() {
            instances.insert(member.host.clone(), infra.instance(member).await?);
        }
        // Every deployment begins without state.
        for file in ["state.json", "state.json.lock", "state.json.history"] {
            drop(fs::remove_file(lab.dir.join(file)));
        }
        let mailbox = Mailbox::new(&lab.aws, "alerts").await?;
        let configuration = format!(
            "[state]\nfile = \"state.json\"\n\n[alerts]\nsns_topic_arn = \"{}\"\ngrace_seconds = 0\n\n[[cluster]]\n{cluster}",
            mailbox.topic
        );
        Ok(Self {
            ip_group: infra.target_group("writers-by-ip", "ip").await?,
            instance_group: infra.target_group("writers-by-instance", "instance").await?,
            zone: infra.zone("db.example.test").await?,
            infra,
            mailbox,
            instances,
            configuration,
            lab,
            endpoint: Moto::endpoint(),
            credentials: None,
        })
    }

    /// The state is kept in that DynamoDB table, instead of in a file.
    pub fn store_state_in(&mut self, table: &str) {
        let table = format!("dynamodb_table = \"{table}\"");
        self.configuration = self.configuration.replace("file = \"state.json\"", &table);
    }

    /// The state is kept in that file.
    pub fn store_state_in_file(&mut self, file: &str) {
        self.configuration = self.configuration.replace("state.json", file);
    }

    /// The configured cluster is the one of that scope.
    pub fn watch_scope(&mut self, scope: &str) {
        self.configuration =
            self.configuration.replace("scope = \"batman\"", &format!("scope = \"{scope}\""));
    }

    /// Conditions have the graces of a configuration that sets none.
    pub fn without_grace_seconds(&mut self) {
        self.configuration = self.configuration.replace("grace_seconds = 0\n", "");
    }

    /// Adds these lines to the configuration.
    pub fn configure(&mut self, lines: &str) {
        self.configuration.push_str(lines);
    }

    /// Adds a writer group to the configuration.
    pub fn configure_group(&mut self, arn: &str) -> anyhow::Result<()> {
        Ok(write!(self.configuration, "\n[[cluster.target_group]]\narn = \"{arn}\"\n")?)
    }

    /// Adds a group of readers to the configuration.
    pub fn configure_readers(&mut self, arn: &str) -> anyhow::Result<()> {
        self.configure_group(arn)?;
        self.configure("role = \"reader\"\n");
        Ok(())
    }

    /// Adds a warm group to the configuration, whose surplus leaves after a second.
    pub fn configure_warm(&mut self, arn: &str) -> anyhow::Result<()> {
        self.configure_group(arn)?;
        self.configure("strategy = \"warm\"\nderegister_after_seconds = 1\n");
        Ok(())
    }

    /// Adds the group of a member behind a listener to the configuration.
    pub fn configure_weighted(&mut self, arn: &str, listener: &str, member: &str) -> anyhow::Result<()> {
        self.configure_group(arn)?;
        let lines = format!("strategy = \"weighted\"\nlistener = \"{listener}\"\nmember = \"{member}\"\n");
        self.configure(&lines);
        Ok(())
    }

    /// Adds a simple record that points at the primary.
    pub fn configure_record(&mut self) -> anyhow::Result<()> {
        Ok(write!(
            self.configuration,
            "\n[[cluster.record]]\nzone_id = \"{}\"\nname = \"{NAME}\"\ntype = \"A\"\npoints_to = \"primary\"\n",
            self.zone
        )?)
    }

    /// Makes both groups and the failover pair point at `primary` and `standby`, and configures all four.
    pub async fn configure_everything(&mut self, primary: &Member, standby: &Member) -> anyhow::Result<()> {
        self.configure_group(&self.ip_group.clone())?;
        self.configure_group(&self.instance_group.clone())?;
        self.configure_pair(primary, standby).await?;
        self.point_groups_at(primary).await
    }

    /// Makes the failover pair point at `primary` and `standby`, with a TTL and health checks of its own, and configures
    /// it.
    pub async fn configure_pair(&mut self, primary: &Member, standby: &Member) -> anyhow::Result<()> {
        let mut pair = Vec::new();
        for (end, member) in [("PRIMARY", primary), ("SECONDARY", standby)] {
            let identifier = end.to_lowercase();
            let points_to = if end == "PRIMARY" { "primary" } else { "standby" };
            write!(
                self.configuration,
                "\n[[cluster.record]]\nzone_id = \"{}\"\nname = \"{NAME}\"\ntype = \"A\"\n\
                 set_identifier = \"{identifier}\"\nfailover = \"{end}\"\npoints_to = \"{points_to}\"\n",
                self.zone
            )?;
            let check = self.infra.health_check(member).await?;
            let fields = json!({ "SetIdentifier": identifier, "Failover": end, "HealthCheckId": check });
            pair.push(with(record(&format!("{NAME}."), "A", TTL, &[&member.host]), &fields));
        }
        self.infra.put_records(&self.zone, &pair).await
    }

    /// Makes both groups hold that member alone.
    pub async fn point_groups_at(&self, member: &Member) -> anyhow::Result<()> {
        for (arn, id) in
            [(&self.ip_group, member.host.as_str()), (&self.instance_group, self.instance(member)?)]
        {
            for (old, port) in self.infra.targets(arn).await? {
                self.infra.deregister(arn, &[(&old, port)]).await?;
            }
            self.infra.register(arn, &[(id, member.pg_port)]).await?;
        }
        Ok(())
    }

    /// Makes both groups and all that stands in the zone point at that member.
    pub async fn mislead(&self, member: &Member) -> anyhow::Result<()> {
        self.point_groups_at(member).await?;
        let mut records = self.infra.records(&self.zone).await?;
        let records = records.as_array_mut().context("a list of records")?;
        for set in records.iter_mut() {
            set["ResourceRecords"] = json!([{ "Value": member.host }]);
        }
        self.infra.put_records(&self.zone, records).await
    }

    /// The text of `repoint.toml`.
    pub fn configuration(&self) -> &str {
        &self.configuration
    }

    pub fn instance(&self, member: &Member) -> anyhow::Result<&str> {
        Ok(self.instances.get(&member.host).context("the member has no instance")?)
    }

    pub fn act_as(&mut self, credentials: Credentials) {
        self.credentials = Some(credentials);
    }

    /// Puts this configuration where the members' callbacks read it.
    pub fn install_callbacks(&self, sections: &str) -> anyhow::Result<()> {
        self.install_callbacks_in(&callback_home(&self.lab.dir), sections)
    }

    /// Puts it into that folder, without state.
    pub fn install_callbacks_in(&self, home: &Path, sections: &str) -> anyhow::Result<()> {
        for file in ["state.json", "state.json.lock", "state.json.history"] {
            drop(fs::remove_file(home.join(file)));
        }
        self.write_configuration(&home.join("repoint.toml"), sections)
    }

    /// Writes this configuration, with `sections` before it.
    pub fn write_configuration(&self, file: &Path, sections: &str) -> anyhow::Result<()> {
        Ok(fs::write(file, format!("{sections}\n{}", self.configuration))?)
    }

    /// Waits until the `ip` group has that member as its only target.
    pub async fn wait_for_group(&self, member: &Member) -> anyhow::Result<()> {
        let what = format!("the group holds {} alone", member.name);
        wait_until(&what, Duration::from_mins(1), async || {
            let targets = self.infra.targets(&self.ip_group).await?;
            ensure!(targets == [(member.host.clone(), member.pg_port)], "{targets:?}");
            Ok(())
        })
        .await
    }

    /// Runs the product with this configuration.
    pub async fn repoint(&self, arguments: &[&str]) -> anyhow::Result<Outcome> {
        self.repoint_on("repoint", arguments).await
    }

    /// The same with a copy of the configuration, as on a machine of that name.
    pub async fn repoint_on(&self, machine: &str, arguments: &[&str]) -> anyhow::Result<Outcome> {
        let file = self.lab.dir.join(format!("{machine}.toml"));
        // Another run may be reading it.
        if fs::read_to_string(&file).ok().as_ref() != Some(&self.configuration) {
            fs::write(&file, &self.configuration)?;
        }
        let mut program = Program::new(&self.lab.program, &self.lab.dir)
            .envs(&environment(&self.endpoint))
            .env("AWS_EC2_METADATA_DISABLED", "true");
        if let Some(credentials) = &self.credentials {
            program = program
                .env("AWS_ACCESS_KEY_ID", &credentials.key_id)
                .env("AWS_SECRET_ACCESS_KEY", &credentials.secret);
        }
        let file = file.to_str().context("a path that is text")?;
        program.run(&[arguments, &["--config", file]].concat()).await
    }

    /// Runs `repoint run --format json`; answers the cluster's report, if the exit code is the expected one.
    pub async fn run(&self, code: i32) -> anyhow::Result<Value> {
        let outcome = self.repoint(&["run", "--format", "json"]).await?;
        ensure!(outcome.code == code, "{outcome:?}");
        let report: Value = serde_json::from_str(&outcome.stdout).with_context(|| format!("{outcome:?}"))?;
        Ok(report["clusters"][0].clone())
    }

    /// The emulator's own account of what was written, alerts left out, since the recording began.
    pub async fn written(&self) -> anyhow::Result<Vec<Call>> {
        let calls = self.lab.moto.recorded().await?;
        Ok(writes(&calls)
            .into_iter()
            .filter(|call| !["sns", "sqs"].contains(&call.service.as_str()))
            .cloned()
            .collect())
    }

    /// Both groups hold the primary alone, and the pair points at the primary and at one of `standbys`, with everything
    /// else in it as it was made.
    pub async fn ensure_points_at(&self, primary: &Member, standbys: &[Member]) -> anyhow::Result<()> {
        let by_ip = self.infra.targets(&self.ip_group).await?;
        ensure!(by_ip == [(primary.host.clone(), primary.pg_port)], "{by_ip:?}");
        let by_instance = self.infra.targets(&self.instance_group).await?;
        ensure!(by_instance == [(self.instance(primary)?.to_owned(), primary.pg_port)], "{by_instance:?}");

        let mut records = self.infra.records(&self.zone).await?;
        let pair = records.as_array_mut().context("a list of records")?;
        // Within one name and type they come in any order.
        pair.sort_by_key(|set| set["SetIdentifier"].to_string());
        let pair = pair.clone();
        ensure!(pair.len() == 2, "{records}");
        for (set, end) in pair.iter().zip(["PRIMARY", "SECONDARY"]) {
            let value = set["ResourceRecords"][0]["Value"].as_str().context("a value")?;
            let is_right = match end {
                "PRIMARY" => value == primary.host,
                _ => standbys.iter().any(|standby| value == standby.host),
            };
            ensure!(
                is_right && set["ResourceRecords"].as_array().is_some_and(|values| values.len() == 1),
                "{records}"
            );
            ensure!(set["Failover"] == end && set["SetIdentifier"] == end.to_lowercase(), "{records}");
            ensure!(set["TTL"] == TTL && set["HealthCheckId"].is_string(), "{records}");
        }
        ensure!(pair[0]["HealthCheckId"] != pair[1]["HealthCheckId"], "{records}");
        Ok(())
    }
}

/// The kind of each hold in a report.
pub fn holds(report: &Value) -> Vec<&str> {
    let holds = report["holds"].as_array().into_iter().flatten();
    holds.filter_map(|hold| hold["reason"].as_str()).collect()
}

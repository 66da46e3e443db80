//! One member of a Patroni cluster: its addresses, its files, and its configuration.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde_json::{Value, json};
use tokio::process::Command;

use crate::aws::environment;
use crate::etcd;
use crate::moto::Moto;
use crate::network::Place;
use crate::patroni::Layout;
use crate::service::{as_postgres, make_directory_for_postgres, tail};

const REST_PORT: u16 = 8008;
const PG_PORT: u16 = 5432;

/// A version of Patroni, and the folder of its members.
pub struct Software {
    /// The Python environment that it is installed in.
    pub venv: PathBuf,
    /// For the members' own directories.
    pub homes: PathBuf,
    /// The command that it calls when a role changes.
    pub callback: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    pub name: String,
    pub host: String,
    pub rest_url: String,
    pub pg_port: u16,
    place: Place,
    home: PathBuf,
}

impl Member {
    /// Makes the member's directory and configuration file. Numbers start at 1.
    pub async fn prepare(software: &Software, layout: Layout<'_>, number: u8) -> anyhow::Result<Self> {
        let name = format!("pg{number}");
        let usual = || (Place::default(), format!("127.0.0.{}", layout.first_host + number - 1));
        let (place, host) = layout.places.get(usize::from(number) - 1).cloned().unwrap_or_else(usual);
        let home = software.homes.join(&name);
        make_directory_for_postgres(&home).await?;
        let member = Self {
            rest_url: format!("http://{host}:{REST_PORT}"),
            pg_port: PG_PORT,
            name,
            host,
            place,
            home,
        };
        let config = member.config(layout, &software.callback)?.to_string();
        fs::write(member.config_file(), config)?;
        Ok(member)
    }

    pub fn data_dir(&self) -> PathBuf {
        self.home.join("data")
    }

    pub fn log(&self) -> PathBuf {
        self.home.join("patroni.log")
    }

    pub fn log_tail(&self) -> String {
        format!("--- log of {}:\n{}", self.name, tail(&self.log()))
    }

    /// What the `standby_cluster` says that replicates from this member.
    pub fn followed(&self) -> Value {
        json!({ "host": self.host, "port": self.pg_port })
    }

    /// The process id of the running postmaster.
    pub fn postmaster(&self) -> anyhow::Result<i32> {
        let file = self.data_dir().join("postmaster.pid");
        let text =
            fs::read_to_string(&file).with_context(|| format!("{} has no running PostgreSQL", self.name))?;
        let first_line = text.lines().next().unwrap_or_default();
        Ok(first_line.trim().parse()?)
    }

    pub fn patroni_command(&self, venv: &Path) -> Command {
        let mut command = as_postgres(venv.join("bin/patroni"));
        // Its callbacks inherit what makes an AWS client talk to the emulator.
        command.arg(self.config_file()).env("LC_ALL", "C.UTF-8").envs(environment(&Moto::endpoint()));
        self.place.enter(command)
    }

    /// `patroni.yml`, which `patronictl` reads as well.
    pub fn config_file(&self) -> PathBuf {
        self.home.join("patroni.yml")
    }

    /// Patroni reads YAML, of which JSON is a part.
    fn config(&self, layout: Layout<'_>, callback: &str) -> anyhow::Result<Value> {
        let rest = format!("{}:{REST_PORT}", self.host);
        let postgres = format!("{}:{PG_PORT}", self.host);
        let mut dcs = json!({
            "ttl": 20,
            "loop_wait": 2,
            "retry_timeout": 3,
            "postgresql": {
                "use_pg_rewind": true,
                "parameters": {
                    "wal_level": "replica",
                    "max_connections": 25,
                    "max_wal_senders": 5,
                    "max_worker_processes": 4,
                },
            },
        });
        if let Some(primary) = layout.follows {
            dcs["standby_cluster"] = primary.followed();
        }
        Ok(json!({
            "scope": layout.scope,
            "name": self.name,
            "restapi": { "listen": rest, "connect_address": rest },
            "etcd3": { "hosts": format!("{}:{}", layout.dcs, etcd::PORT) },
            "bootstrap": {
                "dcs": dcs,
                "initdb": [{ "encoding": "UTF8" }, { "locale": "C" }, { "auth": "trust" }, "no-sync"],
            },
            "postgresql": {
                "listen": postgres,
                "connect_address": postgres,
                "data_dir": self.data_dir(),
                "bin_dir": postgres_programs()?,
                "pgpass": self.home.join("pgpass"),
                "authentication": {
                    "superuser": { "username": "postgres" },
                    "replication": { "username": "replicator" },
                },
                "pg_hba": [
                    "host all all all trust",
                    "host replication all all trust",
                ],
                "parameters": {
                    "fsync": "off",
                    "shared_buffers": "16MB",
                    "unix_socket_directories": "",
                },
                "callbacks": { "on_role_change": callback, "on_start": callback },
                "basebackup": [{ "checkpoint": "fast" }, "no-sync"],
                "remove_data_directory_on_rewind_failure": true,
                "remove_data_directory_on_diverged_timelines": true,
            },
        }))
    }
}

/// Where the newest PostgreSQL of the machine has its server programs.
pub fn postgres_programs() -> anyhow::Result<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql")?.filter_map(Result::ok);
    let newest = versions
        .filter(|entry| entry.path().join("bin/postgres").exists())
        .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
        .max()
        .context("no PostgreSQL server is installed")?;
    Ok(PathBuf::from(format!("/usr/lib/postgresql/{newest}/bin")))
}

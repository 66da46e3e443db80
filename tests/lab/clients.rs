//! Real clients that ask `repoint primary` where to connect: psql with each format, a service file, a shell's environment and
//! the library's example, before and after a switchover.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use libtest_mimic::Trial;
use tokio::process::Command;
use tokio::time::timeout;

use crate::lab::Lab;
use crate::member::Member;
use crate::stage::Stage;

/// What is run before each script: `ask` prints which server a session is on, and whether it is one that only reads.
const ASK: &str = r#"
ask() {
  psql -XAtq -c "SELECT host(inet_server_addr()) || ' ' || pg_is_in_recovery()::text" "$@"
}
"#;

/// How a client comes to the primary, by the name of the form.
const TO_THE_PRIMARY: [(&str, &str); 8] = [
    ("hosts", r#"dsn=$(repoint primary) && ask "$dsn dbname=postgres user=postgres""#),
    (
        "dsn",
        r#"dsn=$(repoint primary batman --format dsn --wait) && ask "$dsn dbname=postgres user=postgres""#,
    ),
    ("url", r#"url=$(repoint primary --format url) && ask "${url}postgres?user=postgres""#),
    ("env, exported", "server=$(repoint primary --format env) && export $server PGUSER=postgres && ask"),
    (
        "env, evaluated",
        r#"server=$(repoint primary --format env) && set -a && eval "$server" && PGUSER=postgres && ask"#,
    ),
    (
        "pgservice",
        "repoint primary --format pgservice --write services && PGSERVICEFILE=services PGUSER=postgres ask service=batman",
    ),
    (
        "json",
        r#"host=$(repoint primary --format json | jq -er '.nodes[0].host') && ask "host=$host dbname=postgres user=postgres""#,
    ),
    ("the example", r#"dsn=$("$EXAMPLE" "$REPOINT_CONFIG") && ask "$dsn dbname=postgres user=postgres""#),
];

/// What was printed before a switchover leads to the new primary after it.
const KEPT: [(&str, &str); 2] = [
    ("hosts, kept", r#"ask "$(cat hosts) dbname=postgres user=postgres""#),
    ("service, kept", "PGSERVICEFILE=services PGUSER=postgres ask service=batman"),
];

const TO_A_REPLICA: [(&str, &str); 4] = [
    ("readers", r#"dsn=$(repoint primary --readers) && ask "$dsn dbname=postgres user=postgres""#),
    (
        "a reader",
        r#"dsn=$(repoint primary --readers --format dsn) && ask "$dsn dbname=postgres user=postgres""#,
    ),
    ("standbys", r#"dsn=$(repoint primary --standby) && ask "$dsn dbname=postgres user=postgres""#),
    ("the standby", r#"url=$(repoint primary --standby --format url) && ask "${url}postgres?user=postgres""#),
];

pub fn trials(stage: &Arc<Stage>) -> Vec<Trial> {
    vec![stage.trial("clients::every_format_leads_to_the_primary_before_and_after_a_switchover", formats)]
}

async fn formats(lab: &Lab) -> anyhow::Result<()> {
    let clients = Clients::new(lab)?;
    let first = lab.cluster.leader().await?;
    clients.ask_all(&TO_THE_PRIMARY, &first).await?;
    clients.ask_replicas(&first).await?;
    clients.script("repoint primary > hosts").await?;

    let next = lab.cluster.replicas().await?.into_iter().next().context("a replica")?;
    lab.cluster.switchover(&next).await?;
    lab.cluster.wait_healthy().await?;
    // First, since the others write the file again.
    clients.ask_all(&KEPT, &next).await?;
    clients.ask_all(&TO_THE_PRIMARY, &next).await?;
    clients.ask_replicas(&next).await
}

/// A machine with psql and repoint, and with nothing of AWS.
struct Clients {
    folder: PathBuf,
    path: String,
    example: PathBuf,
}

impl Clients {
    fn new(lab: &Lab) -> anyhow::Result<Self> {
        let folder = lab.dir.join("clients");
        fs::create_dir_all(&folder)?;
        let members: Vec<&str> =
            lab.cluster.members().iter().map(|member| member.rest_url.as_str()).collect();
        let configuration = format!(
            "[state]\nfile = \"state.json\"\n\n[[cluster]]\nscope = \"{}\"\nmembers = {members:?}\n",
            lab.cluster.scope()
        );
        fs::write(folder.join("repoint.toml"), configuration)?;
        let path = format!("{}:{}", lab.dir.display(), std::env::var("PATH").unwrap_or_default());
        let example = Path::new(env!("CARGO_BIN_EXE_repoint")).with_file_name("examples").join("primary");
        Ok(Self { folder, path, example })
    }

    async fn ask_all(&self, scripts: &[(&str, &str)], primary: &Member) -> anyhow::Result<()> {
        for (form, script) in scripts {
            let said = self.script(script).await.with_context(|| (*form).to_owned())?;
            eprintln!("{form}: {said}");
            ensure!(said == format!("{} false", primary.host), "{form}: {said}, not {}", primary.host);
        }
        Ok(())
    }

    async fn ask_replicas(&self, primary: &Member) -> anyhow::Result<()> {
        for (form, script) in TO_A_REPLICA {
            let said = self.script(script).await.context(form)?;
            eprintln!("{form}: {said}");
            ensure!(said.ends_with(" true") && !said.starts_with(&primary.host), "{form}: {said}");
        }
        Ok(())
    }

    /// What a script prints, which must succeed.
    async fn script(&self, script: &str) -> anyhow::Result<String> {
        let run = Command::new("sh")
            .args(["-c", &format!("{ASK}{script}")])
            .current_dir(&self.folder)
            .env_clear()
            .env("PATH", &self.path)
            .env("HOME", &self.folder)
            .env("REPOINT_CONFIG", "repoint.toml")
            .env("EXAMPLE", &self.example)
            .kill_on_drop(true)
            .output();
        let ran = timeout(Duration::from_mins(1), run).await.context("the script did not end")??;
        ensure!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
        Ok(String::from_utf8(ran.stdout)?.trim().to_owned())
    }
}

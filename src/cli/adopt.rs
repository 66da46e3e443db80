//! `repoint adopt`: accept a new system identifier, or an older timeline.

use std::process::ExitCode;

use serde_json::json;

use super::{Format, entry, print};
use crate::app::App;
use crate::app::{AdoptError, Adopted};
use crate::config::Settings;
use repoint_domain::decide::verdict::HoldKind;
use repoint_domain::report::Tone;
use repoint_domain::values::cluster::EntryName;

pub const HELP: &str = "\
Example:
  repoint adopt batman && repoint plan --cluster batman

A cluster that was recreated, or restored to an earlier point in time, is held (`wrong_cluster`, `stale`) until it is
adopted: an old copy of a database must not get the traffic automatically.";

/// Changes the state, and nothing else.
pub async fn main(settings: Settings, called: &str, format: Format) -> ExitCode {
    let spec = match entry(&settings, called) {
        Ok(spec) => spec.clone(),
        Err(message) => return print::usage_error(&message),
    };
    let app = match App::new(settings).await {
        Ok(app) => app,
        Err(error) => return print::usage_error(&format!("{:#}", anyhow::Error::from(error))),
    };
    let adopted = app.adopt(&spec).await;
    let (scope, name) = (&spec.scope, &spec.name);
    match (&adopted, format) {
        (Ok(Adopted { before, primary }), Format::Json) => {
            let answer = json!({
                "scope": scope,
                "name": name,
                "adopted": { "system_id": primary.system_id, "timeline": primary.timeline },
                "before": { "system_id": before.system_id, "timeline": before.highest_timeline },
            });
            print::json(&answer, true)
        }
        (Ok(adopted), Format::Text) => print::text(&text(name, adopted), true),
        (Err(error), Format::Json) => {
            let answer =
                json!({ "scope": scope, "name": name, "error": error_text(error), "hint": hint(error) });
            print::json(&answer, false)
        }
        (Err(error), Format::Text) => {
            let not_adopted = print::paint(Tone::Bad, "not adopted");
            let said = format!("{name}  {not_adopted}: {}\n  {}\n", error_text(error), hint(error));
            print::text(&said, false)
        }
    }
}

fn text(name: &EntryName, adopted: &Adopted) -> String {
    let Adopted { before, primary } = adopted;
    let member = primary.member.as_ref().map_or("an unnamed member", |member| member.as_str());
    let known = match (&before.system_id, before.highest_timeline) {
        (Some(system), Some(timeline)) => format!("system {system} on timeline {timeline}"),
        _ => "nothing".to_owned(),
    };
    let is_adopted = print::paint(Tone::Good, "adopted");
    format!(
        "{name}  {is_adopted} system {} on timeline {}, whose primary is {member}; before: {known}\n  \
         no endpoint was changed; see `repoint plan --cluster {name}`\n",
        primary.system_id, primary.timeline,
    )
}

fn error_text(error: &AdoptError) -> String {
    match error {
        AdoptError::State(failure) => format!("{error}: {failure}"),
        AdoptError::Hold(_) => error.to_string(),
    }
}

fn hint(error: &AdoptError) -> String {
    match error {
        AdoptError::Hold(hold) if hold.kind() == HoldKind::WrongCluster => {
            "the configuration expects another cluster: change its `scope` or `system_id`".to_owned()
        }
        AdoptError::Hold(hold) => hold.kind().remedy().to_owned(),
        AdoptError::State(failure) => {
            failure.hint.clone().unwrap_or_else(|| "correct the state store, and try again".to_owned())
        }
    }
}

//! `repoint adopt`: accept a new system identifier.

use std::process::ExitCode;

use serde_json::json;

use super::{Format, print};
use crate::app::App;
use crate::app::{AdoptError, Adopted};
use crate::config::Settings;
use crate::domain::report::Tone;
use crate::domain::verdict::HoldKind;

/// Changes memory, and nothing else.
pub async fn main(settings: Settings, scope: &str, format: Format) -> ExitCode {
    let app = match App::new(settings).await {
        Ok(app) => app,
        Err(error) => return print::usage_error(&format!("{:#}", anyhow::Error::from(error))),
    };
    let Some(adopted) = app.adopt(scope).await else {
        return print::usage_error(&format!("the configuration has no cluster `{scope}`"));
    };
    match (&adopted, format) {
        (Ok(Adopted { before, primary }), Format::Json) => {
            let answer = json!({
                "scope": scope,
                "adopted": { "system_id": primary.system_id, "timeline": primary.timeline },
                "before": { "system_id": before.system_id, "timeline": before.highest_timeline },
            });
            print::json(&answer, true)
        }
        (Ok(adopted), Format::Text) => print::text(&text(scope, adopted), true),
        (Err(error), Format::Json) => {
            let answer = json!({ "scope": scope, "error": error_text(error), "hint": hint(error) });
            print::json(&answer, false)
        }
        (Err(error), Format::Text) => {
            let not_adopted = print::paint(Tone::Bad, "not adopted");
            let said = format!("{scope}  {not_adopted}: {}\n  {}\n", error_text(error), hint(error));
            print::text(&said, false)
        }
    }
}

fn text(scope: &str, adopted: &Adopted) -> String {
    let Adopted { before, primary } = adopted;
    let member = primary.member.as_ref().map_or("an unnamed member", |member| member.as_str());
    let known = match (&before.system_id, before.highest_timeline) {
        (Some(system), Some(timeline)) => format!("system {system} on timeline {timeline}"),
        _ => "nothing".to_owned(),
    };
    let is_adopted = print::paint(Tone::Good, "adopted");
    format!(
        "{scope}  {is_adopted} system {} on timeline {}, whose primary is {member}; before: {known}\n  \
         nothing was moved; see `repoint plan --cluster {scope}`\n",
        primary.system_id, primary.timeline,
    )
}

fn error_text(error: &AdoptError) -> String {
    match error {
        AdoptError::Memory(failure) => format!("{error}: {failure}"),
        AdoptError::Hold(_) => error.to_string(),
    }
}

fn hint(error: &AdoptError) -> String {
    match error {
        AdoptError::Hold(hold) if hold.kind() == HoldKind::WrongCluster => {
            "the configuration itself expects another cluster: change its `scope` or `system_id`".to_owned()
        }
        AdoptError::Hold(hold) => hold.kind().remedy().to_owned(),
        AdoptError::Memory(failure) => {
            failure.hint().unwrap_or_else(|| "mend that, and try again".to_owned())
        }
    }
}

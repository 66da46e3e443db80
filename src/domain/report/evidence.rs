//! What a verdict rests on, in sentences.

use super::status::MemberReport;
use crate::values::primary::label;

/// What each member says, those first that claim to be the primary.
#[must_use]
pub fn evidence(members: &[MemberReport]) -> Vec<String> {
    let mut members: Vec<&MemberReport> = members.iter().collect();
    members.sort_by_key(|member| (!member.is_claimant, member.error.is_some()));
    members.into_iter().map(sentence).collect()
}

fn sentence(member: &MemberReport) -> String {
    let name = label(member.site.as_ref(), &member.member);
    if let Some(error) = &member.error {
        return format!("{name} does not answer: {error}.");
    }
    let timeline = member.timeline.map_or(String::new(), |timeline| format!(", on timeline {timeline}"));
    let role = member.role.as_deref().unwrap_or("unknown");
    if member.is_claimant {
        return format!("{name} answers that it is the primary{timeline}.");
    }
    let state = member.state.as_ref().map_or(String::new(), |state| format!(", {state}"));
    match role {
        "leader" => {
            format!(
                "{name} is listed as the leader and does not answer that it is the primary{state}{timeline}."
            )
        }
        _ => format!("{name} answers; its role: {role}{state}{timeline}."),
    }
}

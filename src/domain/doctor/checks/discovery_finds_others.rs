//! What discovery finds beside the members.

use crate::doctor::check::{Check, Judge, Judgement, Severity, fine, wrong};
use crate::doctor::subject::Site;
use crate::values::cluster::ApiUrl;

pub const CHECK: Check = Check {
    id: "discovery_finds_others",
    severity: Severity::Info,
    title: "Discovery finds what is no member",
    why: "Every pass asks it. A copy of the cluster that was restored with its tags is not followed while a member of the cluster \
          answers; once AWS says that none of those runs any more, it is.",
    link: "https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Tags.html",
    judge: Judge::Site(judge),
};

fn judge(site: &Site<'_>) -> Judgement {
    let Some((discover, found)) = site.discovered()? else { return fine() };
    let members = site.addresses();
    let others: Vec<&str> =
        found.iter().map(ApiUrl::host).filter(|host| !members.contains_key(host)).collect();
    if others.is_empty() || members.is_empty() {
        return fine();
    }
    wrong(
        format!("{} is among the {}, and GET /cluster does not list it", others.join(", "), discover.source),
        "take its tag or address away, or let it join the cluster",
    )
}

//! Members that discovery does not find.

use crate::doctor::check::{Check, Judge, Judgement, Severity, fine, wrong};
use crate::doctor::subject::Site;
use crate::spec::Source;
use crate::values::cluster::ApiUrl;

pub const CHECK: Check = Check {
    id: "discovery_incomplete",
    severity: Severity::Warning,
    title: "Discovery does not find every member",
    why: "As long as another member answers, `/cluster` names it. Once all members that are known have been replaced, only what discovery \
          finds is asked: if that is not the primary, the cluster is held.",
    link: "https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Tags.html",
    judge: Judge::Site(judge),
};

fn judge(site: &Site<'_>) -> Judgement {
    let Some((discover, found)) = site.discovered()? else { return fine() };
    let hosts: Vec<&str> = found.iter().map(ApiUrl::host).collect();
    let listed = site.addresses().into_iter();
    let missing: Vec<String> = listed
        .filter(|(host, _)| !hosts.contains(host))
        .map(|(host, name)| format!("{name} ({host})"))
        .collect();
    if missing.is_empty() {
        return fine();
    }
    let remedy = match &discover.source {
        Source::Instances { tag, .. } => match tag.group() {
            Some(group) => {
                format!("start its node from the Auto Scaling group {group}, or name it in `members`")
            }
            None => format!(
                "aws ec2 create-tags --resources INSTANCE --tags 'Key={},Value={}'",
                tag.key, tag.value
            ),
        },
        Source::Addresses(name) => format!("add its address to {name}"),
        Source::Service(name) => {
            format!("add it to the SRV records of {name}, by address; or ignore this if they have names")
        }
    };
    wrong(format!("{} is not among the {}", missing.join(", "), discover.source), remedy)
}

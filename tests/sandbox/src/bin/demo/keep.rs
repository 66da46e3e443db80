//! The sandbox, left running: to be broken by hand, and watched.

use std::path::Path;
use std::time::Duration;

use repoint_sandbox::http::sandbox::CREDENTIALS;

use crate::page::{Page, Tone, paint};
use crate::scenario::{Stage, Watch};

/// How often `repoint run` is begun.
const EVERY: Duration = Duration::from_secs(1);

/// Prints the commands to try, and then each event, until interrupted.
pub async fn keep(stage: &Stage, page: &mut Page) {
    hints(stage, page);
    stage.sandbox.with(|site| {
        for member in site.cluster.ids() {
            site.cluster.start(site.now, member);
        }
    });
    let mut watch = Watch::new(stage, EVERY);
    loop {
        watch.next(page).await;
    }
}

fn hints(stage: &Stage, page: &mut Page) {
    let (aws, control) = (stage.sandbox.aws_url(), stage.sandbox.control_url());
    let group = stage.sandbox.with(|site| site.resources.ip_group.clone());
    let zone = stage.sandbox.with(|site| site.resources.zone.clone());
    let credentials: Vec<String> =
        CREDENTIALS.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let repoint = quoted(stage.program.executable());
    let configuration = quoted(&stage.program.configuration());
    let commands = [
        (
            "break it",
            vec![
                format!("curl -X POST {control}/members/pg1/crash"),
                format!("curl -X POST {control}/members/pg1/start"),
                format!("curl -X POST {control}/switchover/pg2"),
                format!("curl -X POST {control}/split_brain/pg3"),
                format!("curl -X POST {control}/aws/throttle"),
                format!("curl -X POST {control}/aws/heal"),
                format!("curl {control}/               # everything else that can be done"),
            ],
        ),
        (
            "inspect it",
            vec![
                format!("export {}", credentials.join(" ")),
                format!("{repoint} repoint status --config {configuration}"),
                format!("{repoint} repoint plan --config {configuration}"),
                format!("curl {control}/status"),
                format!("curl {control}/messages"),
            ],
        ),
        (
            "with AWS's own tool",
            vec![
                format!(
                    "aws --region us-east-1 --endpoint-url {aws} elbv2 describe-target-health --target-group-arn {group}"
                ),
                format!(
                    "aws --region us-east-1 --endpoint-url {aws} route53 list-resource-record-sets --hosted-zone-id {zone}"
                ),
            ],
        ),
    ];
    page.line("");
    page.line(&format!(
        "{} {}",
        paint(Tone::Strong, "The sandbox stays."),
        paint(Tone::Faint, "repoint runs every second; events are printed below. Ctrl-C ends it."),
    ));
    for (title, lines) in commands {
        page.line("");
        page.line(&format!("   {}", paint(Tone::Faint, title)));
        for line in lines {
            page.line(&format!("   {line}"));
        }
    }
    page.line("");
}

/// As a shell takes it.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+".contains(c);
    if text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

//! The report as an operator reads it: grouped by cluster, the worst cluster first, each finding with what to do.

use std::cmp::Reverse;
use std::fmt::Write;

use super::check::Severity;
use super::report::{DoctorReport, Finding, Gap};
use crate::report::Tone;
use crate::values::cluster::EntryName;

/// Where an installed package has the guide.
const GUIDE: &str = "/usr/share/doc/repoint/infra/guide/doctor.md";

/// The report in plain words; `paint` may add colour, and must not change the visible width.
#[must_use]
pub fn text(report: &DoctorReport, paint: &dyn Fn(Tone, &str) -> String) -> String {
    let mut text = String::new();
    let mut clusters: Vec<(&EntryName, Vec<&Finding>)> =
        report.clusters.iter().map(|name| (name, report.of_cluster(name).collect())).collect();
    clusters.sort_by_key(|(_, findings)| Reverse(findings.first().map(|finding| finding.severity)));
    let (troubled, fine): (Vec<_>, Vec<_>) =
        clusters.into_iter().partition(|(_, findings)| !findings.is_empty());
    for (name, findings) in &troubled {
        section(&mut text, name.as_str(), findings, paint);
    }
    let setup: Vec<&Finding> = report.of_setup().collect();
    if !setup.is_empty() {
        section(&mut text, "configuration", &setup, paint);
    }
    match &fine[..] {
        [] => {}
        [(only, _)] => {
            let _ = writeln!(
                text,
                "{}  {}",
                paint(Tone::Strong, only.as_str()),
                paint(Tone::Good, "nothing wrong")
            );
        }
        several if troubled.is_empty() => {
            let _ = writeln!(text, "{} clusters  {}", several.len(), paint(Tone::Good, "nothing wrong"));
        }
        several => {
            let _ =
                writeln!(text, "{} other clusters  {}", several.len(), paint(Tone::Good, "nothing wrong"));
        }
    }
    for gap in &report.not_checked {
        not_checked(&mut text, gap, paint);
    }
    for ignored in &report.ignored {
        let cluster = ignored.cluster.as_ref().map_or(String::new(), |cluster| format!("{cluster}: "));
        let words =
            format!("{cluster}{} {}: {} ({})", ignored.id, ignored.subject, ignored.found, ignored.reason);
        let _ = writeln!(text, "{}  {words}", paint(Tone::Faint, "ignored"));
    }
    summary(&mut text, report, paint);
    text
}

fn section(text: &mut String, name: &str, findings: &[&Finding], paint: &dyn Fn(Tone, &str) -> String) {
    let _ = writeln!(text, "{}", paint(Tone::Strong, name));
    for finding in findings {
        let severity = paint(tone(finding.severity), finding.severity.as_str());
        let subject =
            if finding.subject.is_empty() { String::new() } else { format!("{}: ", finding.subject) };
        let _ =
            writeln!(text, "  {severity}  {subject}{}  {}", finding.title, paint(Tone::Faint, finding.id));
        let _ = writeln!(text, "    found   {}", finding.found);
        let _ = writeln!(text, "    why     {}", finding.why);
        let _ = writeln!(text, "    remedy  {}", finding.remedy);
        let others: Vec<&str> = finding.clusters.iter().skip(1).map(EntryName::as_str).collect();
        if !others.is_empty() {
            let _ = writeln!(text, "    also    {}", some_of(&others));
        }
    }
    text.push('\n');
}

fn not_checked(text: &mut String, gap: &Gap, paint: &dyn Fn(Tone, &str) -> String) {
    let ids: Vec<&str> = gap.ids.iter().copied().collect();
    let _ = writeln!(text, "{}  {}: {}", paint(Tone::Notice, "not checked"), gap.call, gap.message);
    if let Some(hint) = &gap.hint {
        let _ = writeln!(text, "    remedy  {hint}");
    }
    let _ = writeln!(text, "    checks  {}", ids.join(", "));
}

fn summary(text: &mut String, report: &DoctorReport, paint: &dyn Fn(Tone, &str) -> String) {
    let counts = Severity::ALL.into_iter().rev().map(|severity| match report.count(severity) {
        0 => format!("0 {}", severity.as_str()),
        some => paint(tone(severity), &format!("{some} {}", severity.as_str())),
    });
    let counts: Vec<String> = counts.collect();
    let _ = writeln!(
        text,
        "{} checks: {}; {} not checked, {} ignored",
        report.checks,
        counts.join(", "),
        report.not_checked.len(),
        report.ignored.len()
    );
    if !report.findings.is_empty() {
        let _ = writeln!(text, "{}", paint(Tone::Faint, &format!("each check is explained in {GUIDE}")));
    }
}

fn tone(severity: Severity) -> Tone {
    match severity {
        Severity::Critical => Tone::Bad,
        Severity::Warning => Tone::Notice,
        Severity::Info => Tone::Faint,
    }
}

/// So many names as fit a line.
fn some_of(names: &[&str]) -> String {
    const MOST: usize = 8;
    match names.len().checked_sub(MOST) {
        None | Some(0) => names.join(", "),
        Some(more) => format!("{} and {more} more", names[..MOST].join(", ")),
    }
}

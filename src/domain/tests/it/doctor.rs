//! Each check finds what it is for, and nothing else finds it; where all is right nothing is found.

#![expect(clippy::assigning_clones, reason = "a case says what it makes wrong, in the shortest way")]

mod balancers;
mod groups;
mod listeners;
mod messages;
mod node;
mod patroni;
mod records;
mod security_groups;

use std::collections::BTreeSet;
use std::fmt::Write as _;

use repoint_domain::doctor::check::Severity;
use repoint_domain::doctor::checks::CHECKS;
use repoint_domain::doctor::examine::examine;
use repoint_domain::doctor::facts::Facts;
use repoint_domain::doctor::report::{DoctorReport, Ignore};
use repoint_domain::doctor::text::text;
use repoint_domain::observed::Read;
use repoint_domain::values::cluster::EntryName;
use repoint_domain::values::failure::{Failure, Kind};

use crate::support::setup::{group_facts, right, set};

/// What is made wrong, and which check finds it: none, where it is not wrong; or which one cannot know.
pub struct Case {
    pub name: &'static str,
    pub finds: Option<(&'static str, Severity)>,
    /// What another check finds of the same fault.
    pub beside: Option<(&'static str, Severity)>,
    pub cannot_know: Option<&'static str>,
    pub change: fn(&mut Facts),
}

/// A case of something that is wrong.
pub const fn finds(name: &'static str, id: &'static str, severity: Severity, change: fn(&mut Facts)) -> Case {
    Case { name, finds: Some((id, severity)), beside: None, cannot_know: None, change }
}

impl Case {
    /// The same, which another check finds as well.
    pub const fn beside(self, id: &'static str, severity: Severity) -> Self {
        Self { beside: Some((id, severity)), ..self }
    }
}

/// A case of something unusual that is right.
pub const fn silent(name: &'static str, change: fn(&mut Facts)) -> Case {
    Case { name, finds: None, beside: None, cannot_know: None, change }
}

/// A case that a check cannot judge by what was read.
pub const fn unknown(name: &'static str, id: &'static str, change: fn(&mut Facts)) -> Case {
    Case { name, finds: None, beside: None, cannot_know: Some(id), change }
}

fn cases() -> impl Iterator<Item = &'static Case> {
    [
        groups::CASES,
        balancers::CASES,
        listeners::CASES,
        records::CASES,
        messages::CASES,
        patroni::CASES,
        node::CASES,
    ]
    .into_iter()
    .flatten()
}

fn examined(change: fn(&mut Facts)) -> DoctorReport {
    let mut facts = right();
    change(&mut facts);
    examine(&facts, CHECKS, &[])
}

fn plain(report: &DoctorReport) -> String {
    text(report, &|_, words| words.to_owned())
}

/// These checks are about more than was read, and nothing else is wrong.
#[track_caller]
fn not_checked(change: fn(&mut Facts), ids: &[&str], why: &str) {
    let report = examined(change);
    assert!(report.findings.is_empty(), "{}", plain(&report));
    let gaps = report.not_checked.iter().filter(|gap| gap.message.contains(why));
    let found: BTreeSet<&str> = gaps.flat_map(|gap| gap.ids.iter().copied()).collect();
    assert_eq!(found, ids.iter().copied().collect(), "{why}: {}", plain(&report));
}

/// What is found in these cases, once for each check, and its remedy.
fn remedies(cases: &[Case]) -> String {
    let (mut seen, mut text) = (BTreeSet::new(), String::new());
    for case in cases.iter().filter(|case| case.finds.is_some()) {
        for finding in examined(case.change).findings.into_iter().filter(|finding| seen.insert(finding.id)) {
            let _ = writeln!(text, "{}: {}\n  {}", finding.id, finding.found, finding.remedy);
        }
    }
    text
}

#[test]
fn a_set_up_without_fault_says_so_in_three_lines() {
    let report = examine(&right(), CHECKS, &[]);
    let text = plain(&report);
    assert!(text.lines().count() <= 3 && text.starts_with("batman  nothing wrong\n"), "{text}");
}

#[test]
fn each_case_is_found_by_its_check_alone() {
    let mut wrong = Vec::new();
    for case in cases() {
        let report = examined(case.change);
        let found: BTreeSet<_> =
            report.findings.iter().map(|finding| (finding.id, finding.severity)).collect();
        let has_gap = |id| report.not_checked.iter().any(|gap| gap.ids.contains(id));
        if found != case.finds.into_iter().chain(case.beside).collect()
            || !case.cannot_know.is_none_or(has_gap)
        {
            wrong.push(format!("{}: {found:?}\n{}", case.name, plain(&report)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn each_check_has_a_case_and_an_id_of_its_own() {
    let ids: BTreeSet<_> = CHECKS.iter().map(|check| check.id).collect();
    assert_eq!(ids.len(), CHECKS.len(), "{ids:?}");
    let found: BTreeSet<_> = cases().filter_map(|case| Some(case.finds?.0)).collect();
    assert_eq!(ids, found);
}

#[test]
fn what_cannot_be_read_is_never_fine() {
    fn denied<T>() -> Read<T> {
        let failure =
            Failure::new(Kind::Denied, "elasticloadbalancing:DescribeTargetGroupAttributes", "pg", "denied");
        Err(failure.with_hint("allow it"))
    }
    let report = examined(|facts| group_facts(facts).attributes = denied());
    assert!(report.findings.is_empty(), "{}", plain(&report));
    let [gap] = &report.not_checked[..] else { panic!("{}", plain(&report)) };
    assert!(gap.ids.contains("cross_zone_off"));
    assert_eq!(gap.hint.as_deref(), Some("allow it"));
}

#[test]
fn what_is_to_be_ignored_is_reported_as_ignored() {
    let mut facts = right();
    set(&mut group_facts(&mut facts).attributes, "load_balancing.cross_zone.enabled", "false");
    let ignore = |cluster: &str| Ignore {
        id: "cross_zone_off".to_owned(),
        cluster: Some(EntryName::new(cluster)),
        resource: None,
        reason: "one zone".to_owned(),
    };
    assert!(!examine(&facts, CHECKS, &[ignore("robin")]).is_good());
    let report = examine(&facts, CHECKS, &[ignore("batman")]);
    assert!(report.is_good() && report.ignored.len() == 1, "{}", plain(&report));
}

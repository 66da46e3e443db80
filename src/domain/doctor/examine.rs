//! Asks every check about everything that it is about.

use std::collections::{BTreeMap, BTreeSet};

use super::check::{Check, Judge, Judgement, NotChecked};
use super::facts::Facts;
use super::facts::node::PatroniYml;
use super::report::{DoctorReport, Finding, Gap, Ignore, Ignored};
use super::subject::{Balancer, Cluster, File, Group, Listener, Member, Record, Site, Topic, functions};
use crate::observed::Read;
use crate::values::cluster::EntryName;

/// What a judgement is about: for a reader, and as a key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Subject {
    /// In words: `target group pg-writer`.
    words: String,
    /// An ARN, a URL, a record.
    resource: String,
}

impl Subject {
    fn new(words: impl Into<String>, resource: impl Into<String>) -> Self {
        Self { words: words.into(), resource: resource.into() }
    }
}

/// Everything that is wrong, each once: what several clusters share is reported with all of them.
#[must_use]
pub fn examine(facts: &Facts, checks: &[&Check], ignore: &[Ignore]) -> DoctorReport {
    let mut found = Found { ignore, ..Found::default() };
    for cluster in facts.clusters.iter().map(|its| Cluster { facts, its }) {
        for check in checks {
            for (subject, judgement) in of_cluster(check, cluster) {
                found.add(check, Some(cluster.its.name()), &subject, judgement);
            }
        }
    }
    for check in checks {
        for (subject, judgement) in of_setup(check, facts) {
            found.add(check, None, &subject, judgement);
        }
    }
    found.report(facts, checks)
}

fn of_cluster(check: &Check, cluster: Cluster<'_>) -> Vec<(Subject, Judgement)> {
    let spec = cluster.spec();
    let members = || cluster.sites().flat_map(Site::members);
    let of_group = |group: &Group<'_>| {
        let arn = &group.spec.arn;
        Subject::new(format!("target group {}", arn.name()), arn.as_str())
    };
    match check.judge {
        Judge::Setup(_) | Judge::Topic(_) | Judge::Function(_) | Judge::File(_) => Vec::new(),
        Judge::Cluster(judge) => {
            let subject = Subject::new(format!("cluster {}", spec.name), spec.name.as_str());
            vec![(subject, judge(&cluster))]
        }
        Judge::Site(judge) => {
            let subject =
                |site: &Site<'_>| Subject::new(site.name(), format!("{} {}", spec.name, site.spec.scope));
            cluster.sites().map(|site| (subject(&site), judge(&site))).collect()
        }
        Judge::Member(judge) => {
            let subject = |member: &Member<'_>| Subject::new(member.name(), member.url.to_string());
            members().map(|member| (subject(&member), judge(&member))).collect()
        }
        Judge::Group(judge) => cluster.groups().map(|group| (of_group(&group), judge(&group))).collect(),
        Judge::Balancer(judge) => cluster
            .groups()
            .flat_map(|group| match group.balancers() {
                Ok(balancers) => {
                    balancers.map(|balancer| (of_balancer(&balancer), judge(&balancer))).collect()
                }
                Err(why) => vec![(of_group(&group), Err(why))],
            })
            .collect(),
        Judge::Listener(judge) => cluster
            .groups()
            .flat_map(|group| match group.balancers() {
                Ok(balancers) => balancers.flat_map(|balancer| of_listeners(balancer, judge)).collect(),
                Err(why) => vec![(of_group(&group), Err(why))],
            })
            .collect(),
        Judge::Record(judge) => {
            let subject = |record: &Record<'_>| {
                let place = &record.spec.key.place;
                Subject::new(
                    format!("record {}/{}", place.name, place.record_type),
                    record.spec.key.to_string(),
                )
            };
            cluster.records().map(|record| (subject(&record), judge(&record))).collect()
        }
    }
}

fn of_balancer(balancer: &Balancer<'_>) -> Subject {
    Subject::new(format!("load balancer {}", balancer.name()), balancer.arn)
}

fn of_listeners(balancer: Balancer<'_>, judge: fn(&Listener<'_>) -> Judgement) -> Vec<(Subject, Judgement)> {
    let subject = |listener: &Listener<'_>| {
        let port = listener.its.port.map_or(String::new(), |port| format!(" port {port}"));
        Subject::new(format!("listener of {}{port}", balancer.name()), &listener.its.arn)
    };
    match balancer.listeners() {
        Ok(listeners) => listeners.map(|listener| (subject(&listener), judge(&listener))).collect(),
        Err(why) => vec![(of_balancer(&balancer), Err(why))],
    }
}

fn of_setup(check: &Check, facts: &Facts) -> Vec<(Subject, Judgement)> {
    match check.judge {
        Judge::Setup(judge) => vec![(Subject::new("", ""), judge(facts))],
        Judge::Topic(judge) => {
            let topics = facts.topics.iter().map(|(arn, its)| Topic { facts, arn, its });
            let name =
                |topic: &Topic<'_>| topic.arn.as_str().rsplit(':').next().unwrap_or_default().to_owned();
            let subject =
                |topic: &Topic<'_>| Subject::new(format!("topic {}", name(topic)), topic.arn.as_str());
            topics.map(|topic| (subject(&topic), judge(&topic))).collect()
        }
        Judge::Function(judge) => functions(facts)
            .map(|function| {
                let subject =
                    Subject::new(format!("function {}", function.name.name()), function.name.as_str());
                (subject, judge(&function))
            })
            .collect(),
        Judge::File(judge) => of_files(facts, judge),
        _ => Vec::new(),
    }
}

/// The files of Patroni clusters that are configured, and those that could not be read.
fn of_files(facts: &Facts, judge: fn(&File<'_>) -> Judgement) -> Vec<(Subject, Judgement)> {
    let Some(node) = &facts.node else { return Vec::new() };
    let judged = |(path, read): (&String, &Read<PatroniYml>)| {
        let judgement = match read {
            Ok(its) => judge(&File::of(facts, node, path, its)?),
            Err(failure) => Err(failure.into()),
        };
        Some((Subject::new(format!("{path} on {}", node.host), path), judgement))
    };
    node.patroni.iter().filter_map(judged).collect()
}

/// What was found so far.
#[derive(Default)]
struct Found<'a> {
    ignore: &'a [Ignore],
    judged: usize,
    findings: BTreeMap<(Subject, &'static str, String), Finding>,
    ignored: BTreeSet<Ignored>,
    gaps: BTreeMap<(String, String), Gap>,
    seen: BTreeSet<(Subject, &'static str)>,
}

impl Found<'_> {
    fn add(&mut self, check: &Check, cluster: Option<&EntryName>, subject: &Subject, judgement: Judgement) {
        if self.seen.insert((subject.clone(), check.id)) {
            self.judged += 1;
        }
        let ignored = self.ignore.iter().find(|ignore| ignore.covers(check.id, cluster, &subject.resource));
        match judgement {
            Ok(wrong) => {
                for wrong in wrong {
                    if let Some(ignore) = ignored {
                        self.ignored.insert(Ignored {
                            id: check.id,
                            cluster: cluster.cloned(),
                            subject: subject.words.clone(),
                            found: wrong.found,
                            reason: ignore.reason.clone(),
                        });
                        continue;
                    }
                    let key = (subject.clone(), check.id, wrong.found.clone());
                    let finding = self.findings.entry(key).or_insert_with(|| Finding {
                        id: check.id,
                        severity: wrong.severity.unwrap_or(check.severity),
                        title: check.title,
                        clusters: Vec::new(),
                        subject: subject.words.clone(),
                        resource: subject.resource.clone(),
                        found: wrong.found,
                        why: check.why,
                        remedy: wrong.remedy,
                        link: check.link,
                    });
                    add_new(&mut finding.clusters, cluster);
                }
            }
            Err(why) => {
                let (call, message, hint) = match why {
                    NotChecked::Failed(failure) => {
                        (format!("{} on {}", failure.call, failure.resource), failure.message, failure.hint)
                    }
                    NotChecked::Unknown(why) if subject.words.is_empty() => {
                        ("the configuration".to_owned(), why, None)
                    }
                    NotChecked::Unknown(why) => (subject.words.clone(), why, None),
                };
                let gap = self.gaps.entry((call.clone(), message.clone())).or_insert_with(|| Gap {
                    ids: BTreeSet::new(),
                    clusters: Vec::new(),
                    call,
                    message,
                    hint,
                });
                gap.ids.insert(check.id);
                add_new(&mut gap.clusters, cluster);
            }
        }
    }

    fn report(self, facts: &Facts, checks: &[&Check]) -> DoctorReport {
        let mut findings: Vec<Finding> = self.findings.into_values().collect();
        findings.sort_by(|one, other| {
            other
                .severity
                .cmp(&one.severity)
                .then_with(|| one.id.cmp(other.id))
                .then_with(|| one.subject.cmp(&other.subject))
        });
        DoctorReport {
            at: facts.at,
            clusters: facts.clusters.iter().map(|cluster| cluster.name().clone()).collect(),
            checks: checks.len(),
            judged: self.judged,
            findings,
            not_checked: self.gaps.into_values().collect(),
            ignored: self.ignored.into_iter().collect(),
        }
    }
}

fn add_new(clusters: &mut Vec<EntryName>, cluster: Option<&EntryName>) {
    if let Some(cluster) = cluster
        && !clusters.contains(cluster)
    {
        clusters.push(cluster.clone());
    }
}

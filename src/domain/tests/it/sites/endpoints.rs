//! What follows which site: groups, names, and the auditor.

use std::collections::BTreeMap;

use repoint_domain::audit::{Refusal, audit};
use repoint_domain::decide::verdict::{Verdict, verdict};
use repoint_domain::observed::Observed;
use repoint_domain::plan::{Plan, StepGroup, TargetStep, plan};
use repoint_domain::spec::{GroupSpec, PointsTo, RecordSpec, Spec};
use repoint_domain::state::State;
use repoint_domain::values::arn::GroupArn;
use repoint_domain::values::cluster::{SiteName, Timeline};
use repoint_domain::values::record::{Answer, Failover, RecordChange, RecordSet};
use repoint_domain::values::timestamp::Timestamp;

use super::followed;
use crate::support::evidence::{
    alias, arn, failover_spec, group_spec, ip_group, record, records, refused, target,
};
use crate::support::sites::{How, balancer, east, seen, site_host, spec_of, west};

fn group(site: &SiteName) -> GroupArn {
    arn(&format!("arn:aws:elasticloadbalancing:us-{site}-1:123456789012:targetgroup/pg/057ddce98af07a33"))
}

fn names() -> Vec<RecordSpec> {
    [Failover::Primary, Failover::Secondary]
        .into_iter()
        .map(|end| RecordSpec { points_to: PointsTo::Site, ..failover_spec(end) })
        .collect()
}

/// A group for each site, and a failover pair that leads to them.
fn spec() -> Spec {
    let group = |site: SiteName| GroupSpec { arn: group(&site), site: Some(site), ..group_spec() };
    Spec { groups: vec![group(east()), group(west())], records: names(), ..spec_of(&[east(), west()]) }
}

fn leading_to(wanted: &RecordSpec, site: &SiteName) -> RecordSet {
    RecordSet { answer: Answer::Alias(alias(&balancer(site))), ..record(wanted, &[]) }
}

/// The endpoints as they are while east leads, pg1 at its head.
fn observed(in_east: How, in_west: How) -> Observed {
    let names = names();
    Observed {
        groups: [east(), west()]
            .iter()
            .map(|site| (group(site), Ok(ip_group(&[(&site_host(site, 1), "healthy")]))))
            .collect(),
        records: records([leading_to(&names[0], &east()), leading_to(&names[1], &west())]),
        ..seen(&[(east(), in_east), (west(), in_west)])
    }
}

fn planned(spec: &Spec, observed: &Observed, state: &State) -> (Verdict, Plan) {
    let verdict = verdict(spec, observed, state);
    let plan = plan(spec, observed, &verdict, state, Timestamp(0));
    assert!(audit(&plan, spec, observed, &verdict, state, Timestamp(0)).is_ok());
    (verdict, plan)
}

fn changes(plan: &Plan) -> Vec<String> {
    let summary = |change: &RecordChange| {
        let before = change.before.as_ref().map_or_else(String::new, |set| set.answer.to_string());
        format!("{before} -> {}", change.after.answer)
    };
    let step_groups = plan.step_groups.iter().filter_map(|step_group| match step_group {
        StepGroup::Zone { changes, .. } => Some(changes),
        StepGroup::Group { .. } | StepGroup::Listeners { .. } | StepGroup::Backend { .. } => None,
    });
    step_groups.flatten().map(summary).collect()
}

fn touched(plan: &Plan) -> Vec<&GroupArn> {
    let groups = plan.step_groups.iter().filter_map(|step_group| match step_group {
        StepGroup::Group { arn, .. } => Some(arn),
        StepGroup::Listeners { .. } | StepGroup::Zone { .. } | StepGroup::Backend { .. } => None,
    });
    groups.collect()
}

#[test]
fn a_failover_within_the_site_changes_no_name_and_no_other_group() {
    let state = followed(east(), 5, &[]);
    let (_, plan) = planned(&spec(), &observed(How::Leads(2, 6), How::Follows(6)), &state);
    assert_eq!(touched(&plan), [&group(&east())]);
    assert!(changes(&plan).is_empty() && plan.holds.is_empty());
    let (_, nothing) = planned(&spec(), &observed(How::Leads(1, 5), How::Follows(5)), &state);
    assert_eq!(nothing, Plan::default());
}

#[test]
fn the_names_change_places_when_the_other_site_leads() {
    let state = followed(east(), 5, &[]);
    let (_, plan) = planned(&spec(), &observed(How::Dark, How::Leads(2, 6)), &state);
    assert_eq!(touched(&plan), [&group(&west())]);
    assert_eq!(
        changes(&plan),
        ["pg-east.example.com -> pg-west.example.com", "pg-west.example.com -> pg-east.example.com"]
    );
}

/// Its Region's API is away: no site without the primary is better.
#[test]
fn names_move_whatever_is_known_of_the_groups() {
    let mut observed = observed(How::Dark, How::Leads(1, 6));
    observed.groups.insert(group(&west()), Err(refused()));
    observed.groups.remove(&group(&east()));
    let (_, plan) = planned(&spec(), &observed, &followed(east(), 5, &[]));
    assert_eq!((touched(&plan).len(), changes(&plan).len(), plan.holds.len()), (0, 2, 1));
}

#[test]
fn nothing_is_said_of_the_groups_of_a_site_that_does_not_lead() {
    let mut observed = observed(How::Leads(1, 5), How::Follows(5));
    observed.groups.insert(group(&west()), Err(refused()));
    let (_, plan) = planned(&spec(), &observed, &followed(east(), 5, &[]));
    assert_eq!(plan, Plan::default());
}

#[test]
fn an_external_move_of_a_name_is_reverted_and_its_health_check_kept() {
    let names = names();
    let moved = RecordSet { health_check_id: Some("check-1".to_owned()), ..leading_to(&names[0], &west()) };
    let mut observed = observed(How::Leads(1, 5), How::Follows(5));
    observed.records = records([moved.clone(), leading_to(&names[1], &west())]);
    let (_, plan) = planned(&spec(), &observed, &followed(east(), 5, &[]));
    let after = RecordSet { answer: Answer::Alias(alias(&balancer(&east()))), ..moved.clone() };
    let change = RecordChange { before: Some(moved), after };
    let zone = names[0].key.place.zone.clone();
    assert_eq!(plan.step_groups, [StepGroup::Zone { zone, changes: vec![change] }]);
}

/// The operator's order says which one, whatever comes and goes.
#[test]
fn of_three_sites_the_secondary_leads_to_the_first_other_one() {
    let south = SiteName::new("south");
    let three = [east(), west(), south.clone()];
    let spec = Spec { records: names(), ..spec_of(&three) };
    let place = names()[0].key.place.clone();
    let secondary = |leader: &SiteName| {
        let how = |site: &SiteName| if site == leader { How::Leads(1, 5) } else { How::Dark };
        let stand: Vec<_> = three.iter().map(|site| (site.clone(), how(site))).collect();
        let records = BTreeMap::from([(place.clone(), Ok(Vec::new()))]);
        let observed = Observed { records, ..seen(&stand) };
        changes(&planned(&spec, &observed, &State::default()).1)[1].clone()
    };
    assert_eq!(secondary(&east()), " -> pg-west.example.com");
    assert_eq!(secondary(&west()), " -> pg-east.example.com");
    assert_eq!(secondary(&south), " -> pg-east.example.com");
}

// The auditor.

/// A plan for west, which leads, with everything that it is judged by.
fn honest() -> (Spec, Observed, State, Verdict, Plan) {
    let (spec, state) = (spec(), followed(east(), 5, &[]));
    let observed = observed(How::Dark, How::Leads(2, 6));
    let (verdict, plan) = planned(&spec, &observed, &state);
    (spec, observed, state, verdict, plan)
}

#[test]
fn the_auditor_refuses_a_group_of_another_site() {
    let (spec, observed, state, verdict, mut plan) = honest();
    let steps = vec![TargetStep::Register(target(&site_host(&west(), 2), 5432))];
    plan.step_groups = vec![StepGroup::Group { arn: group(&east()), steps }];
    let refusal = audit(&plan, &spec, &observed, &verdict, &state, Timestamp(0)).unwrap_err();
    assert_eq!(refusal, Refusal::OtherSite(group(&east()).to_string()));
}

#[test]
fn the_auditor_refuses_the_way_back() {
    let (spec, mut observed, state, verdict, plan) = honest();
    let check = |observed: &Observed, state: &State| {
        audit(&plan, &spec, observed, &verdict, state, Timestamp(0)).err()
    };
    let back = Some(Refusal::BackToSite { to: west() });
    assert_eq!(check(&observed, &State { superseded: [west()].into(), ..state.clone() }), back);
    assert_eq!(check(&observed, &State { highest_timeline: Some(Timeline(6)), ..state.clone() }), back);
    assert_eq!(check(&observed, &state), None);
    // East stands down for it.
    observed.sites.extend(seen(&[(east(), How::Follows(6))]).sites);
    assert_eq!(check(&observed, &State { superseded: [west()].into(), ..state.clone() }), None);
    observed.sites.extend(seen(&[(east(), How::Follows(5))]).sites);
    assert_eq!(check(&observed, &State { superseded: [west()].into(), ..state }), back);
}

#[test]
fn the_auditor_refuses_a_name_that_leads_elsewhere() {
    let (spec, observed, state, verdict, plan) = honest();
    let spoilt = |end: usize, spoil: &dyn Fn(&mut RecordSet)| {
        let mut plan = plan.clone();
        for step_group in &mut plan.step_groups {
            if let StepGroup::Zone { changes, .. } = step_group {
                spoil(&mut changes[end].after);
            }
        }
        audit(&plan, &spec, &observed, &verdict, &state, Timestamp(0)).unwrap_err()
    };
    let lead = |to: String| move |set: &mut RecordSet| set.answer = Answer::Alias(alias(&to));
    let key = |end: usize| spec.records[end].key.clone();
    let wrong = |end: usize, at: String| Refusal::WrongNode { endpoint: key(end).to_string(), at };
    let nowhere = "pg.example.org".to_owned();
    assert_eq!(spoilt(0, &lead(nowhere.clone())), wrong(0, nowhere));
    assert_eq!(spoilt(1, &lead(balancer(&west()))), Refusal::Repeats(key(1).to_string()));
    let blind = |set: &mut RecordSet| {
        let blind = repoint_domain::values::record::Alias {
            evaluate_target_health: false,
            ..alias(&balancer(&west()))
        };
        set.answer = Answer::Alias(blind);
    };
    assert_eq!(spoilt(0, &blind), wrong(0, balancer(&west())));
    let values = |set: &mut RecordSet| {
        set.answer = Answer::Values { ttl_seconds: 5, values: vec![site_host(&west(), 2)] };
    };
    assert_eq!(spoilt(0, &values), Refusal::Rewrites(key(0).to_string()));
    let checked = |set: &mut RecordSet| set.health_check_id = Some("another".to_owned());
    assert_eq!(spoilt(0, &checked), Refusal::Rewrites(key(0).to_string()));
}

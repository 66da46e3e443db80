//! What follows which site: groups, names, and the auditor.

use std::collections::BTreeMap;

use repoint_domain::audit::{Refusal, audit};
use repoint_domain::decide::verdict::{Verdict, verdict};
use repoint_domain::observed::World;
use repoint_domain::plan::{Lane, Plan, TargetStep, plan};
use repoint_domain::spec::{GroupIntent, Intent, PointsTo, RecordIntent};
use repoint_domain::state::{Memory, Timestamp};
use repoint_domain::values::cluster::{SiteName, Timeline};
use repoint_domain::values::endpoint::GroupArn;
use repoint_domain::values::record::{Answer, Failover, RecordChange, RecordSet};

use super::followed;
use crate::support::evidence::{
    alias, arn, failover_intent, group_intent, ip_group, record, records, refused, target,
};
use crate::support::sites::{How, balancer, east, intent_of, seen, site_host, west};

fn group(site: &SiteName) -> GroupArn {
    arn(&format!("arn:aws:elasticloadbalancing:us-{site}-1:123456789012:targetgroup/pg/057ddce98af07a33"))
}

fn names() -> Vec<RecordIntent> {
    [Failover::Primary, Failover::Secondary]
        .into_iter()
        .map(|end| RecordIntent { points_to: PointsTo::Site, ..failover_intent(end) })
        .collect()
}

/// A group for each site, and a failover pair that leads to them.
fn intent() -> Intent {
    let group = |site: SiteName| GroupIntent { arn: group(&site), site: Some(site), ..group_intent() };
    Intent { groups: vec![group(east()), group(west())], records: names(), ..intent_of(&[east(), west()]) }
}

fn leading_to(wanted: &RecordIntent, site: &SiteName) -> RecordSet {
    RecordSet { answer: Answer::Alias(alias(&balancer(site))), ..record(wanted, &[]) }
}

/// The endpoints as they are while east leads, pg1 at its head.
fn world(in_east: How, in_west: How) -> World {
    let names = names();
    World {
        groups: [east(), west()]
            .iter()
            .map(|site| (group(site), Ok(ip_group(&[(&site_host(site, 1), "healthy")]))))
            .collect(),
        records: records([leading_to(&names[0], &east()), leading_to(&names[1], &west())]),
        ..seen(&[(east(), in_east), (west(), in_west)])
    }
}

fn planned(intent: &Intent, world: &World, memory: &Memory) -> (Verdict, Plan) {
    let verdict = verdict(intent, world, memory);
    let plan = plan(intent, world, &verdict, memory, Timestamp(0));
    assert!(audit(&plan, intent, world, &verdict, memory, Timestamp(0)).is_ok());
    (verdict, plan)
}

fn changes(plan: &Plan) -> Vec<String> {
    let summary = |change: &RecordChange| {
        let before = change.before.as_ref().map_or_else(String::new, |set| set.answer.to_string());
        format!("{before} -> {}", change.after.answer)
    };
    let lanes = plan.lanes.iter().filter_map(|lane| match lane {
        Lane::Zone { changes, .. } => Some(changes),
        Lane::Group { .. } | Lane::Listeners { .. } => None,
    });
    lanes.flatten().map(summary).collect()
}

fn touched(plan: &Plan) -> Vec<&GroupArn> {
    let groups = plan.lanes.iter().filter_map(|lane| match lane {
        Lane::Group { arn, .. } => Some(arn),
        Lane::Listeners { .. } | Lane::Zone { .. } => None,
    });
    groups.collect()
}

#[test]
fn a_failover_within_the_site_changes_no_name_and_no_other_group() {
    let memory = followed(east(), 5, &[]);
    let (_, plan) = planned(&intent(), &world(How::Leads(2, 6), How::Follows(6)), &memory);
    assert_eq!(touched(&plan), [&group(&east())]);
    assert!(changes(&plan).is_empty() && plan.holds.is_empty());
    let (_, nothing) = planned(&intent(), &world(How::Leads(1, 5), How::Follows(5)), &memory);
    assert_eq!(nothing, Plan::default());
}

#[test]
fn the_names_change_places_when_the_other_site_leads() {
    let memory = followed(east(), 5, &[]);
    let (_, plan) = planned(&intent(), &world(How::Dark, How::Leads(2, 6)), &memory);
    assert_eq!(touched(&plan), [&group(&west())]);
    assert_eq!(
        changes(&plan),
        ["pg-east.example.com -> pg-west.example.com", "pg-west.example.com -> pg-east.example.com"]
    );
}

/// Its Region's API is away: no site without the primary is better.
#[test]
fn names_move_whatever_is_known_of_the_groups() {
    let mut world = world(How::Dark, How::Leads(1, 6));
    world.groups.insert(group(&west()), Err(refused()));
    world.groups.remove(&group(&east()));
    let (_, plan) = planned(&intent(), &world, &followed(east(), 5, &[]));
    assert_eq!((touched(&plan).len(), changes(&plan).len(), plan.holds.len()), (0, 2, 1));
}

#[test]
fn nothing_is_said_of_the_groups_of_a_site_that_does_not_lead() {
    let mut world = world(How::Leads(1, 5), How::Follows(5));
    world.groups.insert(group(&west()), Err(refused()));
    let (_, plan) = planned(&intent(), &world, &followed(east(), 5, &[]));
    assert_eq!(plan, Plan::default());
}

#[test]
fn a_name_that_somebody_else_has_moved_is_corrected_with_what_it_carries() {
    let names = names();
    let moved = RecordSet { health_check_id: Some("check-1".to_owned()), ..leading_to(&names[0], &west()) };
    let mut world = world(How::Leads(1, 5), How::Follows(5));
    world.records = records([moved.clone(), leading_to(&names[1], &west())]);
    let (_, plan) = planned(&intent(), &world, &followed(east(), 5, &[]));
    let after = RecordSet { answer: Answer::Alias(alias(&balancer(&east()))), ..moved.clone() };
    let change = RecordChange { before: Some(moved), after };
    let zone = names[0].key.place.zone.clone();
    assert_eq!(plan.lanes, [Lane::Zone { zone, changes: vec![change] }]);
}

/// The operator's order says which one, whatever comes and goes.
#[test]
fn of_three_sites_the_secondary_leads_to_the_first_other_one() {
    let south = SiteName::new("south");
    let three = [east(), west(), south.clone()];
    let intent = Intent { records: names(), ..intent_of(&three) };
    let place = names()[0].key.place.clone();
    let secondary = |leader: &SiteName| {
        let how = |site: &SiteName| if site == leader { How::Leads(1, 5) } else { How::Dark };
        let stand: Vec<_> = three.iter().map(|site| (site.clone(), how(site))).collect();
        let records = BTreeMap::from([(place.clone(), Ok(Vec::new()))]);
        let world = World { records, ..seen(&stand) };
        changes(&planned(&intent, &world, &Memory::default()).1)[1].clone()
    };
    assert_eq!(secondary(&east()), " -> pg-west.example.com");
    assert_eq!(secondary(&west()), " -> pg-east.example.com");
    assert_eq!(secondary(&south), " -> pg-east.example.com");
}

// The auditor.

/// A plan for west, which leads, with everything that it is judged by.
fn honest() -> (Intent, World, Memory, Verdict, Plan) {
    let (intent, memory) = (intent(), followed(east(), 5, &[]));
    let world = world(How::Dark, How::Leads(2, 6));
    let (verdict, plan) = planned(&intent, &world, &memory);
    (intent, world, memory, verdict, plan)
}

#[test]
fn the_auditor_refuses_a_group_of_another_site() {
    let (intent, world, memory, verdict, mut plan) = honest();
    let steps = vec![TargetStep::Register(target(&site_host(&west(), 2), 5432))];
    plan.lanes = vec![Lane::Group { arn: group(&east()), steps }];
    let refusal = audit(&plan, &intent, &world, &verdict, &memory, Timestamp(0)).unwrap_err();
    assert_eq!(refusal, Refusal::OtherSite(group(&east()).to_string()));
}

#[test]
fn the_auditor_refuses_the_way_back() {
    let (intent, mut world, memory, verdict, plan) = honest();
    let judge =
        |world: &World, memory: &Memory| audit(&plan, &intent, world, &verdict, memory, Timestamp(0)).err();
    let back = Some(Refusal::BackToSite { to: west() });
    assert_eq!(judge(&world, &Memory { apart: [west()].into(), ..memory.clone() }), back);
    assert_eq!(judge(&world, &Memory { highest_timeline: Some(Timeline(6)), ..memory.clone() }), back);
    assert_eq!(judge(&world, &memory), None);
    // East stands down for it.
    world.sites.extend(seen(&[(east(), How::Follows(6))]).sites);
    assert_eq!(judge(&world, &Memory { apart: [west()].into(), ..memory.clone() }), None);
    world.sites.extend(seen(&[(east(), How::Follows(5))]).sites);
    assert_eq!(judge(&world, &Memory { apart: [west()].into(), ..memory }), back);
}

#[test]
fn the_auditor_refuses_a_name_that_leads_elsewhere() {
    let (intent, world, memory, verdict, plan) = honest();
    let spoilt = |end: usize, spoil: &dyn Fn(&mut RecordSet)| {
        let mut plan = plan.clone();
        for lane in &mut plan.lanes {
            if let Lane::Zone { changes, .. } = lane {
                spoil(&mut changes[end].after);
            }
        }
        audit(&plan, &intent, &world, &verdict, &memory, Timestamp(0)).unwrap_err()
    };
    let lead = |to: String| move |set: &mut RecordSet| set.answer = Answer::Alias(alias(&to));
    let key = |end: usize| intent.records[end].key.clone();
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

//! The laws of the pure core, as properties over worlds that nobody would think of.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use repoint::domain::cluster::{ApiUrl, ListedRole, Role, Scope, State, SystemId, Timeline};
use repoint::domain::endpoint::{TargetGroup, TargetHealth, TargetType};
use repoint::domain::intent::{Intent, PointsTo, RecordIntent};
use repoint::domain::memory::Memory;
use repoint::domain::plan::{Lane, Plan, TargetStep, plan};
use repoint::domain::record::{Answer, Failover, RecordSet, RecordType};
use repoint::domain::verdict::{Verdict, verdict};
use repoint::domain::world::{Health, MemberAnswer, Read, View, World};

use crate::support::evidence::{
    GROUP, SYSTEM, answer, arn, failover_intent, group_intent, host, intent, listed, name, record,
    record_intent, refused, silence, target,
};

// Worlds.

fn health() -> impl Strategy<Value = Health> {
    (
        any::<bool>(),
        select(vec!["primary", "replica", "standby_leader", "demoted"]),
        select(vec!["running", "running", "running", "starting", "stopping"]),
        option::weighted(0.9, 1_u32..5),
        option::weighted(0.9, select(vec![SYSTEM, SYSTEM, SYSTEM, "1"])),
        select(vec![Some("batman"), Some("batman"), None, Some("joker")]),
    )
        .prop_map(|(answers_primary, role, state, timeline, system, scope)| Health {
            answers_primary,
            role: Role::from(role),
            state: State::from(state),
            timeline: timeline.map(Timeline),
            system_id: system.map(SystemId::new),
            scope: scope.map(Scope::new),
            name: None,
        })
}

fn cluster_view() -> impl Strategy<Value = View> {
    let roles = ["leader", "replica", "sync_standby", "quorum_standby", "standby_leader", "something new"];
    let member =
        (select(roles.to_vec()), option::weighted(0.9, 1_u32..5), option::of(0_u64..100), any::<bool>());
    vec(member, 0..4).prop_map(|members| View {
        scope: None,
        members: (1..)
            .zip(members)
            .map(|(number, (role, timeline, lag_bytes, noloadbalance))| {
                let mut entry = listed(number, ListedRole::from(role), 1);
                entry.timeline = timeline.map(Timeline);
                entry.lag_bytes = lag_bytes;
                entry.noloadbalance = noloadbalance;
                entry
            })
            .collect(),
        paused: false,
    })
}

fn member() -> impl Strategy<Value = Option<(Health, Option<View>)>> {
    option::weighted(0.8, (health(), option::weighted(0.8, cluster_view())))
}

fn members() -> impl Strategy<Value = BTreeMap<ApiUrl, MemberAnswer>> {
    vec(member(), 0..4).prop_map(|members| {
        (1..)
            .zip(members)
            .map(|(number, member)| match member {
                None => silence(number),
                Some((health, view)) => answer(number, health, view.ok_or_else(refused)),
            })
            .collect()
    })
}

fn memory() -> impl Strategy<Value = Memory> {
    option::of(1_u32..5).prop_map(|timeline| Memory {
        highest_timeline: timeline.map(Timeline),
        system_id: timeline.map(|_| SystemId::new(SYSTEM)),
        ..Memory::default()
    })
}

fn group() -> impl Strategy<Value = Read<TargetGroup>> {
    let port = select(vec![5432_u16, 5432, 6432]);
    let target = (1_u8..6, port, select(vec!["healthy", "unhealthy", "initial", "draining"]));
    let group = vec(target, 0..5).prop_map(|targets| {
        let mut targets: Vec<TargetHealth> = targets
            .into_iter()
            .map(|(number, port, state)| TargetHealth {
                target: target_of(number, port),
                state: state.to_owned(),
                reason: None,
            })
            .collect();
        targets.sort();
        targets.dedup_by(|a, b| a.target == b.target);
        TargetGroup { target_type: TargetType::Ip, targets }
    });
    prop_oneof![9 => group.prop_map(Ok), 1 => Just(Err(refused()))]
}

fn target_of(number: u8, port: u16) -> repoint::domain::endpoint::Target {
    target(&host(number), port)
}

/// The record sets of one place, as they were configured before, whatever they point at.
fn record_sets(wanted: Vec<RecordIntent>) -> impl Strategy<Value = Read<Vec<RecordSet>>> {
    let count = wanted.len();
    let sets = vec(option::of(vec(1_u8..5, 1..3)), count).prop_map(move |values| {
        let sets = wanted.iter().zip(values).filter_map(|(wanted, values)| {
            let values: Vec<String> = values?.into_iter().map(host).collect();
            Some(record(wanted, &values.iter().map(String::as_str).collect::<Vec<_>>()))
        });
        sets.collect()
    });
    prop_oneof![9 => sets.prop_map(Ok), 1 => Just(Err(refused()))]
}

fn wanted_records() -> impl Strategy<Value = Vec<RecordIntent>> {
    let pair = vec![failover_intent(Failover::Primary), failover_intent(Failover::Secondary)];
    let simple = vec![record_intent(RecordType::A)];
    let standby = vec![RecordIntent { points_to: PointsTo::Standby, ..record_intent(RecordType::A) }];
    (select(vec![pair, simple, standby]), option::of(5_u32..90)).prop_map(|(records, ttl_seconds)| {
        records.into_iter().map(|record| RecordIntent { ttl_seconds, ..record }).collect()
    })
}

fn case() -> impl Strategy<Value = (Intent, World, Memory)> {
    wanted_records().prop_flat_map(|wanted| {
        (members(), group(), record_sets(wanted.clone()), memory()).prop_map(
            move |(members, group, sets, memory)| {
                let intent = Intent { groups: vec![group_intent()], records: wanted.clone(), ..intent() };
                let world = World {
                    members,
                    groups: BTreeMap::from([(arn(GROUP), group)]),
                    records: BTreeMap::from([(wanted[0].key.place.clone(), sets)]),
                    ..World::default()
                };
                (intent, world, memory)
            },
        )
    })
}

// What the steps do to a world.

#[derive(Clone, Debug)]
enum Step {
    Target(TargetStep),
    /// A zone's batch is one step: Route 53 applies it whole.
    Batch(Vec<repoint::domain::record::RecordChange>),
}

fn steps(plan: &Plan) -> Vec<Step> {
    plan.lanes
        .iter()
        .flat_map(|lane| match lane {
            Lane::Group { steps, .. } => steps.iter().cloned().map(Step::Target).collect::<Vec<_>>(),
            Lane::Zone { changes, .. } => vec![Step::Batch(changes.clone())],
        })
        .collect()
}

fn done(world: &mut World, step: &Step) {
    match step {
        Step::Target(step) => {
            let group = world.groups.get_mut(&arn(GROUP)).unwrap().as_mut().unwrap();
            match step {
                TargetStep::Register(target) => {
                    group.targets.retain(|health| health.target != *target);
                    group.targets.push(TargetHealth {
                        target: target.clone(),
                        state: "initial".to_owned(),
                        reason: None,
                    });
                }
                TargetStep::Deregister(target) => {
                    for health in group.targets.iter_mut().filter(|health| health.target == *target) {
                        "draining".clone_into(&mut health.state);
                    }
                }
            }
        }
        Step::Batch(changes) => {
            for change in changes {
                let sets = world.records.get_mut(&change.after.key.place).unwrap().as_mut().unwrap();
                if let Some(before) = &change.before {
                    let at = sets.iter().position(|set| set == before).expect("DELETE of what is not there");
                    sets.remove(at);
                }
                assert!(!sets.iter().any(|set| set.key == change.after.key), "CREATE of what is there");
                sets.push(change.after.clone());
            }
        }
    }
}

fn planned(intent: &Intent, world: &World, memory: &Memory) -> Plan {
    plan(intent, world, &verdict(intent, world, memory))
}

fn registered(world: &World) -> usize {
    world.groups[&arn(GROUP)].as_ref().map_or(0, |group| group.registered().count())
}

fn answers(world: &World) -> BTreeMap<String, Vec<String>> {
    let sets = world.records.values().flatten().flatten();
    sets.map(|set| {
        let Answer::Values { values, .. } = &set.answer else { panic!("an alias") };
        (set.key.to_string(), values.clone())
    })
    .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Laws 3 and 4: whoever is named claims it completely, belongs here, is ahead of every other claimant, and is not
    /// behind what was applied.
    #[test]
    fn law_3_never_guess_law_4_never_backwards((intent, world, memory) in case()) {
        let Verdict::Primary(chosen) = verdict(&intent, &world, &memory) else { return Ok(()) };
        let complete = |answer: &MemberAnswer| {
            let health = answer.health.as_ref().ok()?;
            let claims = health.answers_primary && health.role == Role::Primary && health.state == State::Running;
            let ours = health.scope.as_ref().is_none_or(|scope| *scope == intent.scope);
            let known = memory.system_id.as_ref().is_none_or(|id| health.system_id.as_ref() == Some(id));
            (claims && ours && known).then_some(())?;
            Some((health.name.clone()?, health.timeline?, health.system_id.clone()?))
        };
        let claims: Vec<_> = world.members.values().filter_map(complete).collect();
        let named = chosen.member.clone().unwrap();
        prop_assert!(claims.contains(&(named.clone(), chosen.timeline, chosen.system_id.clone())));
        for (other, timeline, system) in claims.iter().filter(|(other, ..)| *other != named) {
            prop_assert!(*timeline < chosen.timeline, "{other} on {timeline}");
            prop_assert_eq!(system, &chosen.system_id);
        }
        prop_assert!(memory.highest_timeline.is_none_or(|highest| chosen.timeline >= highest));
    }

    /// Law 2: what could not be read is not touched; without a primary nothing is.
    #[test]
    fn law_2_unknown_is_not_absent((intent, world, memory) in case()) {
        let verdict = verdict(&intent, &world, &memory);
        let plan = plan(&intent, &world, &verdict);
        if matches!(verdict, Verdict::Hold(_)) {
            prop_assert_eq!(&plan, &Plan::default());
        }
        for lane in &plan.lanes {
            match lane {
                Lane::Group { arn, .. } => prop_assert!(world.groups[arn].is_ok()),
                Lane::Zone { changes, .. } => {
                    for change in changes {
                        prop_assert!(world.records[&change.after.key.place].is_ok());
                    }
                }
            }
        }
    }

    /// Laws 5, 6 and 7: no step empties a group or takes a name away, the new target is there before another goes, and
    /// only what is configured is written.
    #[test]
    fn law_5_never_empty_law_6_open_before_close_law_7_own_only((intent, world, memory) in case()) {
        let plan = planned(&intent, &world, &memory);
        let mut now = world.clone();
        for step in steps(&plan) {
            let (targets, names) = (registered(&now), answers(&now).len());
            done(&mut now, &step);
            prop_assert!(registered(&now) >= targets.min(1));
            prop_assert!(answers(&now).len() >= names);
            prop_assert!(answers(&now).values().all(|values| !values.is_empty()));
            match &step {
                Step::Target(TargetStep::Deregister(gone)) => {
                    let Verdict::Primary(primary) = verdict(&intent, &world, &memory) else { unreachable!() };
                    let stays = target(&primary.address.unwrap().host, 5432);
                    prop_assert!(*gone != stays);
                    prop_assert!(now.groups[&arn(GROUP)].as_ref().unwrap().registered().any(|held| *held == stays));
                }
                Step::Target(TargetStep::Register(_)) => {}
                Step::Batch(changes) => {
                    for change in changes {
                        let wanted = intent.records.iter().find(|record| record.key == change.after.key);
                        prop_assert!(wanted.is_some());
                        let before = change.before.as_ref();
                        prop_assert!(before.is_none_or(|before| before.key == change.after.key));
                        prop_assert!(before.is_none_or(|before| before.health_check_id == change.after.health_check_id));
                    }
                }
            }
        }
    }

    /// Laws 8 and 9: after the plan there is nothing left to do; and after any part of it, a new pass does the rest.
    #[test]
    fn law_8_idempotent_law_9_crash_anywhere((intent, world, memory) in case(), crash in 0_usize..6) {
        let plan = planned(&intent, &world, &memory);
        let mut whole = world.clone();
        for step in steps(&plan) {
            done(&mut whole, &step);
        }
        prop_assert!(planned(&intent, &whole, &memory).is_empty());

        let mut part = world.clone();
        for step in steps(&plan).iter().take(crash) {
            done(&mut part, step);
        }
        for step in steps(&planned(&intent, &part, &memory)) {
            done(&mut part, &step);
        }
        prop_assert!(planned(&intent, &part, &memory).is_empty());
        prop_assert_eq!(answers(&part), answers(&whole));
        prop_assert_eq!(registered(&part), registered(&whole));
    }

    /// Law 13: members may answer in any order, and AWS may list in any order.
    #[test]
    fn law_13_ordered((intent, world, memory) in case(), turned in any::<bool>()) {
        let mut shuffled = world.clone();
        // The URLs are what answers are sorted by: other URLs, another order.
        shuffled.members = world
            .members
            .iter()
            .enumerate()
            .map(|(index, (_, answer))| {
                let number = if turned { 200 - index } else { 100 + index };
                (ApiUrl::parse(&format!("http://10.7.7.{number}:8008")).unwrap(), answer.clone())
            })
            .collect();
        for group in shuffled.groups.values_mut().flatten() {
            group.targets.reverse();
        }
        for sets in shuffled.records.values_mut().flatten() {
            sets.reverse();
        }
        let (before, after) = (verdict(&intent, &world, &memory), verdict(&intent, &shuffled, &memory));
        let kind = |verdict: &Verdict| match verdict {
            Verdict::Primary(primary) => Ok((primary.member.clone(), primary.timeline)),
            Verdict::Hold(hold) => Err(hold.kind()),
        };
        if world.members.values().all(|answer| answer.health.is_ok()) {
            prop_assert_eq!(kind(&before), kind(&after));
        }
        let mut reversed = intent.clone();
        reversed.members.reverse();
        let mut world_only = shuffled;
        world_only.members = world.members.clone();
        prop_assert_eq!(plan(&reversed, &world_only, &before), plan(&intent, &world, &before));
    }

    /// Law 11: who moves nothing says why.
    #[test]
    fn law_11_explained((intent, world, memory) in case()) {
        let verdict = verdict(&intent, &world, &memory);
        let plan = plan(&intent, &world, &verdict);
        for hold in repoint::domain::report::holds(&verdict, &plan) {
            prop_assert!(!hold.message.is_empty() && !hold.message.contains("::") && !hold.message.ends_with(": "), "{}", hold.message);
        }
        if let Verdict::Primary(primary) = &verdict {
            prop_assert!(primary.member != Some(name(0)));
            let unserved = primary.address.is_none();
            prop_assert!(!unserved || plan.holds.len() == 1 + intent.records.len() || !plan.holds.is_empty());
        }
    }
}

//! Worlds that nobody would think of, and the plans that are made for them.

use std::collections::{BTreeMap, BTreeSet};

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use repoint_domain::decide::verdict::verdict;
use repoint_domain::observed::{ClusterView, MemberAnswer, MemberStatus, Observed, Read, Wal};
use repoint_domain::plan::{Plan, plan};
use repoint_domain::spec::{GroupRole, PointsTo, RecordSpec, Spec};
use repoint_domain::state::{State, SurplusTarget};
use repoint_domain::values::cluster::{ApiUrl, ClusterRole, PostgresState, Role, Scope, SystemId, Timeline};
use repoint_domain::values::listener::{Forward, Listener, Stickiness};
use repoint_domain::values::record::{Failover, RecordSet, RecordType};
use repoint_domain::values::target::{Target, TargetGroup, TargetHealth};
use repoint_domain::values::timestamp::Timestamp;

use super::evidence::{
    GROUP, SYSTEM, answer, arn, asks_patroni, failover_spec, forward, group_spec, healthy, host, ip_group,
    listed, listener_arn, member_group, members_in, record, record_spec, refused, silence, spec, target,
    warm_spec, weighted_spec,
};

fn status() -> impl Strategy<Value = MemberStatus> {
    (
        any::<bool>(),
        select(vec!["primary", "replica", "standby_leader", "demoted"]),
        select(vec!["running", "running", "running", "starting", "stopping"]),
        option::weighted(0.9, 1_u32..5),
        option::weighted(0.9, select(vec![SYSTEM, SYSTEM, SYSTEM, "1"])),
        select(vec![Some("batman"), Some("batman"), None, Some("joker")]),
    )
        .prop_map(|(answers_primary, role, state, timeline, system, scope)| MemberStatus {
            answers_primary,
            role: Role::from(role),
            state: PostgresState::from(state),
            timeline: timeline.map(Timeline),
            system_id: system.map(SystemId::new),
            scope: scope.map(Scope::new),
            name: None,
            feeds: BTreeSet::new(),
            wal: Wal::default(),
            paused: false,
            failsafe: false,
        })
}

fn cluster_view() -> impl Strategy<Value = ClusterView> {
    let roles = ["leader", "replica", "sync_standby", "quorum_standby", "standby_leader", "something new"];
    let member =
        (select(roles.to_vec()), option::weighted(0.9, 1_u32..5), option::of(0_u64..100), any::<bool>());
    vec(member, 0..4).prop_map(|members| ClusterView {
        scope: None,
        members: (1..)
            .zip(members)
            .map(|(number, (role, timeline, lag_bytes, noloadbalance))| {
                let mut entry = listed(number, ClusterRole::from(role), 1);
                entry.timeline = timeline.map(Timeline);
                entry.lag_bytes = lag_bytes;
                entry.noloadbalance = noloadbalance;
                entry
            })
            .collect(),
        paused: false,
        scheduled_switchover: None,
    })
}

fn member() -> impl Strategy<Value = Option<(MemberStatus, Option<ClusterView>)>> {
    option::weighted(0.8, (status(), option::weighted(0.8, cluster_view())))
}

/// What up to three members answer.
pub fn members() -> impl Strategy<Value = BTreeMap<ApiUrl, MemberAnswer>> {
    vec(member(), 0..4).prop_map(|members| {
        (1..)
            .zip(members)
            .map(|(number, member)| match member {
                None => silence(number),
                Some((status, view)) => answer(number, status, view.ok_or_else(refused)),
            })
            .collect()
    })
}

/// The timeline of [`led_case`]: no lower than any that is remembered.
const LED_ON: u32 = 4;

fn state() -> impl Strategy<Value = State> {
    let system = prop_oneof![9 => Just(SYSTEM), 1 => Just("1")];
    option::of((1_u32..5, system)).prop_map(|known| State {
        highest_timeline: known.map(|(timeline, _)| Timeline(timeline)),
        system_id: known.map(|(_, system)| SystemId::new(system)),
        ..State::default()
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
        TargetGroup { targets, ..ip_group(&[]) }
    });
    prop_oneof![9 => group.prop_map(Ok), 1 => Just(Err(refused()))]
}

fn target_of(number: u8, port: u16) -> Target {
    target(&host(number), port)
}

/// The record sets of one place, as they were configured before, whatever they point at.
fn record_sets(wanted: Vec<RecordSpec>) -> impl Strategy<Value = Read<Vec<RecordSet>>> {
    let count = wanted.len();
    let set = (vec(1_u8..5, 1..3), option::of(Just("check-1".to_owned())));
    let sets = vec(option::of(set), count).prop_map(move |sets| {
        let sets = wanted.iter().zip(sets).filter_map(|(wanted, set)| {
            let (values, health_check_id) = set?;
            let values: Vec<String> = values.into_iter().map(host).collect();
            let read = record(wanted, &values.iter().map(String::as_str).collect::<Vec<_>>());
            Some(RecordSet { health_check_id, ..read })
        });
        sets.collect()
    });
    prop_oneof![9 => sets.prop_map(Ok), 1 => Just(Err(refused()))]
}

/// What a record of readers is told.
pub const READERS: PointsTo = PointsTo::Readers { max_lag_bytes: 100, primary_fallback: true };

fn wanted_records() -> impl Strategy<Value = Vec<RecordSpec>> {
    let pair = vec![failover_spec(Failover::Primary), failover_spec(Failover::Secondary)];
    let simple = vec![record_spec(RecordType::A)];
    let standby = vec![RecordSpec { points_to: PointsTo::Standby, ..record_spec(RecordType::A) }];
    let readers = vec![RecordSpec { points_to: READERS, ..record_spec(RecordType::A) }];
    (select(vec![pair, simple, standby, readers]), option::of(5_u32..90)).prop_map(
        |(records, ttl_seconds)| {
            records.into_iter().map(|record| RecordSpec { ttl_seconds, ..record }).collect()
        },
    )
}

/// A cluster with a group and one or two records, as it is configured, seen and remembered.
pub fn case() -> impl Strategy<Value = (Spec, Observed, State)> {
    wanted_records().prop_flat_map(|wanted| {
        let pinned = option::weighted(0.1, Just(SystemId::new(SYSTEM)));
        (members(), group(), record_sets(wanted.clone()), state(), pinned).prop_map(
            move |(members, group, sets, state, system_id)| {
                let (groups, records) = (vec![group_spec()], wanted.clone());
                let spec = Spec { system_id, groups, records, ..spec() };
                let observed = Observed {
                    sites: BTreeMap::from([(None, members)]),
                    groups: BTreeMap::from([(arn(GROUP), group)]),
                    records: BTreeMap::from([(wanted[0].key.place.clone(), sets)]),
                    ..Observed::default()
                };
                (spec, observed, state)
            },
        )
    })
}

/// The same with a cluster in good health, so that there is a primary.
pub fn led_case() -> impl Strategy<Value = (Spec, Observed, State)> {
    (case(), 1_u8..4).prop_map(|((spec, observed, state), leader)| {
        (spec, Observed { sites: healthy(leader, LED_ON).sites, ..observed }, state)
    })
}

/// The same with a group of readers; replicas lag, stop to stream, are tagged, or do not answer.
pub fn reader_case() -> impl Strategy<Value = (Spec, Observed, State)> {
    let state =
        select(vec!["streaming", "streaming", "streaming", "running", "in archive recovery", "starting"]);
    let replica = (option::weighted(0.9, 0_u64..150), any::<bool>(), state, option::weighted(0.2, Just(())));
    (led_case(), vec(replica, 3), any::<bool>()).prop_map(
        |((mut spec, mut observed, state), replicas, fallback)| {
            spec.groups[0].role = GroupRole::Reader { max_lag_bytes: 100, primary_fallback: fallback };
            for (number, (_, answer)) in (0..).zip(members_in(&mut observed)) {
                for (listed, (lag_bytes, noloadbalance, state, _)) in
                    answer.view.iter_mut().flat_map(|view| &mut view.members).zip(&replicas)
                {
                    if !listed.role.leads() {
                        listed.lag_bytes = *lag_bytes;
                        listed.noloadbalance = *noloadbalance && lag_bytes.is_some_and(|lag| lag % 4 == 0);
                        listed.state = PostgresState::from(*state);
                    }
                }
                let is_leader = answer.status.as_ref().is_ok_and(|status| status.answers_primary);
                if replicas[number].3.is_some() && !is_leader {
                    (answer.status, answer.view) = (Err(refused()), Err(refused()));
                }
            }
            (spec, observed, state)
        },
    )
}

/// The same with a warm group, of whose surplus some has been there for long enough.
pub fn warm_case() -> impl Strategy<Value = (Spec, Observed, State)> {
    (reader_case(), vec(any::<bool>(), 3)).prop_map(|((mut spec, mut observed, mut state), old)| {
        spec.groups = vec![warm_spec(0)];
        for group in observed.groups.values_mut().flatten() {
            group.check = Some(asks_patroni());
        }
        let surplus = [target_of(4, 5432), target_of(5, 5432), target_of(1, 6432)];
        let old = surplus.iter().zip(old).filter(|(_, is_old)| *is_old);
        state.surplus = old
            .map(|(target, _)| SurplusTarget {
                group: GROUP.to_owned(),
                target: target.clone(),
                since: Timestamp(0),
            })
            .collect();
        (spec, observed, state)
    })
}

/// A listener before a group for each member, whatever it does and whatever is in the groups.
pub fn weighted_case() -> impl Strategy<Value = (Spec, Observed, State)> {
    let groups = vec(group(), 4);
    let weights = vec(option::weighted(0.8, select(vec![0_u32, 0, 1, 100])), 3);
    let foreign = option::weighted(0.2, select(vec![0_u32, 0, 0, 7]));
    let sticky = option::of((option::of(any::<bool>()), option::of(1..9)));
    let listener =
        (weights, foreign, sticky, option::of(Just(1))).prop_map(|(weights, foreign, sticky, order)| {
            let ours = (1..).zip(weights).filter_map(|(number, weight)| Some((number, weight?)));
            let all: Vec<_> = ours.chain(foreign.map(|weight| (4, weight))).collect();
            let stickiness =
                sticky.map(|(enabled, duration_seconds)| Stickiness { enabled, duration_seconds });
            Listener::Forward(Forward { stickiness, order, ..forward(&all) })
        });
    let listener = prop_oneof![
        18 => listener.prop_map(Ok),
        1 => Just(Ok(Listener::Other("its default action is redirect".to_owned()))),
        1 => Just(Err(refused())),
    ];
    let observed = prop_oneof![1 => case(), 9 => led_case()];
    (observed, groups, listener, 2_u8..4).prop_map(|((spec, observed, state), groups, listener, count)| {
        let spec = Spec { groups: (1..=count).map(weighted_spec).collect(), ..spec };
        let groups = (1..).zip(groups).map(|(number, group)| (member_group(number), group)).collect();
        let listeners = BTreeMap::from([(listener_arn(), listener)]);
        (spec, Observed { groups, listeners, ..observed }, state)
    })
}

/// What is to be done about it.
pub fn planned(spec: &Spec, observed: &Observed, state: &State) -> Plan {
    plan(spec, observed, &verdict(spec, observed, state), state, Timestamp(0))
}

//! Backends of HAProxy: HAProxy checks the servers, repoint says sooner what it knows.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use repoint_domain::audit::{Refusal, audit};
use repoint_domain::decide::verdict::{Verdict, verdict};
use repoint_domain::observed::Observed;
use repoint_domain::plan::moves::moves;
use repoint_domain::plan::{EndpointReason, Plan, StepGroup, WarningReason, plan};
use repoint_domain::report::{StepReport, planned_steps};
use repoint_domain::spec::{BackendSpec, BackendStrategy, GroupRole, Spec};
use repoint_domain::state::{KnownMember, LastPrimary, State};
use repoint_domain::values::haproxy::ServerState::{self, Down, Drain, Maintenance, Up};
use repoint_domain::values::haproxy::{Backend, BackendKey, Server};
use repoint_domain::values::moves::MoveCause;
use repoint_domain::values::timestamp::Timestamp;

use crate::support::evidence::{
    answer, healthy, host, listed, members_in, name, primary, refused, spec, target, url, view,
};

fn key() -> BackendKey {
    BackendKey { socket: "/run/haproxy/repoint.sock".to_owned(), backend: "postgres_primary".to_owned() }
}

fn warm() -> BackendStrategy {
    BackendStrategy::Warm { server_options: None }
}

fn exclusive() -> BackendStrategy {
    BackendStrategy::Exclusive { server: "primary".to_owned() }
}

fn of(role: GroupRole, strategy: BackendStrategy) -> Spec {
    Spec { backends: vec![BackendSpec { key: key(), role, strategy, port: None }], ..spec() }
}

fn readers(primary_fallback: bool) -> Spec {
    of(GroupRole::Reader { max_lag_bytes: 1000, primary_fallback }, warm())
}

fn server(number: u8, state: ServerState) -> Server {
    let (name, target) = (name(number).to_string(), Some(target(&host(number), 5432)));
    Server { name, target, state, is_checked: true, sessions: 0 }
}

fn with_sessions(server: Server, sessions: u32) -> Server {
    Server { sessions, ..server }
}

/// A server for each of pg1 to pg3, in these states.
fn all(states: [ServerState; 3]) -> Vec<Server> {
    (1..).zip(states).map(|(number, state)| server(number, state)).collect()
}

/// The one slot, which leads there.
fn slot(number: u8, state: ServerState) -> Vec<Server> {
    vec![Server { name: "primary".to_owned(), is_checked: false, ..server(number, state) }]
}

/// pg2 leads, and HAProxy has these servers.
fn observed(servers: Vec<Server>) -> Observed {
    among(healthy(2, 3), servers)
}

fn among(members: Observed, servers: Vec<Server>) -> Observed {
    Observed { backends: BTreeMap::from([(key(), Ok(Backend { pid: 1, servers }))]), ..members }
}

fn planned(spec: &Spec, observed: &Observed) -> Plan {
    let state = State::default();
    let verdict = verdict(spec, observed, &state);
    let plan = plan(spec, observed, &verdict, &state, Timestamp(0));
    assert_eq!(audit(&plan, spec, observed, &verdict, &state, Timestamp(0)).err(), None);
    plan
}

fn words(plan: &Plan) -> Vec<String> {
    planned_steps(plan).iter().map(StepReport::summary).collect()
}

fn changes(spec: &Spec, servers: Vec<Server>) -> Vec<String> {
    let plan = planned(spec, &observed(servers));
    assert_eq!(plan.holds, []);
    words(&plan)
}

fn held(spec: &Spec, servers: Vec<Server>) -> EndpointReason {
    let plan = planned(spec, &observed(servers));
    assert_eq!(plan.step_groups, []);
    plan.holds.into_iter().next().unwrap().reason
}

#[test]
fn the_primary_is_opened_before_the_old_one_is_closed() {
    let steps = changes(&of(GroupRole::Writer, warm()), all([Up, Down, Down]));
    assert_eq!(
        steps,
        [
            "set server pg2 10.0.1.12:5432 (up), before: 10.0.1.12:5432 (down)",
            "set server pg1 10.0.1.11:5432 (down), before: 10.0.1.11:5432 (up)",
        ]
    );
}

#[test]
fn what_is_right_is_left_alone() {
    assert!(changes(&of(GroupRole::Writer, warm()), all([Down, Up, Down])).is_empty());
    assert!(changes(&of(GroupRole::Writer, exclusive()), slot(2, Up)).is_empty());
    assert!(changes(&readers(true), all([Up, Down, Up])).is_empty());
}

#[test]
fn sessions_that_were_left_on_the_old_primary_are_cut() {
    let mut servers = all([Down, Up, Down]);
    servers[0] = with_sessions(servers[0].clone(), 3);
    let steps = changes(&of(GroupRole::Writer, warm()), servers);
    assert_eq!(steps, ["set server pg1 10.0.1.11:5432 (down), before: 10.0.1.11:5432 (down, 3 sessions)"]);
}

#[test]
fn a_rival_and_only_a_rival_is_in_maintenance() {
    // pg1 was the primary, and has not noticed that pg2 is.
    let mut members = healthy(2, 3);
    members_in(&mut members).extend([answer(1, primary(2), Ok(view(1, 2)))]);
    let spec = of(GroupRole::Writer, warm());
    let steps = words(&planned(&spec, &among(members.clone(), all([Up, Up, Down]))));
    assert_eq!(steps, ["set server pg1 10.0.1.11:5432 (maintenance), before: 10.0.1.11:5432 (up)"]);
    assert!(planned(&spec, &among(members, all([Maintenance, Up, Down]))).is_empty());
    // It is a replica now. What was forgotten would keep the next failover from it.
    let steps = changes(&spec, all([Maintenance, Up, Drain]));
    assert_eq!(steps.len(), 2, "{steps:?}");
    assert!(steps.iter().all(|step| step.contains("(down), before")), "{steps:?}");
}

#[test]
fn a_server_of_no_member_gets_no_writes_and_one_that_is_not_resolved_is_left() {
    let mut servers = all([Down, Up, Down]);
    servers.push(Server { name: "stray".to_owned(), ..server(9, Up) });
    servers.push(Server { name: "unresolved".to_owned(), target: None, ..server(8, Maintenance) });
    let steps = changes(&of(GroupRole::Writer, warm()), servers);
    assert_eq!(steps, ["set server stray 10.0.1.19:5432 (down), before: 10.0.1.19:5432 (up)"]);
}

#[test]
fn a_member_on_a_new_machine_gets_the_server_of_its_name() {
    let mut servers = all([Up, Down, Down]);
    servers[1].target = Some(target("10.0.9.9", 5432));
    let steps = changes(&of(GroupRole::Writer, warm()), servers);
    assert_eq!(steps[0], "set server pg2 10.0.1.12:5432 (up), before: 10.0.9.9:5432 (down)");
    assert_eq!(steps.len(), 2);
}

#[test]
fn a_member_without_a_server_gets_one_where_that_is_configured() {
    let adds = BackendStrategy::Warm { server_options: Some("check".to_owned()) };
    let steps = changes(&of(GroupRole::Writer, adds), all([Up, Down, Down])[..1].to_vec());
    assert_eq!(
        steps[..2],
        [
            "add server pg2 10.0.1.12:5432 (up)",
            "set server pg1 10.0.1.11:5432 (down), before: 10.0.1.11:5432 (up)"
        ]
    );
    assert_eq!(steps[2..], ["add server pg3 10.0.1.13:5432 (down)"]);

    let reason = held(&of(GroupRole::Writer, warm()), all([Up, Down, Down])[..1].to_vec());
    assert_eq!(reason, EndpointReason::NoServer(target("10.0.1.12", 5432)));
    let plan = planned(&of(GroupRole::Writer, warm()), &observed(all([Up, Down, Down])[..2].to_vec()));
    let missing = |warning: &WarningReason| matches!(warning, WarningReason::Unplaced { member, .. } if *member == name(3));
    assert!(plan.warnings.iter().any(|warning| missing(&warning.what)), "{plan:?}");
    assert_eq!(words(&plan).len(), 2);
}

#[test]
fn a_server_of_no_member_is_deleted_where_servers_are_added_unless_its_member_may_come_back() {
    let adds = of(GroupRole::Writer, BackendStrategy::Warm { server_options: Some("check".to_owned()) });
    let mut servers = all([Down, Up, Down]);
    servers.push(Server { name: "pg9".to_owned(), ..server(9, Down) });
    let gone = ["set server pg9 10.0.1.19:5432 (gone), before: 10.0.1.19:5432 (down)"];
    assert_eq!(changes(&adds, servers.clone()), gone);
    assert!(changes(&of(GroupRole::Writer, warm()), servers.clone()).is_empty());
    // While it has sessions they are cut first, and a pass later it goes.
    let mut busy = servers.clone();
    busy[3].sessions = 1;
    assert_eq!(
        changes(&adds, busy),
        ["set server pg9 10.0.1.19:5432 (down), before: 10.0.1.19:5432 (down, 1 session)"]
    );

    let mut state = State::default();
    state.members.insert(name(9), KnownMember { api_url: None, address: None });
    let observed = observed(servers);
    let verdict = verdict(&adds, &observed, &state);
    assert!(plan(&adds, &observed, &verdict, &state, Timestamp(0)).is_empty());
}

#[test]
fn a_replica_that_cannot_be_placed_holds_up_no_failover() {
    let mut members = healthy(2, 3);
    for answer in members_in(&mut members).values_mut() {
        for listed in answer.view.iter_mut().flat_map(|view| &mut view.members) {
            if listed.name == name(3) {
                listed.address.as_mut().unwrap().host = "pg3.example.com".to_owned();
            }
        }
    }
    let both = ["10.0.8.13", "10.0.9.13"].map(|address| address.parse().unwrap());
    members.names.insert("pg3.example.com".to_owned(), Ok(both.to_vec()));
    let plan = planned(&of(GroupRole::Writer, warm()), &among(members, all([Up, Down, Down])));
    assert_eq!((words(&plan).len(), plan.holds.len(), plan.warnings.len()), (2, 0, 1), "{plan:?}");
}

#[test]
fn the_one_slot_leads_to_the_primary() {
    let spec = of(GroupRole::Writer, exclusive());
    assert_eq!(
        changes(&spec, slot(1, Up)),
        ["set server primary 10.0.1.12:5432 (up), before: 10.0.1.11:5432 (up)"]
    );
    // After a reload it is where the configuration has it, and disabled.
    let steps = changes(&spec, slot(2, Maintenance));
    assert_eq!(steps, ["set server primary 10.0.1.12:5432 (up), before: 10.0.1.12:5432 (maintenance)"]);
}

#[test]
fn a_backend_that_is_not_as_its_strategy_needs_it_is_held() {
    let reason = |strategy, servers| held(&of(GroupRole::Writer, strategy), servers).to_string();
    let mut unchecked = all([Up, Down, Down]);
    unchecked[2].is_checked = false;
    assert!(reason(warm(), unchecked).starts_with("HAProxy does not check its server pg3"));
    assert_eq!(reason(exclusive(), all([Up, Down, Down])), "it has no server `primary`");
    let checked = vec![Server { is_checked: true, ..slot(1, Up).remove(0) }];
    assert!(reason(exclusive(), checked).starts_with("HAProxy checks its server primary"));
    let two = [slot(1, Up), all([Down, Down, Up])].concat();
    assert!(reason(exclusive(), two).starts_with("pg3 gets connections as well"));
}

#[test]
fn without_a_primary_and_without_an_answer_nothing_is_changed() {
    let spec = of(GroupRole::Writer, warm());
    let mut members = healthy(2, 3);
    members_in(&mut members).retain(|asked, _| *asked != url(2));
    for answer in members_in(&mut members).values_mut() {
        answer.view = Ok(repoint_domain::observed::ClusterView {
            members: vec![listed(1, repoint_domain::values::cluster::ClusterRole::Replica, 3)],
            ..view(2, 3)
        });
    }
    assert!(planned(&spec, &among(members, all([Up, Down, Down]))).is_empty());
    let unread = Observed { backends: BTreeMap::from([(key(), Err(refused()))]), ..healthy(2, 3) };
    let plan = planned(&spec, &unread);
    assert_eq!(plan.holds[0].reason, EndpointReason::Unreadable(refused()));
}

#[test]
fn readers_are_opened_and_one_is_always_left() {
    let lagging = |number: u8| {
        let mut members = healthy(2, 3);
        for answer in members_in(&mut members).values_mut() {
            for listed in answer.view.iter_mut().flat_map(|view| &mut view.members) {
                if listed.name == name(number) {
                    listed.lag_bytes = Some(2000);
                }
            }
        }
        members
    };
    let steps = words(&planned(&readers(false), &among(lagging(1), all([Up, Up, Down]))));
    assert_eq!(
        steps,
        [
            "set server pg3 10.0.1.13:5432 (up), before: 10.0.1.13:5432 (down)",
            "set server pg1 10.0.1.11:5432 (down), before: 10.0.1.11:5432 (up)",
            "set server pg2 10.0.1.12:5432 (down), before: 10.0.1.12:5432 (up)",
        ]
    );
    // An operator's maintenance stays, and the only reader being in it closes nothing.
    assert!(words(&planned(&readers(false), &among(lagging(1), all([Up, Up, Maintenance])))).is_empty());
}

#[test]
fn what_only_keeps_other_servers_closed_is_no_move() {
    let spec = of(GroupRole::Writer, warm());
    let moved = |servers| {
        let observed = observed(servers);
        let verdict = verdict(&spec, &observed, &State::default());
        let Verdict::Primary(primary) = &verdict else { panic!("{verdict:?}") };
        let last = LastPrimary {
            site: None,
            member: primary.member.clone(),
            address: primary.address.clone(),
            timeline: primary.timeline,
        };
        let state = State { primary: Some(last), ..State::default() };
        let plan = plan(&spec, &observed, &verdict, &state, Timestamp(0));
        moves(&spec, &state, &observed, primary, &plan).map(|moved| moved.cause)
    };
    assert_eq!(moved(all([Up, Up, Up])), None);
    assert_eq!(moved(all([Down, Up, Down])), None);
    assert_eq!(moved(all([Up, Down, Down])), Some(MoveCause::Correction));
}

#[test]
fn a_plan_that_breaks_an_invariant_is_refused() {
    let (spec, observed) = (of(GroupRole::Writer, warm()), observed(all([Up, Down, Down])));
    let (right, state) = (planned(&spec, &observed), State::default());
    let refused = |spoil: &dyn Fn(&mut Vec<repoint_domain::values::haproxy::ServerChange>)| {
        let mut plan = right.clone();
        for step_group in &mut plan.step_groups {
            if let StepGroup::Backend { changes, .. } = step_group {
                spoil(changes);
            }
        }
        let verdict = verdict(&spec, &observed, &state);
        audit(&plan, &spec, &observed, &verdict, &state, Timestamp(0)).err()
    };
    let (backend, server) = (key().to_string(), "pg1".to_owned());
    let first = refused(&|changes| changes.reverse());
    assert_eq!(first, Some(Refusal::ClosesServerFirst { backend: backend.clone(), server }));
    let elsewhere = refused(&|changes| changes[0].after.target = Some(target(&host(3), 5432)));
    assert_eq!(
        elsewhere,
        Some(Refusal::WrongNode { endpoint: backend.clone(), at: "10.0.1.13:5432".to_owned() })
    );
    let outdated = refused(&|changes| changes[0].before = None);
    assert_eq!(outdated, Some(Refusal::Rewrites(backend.clone())));
    let twice = refused(&|changes| {
        let mut again = changes[0].clone();
        again.before = Some(again.after.clone());
        changes.push(again);
    });
    assert_eq!(twice, Some(Refusal::Repeats(backend.clone())));
    let closed = refused(&|changes| {
        let mut again = changes[0].clone();
        (again.before, again.after.state) = (Some(again.after.clone()), Down);
        changes.push(again);
    });
    assert_eq!(closed, Some(Refusal::ClosesServer { backend, server: "pg2".to_owned() }));
}

/// HAProxy, after these changes.
fn after(mut servers: Vec<Server>, plan: &Plan) -> Vec<Server> {
    for (_, change) in plan.server_changes() {
        servers.retain(|server| change.after.state != ServerState::Gone || server.name != change.server);
        match servers.iter_mut().find(|server| server.name == change.server) {
            Some(server) => {
                (server.target, server.state) = (change.after.target.clone(), change.after.state);
                server.sessions = change.after.sessions;
            }
            None if change.after.state == ServerState::Gone => {}
            None => servers.push(Server {
                name: change.server.clone(),
                target: change.after.target.clone(),
                state: change.after.state,
                is_checked: true,
                sessions: 0,
            }),
        }
    }
    servers
}

fn any_server() -> impl Strategy<Value = Server> {
    // Of a member by its name or by another one, at its address or at one of no member, or not resolved.
    let state = prop::sample::select(vec![Up, Down, Maintenance, Drain]);
    (1..=5_u8, prop::option::weighted(0.9, 1..=5_u8), state, 0..3_u32).prop_map(
        |(called, at, state, sessions)| Server {
            name: name(called).to_string(),
            target: at.map(|at| target(&host(at), 5432)),
            state: if at.is_some() { state } else { Maintenance },
            is_checked: true,
            sessions,
        },
    )
}

proptest! {
    /// Invariants 3, 5, 6 and 8: every plan is accepted; after it, or after a second one that deletes what has lost its sessions,
    /// the primary's servers are open and no other one is, and nothing is left to do.
    #[test]
    fn a_plan_opens_the_primary_alone_and_leaves_nothing_to_do(
        servers in prop::collection::btree_map("[a-e]", any_server(), 0..6),
        adds in any::<bool>(),
        contested in any::<bool>(),
    ) {
        let mut names = BTreeSet::new();
        let servers: Vec<Server> = servers.into_values().filter(|server| names.insert(server.name.clone())).collect();
        let strategy = BackendStrategy::Warm { server_options: adds.then(|| "check".to_owned()) };
        let spec = of(GroupRole::Writer, strategy);
        let mut members = healthy(2, 3);
        if contested {
            members_in(&mut members).extend([answer(1, primary(2), Ok(view(1, 2)))]);
        }
        let first = planned(&spec, &among(members.clone(), servers.clone()));
        if first.holds.is_empty() {
            let servers = after(servers, &first);
            let second = planned(&spec, &among(members.clone(), servers.clone()));
            let servers = after(servers, &second);
            let open: BTreeSet<_> =
                servers.iter().filter(|server| server.state == Up).map(|server| server.target.clone()).collect();
            prop_assert_eq!(open, BTreeSet::from([Some(target(&host(2), 5432))]));
            prop_assert!(planned(&spec, &among(members, servers)).is_empty());
        } else {
            prop_assert!(first.is_empty());
        }
    }
}

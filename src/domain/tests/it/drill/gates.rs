//! Each gate, with what it lets through and what it refuses.

use repoint_domain::decide::verdict::verdict;
use repoint_domain::doctor::checks::CHECKS;
use repoint_domain::doctor::examine::examine;
use repoint_domain::doctor::facts::Facts;
use repoint_domain::doctor::report::DoctorReport;
use repoint_domain::drill::attempts::Health;
use repoint_domain::drill::gates::{
    COOL_DOWN_MS, Evidence, Gate, GateId, GateResult, MOST_LAG_BYTES, Switch, all_passed, clients, judge,
};
use repoint_domain::observed::{ClusterMember, ClusterView, Observed, Read};
use repoint_domain::plan::plan;
use repoint_domain::report::status::status;
use repoint_domain::spec::Spec;
use repoint_domain::state::{LeaderChange, State};
use repoint_domain::values::cluster::{ClusterRole, MemberName, PostgresState};
use repoint_domain::values::failure::{Failure, Kind};
use repoint_domain::values::timestamp::Timestamp;

use crate::support::evidence::{
    GROUP, arn, group_spec, healthy, host, ip_group, members_in, name, primary, refused, silence, spec, url,
};
use crate::support::setup::{group_facts, right, set};

const NOW: Timestamp = Timestamp(1_800_000_000_000);

/// A healthy cluster, with an endpoint that points at the primary; to be spoilt.
struct Case {
    spec: Spec,
    observed: Observed,
    state: Read<State>,
    doctor: Option<DoctorReport>,
    wanted: Option<MemberName>,
    is_way_back: bool,
}

impl Case {
    fn new() -> Self {
        let mut observed = healthy(1, 4);
        observed.groups.insert(arn(GROUP), Ok(ip_group(&[(&host(1), "healthy")])));
        Self {
            spec: Spec { groups: vec![group_spec()], ..spec() },
            observed,
            state: Ok(State::default()),
            doctor: None,
            wanted: None,
            is_way_back: false,
        }
    }

    /// Changes what every member lists.
    fn list(mut self, change: impl Fn(&mut ClusterView)) -> Self {
        for answer in members_in(&mut self.observed).values_mut() {
            if let Ok(view) = &mut answer.view {
                change(view);
            }
        }
        self
    }

    /// Changes what every member lists of one.
    fn list_of(self, number: u8, change: impl Fn(&mut ClusterMember)) -> Self {
        self.list(|view| {
            view.members
                .iter_mut()
                .filter(|member| member.name == crate::support::evidence::name(number))
                .for_each(&change);
        })
    }

    fn judge(&self) -> (Vec<Gate>, Option<Switch>) {
        let state = self.state.clone().unwrap_or_default();
        let verdict = verdict(&self.spec, &self.observed, &state);
        let plan = plan(&self.spec, &self.observed, &verdict, &state, NOW);
        let status = status(&self.spec, &self.observed, &self.state, &verdict, &plan, NOW);
        judge(Evidence {
            spec: &self.spec,
            observed: &self.observed,
            state: &self.state,
            verdict: &verdict,
            status: &status,
            doctor: self.doctor.as_ref(),
            wanted: self.wanted.as_ref(),
            by: "this process",
            is_way_back: self.is_way_back,
            now: NOW,
        })
    }

    /// The gates that refuse, with what they found.
    fn refusals(&self) -> Vec<(GateId, String)> {
        let refused = self.judge().0.into_iter().filter(|gate| gate.result == GateResult::Refused);
        refused.map(|gate| (gate.gate, gate.message)).collect()
    }

    #[track_caller]
    fn is_refused(&self, gate: GateId, message: &str) {
        let refusals = self.refusals();
        assert!(refusals.contains(&(gate, message.to_owned())), "{refusals:?}");
    }
}

#[test]
fn a_healthy_cluster_passes_and_the_replica_that_is_least_behind_takes_over() {
    let case = Case::new().list_of(2, |member| member.lag_bytes = Some(1000));
    let (gates, switch) = case.judge();
    assert!(all_passed(&gates), "{gates:#?}");
    assert_eq!(switch, Some(Switch { leader_url: url(1), from: name(1), to: name(3) }));
    let not_checked = gates.iter().filter(|gate| gate.result == GateResult::NotChecked);
    assert_eq!(not_checked.map(|gate| gate.gate).collect::<Vec<_>>(), [GateId::Doctor]);
}

#[test]
fn every_gate_is_judged_and_not_only_the_first_that_refuses() {
    let mut case = Case::new().list(|view| {
        view.paused = true;
        view.scheduled_switchover = Some("2026-11-30T03:00:00+00:00".to_owned());
    });
    case.observed.groups.insert(arn(GROUP), Ok(ip_group(&[(&host(2), "healthy")])));
    let refused: Vec<GateId> = case.refusals().into_iter().map(|(gate, _)| gate).collect();
    assert_eq!(refused, [GateId::Pause, GateId::Schedule, GateId::Endpoints]);
}

#[test]
fn without_a_primary_nothing_is_asked_for() {
    let mut case = Case::new();
    *members_in(&mut case.observed) = (1..=3).map(silence).collect();
    let (gates, switch) = case.judge();
    assert_eq!(switch, None);
    assert_eq!(gates[0].result, GateResult::Refused);
    let refused: Vec<GateId> = case.refusals().into_iter().map(|(gate, _)| gate).collect();
    assert!(
        refused.starts_with(&[
            GateId::Primary,
            GateId::Members,
            GateId::Candidate,
            GateId::Lag,
            GateId::Pause,
            GateId::Schedule,
        ]),
        "{refused:?}"
    );
}

#[test]
fn a_second_claimant_refuses() {
    let mut case = Case::new();
    let second = members_in(&mut case.observed).get_mut(&url(2)).unwrap();
    second.status = Ok(repoint_domain::observed::MemberStatus { name: Some(name(2)), ..primary(3) });
    case.is_refused(GateId::Primary, "pg2 also claims to be the primary");
}

#[test]
fn a_member_that_does_not_stream_or_answer_refuses() {
    let case = Case::new().list_of(3, |member| member.state = PostgresState::Other("starting".to_owned()));
    case.is_refused(GateId::Members, "pg3 does not stream: it is starting");
    let mut case = Case::new();
    members_in(&mut case.observed).extend([silence(3)]);
    let refusals = case.refusals();
    assert_eq!(refusals.len(), 1, "{refusals:?}");
    assert!(refusals[0].1.contains("pg3 does not answer"), "{refusals:?}");
}

#[test]
fn before_patroni_3_0_4_a_replica_streams_if_the_primary_sends_to_it() {
    let running = |member: &mut ClusterMember| member.state = PostgresState::Running;
    let mut case = Case::new().list_of(2, running).list_of(3, running);
    assert_eq!(case.refusals().len(), 3);
    let first = members_in(&mut case.observed).get_mut(&url(1)).unwrap();
    first.status.as_mut().unwrap().feeds = [name(2), name(3)].into();
    assert!(case.refusals().is_empty(), "{:?}", case.refusals());
}

#[test]
fn the_member_that_was_asked_for_must_be_fit() {
    let case = |number| Case { wanted: Some(name(number)), ..Case::new() };
    assert_eq!(case(3).judge().1.unwrap().to, name(3));
    case(1).is_refused(GateId::Candidate, "pg1 leads already");
    case(9).is_refused(GateId::Candidate, "Patroni lists no member pg9");
    case(3)
        .list_of(3, |member| member.nofailover = true)
        .is_refused(GateId::Candidate, "pg3 has the tag nofailover, or a failover_priority of 0");
    case(3)
        .list_of(2, |member| member.role = ClusterRole::SyncStandby)
        .is_refused(GateId::Candidate, "pg3 is not a synchronous standby, and others are");
    assert_eq!(
        Case::new().list_of(3, |member| member.role = ClusterRole::QuorumStandby).judge().1.unwrap().to,
        name(3)
    );
}

#[test]
fn lag_is_limited_and_must_be_known() {
    let lag =
        |bytes| Case { wanted: Some(name(3)), ..Case::new() }.list_of(3, |member| member.lag_bytes = bytes);
    assert!(lag(Some(MOST_LAG_BYTES)).refusals().is_empty());
    assert_eq!(lag(Some(MOST_LAG_BYTES + 1)).refusals()[0].0, GateId::Lag);
    lag(None).is_refused(GateId::Lag, "how far pg3 is behind is unknown");
}

#[test]
fn what_the_doctor_finds_critical_refuses_and_what_it_cannot_check_is_counted() {
    let doctor = |change: fn(&mut Facts)| {
        let mut facts = right();
        change(&mut facts);
        let doctor = Some(examine(&facts, CHECKS, &[]));
        Case { doctor, ..Case::new() }
    };
    let said = |case: &Case| case.judge().0.into_iter().find(|gate| gate.gate == GateId::Doctor).unwrap();
    assert_eq!(said(&doctor(|_| {})).message, "nothing critical was found");
    let unread = said(&doctor(|facts| group_facts(facts).targets = Err(refused())));
    assert_eq!(unread.result, GateResult::Passed);
    assert_eq!(unread.message, "nothing critical was found; not checked: 1, which `repoint doctor` names");
    doctor(|facts| set(&mut group_facts(facts).attributes, "load_balancing.cross_zone.enabled", "false"))
        .is_refused(GateId::Doctor, "critical: cross_zone_off");
}

#[test]
fn a_drill_of_another_process_refuses_until_it_must_have_been_killed() {
    let by = |by: &str, ago: u64| {
        let state = State::default().with_drill(by, Timestamp(NOW.0 - ago)).unwrap();
        Case { state: Ok(state), ..Case::new() }.refusals()
    };
    let refusals = by("another process", 60_000);
    assert_eq!(refusals[0].0, GateId::OtherDrill);
    assert!(refusals[0].1.starts_with("another process began a drill 1 min 0 s ago"), "{refusals:?}");
    assert!(by("another process", 16 * 60_000).is_empty());
    assert!(by("this process", 60_000).is_empty());
}

#[test]
fn the_mark_of_a_drill_is_of_its_process() {
    let state = State::default().with_drill("a", NOW).unwrap();
    assert_eq!(state.revision, 1);
    assert_eq!(state.with_drill("b", NOW), None);
    assert_eq!(state.without_drill("b"), None);
    let ended = state.without_drill("a").unwrap();
    assert_eq!((ended.drill.clone(), ended.revision), (None, 2));
    assert!(ended.with_drill("b", NOW).is_some());
}

#[test]
fn after_a_change_there_is_a_cool_down_but_not_for_the_way_back() {
    let changed = |ago: u64| {
        let change = LeaderChange { at: Timestamp(NOW.0 - ago), count: 1 };
        Case { state: Ok(State { changes: vec![change], ..State::default() }), ..Case::new() }
    };
    changed(60_000).is_refused(
        GateId::CoolDown,
        "the primary or an endpoint changed 1 min 0 s ago: wait until 10 min 0 s are over",
    );
    assert!(changed(COOL_DOWN_MS + 1).refusals().is_empty());
    assert!(Case { is_way_back: true, ..changed(60_000) }.refusals().is_empty());
}

#[test]
fn a_state_that_cannot_be_read_refuses() {
    let failure = Failure::new(Kind::Unavailable, "dynamodb:GetItem", "repoint", "no answer");
    let case = Case { state: Err(failure), ..Case::new() };
    let refused: Vec<GateId> = case.refusals().into_iter().map(|(gate, _)| gate).collect();
    assert_eq!(refused, [GateId::OtherDrill, GateId::CoolDown]);
}

#[test]
fn every_client_must_have_been_good_for_long_enough() {
    let health = |good_for_ms| Health { client: "writer".to_owned(), good_for_ms, last_error: None };
    assert_eq!(clients(&[health(Some(10_000))]).result, GateResult::Passed);
    let refused = clients(&[health(Some(10_000)), health(Some(9_999)), health(None)]);
    assert_eq!(refused.result, GateResult::Refused);
    assert_eq!(refused.message, "writer: good for 9.9 s only; writer: not good");
}

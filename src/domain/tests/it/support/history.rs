//! Pass after pass over one cluster, as the runtime makes them, but in a test's own time: what is remembered, and what
//! people are told.

use std::collections::BTreeMap;

use repoint_domain::alerts::{Alert, Findings, Limits, Loaded, PassOutcome, Rules, findings, next_state};
use repoint_domain::decide::verdict::{Verdict, verdict};
use repoint_domain::observed::Observed;
use repoint_domain::plan::moves::moves;
use repoint_domain::plan::{Plan, StepGroup, TargetStep, plan};
use repoint_domain::report::{
    ClusterReport, PassHold, StepReport, VerdictReport, holds, outcome, planned_steps, warnings,
};
use repoint_domain::spec::Spec;
use repoint_domain::state::State;
use repoint_domain::values::endpoint::Endpoint;
use repoint_domain::values::failure::{Failure, Kind};
use repoint_domain::values::moves::Move;
use repoint_domain::values::record::RecordSet;
use repoint_domain::values::target::{TargetGroup, TargetHealth};
use repoint_domain::values::timestamp::Timestamp;

use super::evidence::{GROUP, arn, group_spec, host, ip_group, records, spec, target};

/// The reconciler whose diary it is.
const WE: &str = "a test";

/// People are told of what lasts a minute, of a contested cluster at once, and never again.
pub const RULES: Rules = Rules {
    grace_ms: 60_000,
    contested_grace_ms: 0,
    replica_grace_ms: 300_000,
    paused_grace_ms: 3_600_000,
    reminder_ms: None,
    limits: Limits::DEFAULT,
};

/// A cluster whose group and records follow what is applied.
#[derive(Clone, Debug)]
pub struct History {
    pub spec: Spec,
    pub state: State,
    pub rules: Rules,
    /// What the group holds.
    pub group: Vec<TargetHealth>,
    pub sets: Vec<RecordSet>,
    /// Whether AWS refuses every write.
    pub is_refused: bool,
    /// The second of the pass that is made.
    pub now: i64,
    /// Everything that was told: when, and what.
    pub notified: Vec<(i64, Alert)>,
}

/// A pass that has ended, but for its last words.
#[derive(Clone, Debug)]
pub struct Made {
    pub spec: Spec,
    pub report: ClusterReport,
    pub loaded: Loaded,
    pub observed: Observed,
    pub verdict: Verdict,
    pub findings: Findings,
    pub moves: Option<Move>,
    pub committed: Option<u64>,
}

impl Made {
    pub fn ended(&self) -> PassOutcome<'_> {
        PassOutcome {
            spec: &self.spec,
            steps: &self.report.steps,
            holds: &self.report.holds,
            loaded: self.loaded.clone(),
            observed: &self.observed,
            verdict: &self.verdict,
            findings: &self.findings,
            moves: self.moves.as_ref(),
            committed: self.committed,
        }
    }
}

impl History {
    /// Nothing is remembered, and the group holds pg`number`.
    pub fn with_group_at(number: u8) -> Self {
        Self {
            spec: Spec { groups: vec![group_spec()], ..spec() },
            state: State::default(),
            rules: RULES,
            group: vec![healthy_target(number)],
            sets: Vec::new(),
            is_refused: false,
            now: 0,
            notified: Vec::new(),
        }
    }

    /// A pass at that second, over these members.
    pub fn pass(&mut self, second: i64, members: &Observed) {
        let made = self.make(second, members);
        self.update(second, &made);
    }

    /// Sees, decides, commits and applies.
    pub fn make(&mut self, second: i64, members: &Observed) -> Made {
        self.now = second;
        let (observed, verdict, plan) = self.observe(members, &self.state);
        let mut steps = planned_steps(&plan);
        let moves = move_cause(&self.spec, &self.state, &observed, &verdict, &plan);
        let mut committed = None;
        if let Verdict::Primary(primary) = &verdict
            && !plan.is_empty()
        {
            self.state = self.state.committed(primary, None, WE, at(second));
            committed = Some(self.state.revision);
            let result = if self.is_refused { Err(denied()) } else { Ok(()) };
            steps = steps.into_iter().map(|step| step.ended(&result, 1)).collect();
            if !self.is_refused {
                self.apply(&plan);
            }
        }
        self.made(observed, verdict, &plan, steps, None, moves, committed)
    }

    /// Sees and decides by what was remembered `then`; somebody else commits first, so nothing is written.
    pub fn make_too_late(&self, members: &Observed, then: &State) -> Made {
        let (observed, verdict, plan) = self.observe(members, then);
        let hold = (!plan.is_empty()).then_some(PassHold::Conflict);
        let moves = move_cause(&self.spec, then, &observed, &verdict, &plan);
        let made = self.made(observed, verdict, &plan, Vec::new(), hold.as_ref(), moves, None);
        Made { loaded: Loaded::from(then), ..made }
    }

    /// Sees that what is remembered is kept for other endpoints, and holds.
    pub fn make_of_others(&self, members: &Observed) -> Made {
        let (observed, verdict, plan) = self.observe(members, &self.state);
        let hold = PassHold::of_others(&self.state);
        self.made(observed, verdict, &plan, Vec::new(), Some(&hold), None, None)
    }

    /// Remembers and tells; whether there was anything to remember.
    pub fn update(&mut self, second: i64, made: &Made) -> bool {
        let (next, events) = next_state(&self.state, &made.ended(), &self.rules, at(second));
        assert!(next.is_some() || events.is_empty(), "alerted, and not recorded: {events:?}");
        let is_new = next.is_some();
        if let Some(next) = next {
            assert_eq!(next.revision, self.state.revision + 1);
            self.state = next;
        }
        self.notified.extend(events.iter().map(|event| (second, Alert::of(event, &made.report, at(second)))));
        is_new
    }

    /// What was told since it was last asked, a line each: when and the subject.
    pub fn lines(&mut self) -> String {
        let lines =
            self.notified.drain(..).map(|(second, alert)| format!("at {second} s: {}", alert.subject));
        lines.collect::<Vec<_>>().join("\n")
    }

    fn observe(&self, members: &Observed, state: &State) -> (Observed, Verdict, Plan) {
        let group = TargetGroup { targets: self.group.clone(), ..ip_group(&[]) };
        let mut observed = Observed {
            groups: BTreeMap::from([(arn(GROUP), Ok(group))]),
            records: records(self.sets.clone()),
            ..members.clone()
        };
        for record in &self.spec.records {
            observed.records.entry(record.key.place.clone()).or_insert_with(|| Ok(Vec::new()));
        }
        let verdict = verdict(&self.spec, &observed, state);
        let plan = plan(&self.spec, &observed, &verdict, state, Timestamp(0));
        (observed, verdict, plan)
    }

    fn apply(&mut self, plan: &Plan) {
        for step_group in &plan.step_groups {
            match step_group {
                StepGroup::Group { steps, .. } => {
                    for step in steps {
                        match step {
                            TargetStep::Register(target) => self.group.push(TargetHealth {
                                target: target.clone(),
                                state: "initial".to_owned(),
                                reason: None,
                            }),
                            TargetStep::Deregister(target) => {
                                self.group.retain(|health| health.target != *target);
                            }
                        }
                    }
                }
                StepGroup::Listeners { .. } | StepGroup::Backend { .. } => panic!("no listener"),
                StepGroup::Zone { changes, .. } => {
                    for change in changes {
                        self.sets.retain(|set| Some(set) != change.before.as_ref());
                        self.sets.push(change.after.clone());
                    }
                }
            }
        }
    }

    #[expect(clippy::too_many_arguments, reason = "a report has many parts")]
    fn made(
        &self,
        observed: Observed,
        verdict: Verdict,
        plan: &Plan,
        steps: Vec<StepReport>,
        unfollowed: Option<&PassHold>,
        moves: Option<Move>,
        committed: Option<u64>,
    ) -> Made {
        let mut left_alone = holds(&verdict, plan);
        left_alone.extend(unfollowed.map(PassHold::report));
        let report = ClusterReport {
            scope: self.spec.scope.clone(),
            name: self.spec.name.clone(),
            outcome: outcome(false, &steps, &left_alone),
            verdict: VerdictReport::from(&verdict),
            cause: moves.as_ref().map(|moves| moves.cause),
            previous_primary: moves.as_ref().and_then(|moves| moves.previous.clone()),
            steps,
            holds: left_alone,
            warnings: warnings(&verdict, plan),
            is_unnotified: false,
            alerts: Vec::new(),
            duration_ms: 1,
            api_calls: BTreeMap::new(),
            status: None,
        };
        let (state, limits) = (Some(&self.state), &self.rules.limits);
        let findings = findings(&self.spec, &observed, state, &verdict, plan, &report.steps, unfollowed)
            .with_cluster(&self.spec, &observed, state, &verdict, limits, at(self.now));
        Made {
            spec: self.spec.clone(),
            report,
            loaded: Loaded::from(&self.state),
            observed,
            verdict,
            findings,
            moves,
            committed,
        }
    }
}

fn move_cause(
    spec: &Spec,
    state: &State,
    observed: &Observed,
    verdict: &Verdict,
    plan: &Plan,
) -> Option<Move> {
    match verdict {
        Verdict::Primary(primary) => moves(spec, state, observed, primary, plan),
        Verdict::Hold(_) => None,
    }
}

/// Long after 1970, so that a test may go back in time.
pub fn at(second: i64) -> Timestamp {
    Timestamp(u64::try_from(1_700_000_000_000 + second * 1000).unwrap())
}

pub fn healthy_target(number: u8) -> TargetHealth {
    TargetHealth { target: target(&host(number), 5432), state: "healthy".to_owned(), reason: None }
}

fn denied() -> Failure {
    Failure::new(
        Kind::Denied,
        "elasticloadbalancing:RegisterTargets",
        Endpoint::Group(arn(GROUP)).to_string(),
        "AccessDenied: not allowed",
    )
}

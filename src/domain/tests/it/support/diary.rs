//! Pass after pass over one cluster, as the runtime makes them, but in a test's own time: what is remembered, and what
//! people are told.

use std::collections::BTreeMap;

use repoint_domain::alerts::Alert;
use repoint_domain::decide::retarget::{Retarget, retarget};
use repoint_domain::decide::verdict::{Verdict, verdict};
use repoint_domain::observed::World;
use repoint_domain::plan::{Lane, Plan, TargetStep, plan};
use repoint_domain::report::{
    ClusterReport, PassHold, StepReport, VerdictReport, holds, outcome, planned_steps, warnings,
};
use repoint_domain::spec::Intent;
use repoint_domain::state::condition::{Findings, findings};
use repoint_domain::state::fold::{Ended, Remembered, Rules, fold};
use repoint_domain::state::{Memory, Timestamp};
use repoint_domain::values::endpoint::{Endpoint, TargetGroup, TargetHealth};
use repoint_domain::values::failure::{Failure, Kind};
use repoint_domain::values::record::RecordSet;

use super::evidence::{GROUP, arn, group_intent, host, intent, ip_group, records, target};

/// The reconciler whose diary it is.
const WE: &str = "a test";

/// People are told of what lasts a minute, of a contested cluster at once, and never again.
pub const RULES: Rules = Rules { grace_ms: 60_000, contested_grace_ms: 0, reminder_ms: None };

/// A cluster whose group and records follow what is applied.
#[derive(Clone, Debug)]
pub struct Diary {
    pub intent: Intent,
    pub memory: Memory,
    pub rules: Rules,
    /// What the group holds.
    pub group: Vec<TargetHealth>,
    pub sets: Vec<RecordSet>,
    /// Whether AWS refuses every write.
    pub is_refused: bool,
    /// Everything that was told: when, and what.
    pub told: Vec<(i64, Alert)>,
}

/// A pass that has ended, but for its last words.
#[derive(Clone, Debug)]
pub struct Made {
    pub intent: Intent,
    pub report: ClusterReport,
    pub remembered: Remembered,
    pub world: World,
    pub verdict: Verdict,
    pub findings: Findings,
    pub retarget: Option<Retarget>,
    pub committed: Option<u64>,
}

impl Made {
    pub fn ended(&self) -> Ended<'_> {
        Ended {
            intent: &self.intent,
            report: &self.report,
            remembered: self.remembered.clone(),
            world: &self.world,
            verdict: &self.verdict,
            findings: &self.findings,
            retarget: self.retarget.as_ref(),
            committed: self.committed,
        }
    }
}

impl Diary {
    /// Nothing is remembered, and the group holds pg`number`.
    pub fn with_group_at(number: u8) -> Self {
        Self {
            intent: Intent { groups: vec![group_intent()], ..intent() },
            memory: Memory::default(),
            rules: RULES,
            group: vec![healthy_target(number)],
            sets: Vec::new(),
            is_refused: false,
            told: Vec::new(),
        }
    }

    /// A pass at that second, over these members.
    pub fn pass(&mut self, second: i64, members: &World) {
        let made = self.make(second, members);
        self.fold(second, &made);
    }

    /// Sees, decides, commits and applies.
    pub fn make(&mut self, second: i64, members: &World) -> Made {
        let (world, verdict, plan) = self.look(members, &self.memory);
        let mut steps = planned_steps(&plan);
        let retarget = story(&self.intent, &self.memory, &world, &verdict, &plan);
        let mut committed = None;
        if let Verdict::Primary(primary) = &verdict
            && !plan.is_empty()
        {
            self.memory = self.memory.committed(primary, None, WE, at(second));
            committed = Some(self.memory.revision);
            let result = if self.is_refused { Err(denied()) } else { Ok(()) };
            steps = steps.into_iter().map(|step| step.ended(&result, 1)).collect();
            if !self.is_refused {
                self.apply(&plan);
            }
        }
        self.made(world, verdict, &plan, steps, None, retarget, committed)
    }

    /// Sees and decides by what was remembered `then`; somebody else commits first, so nothing is written.
    pub fn make_too_late(&self, members: &World, then: &Memory) -> Made {
        let (world, verdict, plan) = self.look(members, then);
        let hold = (!plan.is_empty()).then_some(PassHold::Overtaken);
        let retarget = story(&self.intent, then, &world, &verdict, &plan);
        let made = self.made(world, verdict, &plan, Vec::new(), hold.as_ref(), retarget, None);
        Made { remembered: Remembered::from(then), ..made }
    }

    /// Sees that what is remembered is kept for other endpoints, and holds.
    pub fn make_of_others(&self, members: &World) -> Made {
        let (world, verdict, plan) = self.look(members, &self.memory);
        let hold = PassHold::of_others(&self.memory);
        self.made(world, verdict, &plan, Vec::new(), Some(&hold), None, None)
    }

    /// Remembers and tells; whether there was anything to remember.
    pub fn fold(&mut self, second: i64, made: &Made) -> bool {
        let (next, alerts) = fold(&self.memory, &made.ended(), &self.rules, at(second));
        assert!(next.is_some() || alerts.is_empty(), "told, and not remembered: {alerts:?}");
        let is_new = next.is_some();
        if let Some(next) = next {
            assert_eq!(next.revision, self.memory.revision + 1);
            self.memory = next;
        }
        self.told.extend(alerts.into_iter().map(|alert| (second, alert)));
        is_new
    }

    /// What was told since it was last asked, a line each: when and the subject.
    pub fn lines(&mut self) -> String {
        let lines = self.told.drain(..).map(|(second, alert)| format!("at {second} s: {}", alert.subject));
        lines.collect::<Vec<_>>().join("\n")
    }

    fn look(&self, members: &World, memory: &Memory) -> (World, Verdict, Plan) {
        let group = TargetGroup { targets: self.group.clone(), ..ip_group(&[]) };
        let mut world = World {
            groups: BTreeMap::from([(arn(GROUP), Ok(group))]),
            records: records(self.sets.clone()),
            ..members.clone()
        };
        for record in &self.intent.records {
            world.records.entry(record.key.place.clone()).or_insert_with(|| Ok(Vec::new()));
        }
        let verdict = verdict(&self.intent, &world, memory);
        let plan = plan(&self.intent, &world, &verdict, memory, Timestamp(0));
        (world, verdict, plan)
    }

    fn apply(&mut self, plan: &Plan) {
        for lane in &plan.lanes {
            match lane {
                Lane::Group { steps, .. } => {
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
                Lane::Listeners { .. } => panic!("no listener"),
                Lane::Zone { changes, .. } => {
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
        world: World,
        verdict: Verdict,
        plan: &Plan,
        steps: Vec<StepReport>,
        unfollowed: Option<&PassHold>,
        retarget: Option<Retarget>,
        committed: Option<u64>,
    ) -> Made {
        let mut left_alone = holds(&verdict, plan);
        left_alone.extend(unfollowed.map(PassHold::report));
        let report = ClusterReport {
            scope: self.intent.scope.clone(),
            name: self.intent.name.clone(),
            outcome: outcome(false, &steps, &left_alone),
            verdict: VerdictReport::from(&verdict),
            cause: retarget.as_ref().map(|retarget| retarget.cause),
            previous_primary: retarget.as_ref().and_then(|retarget| retarget.previous.clone()),
            steps,
            holds: left_alone,
            warnings: warnings(&verdict, plan),
            is_untold: false,
            alerts: Vec::new(),
            duration_ms: 1,
            api_calls: BTreeMap::new(),
        };
        let findings =
            findings(&self.intent, &world, Some(&self.memory), &verdict, plan, &report.steps, unfollowed);
        Made {
            intent: self.intent.clone(),
            report,
            remembered: Remembered::from(&self.memory),
            world,
            verdict,
            findings,
            retarget,
            committed,
        }
    }
}

fn story(
    intent: &Intent,
    memory: &Memory,
    world: &World,
    verdict: &Verdict,
    plan: &Plan,
) -> Option<Retarget> {
    match verdict {
        Verdict::Primary(primary) => retarget(intent, memory, world, primary, plan),
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

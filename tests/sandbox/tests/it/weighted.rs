//! Passes over a listener before a group for each member: what a failed step keeps back, and what it does not.

use repoint::runtime::pass::{Mode, pass};
use repoint_domain::report::{Action, ClusterReport, Outcome, StepResult};
use repoint_domain::spec::Strategy;
use repoint_domain::values::arn::ListenerArn;
use repoint_sandbox::aws::elbv2::target::TargetDescription;
use repoint_sandbox::aws::error::AwsError;
use repoint_sandbox::aws::faults::Fault;
use repoint_sandbox::door::{Line, PORT, Shape};

use crate::line::{PG2, SETTINGS, named, switchover, world_of};

const REGISTER: &str = "elasticloadbalancing:RegisterTargets";
const MODIFY: &str = "elasticloadbalancing:ModifyListener";

/// pg1 leads, and the listener and the group of each member are as they should be. Nothing else is configured.
async fn settled() -> Line {
    let line = world_of(Shape { is_filled: true, has_weighted: true, ..Shape::default() });
    {
        let spec = &mut line.world().resources.spec;
        spec.groups.retain(|group| group.strategy.member().is_some());
        spec.records.clear();
    }
    assert_eq!(look(&line, "first").await.outcome, Outcome::Converged);
    line
}

async fn look(line: &Line, identity: &str) -> ClusterReport {
    let spec = line.world().resources.spec.clone();
    pass(&spec, &named(line, identity), &SETTINGS, Mode::Apply).await
}

fn steps(report: &ClusterReport) -> Vec<(Action, StepResult)> {
    report.steps.iter().map(|step| (step.action, step.result)).collect()
}

fn refuse(line: &Line, action: &str) {
    let denied = Fault::Refuse(AwsError::new("AccessDenied", "not you"));
    line.world().account.faults.next(action, 1, denied);
}

/// The members' groups that get connections, by the members' numbers.
fn live(line: &Line) -> Vec<usize> {
    let now = line.now();
    let mut world = line.world();
    let weighted = world.resources.weighted.clone().unwrap();
    let found = world.account.describe_listeners(now, None, &[weighted.listener]).unwrap();
    let share = |group: &String| found[0].forwards.iter().find(|forward| forward.group == *group);
    let is_live = |number: &usize| share(&weighted.groups[*number]).is_some_and(|it| it.weight != Some(0));
    (0..weighted.groups.len()).filter(is_live).collect()
}

/// Somebody takes the member of that number out of its group.
fn take_out(line: &Line, number: usize) {
    let now = line.now();
    let mut world = line.world();
    let group = world.resources.weighted.as_ref().unwrap().groups[number].clone();
    let target = TargetDescription::new(&format!("172.31.1.{}", number + 1), PORT);
    world.account.deregister_targets(now, &group, &[target]).unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_failover_is_one_request() {
    let line = settled().await;
    switchover(&line, PG2).await;
    line.world().account.drain_calls();
    let report = look(&line, "second").await;
    assert_eq!(steps(&report), [(Action::SetWeights, StepResult::Done)]);
    let calls = line.world().account.drain_calls();
    let writes = calls.iter().filter(|call| [REGISTER, MODIFY].contains(&call.action));
    assert_eq!(writes.count(), 1);
    assert_eq!(live(&line), [1]);
    assert_eq!(look(&line, "third").await.outcome, Outcome::Converged);
}

#[tokio::test(start_paused = true)]
async fn no_connection_goes_to_a_group_that_the_primary_could_not_join() {
    let line = settled().await;
    switchover(&line, PG2).await;
    take_out(&line, 1);
    refuse(&line, REGISTER);
    let report = look(&line, "second").await;
    let expected = [(Action::RegisterTarget, StepResult::Failed), (Action::SetWeights, StepResult::Skipped)];
    assert_eq!(steps(&report), expected);
    assert_eq!((report.outcome, live(&line)), (Outcome::Failed, vec![0]));
    let report = look(&line, "third").await;
    assert_eq!((report.outcome, live(&line)), (Outcome::Changed, vec![1]));
}

/// The primary is in its group; that another member could not join its own keeps nothing back.
#[tokio::test(start_paused = true)]
async fn the_weights_do_not_wait_for_another_members_group() {
    let line = settled().await;
    switchover(&line, PG2).await;
    take_out(&line, 2);
    refuse(&line, REGISTER);
    let report = look(&line, "second").await;
    let expected = [(Action::SetWeights, StepResult::Done), (Action::RegisterTarget, StepResult::Failed)];
    assert_eq!((steps(&report), live(&line)), (expected.to_vec(), vec![1]));
}

/// The old primary's group holds the new one, by somebody's hand: while connections come through it, nothing goes.
#[tokio::test(start_paused = true)]
async fn what_connections_rest_on_stays_until_they_go_elsewhere() {
    let line = settled().await;
    switchover(&line, PG2).await;
    let group = fill_old_group(&line);
    refuse(&line, MODIFY);
    let report = look(&line, "second").await;
    assert_eq!(report.steps[0].result, StepResult::Failed);
    assert!(report.steps[1..].iter().all(|step| step.result == StepResult::Skipped));
    assert_eq!(line.world().registered(&group), ["172.31.1.1", "172.31.1.2"]);
    assert_eq!(look(&line, "third").await.outcome, Outcome::Changed);
    assert_eq!(line.world().registered(&group), ["172.31.1.1"]);
    assert_eq!(live(&line), [1]);
}

/// The first member's group gets the second member too; its ARN.
fn fill_old_group(line: &Line) -> String {
    let now = line.now();
    let mut world = line.world();
    let group = world.resources.weighted.as_ref().unwrap().groups[0].clone();
    world.account.register_targets(now, &group, &[TargetDescription::new("172.31.1.2", PORT)]).unwrap();
    group
}

/// A second listener before the same groups, as a pooler's port has it.
fn add_listener(line: &Line) {
    let now = line.now();
    let mut world = line.world();
    let weighted = world.resources.weighted.clone().unwrap();
    let account = &mut world.account;
    let first = account.describe_listeners(now, None, &[weighted.listener]).unwrap().remove(0);
    let second =
        account.create_listener(now, &first.load_balancer, "TCP", 6432, first.forwards.clone()).unwrap();
    account.drain_calls();
    let mut both = [first.arn, second.arn].map(|arn| ListenerArn::parse(&arn).unwrap());
    both.sort();
    for group in &mut world.resources.spec.groups {
        if let Strategy::Weighted { listeners, .. } = &mut group.strategy {
            *listeners = both.to_vec();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn both_listeners_follow_in_one_pass() {
    let line = settled().await;
    add_listener(&line);
    assert_eq!(look(&line, "again").await.outcome, Outcome::Converged);
    switchover(&line, PG2).await;
    let report = look(&line, "second").await;
    assert_eq!(steps(&report), [(Action::SetWeights, StepResult::Done); 2]);
    assert_eq!(look(&line, "third").await.outcome, Outcome::Converged);
}

/// No listener waits for the other, but what connections may still rest on stays.
#[tokio::test(start_paused = true)]
async fn a_listener_that_does_not_move_keeps_the_targets_and_not_the_other_listener() {
    let line = settled().await;
    add_listener(&line);
    switchover(&line, PG2).await;
    let group = fill_old_group(&line);
    refuse(&line, MODIFY);
    let report = look(&line, "second").await;
    let weights: Vec<StepResult> =
        steps(&report).into_iter().filter(|step| step.0 == Action::SetWeights).map(|step| step.1).collect();
    assert_eq!(weights, [StepResult::Failed, StepResult::Done]);
    let rest = report.steps.iter().filter(|step| step.action != Action::SetWeights);
    assert!(
        rest.clone().count() > 0 && rest.clone().all(|step| step.result == StepResult::Skipped),
        "{report:?}"
    );
    assert_eq!(line.world().registered(&group), ["172.31.1.1", "172.31.1.2"]);
    assert_eq!(look(&line, "third").await.outcome, Outcome::Changed);
    assert_eq!(line.world().registered(&group), ["172.31.1.1"]);
    assert_eq!(look(&line, "fourth").await.outcome, Outcome::Converged);
}

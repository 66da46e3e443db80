//! Passes over a listener before a group for each member: what a failed step keeps back, and what it does not.

use repoint::runtime::pass::{Mode, pass};
use repoint_domain::report::{Action, ClusterReport, Outcome, StepResult};
use repoint_domain::spec::Strategy;
use repoint_domain::values::arn::ListenerArn;
use repoint_sandbox::aws::elbv2::target::TargetDescription;
use repoint_sandbox::aws::error::AwsError;
use repoint_sandbox::aws::faults::Fault;
use repoint_sandbox::transport::{Link, PORT, Shape};

use crate::link::{PG2, SETTINGS, named, switchover, world_of};

const REGISTER: &str = "elasticloadbalancing:RegisterTargets";
const MODIFY: &str = "elasticloadbalancing:ModifyListener";

/// pg1 leads, and the listener and the group of each member are as they should be. Nothing else is configured.
async fn settled() -> Link {
    let link = world_of(Shape { is_filled: true, has_weighted: true, ..Shape::default() });
    {
        let spec = &mut link.world().resources.spec;
        spec.groups.retain(|group| group.strategy.member().is_some());
        spec.records.clear();
    }
    assert_eq!(pass_once(&link, "first").await.outcome, Outcome::Converged);
    link
}

async fn pass_once(link: &Link, identity: &str) -> ClusterReport {
    let spec = link.world().resources.spec.clone();
    pass(&spec, &named(link, identity), &SETTINGS, Mode::Apply).await
}

fn steps(report: &ClusterReport) -> Vec<(Action, StepResult)> {
    report.steps.iter().map(|step| (step.action, step.result)).collect()
}

fn refuse(link: &Link, action: &str) {
    let denied = Fault::Refuse(AwsError::new("AccessDenied", "not you"));
    link.world().account.faults.next(action, 1, denied);
}

/// The members' groups that get connections, by the members' numbers.
fn receiving(link: &Link) -> Vec<usize> {
    let now = link.now();
    let mut world = link.world();
    let weighted = world.resources.weighted.clone().unwrap();
    let found = world.account.describe_listeners(now, None, &[weighted.listener]).unwrap();
    let share = |group: &String| found[0].forwards.iter().find(|forward| forward.group == *group);
    let is_live = |number: &usize| share(&weighted.groups[*number]).is_some_and(|it| it.weight != Some(0));
    (0..weighted.groups.len()).filter(is_live).collect()
}

/// An operator takes the member of that number out of its group.
fn take_out(link: &Link, number: usize) {
    let now = link.now();
    let mut world = link.world();
    let group = world.resources.weighted.as_ref().unwrap().groups[number].clone();
    let target = TargetDescription::new(&format!("172.31.1.{}", number + 1), PORT);
    world.account.deregister_targets(now, &group, &[target]).unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_failover_is_one_request() {
    let link = settled().await;
    switchover(&link, PG2).await;
    link.world().account.drain_calls();
    let report = pass_once(&link, "second").await;
    assert_eq!(steps(&report), [(Action::SetWeights, StepResult::Done)]);
    let calls = link.world().account.drain_calls();
    let writes = calls.iter().filter(|call| [REGISTER, MODIFY].contains(&call.action));
    assert_eq!(writes.count(), 1);
    assert_eq!(receiving(&link), [1]);
    assert_eq!(pass_once(&link, "third").await.outcome, Outcome::Converged);
}

#[tokio::test(start_paused = true)]
async fn no_connection_goes_to_a_group_that_the_primary_could_not_join() {
    let link = settled().await;
    switchover(&link, PG2).await;
    take_out(&link, 1);
    refuse(&link, REGISTER);
    let report = pass_once(&link, "second").await;
    let expected = [(Action::RegisterTarget, StepResult::Failed), (Action::SetWeights, StepResult::Skipped)];
    assert_eq!(steps(&report), expected);
    assert_eq!((report.outcome, receiving(&link)), (Outcome::Failed, vec![0]));
    let report = pass_once(&link, "third").await;
    assert_eq!((report.outcome, receiving(&link)), (Outcome::Changed, vec![1]));
}

/// The primary is in its group; that another member could not join its own keeps nothing back.
#[tokio::test(start_paused = true)]
async fn the_weights_do_not_wait_for_another_members_group() {
    let link = settled().await;
    switchover(&link, PG2).await;
    take_out(&link, 2);
    refuse(&link, REGISTER);
    let report = pass_once(&link, "second").await;
    let expected = [(Action::SetWeights, StepResult::Done), (Action::RegisterTarget, StepResult::Failed)];
    assert_eq!((steps(&report), receiving(&link)), (expected.to_vec(), vec![1]));
}

/// An operator has put the new primary into the old one's group: while connections come through it, nothing leaves.
#[tokio::test(start_paused = true)]
async fn what_connections_rest_on_stays_until_they_go_elsewhere() {
    let link = settled().await;
    switchover(&link, PG2).await;
    let group = fill_old_group(&link);
    refuse(&link, MODIFY);
    let report = pass_once(&link, "second").await;
    assert_eq!(report.steps[0].result, StepResult::Failed);
    assert!(report.steps[1..].iter().all(|step| step.result == StepResult::Skipped));
    assert_eq!(link.world().registered(&group), ["172.31.1.1", "172.31.1.2"]);
    assert_eq!(pass_once(&link, "third").await.outcome, Outcome::Changed);
    assert_eq!(link.world().registered(&group), ["172.31.1.1"]);
    assert_eq!(receiving(&link), [1]);
}

/// The first member's group gets the second member too; its ARN.
fn fill_old_group(link: &Link) -> String {
    let now = link.now();
    let mut world = link.world();
    let group = world.resources.weighted.as_ref().unwrap().groups[0].clone();
    world.account.register_targets(now, &group, &[TargetDescription::new("172.31.1.2", PORT)]).unwrap();
    group
}

/// A second listener before the same groups, as a pooler's port has it.
fn add_listener(link: &Link) {
    let now = link.now();
    let mut world = link.world();
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
    let link = settled().await;
    add_listener(&link);
    assert_eq!(pass_once(&link, "again").await.outcome, Outcome::Converged);
    switchover(&link, PG2).await;
    let report = pass_once(&link, "second").await;
    assert_eq!(steps(&report), [(Action::SetWeights, StepResult::Done); 2]);
    assert_eq!(pass_once(&link, "third").await.outcome, Outcome::Converged);
}

/// No listener waits for the other, but what connections may still rest on stays.
#[tokio::test(start_paused = true)]
async fn a_listener_that_does_not_move_keeps_the_targets_and_not_the_other_listener() {
    let link = settled().await;
    add_listener(&link);
    switchover(&link, PG2).await;
    let group = fill_old_group(&link);
    refuse(&link, MODIFY);
    let report = pass_once(&link, "second").await;
    let weights: Vec<StepResult> =
        steps(&report).into_iter().filter(|step| step.0 == Action::SetWeights).map(|step| step.1).collect();
    assert_eq!(weights, [StepResult::Failed, StepResult::Done]);
    let rest = report.steps.iter().filter(|step| step.action != Action::SetWeights);
    assert!(
        rest.clone().count() > 0 && rest.clone().all(|step| step.result == StepResult::Skipped),
        "{report:?}"
    );
    assert_eq!(link.world().registered(&group), ["172.31.1.1", "172.31.1.2"]);
    assert_eq!(pass_once(&link, "third").await.outcome, Outcome::Changed);
    assert_eq!(link.world().registered(&group), ["172.31.1.1"]);
    assert_eq!(pass_once(&link, "fourth").await.outcome, Outcome::Converged);
}

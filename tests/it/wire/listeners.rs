//! Listeners and groups over the wire: the real adapter against the sandbox, and against answers that AWS may give.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use repoint::adapters::clock::SystemClock;
use repoint::adapters::elbv2::Elbv2;
use repoint::limits::{Calls, LeaseGuard};
use repoint::ports::{Clock, Listeners, TargetGroups};
use repoint_domain::values::arn::{GroupArn, ListenerArn};
use repoint_domain::values::failure::Kind;
use repoint_domain::values::listener::{Forward, Listener, Stickiness};
use repoint_domain::values::target::TargetType;
use repoint_sandbox::aws::Account;
use repoint_sandbox::aws::elbv2::group::NewTargetGroup;
use repoint_sandbox::aws::elbv2::listener;

use crate::support::evidence::{LISTENER, listener_arn};
use crate::support::http::{Request, Server, xml};
use crate::support::sandbox::Aws;

const DESCRIBE: &str = "elasticloadbalancing:DescribeListeners";
const MODIFY: &str = "elasticloadbalancing:ModifyListener";

fn adapter(config: &aws_config::SdkConfig) -> (Elbv2, Calls) {
    let client = aws_sdk_elasticloadbalancingv2::Client::new(config);
    let calls = Calls::default();
    (
        Elbv2::new(
            Arc::new(BTreeMap::from([("us-east-1".to_owned(), client)])),
            Arc::default(),
            calls.clone(),
        ),
        calls,
    )
}

fn guard(valid_for: Duration) -> LeaseGuard {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    LeaseGuard::new(&clock, valid_for)
}

/// A TLS listener, and three groups of which it forwards to the first.
struct Stage {
    aws: Aws,
    adapter: Elbv2,
    calls: Calls,
    listener: ListenerArn,
    groups: Vec<GroupArn>,
}

impl Stage {
    async fn new() -> Self {
        let mut account = Account::default();
        let group = |account: &mut Account, name: &str| {
            let new = NewTargetGroup {
                name: name.to_owned(),
                protocol: "TCP".to_owned(),
                port: 5432,
                ..NewTargetGroup::default()
            };
            GroupArn::parse(&account.create_target_group(0, new).unwrap().arn).unwrap()
        };
        let groups = ["pg1", "pg2", "blue"].map(|name| group(&mut account, name)).to_vec();
        let balancer = account.create_load_balancer(0, "pg", "internal").unwrap().arn;
        let first = listener::Forward { group: groups[0].to_string(), weight: None };
        let made = account.create_listener(0, &balancer, "TLS", 5432, vec![first]).unwrap();
        let aws = Aws::start(account).await;
        let (adapter, calls) = adapter(&aws.config().await);
        Self { aws, adapter, calls, listener: ListenerArn::parse(&made.arn).unwrap(), groups }
    }

    async fn read(&self) -> Forward {
        match Listeners::read(&self.adapter, &self.listener).await.unwrap() {
            Listener::Forward(forward) => forward,
            Listener::Other(words) => panic!("{words}"),
        }
    }

    fn shares(&self, weights: [u32; 3]) -> Forward {
        let weights = self.groups.iter().cloned().zip(weights).collect();
        let stickiness = Some(Stickiness { enabled: Some(true), duration_seconds: None });
        Forward { weights, stickiness, order: None }
    }
}

#[tokio::test]
async fn weights_are_set_and_read_again_and_the_listener_is_the_same_but_for_them() {
    let stage = Stage::new().await;
    let alone = BTreeMap::from([(stage.groups[0].clone(), 1)]);
    assert_eq!(stage.read().await, Forward { weights: alone, stickiness: None, order: None });
    for weights in [[100, 0, 0], [0, 100, 7]] {
        let wanted = stage.shares(weights);
        stage.adapter.forward(&stage.listener, &wanted, &guard(Duration::from_mins(1))).await.unwrap();
        assert_eq!(stage.read().await, wanted);
    }
    let found = stage.aws.account().describe_listeners(0, None, &[stage.listener.to_string()]).unwrap();
    assert_eq!((found[0].protocol.as_str(), found[0].port), ("TLS", 5432));
    assert_eq!(stage.calls.counts(), BTreeMap::from([(DESCRIBE.to_owned(), 3), (MODIFY.to_owned(), 2)]));
}

#[tokio::test]
async fn a_listener_that_is_not_there_is_not_found() {
    let stage = Stage::new().await;
    let failure = Listeners::read(&stage.adapter, &listener_arn()).await.unwrap_err();
    assert_eq!((failure.kind, failure.call.as_str()), (Kind::NotFound, DESCRIBE));
    let wanted = stage.shares([1, 0, 0]);
    let failed = stage.adapter.forward(&listener_arn(), &wanted, &guard(Duration::from_mins(1))).await;
    assert_eq!(failed.unwrap_err().kind, Kind::NotFound);
}

#[tokio::test]
async fn nothing_is_sent_once_the_permit_has_run_out() {
    let stage = Stage::new().await;
    let wanted = stage.shares([0, 100, 0]);
    let failed = stage.adapter.forward(&stage.listener, &wanted, &guard(Duration::ZERO)).await;
    assert!(failed.unwrap_err().to_string().contains("not sent"));
    assert_eq!(stage.read().await.weights.len(), 1);
}

/// What its targets are is told with its health check.
#[tokio::test]
async fn an_empty_group_is_asked_for_once() {
    let stage = Stage::new().await;
    let (health, groups) =
        ("elasticloadbalancing:DescribeTargetHealth", "elasticloadbalancing:DescribeTargetGroups");
    for with_check in [true, false] {
        let (adapter, calls) = adapter(&stage.aws.config().await);
        let read = TargetGroups::read(&adapter, &stage.groups[0], with_check).await.unwrap();
        assert_eq!((read.target_type, read.targets.len()), (TargetType::Instance, 0));
        assert_eq!(read.check.map(|check| check.protocol), with_check.then(|| "TCP".to_owned()));
        assert_eq!(calls.counts(), BTreeMap::from([(health.to_owned(), 1), (groups.to_owned(), 1)]));
    }
}

/// What a listener with these default actions is taken for.
async fn taken_for(actions: &'static str) -> Result<Listener, Kind> {
    let reply = move |_: &Request| {
        xml(
            200,
            format!(
                "<DescribeListenersResponse xmlns=\"http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/\">\
                 <DescribeListenersResult><Listeners><member><ListenerArn>{LISTENER}</ListenerArn>\
                 <DefaultActions>{actions}</DefaultActions></member></Listeners></DescribeListenersResult>\
                 </DescribeListenersResponse>"
            ),
        )
    };
    let server = Server::start(reply).await;
    let config = crate::aws::config(&server.url()).await;
    Listeners::read(&adapter(&config).0, &listener_arn()).await.map_err(|failure| failure.kind)
}

#[tokio::test]
async fn a_forward_action_is_read_whole() {
    let group = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/pg2/0000000000000002";
    let weights = BTreeMap::from([(GroupArn::parse(group).unwrap(), 1)]);
    let alone = "<member><Type>forward</Type><TargetGroupArn>arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/pg2/0000000000000002</TargetGroupArn></member>";
    let plain = Forward { weights, stickiness: None, order: None };
    assert_eq!(taken_for(alone).await, Ok(Listener::Forward(plain.clone())));
    // Without a weight AWS takes 1.
    let whole = "<member><Type>forward</Type><Order>2</Order><ForwardConfig><TargetGroups><member><TargetGroupArn>arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/pg2/0000000000000002</TargetGroupArn></member></TargetGroups><TargetGroupStickinessConfig><Enabled>true</Enabled><DurationSeconds>9</DurationSeconds></TargetGroupStickinessConfig></ForwardConfig></member>";
    let stickiness = Some(Stickiness { enabled: Some(true), duration_seconds: Some(9) });
    assert_eq!(
        taken_for(whole).await,
        Ok(Listener::Forward(Forward { stickiness, order: Some(2), ..plain }))
    );
}

#[tokio::test]
async fn another_action_is_reported_as_what_it_is() {
    let other = |words: &str| Ok(Listener::Other(format!("its default action is {words}")));
    let redirect = "<member><Type>redirect</Type></member>";
    assert_eq!(taken_for(redirect).await, other("redirect"));
    let both = "<member><Type>authenticate-oidc</Type></member><member><Type>forward</Type></member>";
    assert_eq!(taken_for(both).await, other("authenticate-oidc, then forward"));
    let nonsense = "<member><Type>forward</Type><TargetGroupArn>nonsense</TargetGroupArn></member>";
    assert_eq!(taken_for(nonsense).await, Err(Kind::Invalid));
}

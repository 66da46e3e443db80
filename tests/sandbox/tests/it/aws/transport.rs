//! What happens to any call: faults, throttling, permissions, the log; and DynamoDB's compare-and-swap through them.

use std::collections::BTreeMap;

use repoint_sandbox::aws::Account;
use repoint_sandbox::aws::dynamodb::condition::Names;
use repoint_sandbox::aws::dynamodb::{Condition, Item};
use repoint_sandbox::aws::error::AwsError;
use repoint_sandbox::aws::faults::Fault;
use repoint_sandbox::aws::log::{Call, Ending};
use repoint_sandbox::aws::service::Service;
use repoint_sandbox::aws::sns::Message;
use repoint_sandbox::aws::throttle::{Bucket, Rate};
use serde_json::{Value, json};

fn object(value: Value) -> Item {
    serde_json::from_value(value).unwrap()
}

fn state(revision: u32) -> Item {
    object(json!({"scope": {"S": "batman"}, "revision": {"N": revision.to_string()}}))
}

fn key() -> Item {
    object(json!({"scope": {"S": "batman"}}))
}

fn at(revision: u32) -> Condition {
    Condition {
        expression: "revision = :r".to_owned(),
        names: Names {
            names: BTreeMap::new(),
            values: BTreeMap::from([(":r".to_owned(), json!({"N": revision.to_string()}))]),
        },
    }
}

fn absent() -> Condition {
    Condition { expression: "attribute_not_exists(scope)".to_owned(), names: Names::default() }
}

fn with_table() -> Account {
    let mut account = Account::default();
    account.create_table(0, "state", "scope").unwrap();
    account
}

#[test]
fn only_one_of_two_writers_wins() {
    let mut account = with_table();
    account.put_item(0, "state", state(1), &absent()).unwrap();
    assert_eq!(account.put_item(0, "state", state(2), &at(1)).unwrap(), Some(state(1)));
    let late = account.put_item(0, "state", state(2), &at(1)).unwrap_err();
    assert_eq!(late.code, "ConditionalCheckFailedException");
    assert_eq!(account.delete_item(0, "state", &key(), &at(1)).unwrap_err().code, late.code);
    assert_eq!(account.delete_item(0, "state", &key(), &at(2)).unwrap(), Some(state(2)));
    assert_eq!(account.get_item(0, "state", &key(), true).unwrap(), None);
    account.put_item(0, "state", state(9), &absent()).unwrap();
}

#[test]
fn a_consistent_read_does_not_lag() {
    let mut account = with_table();
    account.set_read_lag(Service::DynamoDb, 500);
    account.put_item(1_000, "state", state(1), &absent()).unwrap();
    account.put_item(2_000, "state", state(2), &at(1)).unwrap();
    assert_eq!(account.get_item(2_100, "state", &key(), false).unwrap(), Some(state(1)));
    assert_eq!(account.get_item(2_100, "state", &key(), true).unwrap(), Some(state(2)));
    assert_eq!(account.get_item(2_500, "state", &key(), false).unwrap(), Some(state(2)));
}

#[test]
fn items_have_a_key_and_a_limit() {
    let mut account = with_table();
    let put = |account: &mut Account, item: Value| {
        account.put_item(0, "state", object(item), &Condition::default()).map_err(|error| error.code)
    };
    let refused = Err("ValidationException".to_owned());
    assert_eq!(put(&mut account, json!({"revision": {"N": "1"}})), refused);
    assert_eq!(put(&mut account, json!({"scope": {"N": "1"}})), refused);
    assert_eq!(put(&mut account, json!({"scope": {"S": ""}})), refused);
    let sized = |bytes: usize| json!({"scope": {"S": "b"}, "x": {"S": "x".repeat(bytes)}});
    assert!(put(&mut account, sized(409_600 - 7)).is_ok());
    assert_eq!(put(&mut account, sized(409_600 - 6)), refused);
    assert_eq!(account.get_item(0, "none", &key(), true).unwrap_err().code, "ResourceNotFoundException");
}

#[test]
fn a_lost_answer_is_carried_out_and_a_lost_request_is_not() {
    let mut account = with_table();
    account.faults.next("dynamodb:PutItem", 1, Fault::LoseRequest);
    account.faults.next("dynamodb:PutItem", 2, Fault::LoseAnswer);
    let mut put = |revision| {
        let error = account.put_item(0, "state", state(revision), &absent()).unwrap_err();
        assert!(error.is_no_answer());
        account.get_item(0, "state", &key(), true).unwrap()
    };
    assert_eq!(put(1), None);
    assert_eq!(put(2), Some(state(2)));
    assert_eq!(put(3), Some(state(2)), "refused, but the caller cannot know");
    let failed = Ending::AnswerLost(Some("ConditionalCheckFailedException".to_owned()));
    let endings: Vec<Ending> = account
        .drain_calls()
        .into_iter()
        .filter(|call| call.action == "dynamodb:PutItem")
        .map(|call| call.ending)
        .collect();
    assert_eq!(endings, [Ending::RequestLost, Ending::AnswerLost(None), failed]);
    assert_eq!(
        account.put_item(0, "state", state(3), &at(2)).unwrap(),
        Some(state(2)),
        "the faults are spent"
    );
}

#[test]
fn a_refusal_hits_its_action_only_and_changes_nothing() {
    let mut account = Account::default();
    let unavailable = AwsError::new("InternalFailure", "try again").with_status(500);
    account.faults.next("sns:Publish", 1, Fault::Refuse(unavailable.clone()));
    let topic = account.create_topic(0, "alerts").unwrap();
    let message = Message { body: "text".to_owned(), ..Message::default() };
    assert_eq!(account.publish(0, &topic, message.clone()), Err(unavailable));
    assert_eq!(account.published(&topic), []);
    account.publish(0, &topic, message).unwrap();
}

#[test]
fn each_service_throttles_in_its_own_words() {
    let mut account = with_table();
    account.throttle.set(Bucket::ElbRead, Some(Rate { burst: 1, per_second: 1 }));
    account.throttle.set(Bucket::Route53, Some(Rate { burst: 0, per_second: 0 }));
    account.throttle.set(Bucket::Ec2, Some(Rate { burst: 0, per_second: 0 }));
    account.describe_target_groups(0, &[], &[]).unwrap();
    let code = |error: AwsError| (error.code, error.status);
    let described = account.describe_target_groups(999, &[], &[]).unwrap_err();
    assert_eq!(code(described), ("ThrottlingException".to_owned(), 400));
    account.describe_target_groups(1_000, &[], &[]).unwrap();
    let listed = account.list_hosted_zones(0).unwrap_err();
    assert_eq!(code(listed), ("Throttling".to_owned(), 400));
    let instances = account.describe_instances(0, &[], &[], None, None).unwrap_err();
    assert_eq!(code(instances), ("RequestLimitExceeded".to_owned(), 503));
}

#[test]
fn a_denied_call_names_the_caller_and_the_action() {
    let mut account = Account::default();
    let topic = account.create_topic(0, "alerts").unwrap();
    let other = account.create_topic(0, "other").unwrap();
    account.denials.deny("sns:Publish", &topic);
    let message = Message { body: "text".to_owned(), ..Message::default() };
    let error = account.publish(0, &topic, message.clone()).unwrap_err();
    assert_eq!((error.code.as_str(), error.status), ("AuthorizationError", 403));
    assert!(error.message.contains("sandbox is not authorized to perform: sns:Publish"), "{error}");
    account.publish(0, &other, message).unwrap();
}

#[test]
fn the_log_has_every_call_once() {
    let mut account = Account::default();
    let zone = account.create_hosted_zone(3, "example.com").unwrap();
    account.denials.deny("route53:ListHostedZones", "");
    account.list_hosted_zones(5).unwrap_err();
    let create =
        Call { at: 3, action: "route53:CreateHostedZone", resource: "*".into(), ending: Ending::Done };
    let ending = Ending::Refused("AccessDenied".to_owned());
    let list = Call { at: 5, action: "route53:ListHostedZones", resource: "*".into(), ending };
    assert_eq!(account.drain_calls(), [create, list]);
    account.get_change(6, &zone).unwrap_err();
    assert_eq!(account.calls().len(), 1);
}

#[test]
fn the_same_calls_give_the_same_account() {
    let run = || {
        let mut account = with_table();
        account.create_hosted_zone(0, "example.com").unwrap();
        account.create_load_balancer(0, "nlb", "internal").unwrap();
        format!("{account:?}")
    };
    assert_eq!(run(), run());
}

//! Topics, the Lambda, its schedules and the state table.

use repoint_domain::doctor::check::Severity::{Critical, Info, Warning};
use repoint_domain::doctor::facts::Facts;
use repoint_domain::doctor::facts::function::{Function, FunctionConfiguration, Requested, Schedule};
use repoint_domain::doctor::facts::network::{Network, RouteTable, Rule};
use repoint_domain::doctor::facts::table::Table;
use repoint_domain::doctor::facts::topic::Subscription;
use repoint_domain::observed::Read;
use repoint_domain::state::OutboxMessage;
use repoint_domain::values::arn::TopicArn;
use repoint_domain::values::cluster::ApiUrl;
use repoint_domain::values::failure::{Failure, Kind};
use repoint_domain::values::timestamp::Timestamp;

use super::{Case, finds, silent, unknown};
use crate::support::setup::{FUNCTION, function_name, region, set, topic};

/// An attribute of the topic of the alerts.
fn alerts(facts: &mut Facts, name: &str, value: &str) {
    set(&mut facts.topics.get_mut(&topic("db-alerts")).unwrap().attributes, name, value);
}

/// Another topic of alerts, with so many subscriptions.
fn second_topic(facts: &mut Facts, confirmed: &str) {
    let second = topic("db-pages");
    let mut its = facts.topics[&topic("db-alerts")].clone();
    set(&mut its.attributes, "SubscriptionsConfirmed", confirmed);
    facts.topics.insert(second.clone(), its);
    facts.configured.alert_topics.push(second);
}

/// What subscribes to the callbacks' topic.
fn subscriptions(facts: &mut Facts) -> &mut Vec<Subscription> {
    let its = facts.topics.get_mut(&topic("db-callbacks")).unwrap();
    its.subscriptions.as_mut().unwrap().as_mut().unwrap()
}

fn filter(facts: &mut Facts, policy: &str) {
    set(&mut subscriptions(facts)[0].attributes, "FilterPolicy", policy);
}

fn function(facts: &mut Facts) -> &mut Function {
    facts.functions.get_mut(&function_name(FUNCTION)).unwrap()
}

fn configuration(facts: &mut Facts) -> &mut FunctionConfiguration {
    function(facts).configuration.as_mut().unwrap()
}

fn schedules(facts: &mut Facts) -> &mut Vec<Schedule> {
    facts.schedules.as_mut().unwrap().as_mut().unwrap()
}

fn table(facts: &mut Facts) -> &mut Table {
    facts.table.as_mut().unwrap().as_mut().unwrap()
}

fn pass(clusters: &[&str]) -> Requested {
    Requested::Pass { clusters: clusters.iter().map(ToString::to_string).collect(), is_dry_run: false }
}

/// A message that was claimed so many milliseconds ago; by no process where its publishing failed.
fn waits(facts: &mut Facts, claimed_by: &str, milliseconds: u64) {
    let message = OutboxMessage {
        id: "batman-7-0".to_owned(),
        topic: None,
        subject: "repoint: batman: pg1 -> pg2".to_owned(),
        body: String::new(),
        attributes: std::collections::BTreeMap::new(),
        claimed_by: claimed_by.to_owned(),
        claimed_at: Timestamp(facts.at.0 - milliseconds),
    };
    facts.clusters[0].state.as_mut().unwrap().outbox.push(message);
}

fn network(facts: &mut Facts) -> &mut Network {
    facts.networks.get_mut(&region()).unwrap()
}

/// Where the routes of the function's subnets lead.
fn routes(facts: &mut Facts, routes: &[(&str, &str)]) {
    let routes = routes.iter().map(|(to, gateway)| (to.to_string(), gateway.to_string())).collect();
    network(facts).route_tables.as_mut().unwrap()[0].routes = routes;
}

/// The only rule of what the function's security group lets out.
fn egress(facts: &mut Facts, rule: Rule) {
    let groups = network(facts).security_groups.as_mut().unwrap();
    groups.get_mut("sg-function").unwrap().egress = vec![Rule { protocol: "tcp".to_owned(), ..rule }];
}

fn missing<T>(call: &str) -> Read<T> {
    Err(Failure::new(Kind::NotFound, call, "repoint", "it does not exist"))
}

pub const CASES: &[Case] = &[
    finds("a topic was never subscribed to", "topic_without_subscription", Critical, |facts| {
        alerts(facts, "SubscriptionsConfirmed", "0");
    }),
    finds("the only subscription is not confirmed", "topic_without_subscription", Critical, |facts| {
        alerts(facts, "SubscriptionsConfirmed", "0");
        alerts(facts, "SubscriptionsPending", "1");
    }),
    finds("one of two topics delivers nowhere", "topic_without_subscription", Warning, |facts| {
        second_topic(facts, "0");
    }),
    finds("neither of two topics delivers", "topic_without_subscription", Critical, |facts| {
        alerts(facts, "SubscriptionsConfirmed", "0");
        second_topic(facts, "0");
    }),
    finds("one of two subscriptions is not confirmed", "topic_subscription_pending", Warning, |facts| {
        alerts(facts, "SubscriptionsPending", "1");
    }),
    unknown("a topic with a key of its own", "topic_key_of_other_account", |facts| {
        alerts(facts, "KmsMasterKeyId", "arn:aws:kms:us-east-1:123456789012:key/0a1b");
    }),
    unknown("a callbacks' topic with a key of its own", "topic_key_of_other_account", |facts| {
        let its = facts.topics.get_mut(&topic("db-callbacks")).unwrap();
        set(&mut its.attributes, "KmsMasterKeyId", "alias/repoint");
    }),
    silent("a topic with the account's managed key", |facts| {
        alerts(facts, "KmsMasterKeyId", "alias/aws/sns");
    }),
    finds("another account's topic with its managed key", "topic_key_of_other_account", Critical, |facts| {
        let mut its = facts.topics.remove(&topic("db-alerts")).unwrap();
        set(&mut its.attributes, "KmsMasterKeyId", "arn:aws:kms:us-east-1:210987654321:alias/aws/sns");
        let other = TopicArn::parse("arn:aws:sns:us-east-1:210987654321:db-alerts").unwrap();
        facts.topics.insert(other.clone(), its);
        facts.configured.alert_topics = vec![other];
    }),
    finds("alerts call the Lambda", "alerts_call_function", Warning, |facts| {
        facts.configured.alert_topics.push(topic("db-callbacks"));
    }),
    silent("no Lambda at all", |facts| {
        facts.configured.callback_topic = None;
        facts.topics.remove(&topic("db-callbacks"));
        (facts.configured.function, facts.configured.schedule_group) = (None, None);
        facts.functions.clear();
        facts.schedules = None;
    }),
    silent("the state is in a file", |facts| {
        (facts.configured.table, facts.table) = (None, None);
    }),
    finds("callbacks call nothing", "callback_topic_without_function", Critical, |facts| {
        subscriptions(facts).clear();
    }),
    finds("callbacks call another function", "callback_topic_without_function", Critical, |facts| {
        subscriptions(facts)[0].endpoint = FUNCTION.replace("repoint", "robin");
    }),
    finds("another account has not confirmed", "callback_topic_without_function", Critical, |facts| {
        subscriptions(facts)[0].arn = "PendingConfirmation".to_owned();
    }),
    silent("callbacks call a function, and none is configured", |facts| {
        facts.configured.function = None;
        subscriptions(facts)[0].endpoint = FUNCTION.replace("repoint", "robin");
    }),
    unknown("callbacks go through a queue", "callback_topic_without_function", |facts| {
        subscriptions(facts)[0].protocol = "sqs".to_owned();
    }),
    silent("a log of callbacks beside the function", |facts| {
        let mut log = subscriptions(facts)[0].clone();
        (log.protocol, log.endpoint) =
            ("sqs".to_owned(), "arn:aws:sqs:us-east-1:123456789012:log".to_owned());
        set(&mut log.attributes, "FilterPolicy", r#"{"no": ["one"]}"#);
        set(&mut log.attributes, "RedrivePolicy", "");
        subscriptions(facts).push(log);
    }),
    finds("a filter asks for what callbacks have not", "callback_topic_filtered", Critical, |facts| {
        filter(facts, r#"{"severity": ["critical"]}"#);
    }),
    silent("a filter asks for callbacks", |facts| filter(facts, r#"{ "event": ["look"] }"#)),
    silent("an empty filter", |facts| filter(facts, "{}")),
    unknown("a filter on the body", "callback_topic_filtered", |facts| {
        filter(facts, r#"{"cluster": ["batman"]}"#);
        set(&mut subscriptions(facts)[0].attributes, "FilterPolicyScope", "MessageBody");
    }),
    finds("callbacks have no queue for failures", "callback_topic_without_redrive", Warning, |facts| {
        set(&mut subscriptions(facts)[0].attributes, "RedrivePolicy", "");
    }),
    finds("nothing is alerted", "no_alert_topic", Info, |facts| {
        facts.configured.alert_topics.clear();
        facts.topics.remove(&topic("db-alerts"));
    }),
    finds("an alert was refused", "outbox_waiting", Warning, |facts| waits(facts, "", 5_000)),
    finds("an alert that a dead process has claimed", "outbox_waiting", Warning, |facts| {
        waits(facts, "pg9/1", 3_600_000);
    }),
    silent("an alert that is being published", |facts| waits(facts, "pg1/1", 5_000)),
    finds("the timeout is the deadline", "function_timeout_short", Warning, |facts| {
        configuration(facts).timeout_seconds = 20;
    }),
    finds("the function has 128 MB", "function_memory_small", Warning, |facts| {
        configuration(facts).memory_mb = 128;
    }),
    finds("the function failed", "function_not_active", Critical, |facts| {
        configuration(facts).state = "Failed".to_owned();
    }),
    finds("the function sleeps", "function_not_active", Warning, |facts| {
        configuration(facts).state = "Inactive".to_owned();
    }),
    finds("the function's update failed", "function_not_active", Warning, |facts| {
        configuration(facts).last_update = "Failed".to_owned();
    }),
    silent("the function is being updated", |facts| {
        configuration(facts).last_update = "InProgress".to_owned();
    }),
    finds("the function is switched off", "function_concurrency_zero", Critical, |facts| {
        function(facts).reserved_concurrency = Ok(Some(0));
    }),
    silent("the function runs once at a time", |facts| function(facts).reserved_concurrency = Ok(Some(1))),
    finds("failed invocations go nowhere", "function_without_failure_destination", Warning, |facts| {
        function(facts).on_failure = Ok(None);
    }),
    silent("the newest code, which is not called, has no destination", |facts| {
        let newest = Function { on_failure: Ok(None), ..facts.functions[&function_name(FUNCTION)].clone() };
        facts.functions.insert(function_name("repoint"), newest);
    }),
    finds(
        "the function is called without an alias",
        "function_without_failure_destination",
        Warning,
        |facts| {
            let its = facts.functions.remove(&function_name(FUNCTION)).unwrap();
            let called = FUNCTION.trim_end_matches(":live");
            subscriptions(facts)[0].endpoint = called.to_owned();
            facts.functions.insert(function_name(called), Function { on_failure: Ok(None), ..its });
        },
    ),
    unknown("an alias is called that was not read", "function_without_failure_destination", |facts| {
        let its = facts.functions.remove(&function_name(FUNCTION)).unwrap();
        facts.functions.insert(function_name("repoint"), Function { on_failure: Ok(None), ..its });
    }),
    finds("the function does not exist", "resource_missing", Critical, |facts| {
        function(facts).configuration = missing("lambda:GetFunctionConfiguration");
    }),
    finds("the function is in no VPC", "function_outside_vpc", Critical, |facts| {
        configuration(facts).vpc = None;
    }),
    silent("the function is in no VPC, and the members have public addresses", |facts| {
        configuration(facts).vpc = None;
        let public = ApiUrl::parse("http://198.51.100.11:8008").unwrap();
        facts.clusters[0].spec.sites[0].members = vec![public];
        facts.clusters[0].observed.sites.clear();
    }),
    unknown(
        "the function is in no VPC, and a member's name was not resolved",
        "function_outside_vpc",
        |facts| {
            configuration(facts).vpc = None;
            facts.clusters[0].spec.sites[0].members = vec![ApiUrl::parse("http://pg1:8008").unwrap()];
            facts.clusters[0].observed.sites.clear();
        },
    ),
    finds(
        "only the internet's route has the members",
        "function_without_route_to_patroni",
        Critical,
        |facts| {
            routes(facts, &[("10.9.0.0/16", "local"), ("0.0.0.0/0", "nat-1")]);
        },
    ),
    silent("the members are behind a transit gateway", |facts| {
        routes(facts, &[("10.9.0.0/16", "local"), ("0.0.0.0/0", "nat-1"), ("10.0.0.0/8", "tgw-1")]);
    }),
    silent("a firewall has the default route", |facts| {
        routes(facts, &[("10.9.0.0/16", "local"), ("0.0.0.0/0", "vpce-1")]);
    }),
    unknown("a prefix list may have the members", "function_without_route_to_patroni", |facts| {
        routes(facts, &[("10.9.0.0/16", "local"), ("0.0.0.0/0", "nat-1"), ("pl-1", "tgw-1")]);
    }),
    finds(
        "one of two subnets has a table without a route",
        "function_without_route_to_patroni",
        Critical,
        |facts| {
            let tables = network(facts).route_tables.as_mut().unwrap();
            let subnets = vec!["subnet-b".to_owned()];
            let table = RouteTable { is_main: false, subnets, routes: Vec::new(), ..tables[0].clone() };
            tables.push(table);
        },
    ),
    unknown("the route tables are denied", "function_without_route_to_patroni", |facts| {
        network(facts).route_tables = Network::unread("denied").route_tables;
    }),
    finds("no endpoint of SNS", "function_without_route_to_aws", Critical, |facts| {
        network(facts)
            .endpoints
            .as_mut()
            .unwrap()
            .retain(|endpoint| endpoint.service.rsplit('.').next() != Some("sns"));
    }),
    finds("the endpoint of DynamoDB is pending", "function_without_route_to_aws", Critical, |facts| {
        let endpoints = network(facts).endpoints.as_mut().unwrap();
        endpoints.iter_mut().find(|its| its.kind == "Gateway").unwrap().state = "pending".to_owned();
    }),
    finds("an internet gateway alone", "function_without_route_to_aws", Critical, |facts| {
        routes(facts, &[("10.0.0.0/16", "local"), ("0.0.0.0/0", "igw-1")]);
        network(facts).endpoints.as_mut().unwrap().clear();
    }),
    silent("a NAT gateway and no endpoints", |facts| {
        routes(facts, &[("10.0.0.0/16", "local"), ("0.0.0.0/0", "nat-1")]);
        network(facts).endpoints.as_mut().unwrap().clear();
    }),
    finds(
        "a topic in another Region, and endpoints alone",
        "function_without_route_to_aws",
        Critical,
        |facts| {
            facts
                .configured
                .alert_topics
                .push(TopicArn::parse("arn:aws:sns:us-west-2:123456789012:db-alerts").unwrap());
        },
    ),
    unknown("endpoints in another network", "function_without_route_to_aws", |facts| {
        routes(facts, &[("10.0.0.0/16", "local"), ("10.0.0.0/8", "tgw-1")]);
        network(facts).endpoints.as_mut().unwrap().clear();
    }),
    silent("a configuration without topics and records needs no endpoint of them", |facts| {
        facts.clusters[0].spec.records.clear();
        let needed = ["elasticloadbalancing", "dynamodb", "sns"];
        let endpoints = network(facts).endpoints.as_mut().unwrap();
        endpoints.retain(|endpoint| needed.iter().any(|service| endpoint.service.ends_with(service)));
    }),
    finds("the function may go out to HTTPS alone", "function_egress_closed", Critical, |facts| {
        let networks = vec!["0.0.0.0/0".to_owned()];
        egress(facts, Rule { from: Some(443), to: Some(443), networks, ..Rule::default() });
    }),
    silent("the function may go out to the members' group", |facts| {
        let groups = vec!["sg-nodes".to_owned()];
        egress(facts, Rule { from: Some(8008), to: Some(8008), groups, ..Rule::default() });
    }),
    unknown(
        "the function may go out to a group, and the members' are not known",
        "function_egress_closed",
        |facts| {
            let groups = vec!["sg-nodes".to_owned()];
            egress(facts, Rule { from: Some(8008), to: Some(8008), groups, ..Rule::default() });
            network(facts).instances.as_mut().unwrap().clear();
        },
    ),
    unknown("the function may go out to a prefix list", "function_egress_closed", |facts| {
        let prefix_lists = vec!["pl-1".to_owned()];
        egress(facts, Rule { from: Some(8008), to: Some(8008), prefix_lists, ..Rule::default() });
    }),
    finds("the schedule is disabled", "schedule_missing", Warning, |facts| {
        schedules(facts)[0].state = "DISABLED".to_owned();
    }),
    finds("there is no schedule", "schedule_missing", Warning, |facts| schedules(facts).clear()),
    finds("the schedule calls another function", "schedule_missing", Warning, |facts| {
        schedules(facts)[0].target = FUNCTION.replace("repoint", "robin");
    }),
    finds("the schedule makes dry runs", "schedule_missing", Warning, |facts| {
        schedules(facts)[0].requests = Requested::Pass { clusters: Vec::new(), is_dry_run: true };
    }),
    finds("a schedule for one of two clusters", "schedule_missing", Warning, |facts| {
        let mut robin = facts.clusters[0].clone();
        robin.spec.name = repoint_domain::values::cluster::EntryName::new("robin");
        robin.spec.scope = repoint_domain::values::cluster::Scope::new("robin");
        robin.spec.sites[0].scope = robin.spec.scope.clone();
        facts.clusters.push(robin);
        schedules(facts)[0].requests = pass(&["batman"]);
    }),
    silent("a schedule that names the scope", |facts| schedules(facts)[0].requests = pass(&["batman"])),
    silent("an old schedule that is disabled, and one for test alerts", |facts| {
        let its = schedules(facts)[0].clone();
        let old = Schedule { name: "old".to_owned(), state: "DISABLED".to_owned(), ..its.clone() };
        let alert = Schedule { name: "alert".to_owned(), requests: Requested::TestAlert, ..its };
        schedules(facts).extend([old, alert]);
    }),
    unknown("a schedule that calls Lambda's API", "schedule_missing", |facts| {
        schedules(facts)[0].target = "arn:aws:scheduler:::aws-sdk:lambda:invoke".to_owned();
    }),
    finds("a schedule names an unknown cluster", "schedule_event_refused", Warning, |facts| {
        let its = schedules(facts)[0].clone();
        schedules(facts).push(Schedule { name: "old".to_owned(), requests: pass(&["joker"]), ..its });
    }),
    finds("a schedule sends something else", "schedule_event_refused", Warning, |facts| {
        let its = schedules(facts)[0].clone();
        let requests = Requested::Unknown(r#"{"clusters": []}"#.to_owned());
        schedules(facts).push(Schedule { name: "old".to_owned(), requests, ..its });
    }),
    finds("the schedule runs once an hour", "schedule_slow", Info, |facts| {
        schedules(facts)[0].expression = "rate(1 hour)".to_owned();
    }),
    silent("a schedule by a cron expression", |facts| {
        schedules(facts)[0].expression = "cron(* * * * ? *)".to_owned();
    }),
    finds("the table is being deleted", "table_not_active", Critical, |facts| {
        table(facts).status = "DELETING".to_owned();
    }),
    silent("the table is being updated", |facts| table(facts).status = "UPDATING".to_owned()),
    finds("the table has another key", "table_key_wrong", Critical, |facts| {
        table(facts).key = vec![("cluster".to_owned(), "HASH".to_owned(), "S".to_owned())];
    }),
    finds("the table has a sort key", "table_key_wrong", Critical, |facts| {
        table(facts).key.push(("revision".to_owned(), "RANGE".to_owned(), "N".to_owned()));
    }),
    finds("the table may be deleted", "table_unprotected", Info, |facts| {
        table(facts).is_deletion_protected = false;
    }),
    finds(
        "the table is a global one, whose Regions agree later",
        "table_not_consistent",
        Critical,
        |facts| {
            table(facts).replicas = vec!["us-west-2".to_owned()];
        },
    ),
    silent("the table is a global one, whose Regions always agree", |facts| {
        table(facts).replicas = vec!["us-east-2".to_owned(), "us-west-2".to_owned()];
        table(facts).is_strongly_consistent = true;
    }),
    finds("the table does not exist", "resource_missing", Critical, |facts| {
        facts.table = Some(missing("dynamodb:DescribeTable"));
    }),
];

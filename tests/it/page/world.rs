//! A thousand clusters, of which a few are in trouble, with all that a page can show.

use std::collections::BTreeMap;

use repoint_domain::decide::verdict::HoldKind;
use repoint_domain::report::status::{
    ClusterStatus, ConditionStatus, EndpointStatus, Events, MemberReport, Standing,
};
use repoint_domain::report::{ClusterReport, Outcome, PrimaryReport, VerdictReport};
use repoint_domain::spec::{Site, Spec};
use repoint_domain::state::{ConditionKind, LastMove, Retargets};
use repoint_domain::values::arn::GroupArn;
use repoint_domain::values::cluster::{Address, EntryName, MemberName, Scope, SystemId, Timeline};
use repoint_domain::values::endpoint::Endpoint;
use repoint_domain::values::moves::MoveCause;
use repoint_domain::values::timestamp::Timestamp;
use repoint_domain::values::utc::Utc;

/// 2026-11-29 03:12:45 UTC.
pub const NOW: Timestamp = Timestamp(1_795_921_965_000);
pub const HOSTILE: &str = "<script>alert(1)</script>";

/// A cluster, and what its last pass left.
pub type Kept = (Spec, ClusterReport);

pub fn spec(name: &str, scope: &str) -> Spec {
    let site = Site {
        name: None,
        region: None,
        scope: Scope::new(scope),
        members: Vec::new(),
        discover: None,
        addresses: BTreeMap::new(),
        alias: None,
    };
    Spec {
        name: EntryName::new(name),
        scope: Scope::new(scope),
        sites: vec![site],
        system_id: None,
        groups: Vec::new(),
        records: Vec::new(),
        backends: Vec::new(),
    }
}

fn member(name: &str, cluster: u16, number: u8) -> MemberReport {
    let host = format!("10.{}.{}.{}", cluster / 250, cluster % 250, 10 + number);
    let is_leader = number == 1;
    MemberReport {
        site: None,
        member: name.to_owned(),
        address: Some(Address { host, port: 5432 }),
        role: Some(if is_leader { "leader" } else { "replica" }.to_owned()),
        state: Some(if is_leader { "running" } else { "streaming" }.to_owned()),
        timeline: Some(Timeline(4)),
        lag_bytes: (!is_leader).then_some(0),
        replay_lag_bytes: (!is_leader).then_some(0),
        error: None,
        tags: Vec::new(),
        is_claimant: is_leader,
    }
}

fn endpoint(name: &str, targets: &[String]) -> EndpointStatus {
    let arn = format!(
        "arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/{name}/57ddce98af07a3{:02}",
        name.len()
    );
    EndpointStatus {
        endpoint: Endpoint::Group(GroupArn::parse(&arn).unwrap()),
        points_at: targets.iter().map(|target| format!("{target}:5432 (healthy)")).collect(),
        standing: Standing::Right,
        message: None,
    }
}

/// One that is as it should be.
pub fn healthy(number: u16) -> Kept {
    let name = format!("orders-{number:04}");
    let members: Vec<MemberReport> = (1..=3)
        .map(|at| member(&format!("{name}-{}", ["a", "b", "c"][usize::from(at) - 1]), number, at))
        .collect();
    let host = |at: usize| members[at].address.as_ref().unwrap().host.clone();
    let verdict = VerdictReport::Primary(PrimaryReport {
        kind: "primary",
        site: None,
        member: Some(MemberName::new(&members[0].member)),
        host: Some(host(0)),
        port: Some(5432),
        timeline: Timeline(4),
        system_id: SystemId::new(format!("73512345678901{number:05}")),
    });
    let endpoints = vec![
        endpoint(&format!("{name}-rw"), &[host(0)]),
        endpoint(&format!("{name}-ro"), &[host(1), host(2)]),
    ];
    let moved = LastMove {
        at: Utc(Timestamp(NOW.0 - u64::from(number) * 977_000)),
        cause: MoveCause::Switchover,
        from: None,
        to: None,
    };
    let status = ClusterStatus {
        endpoints,
        members,
        verdict,
        retargets: Some(Retargets { last: Some(moved), ..Retargets::default() }),
        alerts_pending: Some(0),
        events: Some(Events { last: 3, pending: Vec::new() }),
        ..ClusterStatus::unknown(&spec(&name, &name))
    };
    kept(status, Outcome::Converged)
}

fn kept(status: ClusterStatus, outcome: Outcome) -> Kept {
    let report = ClusterReport {
        scope: status.scope.clone(),
        name: status.name.clone(),
        outcome,
        verdict: status.verdict.clone(),
        cause: None,
        previous_primary: None,
        steps: Vec::new(),
        holds: Vec::new(),
        warnings: Vec::new(),
        alerts: Vec::new(),
        is_unnotified: false,
        duration_ms: 0,
        api_calls: BTreeMap::new(),
        status: Some(Box::new(status)),
    };
    (spec(report.name.as_str(), report.scope.as_str()), report)
}

fn condition(
    kind: ConditionKind,
    subject: Option<&str>,
    message: &str,
    lasted_seconds: u64,
) -> ConditionStatus {
    let since = Timestamp(NOW.0 - lasted_seconds * 1000);
    ConditionStatus {
        kind,
        severity: kind.severity(),
        subject: subject.map(str::to_owned),
        message: message.to_owned(),
        lasted_seconds,
        since,
        notified: true,
        outlasts_grace: true,
    }
}

/// The name of the cluster that has everything.
pub const RICH: &str = "payments/eu 1";

/// Those in trouble, in no order.
fn troubled() -> Vec<Kept> {
    let of = |number: u16, change: &dyn Fn(&mut ClusterStatus) -> Outcome| {
        let (_, report) = healthy(number);
        let mut status = *report.status.unwrap();
        let outcome = change(&mut status);
        kept(status, outcome)
    };
    vec![
        of(2001, &|status| {
            (status.name, status.scope) = (EntryName::new(RICH), Scope::new("payments"));
            status.members[1].lag_bytes = Some(24 << 20);
            status.members[1].replay_lag_bytes = Some(310 << 20);
            status.members[1].tags = vec!["nofailover"];
            status.members[2].error =
                Some("GET /primary on http://10.8.1.13:8008: connection timed out".to_owned());
            (status.members[2].member, status.members[2].state) = (HOSTILE.to_owned(), None);
            status.members[2].lag_bytes = None;
            status.members[2].replay_lag_bytes = None;
            status.endpoints[1].standing = Standing::Held;
            status.endpoints[1].message = Some(
                "elasticloadbalancing:DescribeTargetHealth on the target group: AccessDenied: not authorized to perform it"
                    .to_owned(),
            );
            status.endpoints[1].points_at.clear();
            status.warnings =
                vec![format!("{HOSTILE} & \"quoted\": the target group has no health check on /primary")];
            let lag = "orders-2001-b is 24 MiB behind in receiving and 310 MiB in replaying, for 11 min";
            let silent = "connection timed out";
            status.conditions = vec![
                condition(ConditionKind::ReplicaLag, Some("orders-2001-b"), lag, 660),
                condition(ConditionKind::MemberUnreachable, Some(HOSTILE), silent, 4000),
                condition(
                    ConditionKind::TargetHealth,
                    Some("orders-2001-rw"),
                    "the load balancer sends writes to no target",
                    70,
                ),
            ];
            status.alerts_pending = Some(2);
            Outcome::Held
        }),
        of(2002, &|status| {
            status.name = EntryName::new("inventory");
            let message = "the cluster has no primary: no member holds the leader key".to_owned();
            status.verdict = VerdictReport::Hold { kind: HoldKind::NoPrimary, message: message.clone() };
            status.members[0].error = Some("connection refused".to_owned());
            status.members[0].is_claimant = false;
            status.conditions = vec![condition(ConditionKind::NoPrimary, None, &message, 95)];
            for endpoint in &mut status.endpoints {
                (endpoint.standing, endpoint.message) = (Standing::Held, Some(message.clone()));
            }
            Outcome::Held
        }),
        of(2003, &|status| {
            status.name = EntryName::new("search");
            let message = "2 members claim to be the primary and none is ahead: search-a on timeline 9, search-b on timeline 9";
            status.verdict = VerdictReport::Hold { kind: HoldKind::Contested, message: message.to_owned() };
            status.members[1].is_claimant = true;
            Outcome::Held
        }),
        of(2004, &|status| {
            status.name = EntryName::new("billing");
            status.endpoints[0].standing = Standing::Differs;
            status.endpoints[0].message =
                Some("register 10.8.4.11:5432, deregister 10.8.4.12:5432".to_owned());
            Outcome::Failed
        }),
        of(2005, &|status| {
            status.name = EntryName::new("archive");
            status.is_paused = true;
            Outcome::Converged
        }),
        of(2007, &|status| {
            status.name = EntryName::new("reports");
            let lag = "reports-c is 1 GiB behind in replaying, for 34 min";
            status.members[2].replay_lag_bytes = Some(1 << 30);
            status.conditions = vec![condition(ConditionKind::ReplicaLag, Some("reports-c"), lag, 2040)];
            Outcome::Converged
        }),
        of(2006, &|status| {
            status.name = EntryName::new("mirror");
            let message =
                "mirror-a leads a standby cluster, which takes no writes; another site may hold the primary";
            status.verdict =
                VerdictReport::Hold { kind: HoldKind::StandbyCluster, message: message.to_owned() };
            status.members[0].role = Some("standby leader".to_owned());
            status.members[0].is_claimant = false;
            Outcome::Held
        }),
    ]
}

/// So many, in the order of a configuration.
pub fn fleet(count: u16) -> Vec<Kept> {
    let mut fleet: Vec<Kept> = (0..count.saturating_sub(7)).map(healthy).collect();
    for (at, kept) in troubled().into_iter().enumerate() {
        fleet.insert((at * 141) % (fleet.len() + 1), kept);
    }
    fleet
}

/// The stored events of the cluster that has everything, a line each.
pub fn history() -> String {
    let event = |number: u64, before_seconds: u64, rest: serde_json::Value| {
        let at = repoint_domain::values::utc::Utc(Timestamp(NOW.0 - before_seconds * 1000)).to_string();
        let mut event = serde_json::json!({"version": 1, "number": number, "id": format!("e-{number}"), "cluster": RICH, "at": at});
        event.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        format!("{event}\n")
    };
    let group =
        "arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/orders-2001-rw/57ddce98af07a314";
    [
        event(1, 86_400, serde_json::json!({"kind": "condition", "condition": "no_primary", "status": "triggered",
            "severity": "critical", "message": "the cluster has no primary: no member holds the leader key",
            "since": "2026-11-28T03:12:01.000Z", "lasted_ms": 44_000})),
        event(2, 86_390, serde_json::json!({"kind": "moved", "cause": "failover", "from": HOSTILE, "to": "orders-2001-a",
            "member": "orders-2001-a", "timeline": 4, "no_primary_since": "2026-11-28T03:12:01.000Z", "took_ms": 412,
            "steps": [
                {"action": "register_target", "endpoint": group, "target": "10.8.1.11:5432", "result": "done", "took_ms": 38},
                {"action": "deregister_target", "endpoint": group, "target": "10.8.1.13:5432", "result": "failed",
                 "error": "ThrottlingException: Rate exceeded", "took_ms": 250}],
            "left": [group]})),
        event(3, 86_380, serde_json::json!({"kind": "condition", "condition": "no_primary", "status": "resolved",
            "severity": "critical", "message": "over", "since": "2026-11-28T03:12:01.000Z", "lasted_ms": 54_000})),
    ]
    .concat()
}

//! The effective configuration, secrets masked.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::endpoint::KINDS;
use super::mask::masked_value;
use super::{Callback, CallbackMode, Settings, State, StateStore};
use repoint_domain::alerts::AlertTopic;
use repoint_domain::doctor::report::Ignore;
use repoint_domain::spec::{Discover, Site, Source, Spec};
use repoint_domain::values::cluster::SiteName;

/// The configuration with all defaults, in the shape of the file.
#[must_use]
pub fn show(settings: &Settings) -> Value {
    let patroni = &settings.patroni;
    let identity = patroni.identity.as_ref();
    let shown = json!({
        "aws": {
            "region": settings.aws.region,
            "endpoint_url": settings.aws.endpoint_url.as_deref().map(masked_value),
            "limit_percent": settings.aws.limit_percent,
        },
        "patroni": {
            "connect_timeout_seconds": patroni.connect_timeout.as_secs_f64(),
            "timeout_seconds": patroni.timeout.as_secs_f64(),
            "ca_file": patroni.ca.as_ref().map(|ca| ca.path.display().to_string()),
            "certificate_file": identity.map(|identity| identity.certificate.display().to_string()),
            "key_file": identity.map(|identity| identity.key.display().to_string()),
            "verify_hostname": patroni.verify_hostname,
            "username": patroni.login.as_ref().map(|login| &login.username),
            "password_file": patroni.login.as_ref().map(|login| login.password_file.display().to_string()),
        },
        "pass": {
            "deadline_seconds": settings.deadline.as_secs_f64(),
            "wait_insync_seconds": settings.wait_insync.map(|wait| wait.as_secs_f64()),
        },
        "state": state(&settings.state),
        "alerts": {
            "grace_seconds": settings.alerts.grace.as_secs_f64(),
            "contested_grace_seconds": settings.alerts.contested_grace.as_secs_f64(),
            "replica_grace_seconds": settings.alerts.replica_grace.as_secs_f64(),
            "paused_grace_seconds": settings.alerts.paused_grace.as_secs_f64(),
            "replica_lag_bytes": settings.alerts.limits.replica_lag_bytes,
            "maximum_lag_on_failover": settings.alerts.limits.failover_lag_bytes,
            "flapping_changes": settings.alerts.limits.flapping_changes,
            "flapping_seconds": Duration::from_millis(settings.alerts.limits.flapping_ms).as_secs_f64(),
            "reminder_seconds": settings.alerts.reminder.map(|reminder| reminder.as_secs_f64()),
            "heartbeat_url": settings.alerts.heartbeat.as_ref().map(ToString::to_string),
            "topic": settings.alerts.topics.iter().map(topic).collect::<Vec<_>>(),
        },
        "watch": {
            "interval_seconds": settings.watch.interval.as_secs_f64(),
            "audit_interval_seconds": settings.watch.audit_interval.as_secs_f64(),
            "grace_seconds": settings.watch.grace.as_secs_f64(),
            "socket": settings.watch.socket,
        },
        "callback": callback(&settings.callback),
        "lambda": {
            "fail_on_hold": settings.lambda.fail_on_hold,
            "function": settings.lambda.function,
            "schedule_group": settings.lambda.schedule_group,
        },
        "http": { "listen": settings.http.listen.map(|listen| listen.to_string()) },
        "metrics": { "textfile": settings.metrics.textfile },
        "doctor": { "ignore": settings.ignored_findings.iter().map(ignored).collect::<Vec<_>>() },
        "cluster": settings.clusters.iter().map(cluster).collect::<Vec<_>>(),
    });
    without_nothing(shown)
}

fn state(state: &State) -> Value {
    let (file, table) = match &state.store {
        StateStore::File(path) => (Some(path.display().to_string()), None),
        StateStore::DynamoDb(table) => (None, Some(table)),
    };
    json!({ "file": file, "dynamodb_table": table, "required": state.required })
}

fn topic(topic: &AlertTopic) -> Value {
    json!({
        "arn": topic.arn.as_str(),
        "format": topic.format.as_str(),
        "min_severity": topic.min_severity.as_str(),
    })
}

fn ignored(ignore: &Ignore) -> Value {
    let Ignore { id, cluster, resource, reason } = ignore;
    json!({ "id": id, "reason": reason, "cluster": cluster, "resource": resource })
}

fn callback(callback: &Callback) -> Value {
    match &callback.mode {
        CallbackMode::Daemon => json!({ "mode": "daemon" }),
        CallbackMode::Sns(topic) => json!({ "mode": "sns", "sns_topic_arn": topic.as_str() }),
        CallbackMode::Detached => json!({ "mode": "self" }),
    }
}

fn site(site: &Site, spec: &Spec) -> Option<Value> {
    let alias = site.alias.as_ref().map(|alias| {
        json!({
            "zone_id": alias.zone,
            "dns_name": alias.to_string(),
            "evaluate_target_health": alias.evaluate_target_health,
        })
    });
    let mut shown = json!({
        "name": site.name.as_ref()?,
        "region": site.region,
        "scope": site.scope,
        "members": site.members,
        "discover": site.discover.as_ref().map(discover),
        "addresses": site.addresses,
        "alias": alias,
    });
    endpoints(&mut shown, spec, site.name.as_ref());
    Some(shown)
}

fn discover(discover: &Discover) -> Value {
    let scheme = if discover.is_https { "https" } else { "http" };
    let port = discover.port;
    match &discover.source {
        Source::Instances { tag, region, .. } => {
            let group = tag.group();
            let key = group.is_none().then_some(&tag.key);
            json!({ "ec2_tag": key, "autoscaling_group": group, "region": region, "port": port, "scheme": scheme })
        }
        Source::Addresses(name) => json!({ "dns": name, "port": port, "scheme": scheme }),
        Source::Service(name) => json!({ "dns": name, "scheme": scheme }),
    }
}

fn cluster(spec: &Spec) -> Value {
    let only = spec.site(None);
    let mut shown = json!({
        "name": spec.name,
        "scope": spec.scope,
        "members": only.map(|only| &only.members),
        "discover": only.and_then(|only| only.discover.as_ref()).map(discover),
        "addresses": only.map(|only| &only.addresses),
        "site": spec.sites.iter().filter_map(|its| site(its, spec)).collect::<Vec<_>>(),
        "system_id": spec.system_id,
    });
    endpoints(&mut shown, spec, None);
    shown
}

/// The endpoints of a cluster or of one of its sites.
fn endpoints(shown: &mut Value, spec: &Spec, site: Option<&SiteName>) {
    for kind in KINDS {
        shown[kind.key] = Value::Array((kind.show)(spec, site));
    }
}

/// TOML has no null: values that are not set are left out, and so are empty sections.
fn without_nothing(value: Value) -> Value {
    let is_nothing = |value: &Value| match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    };
    match value {
        Value::Object(fields) => {
            let fields = fields.into_iter().map(|(key, value)| (key, without_nothing(value)));
            Value::Object(fields.filter(|(_, value)| !is_nothing(value)).collect::<Map<_, _>>())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(without_nothing).collect()),
        other => other,
    }
}

//! Orders to the sandbox, over HTTP.
//!
//! A command does one thing, at once; its consequences show in the cluster and in AWS.

use std::time::Duration;

use serde_json::{Value, json};

use super::Site;
use super::write::Write;
use crate::aws::log::Ending;
use crate::http::exchange::{Reply, Request};
use crate::http::faults::{Effect, Reach, Rule};
use crate::patroni::MemberId;
use crate::patroni::rest::Silence;

const HELP: &str = "\
The sandbox's own controls. Everything else is on the members' ports and on AWS's.

curl URL/status                             the members, and which of them gets the connections
curl URL/events                             events of the cluster
curl URL/writes                             the writes of targets and records that reached AWS
curl URL/messages                           messages that SNS received

curl -X POST URL/members/pg1/crash          the node dies; its port refuses
curl -X POST URL/members/pg1/vanish         the machine is gone; its port is silent
curl -X POST URL/members/pg1/start          what was crashed, killed or stopped starts
curl -X POST URL/members/pg1/zombie         a crashed node comes back with its memory of before
curl -X POST URL/members/pg1/stop           Patroni and PostgreSQL stop cleanly
curl -X POST URL/members/pg1/hang           Patroni accepts and never answers, until `unhang`
curl -X POST URL/members/pg1/freeze         the machine stands still, until `thaw`
curl -X POST URL/members/pg1/kill_patroni   PostgreSQL goes on alone, until `start`
curl -X POST URL/members/pg1/crash_postgres Patroni goes on alone
curl -X POST URL/members/pg1/cut_from_dcs   until `heal`
curl -X POST URL/members/pg1/cut_from_members
curl -X POST URL/members/pg1/heal
curl -X POST URL/switchover/pg2             a planned switchover
curl -X POST URL/split_brain/pg2            a second primary on the same timeline, for as long as the TTL
curl -X POST URL/pause                      maintenance mode, until `resume`
curl -X POST URL/resume

curl -X POST URL/aws/throttle               every call is refused for its rate
curl -X POST 'URL/aws/latency?ms=500'       every answer comes late
curl -X POST URL/aws/lose_answers           calls are carried out, and their answers lost
curl -X POST URL/aws/heal                   AWS is well again
";

/// Answers an order.
pub(super) fn answer(site: &mut Site, request: &Request) -> (Duration, Reply) {
    let path: Vec<&str> = request.path.split('/').filter(|part| !part.is_empty()).collect();
    let reply = match (request.method.as_str(), path.as_slice()) {
        ("GET", []) => help(request),
        ("GET", ["status"]) => json(200, &status(site)),
        ("GET", ["events"]) => {
            let events = site.events().iter();
            json(200, &events.map(|event| json!({"at_ms": event.at, "event": event.to_string()})).collect())
        }
        ("GET", ["writes"]) => json(200, &site.writes().iter().map(write).collect()),
        ("GET", ["messages"]) => json(200, &messages(site)),
        ("POST", order) => match obey(site, order, &request.query) {
            Ok(()) => json(200, &json!({"at_ms": site.now, "done": order.join(" ")})),
            Err(why) => json(400, &json!({"error": why, "hint": "GET / lists all orders"})),
        },
        _ => json(404, &json!({"error": "no such order", "hint": "GET / lists all orders"})),
    };
    (Duration::ZERO, reply)
}

fn help(request: &Request) -> Reply {
    let host = request.headers.get("host").map(String::as_str).unwrap_or_default();
    let body = HELP.replace("URL", &format!("http://{host}")).into_bytes();
    Reply::Full { status: 200, content_type: "text/plain; charset=utf-8", headers: Vec::new(), body }
}

fn json(status: u16, value: &Value) -> Reply {
    let body = format!("{value:#}\n").into_bytes();
    Reply::Full { status, content_type: "application/json", headers: Vec::new(), body }
}

fn obey(site: &mut Site, order: &[&str], query: &str) -> Result<(), String> {
    match *order {
        ["members", name, fault] => {
            let member = member(site, name)?;
            apply_fault(site, member, fault)
        }
        ["switchover", name] => {
            let member = member(site, name)?;
            site.cluster.switchover(site.now, member).map_err(|refusal| format!("{refusal:?}"))
        }
        ["split_brain", name] => {
            let member = member(site, name)?;
            site.cluster.force_split_brain(site.now, member);
            Ok(())
        }
        ["pause"] => {
            site.cluster.pause(site.now);
            Ok(())
        }
        ["resume"] => {
            site.cluster.resume(site.now);
            Ok(())
        }
        ["aws", fault] => disturb(site, fault, query),
        _ => Err("no such order".to_owned()),
    }
}

fn member(site: &Site, name: &str) -> Result<MemberId, String> {
    site.cluster.member(name).ok_or_else(|| format!("no member is called {name}"))
}

fn apply_fault(site: &mut Site, member: MemberId, fault: &str) -> Result<(), String> {
    let (now, cluster) = (site.now, &mut site.cluster);
    match fault {
        "crash" => cluster.crash(now, member, Silence::Refused),
        "vanish" => cluster.crash(now, member, Silence::TimedOut),
        "start" => cluster.start(now, member),
        "zombie" => cluster.start_as_zombie(now, member),
        "stop" => cluster.stop(now, member),
        "hang" => cluster.hang(now, member),
        "unhang" => cluster.unhang(now, member),
        "freeze" => cluster.freeze(now, member),
        "thaw" => cluster.thaw(now, member),
        "kill_patroni" => cluster.kill_patroni(now, member),
        "crash_postgres" => cluster.crash_postgres(now, member),
        "cut_from_dcs" => cluster.cut_from_dcs(now, member),
        "cut_from_members" => cluster.cut_from_members(now, member),
        "heal" => cluster.heal(now, member),
        _ => return Err(format!("nothing called {fault} can happen to a member")),
    }
    Ok(())
}

fn disturb(site: &mut Site, fault: &str, query: &str) -> Result<(), String> {
    let everywhere = |effect| Rule {
        service: String::new(),
        action: String::new(),
        member: String::new(),
        reach: Reach::All,
        effect,
    };
    match fault {
        "throttle" => site.throttle(),
        "heal" => site.heal_aws(),
        "lose_answers" => site.aws_faults.add(everywhere(Effect::LoseAnswer(Reply::Reset))),
        "latency" => {
            let given = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "ms");
            let late = given.and_then(|(_, value)| value.parse().ok()).ok_or("say how much: ?ms=500")?;
            site.aws_faults.add(everywhere(Effect::Latency(Duration::from_millis(late))));
        }
        _ => return Err(format!("nothing called {fault} can happen to AWS")),
    }
    Ok(())
}

fn status(site: &Site) -> Value {
    let who = |addresses: Vec<String>| -> Vec<String> {
        let name = |address: &String| site.member_at(address).map(|member| site.name(member).to_owned());
        addresses.iter().map(|address| name(address).unwrap_or_else(|| address.clone())).collect()
    };
    let members: Vec<Value> = site.cluster.ids().map(|member| member_status(site, member)).collect();
    let writers = site.cluster.takes_writes();
    let records: serde_json::Map<String, Value> = site
        .values()
        .into_iter()
        .map(|(identifier, values)| {
            (if identifier.is_empty() { "simple".to_owned() } else { identifier }, who(values).into())
        })
        .collect();
    json!({
        "now_ms": site.now,
        "members": members,
        "takes_writes": writers.iter().map(|(member, _)| site.name(*member)).collect::<Vec<_>>(),
        "target_group": {
            "arn": site.resources.ip_group,
            "targets": who(site.targets()),
            "new_connections_go_to": who(site.routes()),
        },
        "record": {
            "name": crate::transport::NAME,
            "zone": site.resources.zone,
            "points_at": records,
            "dns_answers": who(site.resolved()),
        },
    })
}

fn member_status(site: &Site, member: MemberId) -> Value {
    let spec = site.cluster.spec(member);
    let mut status = json!({
        "name": &*spec.name,
        "rest": format!("http://{}:{}", spec.rest.0, spec.rest.1),
        "postgres": format!("{}:{}", spec.postgres.0, spec.postgres.1),
    });
    match site.cluster.health(site.now, member, super::OBSERVER) {
        Ok((_, health)) => {
            status["role"] = health.role.into();
            status["state"] = health.state.into();
            status["timeline"] = health.timeline.into();
        }
        Err(Silence::Refused) => status["error"] = "refuses connections".into(),
        Err(Silence::TimedOut) => status["error"] = "never answers".into(),
        Err(Silence::Closed) => status["error"] = "closes connections".into(),
    }
    status
}

fn write(write: &Write) -> Value {
    let ending = match &write.ending {
        Ending::Done => "done".to_owned(),
        Ending::Refused(code) => format!("refused: {code}"),
        Ending::RequestLost => "the request was lost".to_owned(),
        Ending::AnswerLost(None) => "done, and the answer was lost".to_owned(),
        Ending::AnswerLost(Some(code)) => format!("refused: {code}, and the answer was lost"),
    };
    json!({
        "at_ms": write.at,
        "what": write.action.to_string(),
        "ending": ending,
        "by": write.by,
        "user_agent": write.agent,
    })
}

fn messages(site: &Site) -> Value {
    let message = |published: &crate::aws::sns::Published| {
        json!({
            "at_ms": published.at,
            "subject": published.message.subject,
            "attributes": published.message.attributes,
            "body": published.message.body,
        })
    };
    site.messages().iter().map(message).collect()
}

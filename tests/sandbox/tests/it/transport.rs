//! A whole world behind sockets: it refuses, hangs and heals as it should, and takes orders.

use std::io::ErrorKind;
use std::time::Duration;

use repoint_sandbox::aws::log::Ending;
use repoint_sandbox::http::sandbox::{Action, News, Sandbox, Setup};
use repoint_sandbox::patroni::EventKind;
use repoint_sandbox::patroni::rest::Silence;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

const TIMEOUT: Duration = Duration::from_secs(10);

fn authority(url: &str) -> String {
    url.trim_start_matches("http://").to_owned()
}

/// The REST API of a member.
fn rest(sandbox: &Sandbox, name: &str) -> String {
    sandbox.with(|site| {
        let member = site.cluster.member(name).unwrap();
        let (host, port) = &site.cluster.spec(member).rest;
        format!("{host}:{port}")
    })
}

/// Status and body.
pub async fn ask(authority: &str, method: &str, path: &str) -> std::io::Result<(u16, String)> {
    let mut stream = TcpStream::connect(authority).await?;
    let head = format!("{method} {path} HTTP/1.1\r\nhost: {authority}\r\nconnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or(ErrorKind::UnexpectedEof)?;
    Ok((head[9..12].parse().unwrap(), body.to_owned()))
}

async fn json(authority: &str, method: &str, path: &str) -> Value {
    let (status, body) = ask(authority, method, path).await.unwrap();
    assert_eq!(status, 200, "{path}: {body}");
    serde_json::from_str(&body).unwrap()
}

/// Twenty times as fast as life: a failover takes a fraction of a second.
fn fast() -> Sandbox {
    Sandbox::start(Setup { speed: 20, ..Setup::quick() }).unwrap()
}

#[tokio::test]
async fn every_member_has_its_own_port_and_says_so() {
    let sandbox = fast();
    let (status, _) = ask(&rest(&sandbox, "pg1"), "GET", "/primary").await.unwrap();
    assert_eq!(status, 200);
    let (status, _) = ask(&rest(&sandbox, "pg2"), "GET", "/primary").await.unwrap();
    assert_eq!(status, 503);
    let view = json(&rest(&sandbox, "pg2"), "GET", "/cluster").await;
    let urls: Vec<&str> = view["members"]
        .as_array()
        .unwrap()
        .iter()
        .map(|member| member["api_url"].as_str().unwrap())
        .collect();
    let wanted = ["pg1", "pg2", "pg3"].map(|name| format!("http://{}/patroni", rest(&sandbox, name)));
    assert_eq!(urls, wanted);
    assert_eq!(view["members"][2]["host"], "172.31.1.13");
}

#[tokio::test]
async fn a_crashed_member_refuses_until_it_is_started_and_another_leads() {
    let sandbox = fast();
    let mut news = sandbox.news();
    let (control, pg1) = (authority(&sandbox.control_url()), rest(&sandbox, "pg1"));
    json(&control, "POST", "/members/pg1/crash").await;
    let refused = async {
        while TcpStream::connect(&pg1).await.map_err(|error| error.kind()).err()
            != Some(ErrorKind::ConnectionRefused)
        {}
    };
    timeout(TIMEOUT, refused).await.unwrap();
    let promoted = async {
        loop {
            if let News::Cluster(event) = news.recv().await.unwrap()
                && let EventKind::Promoted(timeline) = event.what
            {
                return (event.member.unwrap(), timeline);
            }
        }
    };
    let (name, timeline) = timeout(TIMEOUT, promoted).await.unwrap();
    assert!(["pg2", "pg3"].contains(&&*name) && timeline == 5, "{name} on {timeline}");
    json(&control, "POST", "/members/pg1/start").await;
    let back = sandbox.until(TIMEOUT, |site| site.cluster.is_settled(site.now).then_some(())).await;
    assert!(back.is_some());
    assert_eq!(ask(&pg1, "GET", "/replica").await.unwrap().0, 200);
}

#[tokio::test]
async fn a_hanging_member_accepts_and_says_nothing() {
    let sandbox = fast();
    let pg3 = rest(&sandbox, "pg3");
    sandbox.with(|site| {
        let member = site.cluster.member("pg3").unwrap();
        site.cluster.hang(site.now, member);
    });
    let answer = timeout(Duration::from_millis(200), ask(&pg3, "GET", "/primary")).await;
    assert!(answer.is_err(), "{answer:?}");
    sandbox.with(|site| {
        let member = site.cluster.member("pg3").unwrap();
        site.cluster.unhang(site.now, member);
    });
    assert_eq!(ask(&pg3, "GET", "/primary").await.unwrap().0, 503);
}

#[tokio::test]
async fn orders_that_make_no_sense_say_so() {
    let sandbox = fast();
    let control = authority(&sandbox.control_url());
    for (method, path, status, words) in [
        ("POST", "/members/pg9/crash", 400, "no member is called pg9"),
        ("POST", "/members/pg1/sing", 400, "nothing called sing"),
        ("POST", "/switchover/pg1", 400, "NotFit"),
        ("POST", "/aws/latency", 400, "say how much"),
        ("GET", "/nothing", 404, "no such order"),
    ] {
        let (got, body) = ask(&control, method, path).await.unwrap();
        assert_eq!(got, status, "{path}");
        assert!(body.contains(words), "{path}: {body}");
    }
    let (status, help) = ask(&control, "GET", "/").await.unwrap();
    assert!(
        status == 200 && help.contains(&format!("curl -X POST http://{control}/members/pg1/crash")),
        "{help}"
    );
}

/// A request as a client that signs would send it.
async fn call(authority: &str, service: &str, body: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(authority).await?;
    let signature = format!("AWS4-HMAC-SHA256 Credential=KEY/20260101/us-east-1/{service}/aws4_request");
    let head = format!(
        "POST / HTTP/1.1\r\nhost: {authority}\r\nauthorization: {signature}\r\nuser-agent: test\r\n\
         content-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

#[tokio::test]
async fn writes_are_reported_with_caller_and_result() {
    let sandbox = fast();
    let (aws, control) = (authority(&sandbox.aws_url()), authority(&sandbox.control_url()));
    let group = sandbox.with(|site| site.resources.ip_group.clone());
    let group: String = form(&group);
    let register = format!(
        "Action=RegisterTargets&Version=2015-12-01&TargetGroupArn={group}&Targets.member.1.Id=172.31.1.12&Targets.member.1.Port=5432"
    );
    json(&control, "POST", "/aws/throttle").await;
    let answer = call(&aws, "elasticloadbalancing", &register).await.unwrap();
    assert!(answer.contains("ThrottlingException"), "{answer}");
    json(&control, "POST", "/aws/heal").await;
    json(&control, "POST", "/aws/lose_answers").await;
    call(&aws, "elasticloadbalancing", &register).await.unwrap_err();
    json(&control, "POST", "/aws/heal").await;
    let answer = call(&aws, "elasticloadbalancing", &register).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let (writes, targets, routes) =
        sandbox.with(|site| (site.writes().to_vec(), site.targets(), site.routes()));
    let endings: Vec<Ending> = writes.iter().map(|write| write.ending.clone()).collect();
    let throttled = Ending::Refused("ThrottlingException".to_owned());
    assert_eq!(endings, [throttled, Ending::AnswerLost(None), Ending::Done]);
    for write in &writes {
        assert_eq!((write.by.as_str(), write.agent.as_str()), ("KEY", "test"));
        assert_eq!(write.action.points_at(), ["172.31.1.12"]);
        assert!(matches!(&write.action, Action::Register { .. }));
    }
    assert_eq!((targets, routes), (vec!["172.31.1.12".to_owned()], vec!["172.31.1.12".to_owned()]));
    let notified = json(&control, "GET", "/writes").await;
    assert_eq!(notified[1]["ending"], "done, and the answer was lost");
    let status = json(&control, "GET", "/status").await;
    assert_eq!(status["target_group"]["new_connections_go_to"][0], "pg2");
}

fn form(text: &str) -> String {
    text.replace(':', "%3A").replace('/', "%2F")
}

#[tokio::test]
async fn nothing_listens_any_more_once_it_is_dropped() {
    let sandbox = fast();
    let addresses = [authority(&sandbox.aws_url()), authority(&sandbox.control_url()), rest(&sandbox, "pg2")];
    let crashed = rest(&sandbox, "pg1");
    sandbox.with(|site| {
        let member = site.cluster.member("pg1").unwrap();
        site.cluster.crash(site.now, member, Silence::Refused);
    });
    drop(sandbox);
    for address in addresses.iter().chain([&crashed]) {
        let closed = async { while TcpStream::connect(address).await.is_ok() {} };
        timeout(TIMEOUT, closed).await.unwrap();
    }
}

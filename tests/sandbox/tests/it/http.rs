//! The server on real sockets, and the shapes that errors have on the wire.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use repoint_sandbox::aws::error::AwsError;
use repoint_sandbox::aws::faults::Fault;
use repoint_sandbox::aws::{Account, wire};
use repoint_sandbox::http::exchange::{Reply, Request};
use repoint_sandbox::http::server::serve;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, timeout};

fn text(body: String) -> Reply {
    Reply::Full { status: 200, content_type: "text/plain", headers: Vec::new(), body: body.into_bytes() }
}

/// Answers by path: `/late`, `/hang`, `/reset`, and else with what it understood.
async fn start() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let handler = |request: Request| match request.path.as_str() {
        "/late" => (Duration::from_millis(150), text("late".to_owned())),
        "/hang" => (Duration::ZERO, Reply::Hang),
        "/reset" => (Duration::ZERO, Reply::Reset),
        _ => {
            let body = String::from_utf8_lossy(&request.body).into_owned();
            let said = format!("{} {} {} {}", request.method, request.path, request.query, body);
            (Duration::ZERO, text(said))
        }
    };
    tokio::spawn(serve(listener, Arc::new(handler)));
    address
}

async fn send(stream: &mut TcpStream, method: &str, path: &str, body: &str) {
    let length = body.len();
    let head = format!("{method} {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n{body}");
    stream.write_all(head.as_bytes()).await.unwrap();
}

/// What has arrived after a moment.
async fn receive(stream: &mut TcpStream) -> Result<String, ErrorKind> {
    let mut buffer = vec![0; 4096];
    match timeout(Duration::from_secs(2), stream.read(&mut buffer)).await {
        Ok(Ok(length)) => Ok(String::from_utf8_lossy(&buffer[..length]).into_owned()),
        Ok(Err(error)) => Err(error.kind()),
        Err(_) => Err(ErrorKind::TimedOut),
    }
}

#[tokio::test]
async fn a_connection_is_kept_for_the_next_request() {
    let mut stream = TcpStream::connect(start().await).await.unwrap();
    send(&mut stream, "POST", "/a?b=c", "body").await;
    assert!(receive(&mut stream).await.unwrap().ends_with("POST /a b=c body"));
    send(&mut stream, "GET", "/d", "").await;
    assert!(receive(&mut stream).await.unwrap().ends_with("GET /d  "));
}

#[tokio::test]
async fn head_has_a_length_and_no_body() {
    let mut stream = TcpStream::connect(start().await).await.unwrap();
    send(&mut stream, "HEAD", "/a", "").await;
    let answer = receive(&mut stream).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\n"), "{answer}");
    assert!(answer.contains("content-length: 9\r\n"), "{answer}");
}

#[tokio::test]
async fn a_late_answer_is_late_and_does_not_hold_up_others() {
    let address = start().await;
    let mut late = TcpStream::connect(address).await.unwrap();
    let began = Instant::now();
    send(&mut late, "GET", "/late", "").await;
    let mut other = TcpStream::connect(address).await.unwrap();
    send(&mut other, "GET", "/a", "").await;
    receive(&mut other).await.unwrap();
    assert!(began.elapsed() < Duration::from_millis(150));
    assert!(receive(&mut late).await.unwrap().ends_with("late"));
    assert!(began.elapsed() >= Duration::from_millis(150));
}

#[tokio::test]
async fn a_reset_closes_without_an_answer_and_a_hang_stays_open() {
    let address = start().await;
    let mut reset = TcpStream::connect(address).await.unwrap();
    send(&mut reset, "GET", "/reset", "").await;
    assert!(matches!(receive(&mut reset).await, Err(ErrorKind::ConnectionReset)));
    let mut hang = TcpStream::connect(address).await.unwrap();
    send(&mut hang, "GET", "/hang", "").await;
    let waited = timeout(Duration::from_millis(200), receive(&mut hang)).await;
    assert!(waited.is_err(), "{waited:?}");
}

#[tokio::test]
async fn a_server_that_ends_closes_its_connections() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let handler = |_: Request| (Duration::ZERO, text("there".to_owned()));
    let server = tokio::spawn(serve(listener, Arc::new(handler)));
    let mut stream = TcpStream::connect(address).await.unwrap();
    send(&mut stream, "GET", "/", "").await;
    assert!(receive(&mut stream).await.unwrap().ends_with("there"));
    server.abort();
    assert_eq!(receive(&mut stream).await, Ok(String::new()), "the end of the stream");
    assert!(TcpStream::connect(address).await.is_err());
}

fn request(method: &str, path: &str, scope: &str, body: &str) -> Request {
    let signature =
        format!("AWS4-HMAC-SHA256 Credential=K/20260101/us-east-1/{scope}/aws4_request, Signature=0");
    Request {
        method: method.to_owned(),
        path: path.to_owned(),
        query: String::new(),
        headers: BTreeMap::from([("authorization".to_owned(), signature)]),
        body: body.as_bytes().to_vec(),
    }
}

fn answered(account: &mut Account, request: &Request) -> (u16, String) {
    match wire::answer(account, 0, request) {
        Reply::Full { status, body, .. } => (status, String::from_utf8(body).unwrap()),
        other => panic!("{other:?}"),
    }
}

fn delete(value: &str) -> String {
    format!(
        "<ChangeResourceRecordSetsRequest xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\"><ChangeBatch><Changes>\
         <Change><Action>DELETE</Action><ResourceRecordSet><Name>db.example.com</Name><Type>A</Type><TTL>5</TTL>\
         <ResourceRecords><ResourceRecord><Value>{value}</Value></ResourceRecord></ResourceRecords>\
         </ResourceRecordSet></Change></Changes></ChangeBatch></ChangeResourceRecordSetsRequest>"
    )
}

#[test]
fn an_invalid_batch_has_a_document_of_its_own_or_the_common_frame() {
    let mut account = Account::default();
    let zone = account.create_hosted_zone(0, "example.com").unwrap();
    let path = format!("/2013-04-01/hostedzone/{zone}/rrset/");
    let request = request("POST", &path, "route53", &delete("10.0.0.1"));
    let (status, own) = answered(&mut account, &request);
    let words = "Tried to delete resource record set [name='db.example.com.', type='A'] but it was not found";
    assert_eq!(status, 400);
    assert!(own.contains(&format!("<Messages><Message>{words}</Message></Messages>")), "{own}");
    assert!(!own.contains("ErrorResponse"), "{own}");
    account.settings.wrap_invalid_change_batch = true;
    let (_, framed) = answered(&mut account, &request);
    assert!(
        framed.contains(&format!("<Code>InvalidChangeBatch</Code><Message>[{words}]</Message>")),
        "{framed}"
    );
}

#[test]
fn each_service_has_its_own_shape_of_error() {
    let mut account = Account::default();
    for action in [
        "elasticloadbalancing:DescribeTargetHealth",
        "ec2:DescribeInstances",
        "route53:GetChange",
        "dynamodb:GetItem",
    ] {
        account.faults.next(action, 1, Fault::Refuse(AwsError::new("Bad", "a < b").with_status(503)));
    }
    let elb = request("POST", "/", "elasticloadbalancing", "Action=DescribeTargetHealth&TargetGroupArn=x");
    let (status, body) = answered(&mut account, &elb);
    assert_eq!(status, 503);
    assert!(
        body.contains("<ErrorResponse xmlns=\"http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/\">")
    );
    assert!(body.contains("<Type>Receiver</Type><Code>Bad</Code><Message>a &lt; b</Message>"), "{body}");
    let (_, body) = answered(&mut account, &request("POST", "/", "ec2", "Action=DescribeInstances"));
    assert!(body.starts_with("<Response><Errors><Error><Code>Bad</Code>"), "{body}");
    let (_, body) = answered(&mut account, &request("GET", "/2013-04-01/change/C1", "route53", ""));
    assert!(body.contains("<Code>Bad</Code>"), "{body}");
    let mut get = request("POST", "/", "dynamodb", r#"{"TableName": "t", "Key": {"k": {"S": "v"}}}"#);
    get.headers.insert("x-amz-target".to_owned(), "DynamoDB_20120810.GetItem".to_owned());
    let (_, body) = answered(&mut account, &get);
    assert!(body.contains("#Bad\"") && body.contains("\"a < b\""), "{body}");
}

#[test]
fn a_fault_before_the_model_has_the_shape_of_its_service() {
    let mut account = Account::default();
    let throttled = AwsError::new("Throttling", "Rate exceeded");
    let list = request("GET", "/2013-04-01/hostedzone", "route53", "");
    let Reply::Full { status, body, .. } = wire::refuse(&mut account, &list, &throttled) else { panic!() };
    let body = String::from_utf8(body).unwrap();
    assert!(
        status == 400 && body.contains("<Code>Throttling</Code><Message>Rate exceeded</Message>"),
        "{body}"
    );
    assert_eq!(account.calls(), []);
}

#[test]
fn a_lost_answer_never_comes() {
    let mut account = Account::default();
    account.faults.next("sns:CreateTopic", 1, Fault::LoseAnswer);
    let request = request("POST", "/", "sns", "Action=CreateTopic&Version=2010-03-31&Name=alerts");
    assert_eq!(wire::answer(&mut account, 0, &request), Reply::Hang);
    let (status, body) = answered(&mut account, &request);
    assert_eq!(status, 200);
    assert!(body.contains("<TopicArn>arn:aws:sns:us-east-1:123456789012:alerts</TopicArn>"), "{body}");
}

#[test]
fn an_unsigned_request_is_recognised_by_its_version_and_nonsense_is_refused() {
    let mut account = Account::default();
    let mut unsigned = request("POST", "/", "", "Action=GetCallerIdentity&Version=2011-06-15");
    unsigned.headers.clear();
    assert!(answered(&mut account, &unsigned).1.contains("<Account>123456789012</Account>"));
    unsigned.body = b"Action=Fly&Version=2011-06-15".to_vec();
    assert!(answered(&mut account, &unsigned).1.contains("<Code>InvalidAction</Code>"));
    unsigned.body.clear();
    assert_eq!(answered(&mut account, &unsigned).0, 404);
}

#[test]
fn a_request_is_named_as_permissions_name_it() {
    let named =
        |request: &Request| wire::action(request).map(|(service, action)| format!("{service}:{action}"));
    let list = request("GET", "/2013-04-01/hostedzone/Z1/rrset", "route53", "");
    assert_eq!(named(&list).unwrap(), "route53:ListResourceRecordSets");
    let health = request("POST", "/", "elasticloadbalancing", "Action=DescribeTargetHealth");
    assert_eq!(named(&health).unwrap(), "elasticloadbalancing:DescribeTargetHealth");
}

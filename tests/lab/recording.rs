//! What moto's recorder wrote down: one JSON object per request, decoded to the AWS operation.

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use reqwest::Url;
use serde_json::Value;

/// One request that the emulator received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The name requests are signed for: `elasticloadbalancing`, `route53`, `ec2`, `sns`, …
    pub service: String,
    /// `RegisterTargets`, `ChangeResourceRecordSets`, … or `METHOD /path` where unknown.
    pub operation: String,
    pub is_write: bool,
    /// As sent: a form for the Query services, XML for Route 53, JSON for others.
    pub body: String,
}

impl Call {
    /// The parameter of a Query service, for example `Targets.member.1.Id`.
    pub fn parameter(&self, name: &str) -> Option<String> {
        form(&self.body).find_map(|(key, value)| (key == name).then_some(value))
    }
}

/// Only the calls that change something.
pub fn writes(calls: &[Call]) -> Vec<&Call> {
    calls.iter().filter(|call| call.is_write).collect()
}

pub fn parse(recording: &str) -> anyhow::Result<Vec<Call>> {
    let entries = recording.lines().filter(|line| !line.is_empty());
    let calls = entries.map(|line| {
        let entry: Value = serde_json::from_str(line)?;
        call(&entry).with_context(|| format!("cannot read {entry}"))
    });
    Ok(calls.collect::<anyhow::Result<Vec<_>>>()?.into_iter().flatten().collect())
}

/// None for a request to the emulator itself.
fn call(entry: &Value) -> anyhow::Result<Option<Call>> {
    let method = entry["method"].as_str().context("no method")?;
    let url = Url::parse(entry["url"].as_str().context("no url")?)?;
    if url.path().starts_with("/moto-api/") {
        return Ok(None);
    }
    let body = body(entry)?;
    let authorization = header(entry, "authorization").unwrap_or_default();
    let service = signed_service(&authorization).unwrap_or("unsigned").to_owned();

    let operation = if let Some(target) = header(entry, "x-amz-target") {
        target.rsplit('.').next().unwrap_or_default().to_owned()
    } else if service == "route53" {
        route53_operation(method, url.path())
    } else if let Some((_, action)) = form(&body).find(|(name, _)| name == "Action") {
        action
    } else {
        format!("{method} {}", url.path())
    };
    Ok(Some(Call { is_write: is_write(&operation), service, operation, body }))
}

fn body(entry: &Value) -> anyhow::Result<String> {
    let text = entry["body"].as_str().unwrap_or_default();
    if entry["body_encoded"] == true {
        return Ok(String::from_utf8(BASE64.decode(text)?)?);
    }
    Ok(text.to_owned())
}

fn header(entry: &Value, name: &str) -> Option<String> {
    let mut headers = entry["headers"].as_object()?.iter();
    let (_, value) = headers.find(|(key, _)| key.eq_ignore_ascii_case(name))?;
    value.as_str().map(str::to_owned)
}

/// From `AWS4-HMAC-SHA256 Credential=KEY/20261120/eu-west-1/sns/aws4_request, …`.
fn signed_service(authorization: &str) -> Option<&str> {
    authorization.split_once("Credential=")?.1.split('/').nth(3)
}

fn form(body: &str) -> impl Iterator<Item = (String, String)> {
    let url = Url::parse(&format!("form:?{body}")).ok();
    let pairs: Vec<_> = url.iter().flat_map(Url::query_pairs).map(|(k, v)| (k.into(), v.into())).collect();
    pairs.into_iter()
}

/// Route 53 names its operations by method and path: `/2013-04-01/hostedzone/Z1/rrset`.
fn route53_operation(method: &str, path: &str) -> String {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).skip(1).collect();
    match (method, parts.as_slice()) {
        ("GET", ["hostedzone"]) => "ListHostedZones".to_owned(),
        ("GET", ["hostedzonesbyname"]) => "ListHostedZonesByName".to_owned(),
        ("GET", ["hostedzone", _]) => "GetHostedZone".to_owned(),
        ("POST", ["hostedzone"]) => "CreateHostedZone".to_owned(),
        ("GET", ["hostedzone", _, "rrset"]) => "ListResourceRecordSets".to_owned(),
        ("POST", ["hostedzone", _, "rrset"]) => "ChangeResourceRecordSets".to_owned(),
        ("GET", ["change", _]) => "GetChange".to_owned(),
        ("GET", ["healthcheck", _]) => "GetHealthCheck".to_owned(),
        ("POST", ["healthcheck"]) => "CreateHealthCheck".to_owned(),
        _ => format!("{method} {path}"),
    }
}

fn is_write(operation: &str) -> bool {
    const READS: [&str; 6] = ["Describe", "Get", "List", "AssumeRole", "HEAD ", "GET "];
    !READS.iter().any(|read| operation.starts_with(read))
}

//! Where each service is asked, and for which Region its calls are signed.

use std::collections::BTreeMap;

use crate::support::command::Repoint;
use crate::support::http::{Request, Server, xml};

const SERVICES: [(&str, &str); 5] = [
    ("elasticloadbalancing", "AWS_ENDPOINT_URL_ELASTIC_LOAD_BALANCING_V2"),
    ("route53", "AWS_ENDPOINT_URL_ROUTE_53"),
    ("sns", "AWS_ENDPOINT_URL_SNS"),
    ("dynamodb", "AWS_ENDPOINT_URL_DYNAMODB"),
    ("sts", "AWS_ENDPOINT_URL_STS"),
];

/// Refuses everything, at once.
async fn server() -> Server {
    Server::start(|_| {
        xml(
            403,
            "<ErrorResponse><Error><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>",
        )
    })
    .await
}

/// Every service, with nothing in it that has a Region but the ARNs.
fn configuration(partition: &str, region: &str) -> String {
    format!(
        "[state]\ndynamodb_table = \"repoint\"\n[alerts]\nsns_topic_arn = \"arn:{partition}:sns:{region}:123456789012:a\"\n\
         [[cluster]]\nscope = \"batman\"\nmembers = [\"http://127.0.0.1:9\"]\n\
         [[cluster.target_group]]\narn = \"arn:{partition}:elasticloadbalancing:{region}:123456789012:targetgroup/pg/0123\"\n\
         [[cluster.record]]\nzone_id = \"Z1\"\nname = \"a.example.com\"\ntype = \"A\"\npoints_to = \"primary\"\n\
         [[cluster.record]]\nzone_id = \"Z2\"\nname = \"b.example.com\"\ntype = \"A\"\npoints_to = \"primary\"\n\
         role_arn = \"arn:{partition}:iam::210987654321:role/dns\"\n"
    )
}

/// Date, Region and service of the signature.
fn scope(request: &Request) -> Vec<String> {
    let header = &request.headers["authorization"];
    let scope = header.split("Credential=").nth(1).unwrap().split(',').next().unwrap();
    scope.split('/').map(str::to_owned).collect()
}

/// The Regions that were signed for, by service.
fn signed(server: &Server) -> BTreeMap<String, String> {
    let requests = server.requests();
    requests.iter().map(scope).map(|scope| (scope[3].clone(), scope[2].clone())).collect()
}

async fn run(repoint: Repoint) {
    let repoint = repoint.without("REPOINT_STATE_FILE");
    repoint.run(&["status"]).await;
    repoint.run(&["test-alert"]).await;
}

#[tokio::test]
async fn a_service_s_own_endpoint_beats_the_general_one() {
    let general = server().await;
    let mut own = Vec::new();
    let url = general.url();
    let configuration = format!("[aws]\nendpoint_url = {url:?}\n{}", configuration("aws", "eu-west-1"));
    let mut repoint = Repoint::new(configuration);
    for (service, variable) in SERVICES {
        let server = server().await;
        repoint = repoint.with(variable, &server.url());
        own.push((service, server));
    }
    run(repoint).await;
    assert!(general.requests().is_empty(), "{:?}", general.requests());
    for (service, server) in own {
        assert_eq!(signed(&server).into_keys().collect::<Vec<_>>(), [service]);
    }
}

#[tokio::test]
async fn the_file_and_repoint_s_variable_beat_the_variable_of_all_programs() {
    for explicit in ["file", "variable"] {
        let (ours, everybody) = (server().await, server().await);
        let text = configuration("aws", "eu-west-1");
        let repoint = match explicit {
            "file" => Repoint::new(format!("[aws]\nendpoint_url = {:?}\n{text}", ours.url())),
            _ => Repoint::new(text).with("REPOINT_AWS_ENDPOINT_URL", &ours.url()),
        };
        run(repoint.with("AWS_ENDPOINT_URL", &everybody.url())).await;
        assert!(everybody.requests().is_empty(), "{explicit}: {:?}", everybody.requests());
        assert_eq!(signed(&ours).len(), SERVICES.len(), "{explicit}");
    }
}

#[tokio::test]
async fn the_shared_configuration_file_may_name_one_service() {
    let (general, own) = (server().await, server().await);
    let folder = tempfile::TempDir::new().unwrap();
    let file = folder.path().join("config");
    let services =
        format!("[default]\nservices = local\n[services local]\nsns =\n  endpoint_url = {}\n", own.url());
    std::fs::write(&file, services).unwrap();
    let configuration =
        format!("[aws]\nendpoint_url = {:?}\n{}", general.url(), configuration("aws", "eu-west-1"));
    run(Repoint::new(configuration).with("AWS_CONFIG_FILE", file.to_str().unwrap())).await;
    assert_eq!(signed(&own).into_keys().collect::<Vec<_>>(), ["sns"]);
    assert!(!signed(&general).contains_key("sns"));
}

/// Where no Region is configured, the ARNs tell of it; Route 53 has one in each partition.
#[tokio::test]
async fn without_a_region_that_of_the_arns_is_used() {
    for (partition, region, of_route53) in [
        ("aws", "eu-west-1", "us-east-1"),
        ("aws-cn", "cn-north-1", "cn-northwest-1"),
        ("aws-us-gov", "us-gov-east-1", "us-gov-west-1"),
    ] {
        let server = server().await;
        let configuration =
            format!("[aws]\nendpoint_url = {:?}\n{}", server.url(), configuration(partition, region));
        run(Repoint::new(configuration)).await;
        let signed = signed(&server);
        for (service, _) in SERVICES {
            let wanted = if service == "route53" { of_route53 } else { region };
            assert_eq!(signed.get(service).map(String::as_str), Some(wanted), "{partition} {service}");
        }
    }
}

#[tokio::test]
async fn a_table_is_in_the_region_of_its_arn() {
    let server = server().await;
    let table = "arn:aws:dynamodb:us-east-2:123456789012:table/repoint";
    let configuration = configuration("aws", "eu-west-1").replace("\"repoint\"", &format!("{table:?}"));
    run(Repoint::new(format!("[aws]\nendpoint_url = {:?}\n{configuration}", server.url()))).await;
    let signed = signed(&server);
    assert_eq!(signed["dynamodb"], "us-east-2");
    assert_eq!(signed["elasticloadbalancing"], "eu-west-1");
}

//! Load balancers, and the security groups between clients, them and the members.

use repoint_domain::doctor::check::Severity::{Critical, Info, Warning};
use repoint_domain::values::arn::VpcId;
use repoint_domain::values::cluster::Address;

use super::{Case, examined, finds, not_checked, plain, remedies, silent};
use crate::support::changes::{
    balancer, each_listed, group_spec_of, instance, of_group, security_group, tcp, tcp_check,
};
use crate::support::evidence::name;
use crate::support::setup::{balancer_facts, group_facts, set};

pub const CASES: &[Case] = &[
    // The load balancer's security groups, towards clients.
    finds("no rule allows the listener's port", "balancer_closed_to_clients", Critical, |facts| {
        security_group(facts, "sg-balancer").ingress = vec![tcp(6432, &["0.0.0.0/0"])];
    }),
    silent("clients of one address may connect", |facts| {
        security_group(facts, "sg-balancer").ingress = vec![tcp(5432, &["10.7.0.1/32"])];
    }),
    // The load balancer's security groups, towards the members.
    finds("no outbound rule allows the health check", "balancer_closed_to_nodes", Critical, |facts| {
        security_group(facts, "sg-balancer").egress = vec![tcp(5432, &["10.0.0.0/16"])];
    }),
    finds("no outbound rule allows one of the members", "balancer_closed_to_nodes", Critical, |facts| {
        let both = |network: &'static str| [tcp(5432, &[network]), tcp(8008, &[network])];
        security_group(facts, "sg-balancer").egress = both("10.0.1.8/30").to_vec();
    }),
    silent("outbound rules name the members' security group", |facts| {
        security_group(facts, "sg-balancer").egress =
            vec![of_group("sg-nodes", 5432), of_group("sg-nodes", 8008)];
    }),
    // The members' security groups.
    finds("PostgreSQL's port is closed", "nodes_closed_to_balancer", Critical, |facts| {
        security_group(facts, "sg-nodes").ingress =
            vec![of_group("sg-balancer", 8008), of_group("sg-function", 8008)];
    }),
    finds(
        "the health check's port is open to the Lambda alone",
        "nodes_closed_to_balancer",
        Critical,
        |facts| {
            security_group(facts, "sg-nodes").ingress =
                vec![of_group("sg-balancer", 5432), of_group("sg-function", 8008)];
        },
    ),
    finds("one member has another security group", "nodes_closed_to_balancer", Critical, |facts| {
        instance(facts, 3).security_groups = vec!["sg-function".to_owned()];
    }),
    finds(
        "the health check's port is open to clients alone",
        "nodes_closed_to_balancer",
        Critical,
        |facts| {
            let rules =
                vec![tcp(5432, &["10.0.0.0/16"]), tcp(8008, &["10.7.0.0/16"]), of_group("sg-function", 8008)];
            security_group(facts, "sg-nodes").ingress = rules;
        },
    ),
    silent("the members allow the load balancer's subnets", |facts| {
        let open = |port| tcp(port, &["10.0.1.0/24", "10.0.2.0/23"]);
        security_group(facts, "sg-nodes").ingress =
            vec![open(5432), open(8008), of_group("sg-function", 8008)];
    }),
    silent(
        "the health check asks the port of the traffic, and Patroni's is closed to the load balancer",
        |facts| {
            tcp_check(facts);
            security_group(facts, "sg-nodes").ingress =
                vec![of_group("sg-balancer", 5432), of_group("sg-function", 8008)];
        },
    ),
    silent("the members listen on a pooler's port", |facts| {
        group_spec_of(facts).port = Some(6432);
        let target = &mut group_facts(facts).targets.as_mut().unwrap()[0].target;
        target.port = 6432;
        security_group(facts, "sg-nodes").ingress.push(of_group("sg-balancer", 6432));
    }),
    silent("a member that is never promoted is closed", |facts| {
        instance(facts, 3).security_groups = vec!["sg-function".to_owned()];
        each_listed(facts, |listed| listed.nofailover |= listed.name == name(3));
    }),
    // The load balancer itself.
    finds("the load balancer is public", "balancer_internet_facing", Warning, |facts| {
        balancer(facts).scheme = "internet-facing".to_owned();
    }),
    finds("the load balancer has failed", "balancer_not_active", Critical, |facts| {
        balancer(facts).state = "failed".to_owned();
    }),
    finds("the load balancer lacks addresses", "balancer_not_active", Warning, |facts| {
        balancer(facts).state = "active_impaired".to_owned();
    }),
    silent("the load balancer is new", |facts| balancer(facts).state = "provisioning".to_owned()),
    finds("the load balancer may be deleted", "balancer_not_protected", Info, |facts| {
        set(&mut balancer_facts(facts).attributes, "deletion_protection.enabled", "false");
    }),
    finds("the load balancer has no security groups", "balancer_without_security_groups", Info, |facts| {
        balancer(facts).security_groups.clear();
        let open = |port| tcp(port, &["10.0.0.0/16"]);
        security_group(facts, "sg-nodes").ingress = vec![open(5432), open(8008)];
    }),
    finds("a member's zone is not enabled", "balancer_zone_missing", Critical, |facts| {
        balancer(facts).subnets.pop();
    }),
    silent("members are outside the VPC, and their zone is configured", |facts| {
        balancer(facts).subnets.pop();
        group_spec_of(facts).availability_zone = Some("all".to_owned());
    }),
    silent("targets are in all zones", |facts| {
        balancer(facts).subnets.pop();
        group_facts(facts).targets.as_mut().unwrap()[0].zone = Some("all".to_owned());
    }),
];

#[test]
fn what_is_not_known_of_a_member_is_not_checked() {
    let of_network = ["balancer_closed_to_nodes", "balancer_zone_missing", "nodes_closed_to_balancer"];
    let no_instance = "no running EC2 instance in the VPC of pg-writer has 10.99.0.12, the address of pg2";
    not_checked(
        |facts| {
            let elsewhere = Address { host: "10.99.0.12".to_owned(), port: 5432 };
            each_listed(facts, |listed| {
                if listed.name == name(2) {
                    listed.address = Some(elsewhere.clone());
                }
            });
        },
        &of_network,
        no_instance,
    );
    not_checked(
        |facts| instance(facts, 2).vpc = Some(VpcId::new("vpc-other")),
        &of_network,
        "has 10.0.1.12, the address of pg2",
    );
    not_checked(
        |facts| each_listed(facts, |listed| listed.address = None),
        &[&of_network[..], &["member_unplaced"]].concat(),
        "no readable /cluster says where the PostgreSQL of pg1 listens",
    );
}

#[test]
fn what_is_wrong_with_one_member_is_found_beside_one_that_is_not_known() {
    let report = examined(|facts| {
        instance(facts, 2).vpc = Some(VpcId::new("vpc-other"));
        instance(facts, 3).security_groups = vec!["sg-function".to_owned()];
    });
    let [finding] = &report.findings[..] else { panic!("{}", plain(&report)) };
    assert!(finding.found.contains(" on pg3 "), "{}", finding.found);
}

#[test]
fn a_remedy_is_a_command_or_a_setting() {
    insta::assert_snapshot!(remedies(CASES), @r##"
    balancer_closed_to_clients: no rule of sg-balancer allows TCP port 5432
      aws ec2 authorize-security-group-ingress --region us-east-1 --group-id sg-balancer --protocol tcp --port 5432 --cidr NETWORK_OF_THE_CLIENTS
    balancer_closed_to_nodes: no outbound rule of sg-balancer allows TCP port 8008 of pg1, pg2, pg3
      aws ec2 authorize-security-group-egress --region us-east-1 --group-id sg-balancer --ip-permissions 'IpProtocol=tcp,FromPort=8008,ToPort=8008,UserIdGroupPairs=[{GroupId=sg-nodes}]'
    nodes_closed_to_balancer: no rule of sg-nodes on pg1, pg2, pg3 allows TCP port 5432 from pg
      aws ec2 authorize-security-group-ingress --region us-east-1 --group-id sg-nodes --ip-permissions 'IpProtocol=tcp,FromPort=5432,ToPort=5432,UserIdGroupPairs=[{GroupId=sg-balancer}]'
    balancer_internet_facing: Scheme is internet-facing
      the scheme of a load balancer cannot be changed; create another one: aws elbv2 create-load-balancer --region us-east-1 --type network --scheme internal --name pg-internal --subnets subnet-a subnet-b subnet-c
    balancer_not_active: State.Code is failed
      delete the load balancer pg and create it again
    balancer_not_protected: deletion_protection.enabled is false
      aws elbv2 modify-load-balancer-attributes --region us-east-1 --load-balancer-arn arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/net/pg/50dc6c495c0c9188 --attributes Key=deletion_protection.enabled,Value=true
    balancer_without_security_groups: SecurityGroups is empty
      with the next load balancer: aws elbv2 create-load-balancer --region us-east-1 --type network --scheme internal --name pg-2 --subnets subnet-a subnet-b subnet-c --security-groups SECURITY_GROUP
    balancer_zone_missing: pg3 in us-east-1c; the load balancer is in us-east-1a, us-east-1b
      aws elbv2 set-subnets --region us-east-1 --load-balancer-arn arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/net/pg/50dc6c495c0c9188 --subnets subnet-a subnet-b subnet-c
    "##);
}

"""What the example's variables name, in an emulated AWS. Prints the ARN of the target group and the zone's id.

usage: aws.py ENDPOINT
"""

import sys

import boto3

REGION = "eu-central-1"


def client(service, endpoint):
    return boto3.client(
        service, region_name=REGION, endpoint_url=endpoint, aws_access_key_id="lab", aws_secret_access_key="lab"
    )


def make(endpoint):
    ec2, elbv2 = client("ec2", endpoint), client("elbv2", endpoint)
    vpc = ec2.create_vpc(CidrBlock="10.77.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.77.0.0/24")["Subnet"]["SubnetId"]
    group = elbv2.create_target_group(Name="pg-writer", Protocol="TCP", Port=5432, VpcId=vpc, TargetType="ip")
    group = group["TargetGroups"][0]["TargetGroupArn"]
    balancer = elbv2.create_load_balancer(Name="pg", Type="network", Scheme="internal", Subnets=[subnet])
    elbv2.create_listener(
        LoadBalancerArn=balancer["LoadBalancers"][0]["LoadBalancerArn"],
        Protocol="TCP",
        Port=5432,
        DefaultActions=[{"Type": "forward", "TargetGroupArn": group}],
    )
    zone = client("route53", endpoint).create_hosted_zone(Name="db.example.com", CallerReference="lab")
    client("sns", endpoint).create_topic(Name="db-alerts")
    client("dynamodb", endpoint).create_table(
        TableName="repoint",
        AttributeDefinitions=[{"AttributeName": "scope", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "scope", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    print(group, zone["HostedZone"]["Id"].rsplit("/", 1)[-1])


if __name__ == "__main__":
    make(sys.argv[1])

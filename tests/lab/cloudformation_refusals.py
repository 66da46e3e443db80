"""What cfn-lint says of the template, and what the template's own rules refuse."""

import subprocess

from account import has, same
from cloudformation_stack import BIN, MONITORING, TEMPLATE, Stack
from moto_cloudformation.template import Refused, Values, parse

GIVEN = {
    "CodeBucket": "code",
    "CodeKey": "bootstrap.zip",
    "Configuration": '[[cluster]]\nscope = "batman"',
    "PolicyArns": "arn:aws:iam::123456789012:policy/repoint",
}
VPC = {"VpcId": "vpc-1", "SubnetIds": "subnet-1,subnet-2", "PatroniCidrBlocks": "10.0.1.0/24"}
BY_NAT = {"HttpsCidrBlocks": "0.0.0.0/0"}
GATEWAY = {"DynamoDbEndpoint": "true", "RouteTableIds": "rtb-1", "DynamoDbPrefixListId": "pl-1"}
TOPIC = "arn:aws:sns:us-east-1:123456789012:db-alerts"
LAYER = "arn:aws:lambda:us-east-1:123456789012:layer:repoint:1"


def refusals(world):
    template = parse(TEMPLATE.read_text())
    lists(template)
    regions(template)
    fine = [
        {},
        {"PolicyArns": "arn:aws:iam::123456789012:policy/a,arn:aws:iam::123456789012:policy/b"},
        {"Configuration": "", "ConfigurationLayerArn": LAYER},
        {"AlertTopicArn": TOPIC, "TriggerTopicArn": TOPIC.replace("db-alerts", "look")},
        VPC,
        {**VPC, "PatroniCidrBlocks": "", "PatroniSecurityGroupId": "sg-1", "OpenPatroniSecurityGroup": "true"},
        {**VPC, "SnsEndpoint": "true", "VpcCidrBlocks": "10.0.0.0/16", **GATEWAY},
        {**VPC, **GATEWAY, **BY_NAT, "DynamoDbPrefixListId": ""},
        {"ScheduleExpression": "cron(0/5 * * * ? *)"},
        {"LogFilter": "error,repoint=debug", "ReservedConcurrency": "0"},
    ]
    refused = [
        ({"Configuration": ""}, "There is no configuration"),
        ({"ConfigurationLayerArn": LAYER}, "There are two configurations"),
        ({"AlertTopicArn": TOPIC, "TriggerTopicArn": TOPIC}, "Use two topics"),
        ({**VPC, "SubnetIds": ""}, "SubnetIds is empty"),
        ({**VPC, "PatroniCidrBlocks": ""}, "Patroni's addresses are unknown"),
        *(({**VPC, name: value, "VpcId": ""}, "belong to a VPC, but there is none") for name, value in VPC.items()),
        ({"PatroniSecurityGroupId": "sg-1"}, "belong to a VPC, but there is none"),
        ({"SecurityGroupIds": "sg-1"}, "belong to a VPC, but there is none"),
        (BY_NAT, "belong to a VPC, but there is none"),
        *(({f"{name}Endpoint": "true"}, "Endpoints are created in a VPC") for name in
          ("ElasticLoadBalancing", "Sns", "Route53", "Ec2", "DynamoDb")),
        ({**VPC, "OpenPatroniSecurityGroup": "true"}, "which is empty"),
        *(({**VPC, **BY_NAT, f"{name}Endpoint": "true"}, "set VpcCidrBlocks") for name in
          ("ElasticLoadBalancing", "Sns", "Route53", "Ec2")),
        ({**VPC, **BY_NAT, **GATEWAY, "RouteTableIds": ""}, "to the route tables"),
        ({**VPC, **GATEWAY, "DynamoDbPrefixListId": ""}, "set DynamoDbPrefixListId"),
        ({**VPC, **GATEWAY}, "would not reach SNS and DynamoDB"),
        *(({**VPC, "VpcCidrBlocks": "10.0.0.0/16", f"{name}Endpoint": "true"}, "would not reach SNS and DynamoDB")
          for name in ("ElasticLoadBalancing", "Sns", "Route53", "Ec2")),
        ({"CodeBucket": "s3://code"}, "without s3://"),
        ({"Configuration": "cluster/repoint.toml"}, "the text of repoint.toml and not its path"),
        ({"Configuration": "[[cluster]]" + "#" * 4096}, "at most 4,096 bytes"),
        ({"ConfigurationLayerArn": LAYER[:-2]}, "ends in a number"),
        ({"PolicyArns": "policy.json"}, "aws iam create-policy"),
        ({"PolicyArns": ",".join(11 * [GIVEN["PolicyArns"]])}, "at most ten"),
        ({"Architecture": "arm"}, "arm64"),
        ({"MemoryMb": "64"}, "128"),
        ({"ReservedConcurrency": "-1"}, "a whole number, or empty"),
        ({"ScheduleExpression": "every minute"}, "rate(5 minutes)"),
        ({"ScheduleExpression": "rate(1 minutes)"}, "rate(5 minutes)"),
        ({"TriggerTopicArn": TOPIC + ".fifo"}, "FIFO topics cannot call a function"),
        ({"AlertTopicArn": TOPIC + ".fifo"}, "a standard SNS topic"),
        ({"TableName": "arn:aws:dynamodb:us-east-1:123456789012:table/memory"}, "not its ARN"),
        ({"LogRetentionDays": "31"}, "3653"),
        ({"KmsKeyArn": "alias/mine"}, "not of an alias"),
        ({**VPC, "SubnetIds": "subnet-1, subnet-2"}, "without blanks"),
        ({**VPC, "PatroniCidrBlocks": "10.0.0.0"}, "10.0.1.11/32"),
    ]
    for parameters in fine:
        Values(template, {**GIVEN, **parameters}, {"AWS::Region": "us-east-1"}, None)
    found = []
    for parameters, reason in refused:
        try:
            Values(template, {**GIVEN, **parameters}, {"AWS::Region": "us-east-1"}, None)
            found.append("nothing")
        except Refused as error:
            found.append(str(error))
        has(found[-1], reason)
    # No rule is without its trial.
    rules = [it["AssertDescription"] for rule in template["Rules"].values() for it in rule["Assertions"]]
    for rule in rules:
        has(" ".join(found), rule)
    # And it is before anything is made that they speak.
    before = world.everything()
    has(Stack(world).deploy(expected=255, **{**GIVEN, "Configuration": ""}), "There is no configuration")
    same(world.everything(), before)


def lists(template):
    """A list has no length in a template: as many rules are made as there are blocks."""
    for count in (1, 2, 3):
        blocks = [f"10.{i}.0.0/16" for i in range(count)]
        listed = {f"{name}CidrBlocks": ",".join(blocks) for name in ("Patroni", "Https", "Vpc")}
        given = {**GIVEN, **VPC, "SnsEndpoint": "true", **listed}
        values = Values(template, given, {"AWS::Region": "us-east-1"}, lambda *_: "sg-1")
        own = values.value(template["Resources"]["SecurityGroup"]["Properties"]["SecurityGroupEgress"])
        same([it["CidrIp"] for it in own if "CidrIp" in it], 2 * blocks)
        endpoints = values.value(template["Resources"]["EndpointsSecurityGroup"]["Properties"]["SecurityGroupIngress"])
        same([it["CidrIp"] for it in endpoints], blocks)


def regions(template):
    """The endpoint service of Route 53 is that of us-east-1, wherever the function is."""
    said = {"Region": template["Resources"]["Route53Interface"]["Properties"]["ServiceRegion"]}
    for region, expected in (("us-east-1", {}), ("eu-west-1", {"Region": "us-east-1"})):
        same(Values(template, GIVEN, {"AWS::Region": region}, None).value(said), expected)


def linted(world):
    """In every Region, and with what cfn-lint only mentions."""
    command = [BIN / "cfn-lint", "--include-checks", "I", "--regions", "ALL_REGIONS", "--", TEMPLATE, MONITORING]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    same((done.returncode, done.stdout), (0, ""))
    # It does look.
    wrong = world.folder / "wrong.yaml"
    wrong.write_text(TEMPLATE.read_text().replace("MemorySize:", "Memory:"))
    done = subprocess.run([BIN / "cfn-lint", wrong], stdout=subprocess.PIPE, text=True)
    has(done.stdout, "'Memory' was unexpected")

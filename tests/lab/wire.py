"""Speaks with an AWS endpoint through boto3, and prints what it answered: one JSON line for each step.

    wire.py URL            what this endpoint answers
    wire.py URL --moto     the same, but where moto is known to differ from AWS, what AWS answers

The two outputs, of the sandbox and of moto, must be equal. Ids, ARNs and times are replaced by names.
"""

import json
import sys

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.parsers import ResponseParserError

URL, MOTO = sys.argv[1], "--moto" in sys.argv
CONFIG = Config(retries={"total_max_attempts": 1}, parameter_validation=False)
# What is compared: the rest of an answer is not what repoint or its set-up rests on.
SHOWN = set(
    """TargetHealthDescriptions Target Id Port AvailabilityZone HealthCheckPort TargetHealth State Reason TargetGroups
    TargetGroupArn TargetGroupName TargetType Protocol HealthCheckProtocol HealthCheckPath HealthCheckIntervalSeconds
    HealthyThresholdCount UnhealthyThresholdCount LoadBalancerArns LoadBalancers LoadBalancerArn
    LoadBalancerName Scheme Type Listeners ListenerArn DefaultActions ForwardConfig Weight HostedZones HostedZone Name ChangeInfo
    Status ResourceRecordSets SetIdentifier Failover TTL ResourceRecords Value AliasTarget HostedZoneId DNSName
    EvaluateTargetHealth HealthCheckId IsTruncated NextRecordName NextRecordType NextRecordIdentifier MaxItems
    Reservations Instances InstanceId PrivateIpAddress Placement Tags Key NextToken TopicArn Table TableName
    TableStatus KeySchema AttributeName KeyType AttributeDefinitions AttributeType TableDescription Item Attributes
    Account error code message ItemCount""".split()
)
# These services name values by what the caller made up.
OPEN = {"Item", "Attributes"}
# What stands for an id, in the order of discovery.
names = {}


def client(service):
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    return boto3.client(service, endpoint_url=URL, region_name="us-east-1", config=CONFIG, **keys)


elb, dns, ec2, sns, ddb, sts = (client(it) for it in ("elbv2", "route53", "ec2", "sns", "dynamodb", "sts"))


def call(method, args):
    try:
        return method(**args)
    except ClientError as error:
        details = error.response["Error"]
        if not details["Code"] and "Messages" in error.response:  # Route 53's InvalidChangeBatch without a frame
            messages = error.response["Messages"]["Message"]
            messages = messages if isinstance(messages, list) else [messages]
            return {"error": {"code": "InvalidChangeBatch", "message": ", ".join(messages)}}
        return {"error": {"code": details["Code"], "message": details["Message"].strip("[]")}}
    except ResponseParserError as unreadable:
        return {"error": {"code": type(unreadable).__name__, "message": ""}}


def shown(value, everything=False):
    if isinstance(value, dict):
        kept = {key: shown(it, everything or key in OPEN) for key, it in value.items() if everything or key in SHOWN}
        return {key: it for key, it in kept.items() if it not in ({}, [])}
    if isinstance(value, list):
        return sorted((shown(it, everything) for it in value), key=json.dumps)
    if isinstance(value, str):
        for known, name in names.items():
            value = value.replace(known, name)
    return value


def step(name, method, words=True, differs=None, aws=None, **args):
    """`words=False` compares an error's code alone. `differs` says why moto is not like AWS; `aws` is what AWS says.
    Such a line also has what moto says, so that a mark is found out when moto has learnt."""
    answer = call(method, args)
    line = shown(answer)
    if "error" in line and not words:
        del line["error"]["message"]
    marks = {"differs": differs} if differs else {}
    if differs and MOTO:
        marks["moto"], line = line, aws
    print(json.dumps({"step": name, "answer": line} | marks, sort_keys=True, default=str))
    return answer


def error(code, message=None):
    return {"error": {"code": code} | ({"message": message} if message else {})}


step("who", sts.get_caller_identity)

# Elastic Load Balancing
subnet = ec2.describe_subnets()["Subnets"][0]["SubnetId"]
vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
check = {"HealthCheckProtocol": "HTTP", "HealthCheckPort": "8008", "HealthCheckPath": "/primary"}
group_args = {"Protocol": "TCP", "Port": 5432, "VpcId": vpc}


def group(name, **more):
    arn = elb.create_target_group(Name=name, **group_args, **more)["TargetGroups"][0]["TargetGroupArn"]
    names[arn] = f"<{name}>"
    return arn


writer = group("writer", TargetType="ip", HealthCheckIntervalSeconds=5, HealthCheckTimeoutSeconds=2,
               HealthyThresholdCount=2, **check)
step("slow checks", elb.create_target_group, Name="slow", HealthCheckIntervalSeconds=5, HealthCheckTimeoutSeconds=6,
     **group_args, **check)
other = group("other", TargetType="instance")
step("groups", elb.describe_target_groups, Names=["writer", "other"])
step("group by arn", elb.describe_target_groups, TargetGroupArns=[writer])
missing = writer[:-16] + "0" * 16
step("no such group", elb.describe_target_groups, TargetGroupArns=[missing])
step("no such name", elb.describe_target_groups, Names=["none"])
balancer = elb.create_load_balancer(Name="nlb", Type="network", Scheme="internal", Subnets=[subnet])["LoadBalancers"][0]
names[balancer["DNSName"]] = "<nlb name>"
names[balancer["LoadBalancerArn"]] = "<nlb>"
step("balancers", elb.describe_load_balancers, Names=["nlb"])
forward = [{"Type": "forward", "TargetGroupArn": writer}]
listener_args = {"LoadBalancerArn": balancer["LoadBalancerArn"], "Protocol": "TCP", "Port": 5432}
listener = elb.create_listener(DefaultActions=forward, **listener_args)["Listeners"][0]["ListenerArn"]
names[listener] = "<listener>"
step("same port again", elb.create_listener, words=False, DefaultActions=forward, **listener_args,
     differs="moto takes it", aws=error("DuplicateListener"))
tuple_of = lambda *pairs: [{"TargetGroupArn": arn, "Weight": weight} for arn, weight in pairs]
weights = lambda *pairs: [{"Type": "forward", "ForwardConfig": {"TargetGroups": tuple_of(*pairs)}}]
step("weights", elb.modify_listener, ListenerArn=listener, DefaultActions=weights((writer, 100), (other, 0)))
step("listeners", elb.describe_listeners, ListenerArns=[listener])
step("no such listener", elb.describe_listeners, words=False, ListenerArns=[listener[:-16] + "0" * 16])
step("delay", elb.modify_target_group_attributes, TargetGroupArn=writer,
     Attributes=[{"Key": "deregistration_delay.timeout_seconds", "Value": "7"}],
     differs="moto answers with what was changed",
     aws={"Attributes": [{"Key": key, "Value": value} for key, value in sorted({
         "deregistration_delay.connection_termination.enabled": "false",
         "deregistration_delay.timeout_seconds": "7",
         "load_balancing.cross_zone.enabled": "use_load_balancer_configuration",
         "preserve_client_ip.enabled": "false",
         "proxy_protocol_v2.enabled": "false",
         "stickiness.enabled": "false",
         "target_health_state.unhealthy.connection_termination.enabled": "true",
         "target_health_state.unhealthy.draining_interval_seconds": "0"}.items())]})
inside = {"Id": "172.31.0.11", "Port": 5432}
health = {"HealthCheckPort": "8008", "Target": inside | {"AvailabilityZone": "us-east-1a"}}
in_state = lambda state, reason: {
    "TargetHealthDescriptions": [health | {"TargetHealth": {"State": state, "Reason": reason}}]}
step("register", elb.register_targets, TargetGroupArn=writer, Targets=[inside])
step("registered", elb.describe_target_health, TargetGroupArn=writer,
     differs="moto's targets are healthy at once, and have no zone",
     aws=in_state("initial", "Elb.RegistrationInProgress"))
step("register again", elb.register_targets, TargetGroupArn=writer, Targets=[inside])
step("not registered", elb.describe_target_health, TargetGroupArn=writer, Targets=[{"Id": "172.31.0.99", "Port": 1}],
     differs="moto has another reason",
     aws={"TargetHealthDescriptions": [{
         "HealthCheckPort": "8008", "Target": {"Id": "172.31.0.99", "Port": 1},
         "TargetHealth": {"State": "unused", "Reason": "Target.NotRegistered"}}]})
step("deregister", elb.deregister_targets, TargetGroupArn=writer, Targets=[inside])
step("draining", elb.describe_target_health, TargetGroupArn=writer, differs="moto's targets go at once",
     aws=in_state("draining", "Target.DeregistrationInProgress"))
step("deregister what is not there", elb.deregister_targets, TargetGroupArn=writer, Targets=[{"Id": "172.31.0.98"}],
     differs="moto refuses", aws={})
step("public address", elb.register_targets, words=False, TargetGroupArn=writer, Targets=[{"Id": "8.8.8.8"}],
     differs="moto takes any", aws=error("InvalidTarget"))
outside = "The Availability Zone is required for IP address '10.0.0.1' because it is not in the VPC"
step("address outside", elb.register_targets, TargetGroupArn=writer, Targets=[{"Id": "10.0.0.1"}],
     differs="moto takes any", aws=error("ValidationError", outside))
step("bad arn", elb.describe_target_health, words=False, TargetGroupArn="arn:wrong", differs="moto does not look",
     aws=error("ValidationError"))
step("register where nothing is", elb.register_targets, words=False, TargetGroupArn=missing, Targets=[inside])

# EC2
run = {"ImageId": "ami-12345678", "MinCount": 1, "MaxCount": 1, "SubnetId": subnet}
address = "172.31.0.21"
tags = [{"ResourceType": "instance", "Tags": [{"Key": "scope", "Value": "batman"}]}]
instance = ec2.run_instances(PrivateIpAddress=address, TagSpecifications=tags, **run)["Instances"][0]["InstanceId"]
names[instance] = "<instance>"
by = lambda name, value: {"Filters": [{"Name": name, "Values": [value]}]}
step("by address", ec2.describe_instances, **by("private-ip-address", address))
step("by tag", ec2.describe_instances, **by("tag:scope", "batman"))
step("by state", ec2.describe_instances, **by("instance-state-name", "stopped"))
step("by id", ec2.describe_instances, **by("instance-id", instance))
step("no such instance", ec2.describe_instances, InstanceIds=["i-00000000000000bad"])
step("unknown filter", ec2.describe_instances, differs="moto says that it is not built", **by("private-ip", "x"),
     aws=error("InvalidParameterValue", "The filter 'private-ip' is invalid"))
step("register instance", elb.register_targets, TargetGroupArn=other, Targets=[{"Id": instance}])
step("no such target", elb.register_targets, words=False, TargetGroupArn=other, Targets=[{"Id": "i-00000000000000bad"}],
     differs="moto takes any", aws=error("InvalidTarget"))
ec2.stop_instances(InstanceIds=[instance])
step("stopped target", elb.register_targets, TargetGroupArn=other, Targets=[{"Id": instance, "Port": 1}])

# Route 53
zone = dns.create_hosted_zone(Name="example.com", CallerReference="1")["HostedZone"]["Id"]
names[zone] = "<zone>"
checks = {"Type": "TCP", "IPAddress": "10.0.0.1", "Port": 1}
check = dns.create_health_check(CallerReference="1", HealthCheckConfig=checks)["HealthCheck"]["Id"]
names[check] = "<check>"


def record(name, value, kind="A", ttl=5, **more):
    return {"Name": name, "Type": kind, "TTL": ttl, "ResourceRecords": [{"Value": value}]} | more


def batch(name, *changes, **more):
    changes = [{"Action": action, "ResourceRecordSet": record} for action, record in changes]
    return step(name, dns.change_resource_record_sets, HostedZoneId=zone, ChangeBatch={"Changes": changes}, **more)


def listed(name, **args):
    step(name, dns.list_resource_record_sets, HostedZoneId=zone, **args)


pending = {"differs": "moto's changes are INSYNC at once", "aws": {"ChangeInfo": {"Id": "<change>", "Status": "PENDING"}}}


def applied(name, *changes):
    """A batch that is applied: its id is another each time."""
    changes = [{"Action": action, "ResourceRecordSet": record} for action, record in changes]
    answer = call(dns.change_resource_record_sets, {"HostedZoneId": zone, "ChangeBatch": {"Changes": changes}})
    names[answer.get("ChangeInfo", {}).get("Id")] = "<change>"
    step(name, lambda: answer, **pending)
    return answer


a = record("db.example.com", "10.0.0.1")
change = applied("create", ("CREATE", a))
step("change", dns.get_change, Id=change["ChangeInfo"]["Id"], **pending)
batch("create again", ("CREATE", a))
batch("delete another value", ("DELETE", record("db.example.com", "10.0.0.2")))
batch("delete another ttl", ("DELETE", record("db.example.com", "10.0.0.1", ttl=6)))
batch("delete nothing", ("DELETE", record("none.example.com", "10.0.0.1")))
batch("all or nothing", ("CREATE", record("x.example.com", "10.0.0.9")), ("CREATE", a))
applied("swap", ("DELETE", a), ("CREATE", record("DB.example.com.", "10.0.0.2")))
applied("upsert", ("UPSERT", record("db.example.com", "10.0.0.3")), ("UPSERT", record("*.example.com", "10.0.0.4")))
pair = {"Failover": "PRIMARY", "SetIdentifier": "one", "HealthCheckId": check}
second = {"Failover": "SECONDARY", "SetIdentifier": "two"}
applied("failover", ("CREATE", record("f.example.com", "10.0.0.5", **pair)),
        ("CREATE", record("f.example.com", "10.0.0.6", **second)))
target = {"HostedZoneId": zone.split("/")[-1], "DNSName": "db.example.com.", "EvaluateTargetHealth": True}
names[zone.split("/")[-1]] = "<zone>"
applied("alias", ("CREATE", {"Name": "alias.example.com", "Type": "A", "AliasTarget": target}))
listed("one place", StartRecordName="f.example.com", StartRecordType="A", MaxItems="2")
listed("a page", StartRecordName="alias.example.com", MaxItems="1")
first = {"Name": "db.example.com.", "Type": "A", "TTL": 5, "ResourceRecords": [{"Value": "10.0.0.3"}]}
primary = record("f.example.com.", "10.0.0.5", **pair) | {"HealthCheckId": "<check>"}
secondary = record("f.example.com.", "10.0.0.6", **second)
no_identifier = "moto's pages neither start nor end at an identifier"
listed("middle of a pair", StartRecordName="db.example.com", MaxItems="2", differs=no_identifier,
       aws={"IsTruncated": True, "MaxItems": "2", "NextRecordIdentifier": "two", "NextRecordName": "f.example.com.",
            "NextRecordType": "A", "ResourceRecordSets": [first, primary]})
listed("from an identifier", StartRecordName="f.example.com", StartRecordType="A", StartRecordIdentifier="two",
       differs=no_identifier, aws={"IsTruncated": False, "MaxItems": "300", "ResourceRecordSets": [secondary]})
batch("second primary", ("CREATE", record("f.example.com", "10.0.0.7", **pair | {"SetIdentifier": "three"})),
      words=False, differs="moto has no such rule", aws=error("InvalidChangeBatch"))
batch("simple beside failover", ("CREATE", record("f.example.com", "10.0.0.7")),
      words=False, differs="moto has no such rule", aws=error("InvalidChangeBatch"))
cname = "RRSet of type CNAME with DNS name db.example.com. is not permitted as it conflicts with other records with "
batch("cname beside a", ("CREATE", record("db.example.com", "x.example.com", "CNAME")),
      differs="moto has no such rule",
      aws=error("InvalidChangeBatch", cname + "the same DNS name in zone example.com."))
batch("no such check", ("CREATE", record("g.example.com", "10.0.0.7", **pair | {"HealthCheckId": "none"})),
      words=False, differs="moto does not look", aws=error("NoSuchHealthCheck"))
batch("another zone's name", ("CREATE", record("db.example.org", "10.0.0.7")), words=False)
step("zones", dns.list_hosted_zones)
step("no such zone", dns.list_resource_record_sets, HostedZoneId="ZNONE")
step("change no such zone", dns.change_resource_record_sets, HostedZoneId="ZNONE",
     ChangeBatch={"Changes": [{"Action": "CREATE", "ResourceRecordSet": a}]})

# SNS
topic = step("topic", sns.create_topic, Name="alerts")["TopicArn"]
attributes = {"event": {"DataType": "String", "StringValue": "failover"}}
step("publish", sns.publish, TopicArn=topic, Subject="s", Message="a & b", MessageAttributes=attributes)
step("no such topic", sns.publish, words=False, TopicArn=topic + "x", Message="m")
step("long subject", sns.publish, words=False, TopicArn=topic, Message="m", Subject="s" * 101)
step("large message", sns.publish, words=False, TopicArn=topic, Message="m" * 262145)

# DynamoDB
key = {"AttributeName": "scope"}
table = {"TableName": "state", "KeySchema": [key | {"KeyType": "HASH"}]}
step("table", ddb.create_table, BillingMode="PAY_PER_REQUEST", AttributeDefinitions=[key | {"AttributeType": "S"}], **table)
step("table again", ddb.create_table, words=False, BillingMode="PAY_PER_REQUEST",
     AttributeDefinitions=[key | {"AttributeType": "S"}], **table)
at = lambda revision: {"scope": {"S": "batman"}, "revision": {"N": revision}}
fresh = {"ConditionExpression": "attribute_not_exists(#k)", "ExpressionAttributeNames": {"#k": "scope"}}
seen = lambda revision: {"ConditionExpression": "attribute_not_exists(#k) OR revision = :r",
                         "ExpressionAttributeNames": {"#k": "scope"},
                         "ExpressionAttributeValues": {":r": {"N": revision}}}
step("first", ddb.put_item, TableName="state", Item=at("1"), **fresh)
step("first again", ddb.put_item, TableName="state", Item=at("1"), **fresh)
step("swap", ddb.put_item, TableName="state", Item=at("2"), ReturnValues="ALL_OLD", **seen("1"))
step("late swap", ddb.put_item, TableName="state", Item=at("3"), **seen("1"))
step("get", ddb.get_item, TableName="state", Key={"scope": {"S": "batman"}}, ConsistentRead=True)
step("get nothing", ddb.get_item, TableName="state", Key={"scope": {"S": "robin"}})
step("no such table", ddb.get_item, TableName="none", Key={"scope": {"S": "robin"}})
step("without key", ddb.put_item, words=False, TableName="state", Item={"revision": {"N": "1"}})
step("too large", ddb.put_item, words=False, TableName="state", Item=at("1") | {"x": {"S": "x" * 409600}})
step("delete late", ddb.delete_item, TableName="state", Key={"scope": {"S": "batman"}}, **seen("1"))
step("delete", ddb.delete_item, TableName="state", Key={"scope": {"S": "batman"}}, **seen("2"))
step("described", ddb.describe_table, TableName="state")

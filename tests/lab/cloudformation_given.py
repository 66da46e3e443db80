"""The stack with everything that can be given, and with what the examples leave as it is."""

import json

from account import ALARMS, METRIC_ALARMS, MODULE, dashboard, has_not, role_policies, same
from cloudformation_stack import MONITORING, Stack, alarms, rules

EXAMPLE = MODULE / "examples" / "existing" / "bundle.json"


def given(world):
    """Everything that can be given is, beside a key and a layer, outside of any VPC."""
    allowed = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    boundary = world.aws("iam").create_policy(PolicyName="boundary", PolicyDocument=document)["Policy"]["Arn"]
    key = world.aws("kms").create_key()["KeyMetadata"]["Arn"]
    topics = {name: world.aws("sns").create_topic(Name=name)["TopicArn"] for name in ("look", "tell")}
    url = world.aws("sqs").create_queue(QueueName="failures")["QueueUrl"]
    queue = world.aws("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    world.aws("dynamodb").create_table(
        TableName="repoint-state",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "scope", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "scope", "KeyType": "HASH"}],
    )
    content = {"ZipFile": world.zip.read_bytes()}
    layer = world.aws("lambda").publish_layer_version(LayerName="configuration", Content=content)["LayerVersionArn"]
    stack = Stack(world)
    before = world.everything()
    policy = json.dumps(json.loads(EXAMPLE.read_text())["policy"])
    outputs = stack.make(
        "",
        policy,
        ConfigurationLayerArn=layer,
        TriggerTopicArn=topics["look"],
        AlertTopicArn=topics["tell"],
        FailureQueueArn=queue,
        TableName="repoint-state",
        KmsKeyArn=key,
        Architecture="arm64",
        MemoryMb="1024",
        TimeoutSeconds="120",
        ReservedConcurrency="2",
        LogFilter="debug",
        LogRetentionDays="0",
        LogGroupClass="INFREQUENT_ACCESS",
        RolePath="/service/",
        PermissionsBoundaryArn=boundary,
        NoSuccessMinutes="0",
        ScheduleExpression="rate(5 minutes)",
    )
    same((outputs["TriggerTopicArn"], outputs["AlertTopicArn"], outputs["FailureQueueArn"], outputs["TableName"]),
         (topics["look"], topics["tell"], queue, "repoint-state"))
    has_not(outputs, "SecurityGroupId")
    function = world.aws("lambda").get_function(FunctionName="repoint")
    same(function["Concurrency"], {"ReservedConcurrentExecutions": 2})
    function = function["Configuration"]
    same((function["Architectures"], [it["Arn"] for it in function["Layers"]]), (["arm64"], [layer]))
    same((function["MemorySize"], function["Timeout"]), (1024, 120))
    same(function["Environment"]["Variables"], {"REPOINT_LOG": "debug"})
    same(role_policies(world, outputs["RoleName"])["lambda"]["Statement"][2]["Resource"], key)
    role = world.aws("iam").get_role(RoleName=outputs["RoleName"])["Role"]
    same((role["Path"], role["PermissionsBoundary"]["PermissionsBoundaryArn"]), ("/service/", boundary))
    schedule = world.aws("scheduler").get_schedule(Name="all", GroupName="repoint")
    same((schedule["KmsKeyArn"], schedule["Target"]["DeadLetterConfig"]["Arn"]), (key, queue))
    log = world.aws("logs").describe_log_groups(logGroupNamePrefix="/aws/lambda/repoint")["logGroups"]
    same([("retentionInDays" in it, it["kmsKeyId"]) for it in log], [(False, key)])
    same(alarms(world, outputs), ALARMS - {"repoint-no-success"})
    stack.delete()
    same(world.everything(), before)

    made_with_a_key(world, stack, policy, key)
    same(world.everything(), before)
    monitoring(world, stack, {"Trigger": topics["look"], "Alert": topics["tell"], "queue": queue})
    same(world.everything(), before)


def monitoring(world, stack, arns):
    """The stack beside it, which takes the other one's outputs."""
    given = {
        "TriggerTopicArn": arns["Trigger"],
        "AlertTopicArn": arns["Alert"],
        "FailureQueueArn": arns["queue"],
        "MetricAlarmsEnabled": "true",
    }
    overrides = [f"{name}={value}" for name, value in given.items()]
    named = ("--stack-name", "repoint-monitoring")
    stack.aws("deploy", *named, "--template-file", str(MONITORING), "--parameter-overrides", *overrides)
    same(alarms(world, {"AlertTopicArn": arns["Alert"]}), METRIC_ALARMS)
    same(dashboard(world, ALARMS | METRIC_ALARMS), {"repoint", "look", "tell", "failures"})
    stack.aws("delete-stack", *named)
    stack.aws("wait", "stack-delete-complete", *named)


def made_with_a_key(world, stack, policy, key):
    """The same key for what is made; nobody watches; and as many addresses and groups as a VPC's parameters take."""
    ec2 = world.aws("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"]
    more = ec2.create_security_group(GroupName="more", Description="more", VpcId=vpc)["GroupId"]
    patroni = [f"10.0.{i}.0/24" for i in range(3)]
    https = [f"10.1.{i}.0/24" for i in range(3)]
    outputs = stack.make(
        "[[cluster]]",
        policy,
        KmsKeyArn=key,
        AlarmsEnabled="false",
        VpcId=vpc,
        SubnetIds=subnet,
        SecurityGroupIds=more,
        PatroniPort="8009",
        PatroniCidrBlocks=",".join(patroni),
        HttpsCidrBlocks=",".join(https),
        SnsEndpoint="true",
        VpcCidrBlocks=",".join(patroni),
    )
    for topic in (outputs["TriggerTopicArn"], outputs["AlertTopicArn"]):
        same(world.aws("sns").get_topic_attributes(TopicArn=topic)["Attributes"]["KmsMasterKeyId"], key)
    table = world.aws("dynamodb").describe_table(TableName="repoint")["Table"]
    same((table["SSEDescription"]["SSEType"], table["SSEDescription"]["KMSMasterKeyArn"]), ("KMS", key))
    same(table["DeletionProtectionEnabled"], True)
    url = world.aws("sqs").get_queue_url(QueueName="repoint-failures")["QueueUrl"]
    attributes = world.aws("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    same((attributes["KmsMasterKeyId"], attributes["QueueArn"]), (key, outputs["FailureQueueArn"]))
    same(world.aws("cloudwatch").describe_alarms()["MetricAlarms"], [])

    own = outputs["SecurityGroupId"]
    function = world.aws("lambda").get_function(FunctionName="repoint")["Configuration"]
    same(function["VpcConfig"]["SecurityGroupIds"], [own, more])
    endpoints = [it for it in ec2.describe_vpc_endpoints()["VpcEndpoints"] if it["VpcId"] == vpc]
    (interfaces,) = [group["GroupId"] for it in endpoints for group in it["Groups"]]
    ways = {("out", 443, interfaces)} | {("out", 8009, it) for it in patroni} | {("out", 443, it) for it in https}
    same(rules(world, own), ways)
    same({it for it in rules(world, interfaces) if it[0] == "in"}, {("in", 443, it) for it in patroni})

    stack.delete()
    ec2.delete_security_group(GroupId=more)
    ec2.delete_subnet(SubnetId=subnet)
    ec2.delete_vpc(VpcId=vpc)

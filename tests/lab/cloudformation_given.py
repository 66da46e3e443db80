"""The stack with everything that can be given."""

from account import MODULE, has_not, role_policies, same
from cloudformation_stack import Stack, alarms

EXAMPLE = MODULE / "examples" / "existing" / "policy.json"


def given(world):
    """Everything that can be given is, beside a key and a layer, outside of any VPC."""
    key = world.aws("kms").create_key()["KeyMetadata"]["Arn"]
    topics = {name: world.aws("sns").create_topic(Name=name)["TopicArn"] for name in ("look", "tell")}
    url = world.aws("sqs").create_queue(QueueName="failures")["QueueUrl"]
    queue = world.aws("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    world.aws("dynamodb").create_table(
        TableName="memory",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "scope", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "scope", "KeyType": "HASH"}],
    )
    content = {"ZipFile": world.zip.read_bytes()}
    layer = world.aws("lambda").publish_layer_version(LayerName="configuration", Content=content)["LayerVersionArn"]
    stack = Stack(world)
    before = world.everything()
    policy = EXAMPLE.read_text()
    outputs = stack.make(
        "",
        policy,
        ConfigurationLayerArn=layer,
        TriggerTopicArn=topics["look"],
        AlertTopicArn=topics["tell"],
        FailureQueueArn=queue,
        TableName="memory",
        KmsKeyArn=key,
        Architecture="arm64",
        ReservedConcurrency="2",
        LogFilter="debug",
        LogRetentionDays="0",
        NoSuccessMinutes="0",
        ScheduleExpression="rate(5 minutes)",
    )
    same((outputs["TriggerTopicArn"], outputs["AlertTopicArn"], outputs["FailureQueueArn"], outputs["TableName"]),
         (topics["look"], topics["tell"], queue, "memory"))
    has_not(outputs, "SecurityGroupId")
    function = world.aws("lambda").get_function(FunctionName="repoint")
    same(function["Concurrency"], {"ReservedConcurrentExecutions": 2})
    function = function["Configuration"]
    same((function["Architectures"], [it["Arn"] for it in function["Layers"]]), (["arm64"], [layer]))
    same(function["Environment"]["Variables"], {"REPOINT_LOG": "debug"})
    same(role_policies(world, outputs["RoleName"])["lambda"]["Statement"][2]["Resource"], key)
    schedule = world.aws("scheduler").get_schedule(Name="all", GroupName="repoint")
    same((schedule["KmsKeyArn"], schedule["Target"]["DeadLetterConfig"]["Arn"]), (key, queue))
    log = world.aws("logs").describe_log_groups(logGroupNamePrefix="/aws/lambda/repoint")["logGroups"]
    same([("retentionInDays" in it, it["kmsKeyId"]) for it in log], [(False, key)])
    same(alarms(world, outputs), {"repoint-errors", "repoint-throttles", "repoint-dropped"})
    stack.delete()
    same(world.everything(), before)

    # The same key for what is made.
    outputs = stack.make("[[cluster]]", policy, KmsKeyArn=key)
    for topic in (outputs["TriggerTopicArn"], outputs["AlertTopicArn"]):
        same(world.aws("sns").get_topic_attributes(TopicArn=topic)["Attributes"]["KmsMasterKeyId"], key)
    table = world.aws("dynamodb").describe_table(TableName="repoint")["Table"]
    same((table["SSEDescription"]["SSEType"], table["SSEDescription"]["KMSMasterKeyArn"]), ("KMS", key))
    url = world.aws("sqs").get_queue_url(QueueName="repoint-failures")["QueueUrl"]
    attributes = world.aws("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    same((attributes["KmsMasterKeyId"], attributes["QueueArn"]), (key, outputs["FailureQueueArn"]))
    stack.delete()
    same(world.everything(), before)

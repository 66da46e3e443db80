"""The resources of the template, each made, changed and deleted by its service's own API.

A type says what its properties are called there. What is left of them goes to the API as it is, whose client knows no
property that the service does not: so nothing that the template says is passed over.
"""

import json
import random
import string

import boto3


class Account:
    """The services of one account and Region. Parameters are text; numbers and truths get their types here."""

    def __init__(self, endpoint, region):
        self.options = {
            "endpoint_url": endpoint,
            "region_name": region,
            # The owner's: see moto_server.py.
            "aws_access_key_id": "lab",
            "aws_secret_access_key": "lab",
        }

    def call(self, service, verb, /, **arguments):
        client = boto3.client(service, **self.options)
        shape = client.meta.service_model.operation_model(client.meta.method_to_api_mapping[verb]).input_shape
        return getattr(client, verb)(**typed(shape, arguments))


def typed(shape, value):
    if shape.type_name == "structure" and isinstance(value, dict):
        return {name: typed(shape.members[name], it) if name in shape.members else it for name, it in value.items()}
    if shape.type_name == "list" and isinstance(value, list):
        return [typed(shape.member, it) for it in value]
    if shape.type_name in ("integer", "long") and isinstance(value, str):
        return int(value)
    if shape.type_name == "boolean" and isinstance(value, str):
        return {"true": True, "false": False}[value]
    return value


class Type:
    """`create` answers what a `Ref` is, and the attributes. What is not overridden cannot be done here."""

    @staticmethod
    def update(account, made, properties):
        raise NotImplementedError("this cannot be changed here")


class Function(Type):
    @staticmethod
    def parted(properties):
        """The code, what is reserved, and the configuration, each of which has calls of its own."""
        rest = dict(properties)
        if "KmsKeyArn" in rest:
            rest["KMSKeyArn"] = rest.pop("KmsKeyArn")
        return rest.pop("Code"), rest.pop("ReservedConcurrentExecutions", None), rest

    @classmethod
    def create(cls, account, name, properties):
        code, reserved, rest = cls.parted(properties)
        made = account.call("lambda", "create_function", Code=code, **rest)
        if reserved is not None:
            cls.reserve(account, made["FunctionName"], reserved)
        return made["FunctionName"], {"Arn": made["FunctionArn"]}

    @classmethod
    def update(cls, account, made, properties):
        code, reserved, rest = cls.parted(properties)
        architectures = rest.pop("Architectures")
        account.call("lambda", "update_function_configuration", **rest)
        account.call("lambda", "update_function_code", FunctionName=made["ref"], Architectures=architectures, **code)
        if reserved is not None:
            cls.reserve(account, made["ref"], reserved)
        elif "ReservedConcurrentExecutions" in made["properties"]:
            account.call("lambda", "delete_function_concurrency", FunctionName=made["ref"])

    @staticmethod
    def reserve(account, name, reserved):
        account.call("lambda", "put_function_concurrency", FunctionName=name, ReservedConcurrentExecutions=reserved)

    @staticmethod
    def delete(account, made):
        account.call("lambda", "delete_function", FunctionName=made["ref"])


class Permission(Type):
    @staticmethod
    def create(account, name, properties):
        account.call("lambda", "add_permission", StatementId=name, **properties)
        return name, {}

    @staticmethod
    def delete(account, made):
        function = made["properties"]["FunctionName"]
        account.call("lambda", "remove_permission", FunctionName=function, StatementId=made["ref"])


class EventInvokeConfig(Type):
    @staticmethod
    def create(account, name, properties):
        account.call("lambda", "put_function_event_invoke_config", **properties)
        return name, {}

    @staticmethod
    def delete(account, made):
        of = {key: made["properties"][key] for key in ("FunctionName", "Qualifier")}
        account.call("lambda", "delete_function_event_invoke_config", **of)


class LogGroup(Type):
    @staticmethod
    def create(account, name, properties):
        renamed = {"LogGroupName": "logGroupName", "KmsKeyId": "kmsKeyId", "LogGroupClass": "logGroupClass"}
        rest = {renamed.get(key, key): it for key, it in properties.items() if key != "RetentionInDays"}
        account.call("logs", "create_log_group", **rest)
        if "RetentionInDays" in properties:
            of = {"logGroupName": rest["logGroupName"], "retentionInDays": properties["RetentionInDays"]}
            account.call("logs", "put_retention_policy", **of)
        return rest["logGroupName"], {}

    @staticmethod
    def delete(account, made):
        account.call("logs", "delete_log_group", logGroupName=made["ref"])


class Role(Type):
    @staticmethod
    def create(account, name, properties):
        rest = dict(properties)
        policies, managed = rest.pop("Policies"), rest.pop("ManagedPolicyArns", [])
        rest["AssumeRolePolicyDocument"] = json.dumps(rest["AssumeRolePolicyDocument"])
        role = account.call("iam", "create_role", RoleName=name[:64], **rest)["Role"]
        for policy in policies:
            document = json.dumps(policy["PolicyDocument"])
            of = {"PolicyName": policy["PolicyName"], "PolicyDocument": document}
            account.call("iam", "put_role_policy", RoleName=role["RoleName"], **of)
        for arn in managed:
            account.call("iam", "attach_role_policy", RoleName=role["RoleName"], PolicyArn=arn)
        return role["RoleName"], {"Arn": role["Arn"]}

    @staticmethod
    def delete(account, made):
        for arn in made["properties"].get("ManagedPolicyArns", []):
            account.call("iam", "detach_role_policy", RoleName=made["ref"], PolicyArn=arn)
        for policy in made["properties"]["Policies"]:
            account.call("iam", "delete_role_policy", RoleName=made["ref"], PolicyName=policy["PolicyName"])
        account.call("iam", "delete_role", RoleName=made["ref"])


class ScheduleGroup(Type):
    @staticmethod
    def create(account, name, properties):
        account.call("scheduler", "create_schedule_group", **properties)
        return properties["Name"], {}

    @staticmethod
    def delete(account, made):
        account.call("scheduler", "delete_schedule_group", Name=made["ref"])


class Schedule(Type):
    @staticmethod
    def create(account, name, properties):
        account.call("scheduler", "create_schedule", **properties)
        return properties["Name"], {}

    @staticmethod
    def update(account, made, properties):
        account.call("scheduler", "update_schedule", **properties)

    @staticmethod
    def delete(account, made):
        account.call("scheduler", "delete_schedule", Name=made["ref"], GroupName=made["properties"]["GroupName"])


class Topic(Type):
    @staticmethod
    def create(account, name, properties):
        rest = dict(properties)
        made = account.call("sns", "create_topic", Name=rest.pop("TopicName"), Attributes=rest)
        return made["TopicArn"], {}

    @staticmethod
    def delete(account, made):
        account.call("sns", "delete_topic", TopicArn=made["ref"])


class TopicPolicy(Type):
    @staticmethod
    def create(account, name, properties):
        policy = {"AttributeName": "Policy", "AttributeValue": json.dumps(properties["PolicyDocument"])}
        for topic in properties["Topics"]:
            account.call("sns", "set_topic_attributes", TopicArn=topic, **policy)
        return name, {}

    @staticmethod
    def delete(account, made):
        """CloudFormation gives the topic SNS's own policy again; here the topic goes next."""


class Subscription(Type):
    @staticmethod
    def create(account, name, properties):
        rest = dict(properties)
        attributes = {name: json.dumps(rest.pop(name)) for name in ("RedrivePolicy",) if name in rest}
        return account.call("sns", "subscribe", Attributes=attributes, **rest)["SubscriptionArn"], {}

    @staticmethod
    def delete(account, made):
        account.call("sns", "unsubscribe", SubscriptionArn=made["ref"])


class Table(Type):
    @staticmethod
    def create(account, name, properties):
        rest = dict(properties)
        recovery = rest.pop("PointInTimeRecoverySpecification")
        if "SSESpecification" in rest:
            encryption = dict(rest["SSESpecification"])
            rest["SSESpecification"] = {"Enabled": encryption.pop("SSEEnabled"), **encryption}
        table = account.call("dynamodb", "create_table", **rest)["TableDescription"]
        of = {"TableName": table["TableName"], "PointInTimeRecoverySpecification": recovery}
        account.call("dynamodb", "update_continuous_backups", **of)
        return table["TableName"], {"Arn": table["TableArn"]}

    @staticmethod
    def update(account, made, properties):
        protection = {"DeletionProtectionEnabled": properties["DeletionProtectionEnabled"]}
        if {**made["properties"], **protection} != properties:
            raise NotImplementedError("of a table, only its protection can be changed here")
        account.call("dynamodb", "update_table", TableName=made["ref"], **protection)

    @staticmethod
    def delete(account, made):
        account.call("dynamodb", "delete_table", TableName=made["ref"])


class Queue(Type):
    @staticmethod
    def create(account, name, properties):
        rest = dict(properties)
        queue = rest.pop("QueueName")
        attributes = {key: str(it).lower() if isinstance(it, bool) else str(it) for key, it in rest.items()}
        url = account.call("sqs", "create_queue", QueueName=queue, Attributes=attributes)["QueueUrl"]
        of = account.call("sqs", "get_queue_attributes", QueueUrl=url, AttributeNames=["QueueArn"])
        return url, {"Arn": of["Attributes"]["QueueArn"]}

    @staticmethod
    def delete(account, made):
        account.call("sqs", "delete_queue", QueueUrl=made["ref"])


class QueuePolicy(Type):
    @staticmethod
    def create(account, name, properties):
        policy = {"Policy": json.dumps(properties["PolicyDocument"])}
        for queue in properties["Queues"]:
            account.call("sqs", "set_queue_attributes", QueueUrl=queue, Attributes=policy)
        return name, {}

    @staticmethod
    def delete(account, made):
        for queue in made["properties"]["Queues"]:
            account.call("sqs", "set_queue_attributes", QueueUrl=queue, Attributes={"Policy": ""})


class Alarm(Type):
    @staticmethod
    def create(account, name, properties):
        account.call("cloudwatch", "put_metric_alarm", **properties)
        return properties["AlarmName"], {}

    @classmethod
    def update(cls, account, made, properties):
        cls.create(account, made["ref"], properties)

    @staticmethod
    def delete(account, made):
        account.call("cloudwatch", "delete_alarms", AlarmNames=[made["ref"]])


class Dashboard(Type):
    @staticmethod
    def create(account, name, properties):
        account.call("cloudwatch", "put_dashboard", **properties)
        return properties["DashboardName"], {}

    @classmethod
    def update(cls, account, made, properties):
        cls.create(account, made["ref"], properties)

    @staticmethod
    def delete(account, made):
        account.call("cloudwatch", "delete_dashboards", DashboardNames=[made["ref"]])


PEERS = {
    "CidrIp": ("IpRanges", "CidrIp"),
    "SourceSecurityGroupId": ("UserIdGroupPairs", "GroupId"),
    "DestinationSecurityGroupId": ("UserIdGroupPairs", "GroupId"),
    "DestinationPrefixListId": ("PrefixListIds", "PrefixListId"),
}


def permission(rule):
    """EC2 takes a rule's peer and what is said of it together."""
    rest = dict(rule)
    (key,) = set(rest) & set(PEERS)
    kind, name = PEERS[key]
    return {kind: [{name: rest.pop(key), "Description": rest.pop("Description")}], **rest}


class SecurityGroup(Type):
    @staticmethod
    def create(account, name, properties):
        rest = dict(properties)
        rules = {"egress": rest.pop("SecurityGroupEgress", []), "ingress": rest.pop("SecurityGroupIngress", [])}
        tags = [{"ResourceType": "security-group", "Tags": rest.pop("Tags")}]
        of = {"GroupName": name, "Description": rest.pop("GroupDescription"), "TagSpecifications": tags}
        group = account.call("ec2", "create_security_group", **of, **rest)["GroupId"]
        # Who names a way out closes all others.
        if rules["egress"]:
            everywhere = [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
            account.call("ec2", "revoke_security_group_egress", GroupId=group, IpPermissions=everywhere)
        for way, of in rules.items():
            if of:
                verb = f"authorize_security_group_{way}"
                account.call("ec2", verb, GroupId=group, IpPermissions=[permission(it) for it in of])
        return group, {"GroupId": group}

    @staticmethod
    def delete(account, made):
        account.call("ec2", "delete_security_group", GroupId=made["ref"])


class SecurityGroupIngress(Type):
    @staticmethod
    def change(account, verb, properties):
        rest = dict(properties)
        account.call("ec2", verb, GroupId=rest.pop("GroupId"), IpPermissions=[permission(rest)])

    @classmethod
    def create(cls, account, name, properties):
        cls.change(account, "authorize_security_group_ingress", properties)
        return name, {}

    @classmethod
    def delete(cls, account, made):
        cls.change(account, "revoke_security_group_ingress", made["properties"])


class VPCEndpoint(Type):
    @staticmethod
    def create(account, name, properties):
        rest = dict(properties)
        tags = [{"ResourceType": "vpc-endpoint", "Tags": rest.pop("Tags")}]
        made = account.call("ec2", "create_vpc_endpoint", TagSpecifications=tags, **rest)
        return made["VpcEndpoint"]["VpcEndpointId"], {}

    @staticmethod
    def delete(account, made):
        account.call("ec2", "delete_vpc_endpoints", VpcEndpointIds=[made["ref"]])


def type_of(name):
    """`AWS::Lambda::Function` is a `Function` here."""
    return {it.__name__: it for it in Type.__subclasses__()}[name.rsplit("::", 1)[1]]


def physical_name(stack, logical):
    return f"{stack}-{logical}-{''.join(random.choices(string.ascii_uppercase + string.digits, k=12))}"
